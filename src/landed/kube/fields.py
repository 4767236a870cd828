"""The kubeconfig's own names for what we read of a cluster, a user and a context.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert, field

from landed.errors import ConfigurationError
from landed.kube.kubeconfig import GIVEN, Entry

T = TypeVar("T")


class ClusterFields(Struct, frozen=True, rename="kebab"):
    """``clusters[].cluster``."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: tuple[Mapping[str, Any], ...] = ()


class ContextFields(Struct, frozen=True):
    """``contexts[].context``."""

    cluster: str = ""
    user: str = ""


class EnvVar(Struct, frozen=True):
    """One variable an exec plugin is given. Its value may be a secret."""

    name: str
    value: str = ""

    def __repr__(self) -> str:
        return f"EnvVar({self.name})"


class Exec(Struct, frozen=True, rename="camel"):
    """``users[].user.exec``."""

    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    api_version: str = ""
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class AuthProvider(Struct, frozen=True):
    """``users[].user.auth-provider``."""

    name: str = ""
    config: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"AuthProvider({self.name})"


class UserFields(Struct, frozen=True, rename="kebab"):
    """``users[].user``. Never printed."""

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    impersonate: str = field(default="", name="as")
    impersonate_uid: str = field(default="", name="as-uid")
    impersonate_groups: tuple[str, ...] = field(default=(), name="as-groups")
    impersonate_extra: Mapping[str, tuple[str, ...]] = field(default={}, name="as-user-extra")
    exec: Exec | None = None
    auth_provider: AuthProvider | None = None

    def __repr__(self) -> str:
        return "UserFields(***)"


def cluster(entry: Entry, name: str) -> ClusterFields:
    """The fields of a cluster. Raises ConfigurationError naming file and field."""
    return _convert(entry, "cluster", name, ClusterFields)


def context(entry: Entry, name: str) -> ContextFields:
    """The fields of a context. Raises ConfigurationError naming file and field."""
    return _convert(entry, "context", name, ContextFields)


def user(entry: Entry, name: str) -> UserFields:
    """The fields of a user. Raises ConfigurationError naming file and field."""
    return _convert(entry, "user", name, UserFields)


def _convert(entry: Entry, part: str, name: str, fields: type[T]) -> T:
    try:
        return convert(entry.fields, fields)
    except ValidationError as error:  # names types and the path, never a value
        where = "the given kubeconfig" if entry.file == GIVEN else entry.file
        raise ConfigurationError(
            f'{part} "{name}" in {where} is not usable: {str(error).replace("`", "")}.',
            "Numbers and dates that are meant as text need quotes.",
        ) from None
