"""One context of a kubeconfig, put together from its cluster and its user."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from landed.errors import ConfigurationError
from landed.kube import fields, proxy
from landed.kube.endpoint import DEFAULT_PORTS, Endpoint
from landed.kube.fields import ClusterFields, UserFields
from landed.kube.kubeconfig import Entry, Kubeconfig

EXEC_CONFIG = "client.authentication.k8s.io/exec"


class Chosen(Struct, frozen=True):
    """A context with everything it takes to connect. Its repr holds no secret."""

    endpoint: Endpoint
    user: UserFields
    folder: str
    """What the user's relative paths are relative to."""
    cluster: ClusterFields

    def __repr__(self) -> str:
        return f"Chosen({self.endpoint})"


def choose(config: Kubeconfig, context: str, environ: Mapping[str, str], warn: Callable[[str], None]) -> Chosen:
    """Look up ``context``, or the current one where it is empty. Raises ConfigurationError."""
    name = context or current(config)
    entry = _named(config.contexts, "context", name, config)
    parts = fields.context(entry, name)
    if not parts.cluster:
        raise ConfigurationError(f'Context "{name}" in {entry.file} names no cluster.')
    cluster_entry = _named(config.clusters, "cluster", parts.cluster, config, f'context "{name}" names')
    cluster = fields.cluster(cluster_entry, parts.cluster)
    if not parts.user and not cluster.server.startswith("http://"):
        raise ConfigurationError(f'Context "{name}" in {entry.file} names no user.')
    user, folder = _user(config, name, parts.user)
    endpoint = _endpoint(name, parts.user, parts.cluster, cluster, cluster_entry, user, environ)
    _caution(endpoint, user, warn)
    return Chosen(endpoint, user, folder, cluster)


def current(config: Kubeconfig) -> str:
    """The name of the current context. Raises ConfigurationError where there is none."""
    if not config.current:
        raise ConfigurationError(
            f"There is no current-context in {config.origin}.",
            f"Choose one with --context: {_some(config.contexts)}."
            if config.contexts
            else "Set one with kubectl config use-context NAME.",
        )
    return config.current


def _named(entries: Mapping[str, Entry], part: str, name: str, config: Kubeconfig, because: str = "there is") -> Entry:
    if name in entries:
        return entries[name]
    if because == "there is":
        raise ConfigurationError(f'There is no context "{name}" in {config.origin}.', _nearest(name, entries))
    raise ConfigurationError(
        f'The {because} {part} "{name}", which is not in {config.origin}.', _nearest(name, entries)
    )


def _nearest(name: str, entries: Mapping[str, Entry]) -> str:
    if not entries:
        return "There is none at all: is this the right kubeconfig?"
    from difflib import get_close_matches

    near = get_close_matches(name, entries, n=5, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There is: {_some(entries)}."


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more


def _user(config: Kubeconfig, context: str, name: str) -> tuple[UserFields, str]:
    if not name:
        return UserFields(), ""
    entry = _named(config.users, "user", name, config, f'context "{context}" names')
    return fields.user(entry, name), entry.folder


def _endpoint(
    context: str,
    user_name: str,
    name: str,
    cluster: ClusterFields,
    entry: Entry,
    user: UserFields,
    environ: Mapping[str, str],
) -> Endpoint:
    scheme, host, port, prefix = _server(name, cluster, entry, user)
    if cluster.insecure_skip_tls_verify and (cluster.certificate_authority or cluster.certificate_authority_data):
        raise ConfigurationError(
            f'Cluster "{name}" in {entry.file} has both a certificate-authority and insecure-skip-tls-verify.',
            "Remove insecure-skip-tls-verify.",
        )
    return Endpoint(
        context=context,
        host=host,
        port=port,
        scheme=scheme,
        prefix=prefix,
        user=user_name,
        authority=material(
            cluster.certificate_authority_data,
            cluster.certificate_authority,
            entry.folder,
            f'certificate-authority of cluster "{name}" in {entry.file}',
        ),
        insecure=cluster.insecure_skip_tls_verify,
        server_name=cluster.tls_server_name,
        proxy=cluster.proxy_url or proxy.choose(scheme, host, port, environ),
        gzip=not cluster.disable_compression,
    )


def _server(name: str, cluster: ClusterFields, entry: Entry, user: UserFields) -> tuple[str, str, int, str]:
    """Scheme, host, port and path prefix of the server. Without a scheme it is https if anything speaks of TLS."""
    from urllib.parse import urlsplit

    url = cluster.server.strip()
    if not url:
        raise ConfigurationError(f'Cluster "{name}" in {entry.file} has no server.')
    if "://" not in url:
        url = f"{'https' if _speaks_of_tls(cluster, user) else 'http'}://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in DEFAULT_PORTS or not host or any(c.isspace() or c < "!" for c in host):
        raise ConfigurationError(
            f'The server of cluster "{name}" in {entry.file} is not a usable URL.',
            "It should look like https://api.example.com:6443.",
        )
    return parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/")


def _speaks_of_tls(cluster: ClusterFields, user: UserFields) -> bool:
    return bool(
        cluster.certificate_authority
        or cluster.certificate_authority_data
        or cluster.insecure_skip_tls_verify
        or user.client_certificate
        or user.client_certificate_data
    )


def material(data: str, path: str, folder: str, what: str) -> bytes:
    """A certificate or key: the base64 ``data`` if there is any, else the content of ``path``.

    Raises ConfigurationError, which says ``what`` it is.
    """
    if data:
        try:
            return a2b_base64("".join(data.split()), strict_mode=True)
        except (Base64Error, ValueError):
            raise ConfigurationError(f"The {what} is not valid base64.") from None
    if not path:
        return b""
    try:
        return (Path(folder) / path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigurationError(f"The {what} cannot be read from {path}: {reason}.") from None


def _caution(endpoint: Endpoint, user: UserFields, warn: Callable[[str], None]) -> None:
    if endpoint.insecure and endpoint.scheme == "https":
        warn(f"The certificate of {endpoint} is not checked: insecure-skip-tls-verify is set.")
    local = endpoint.host == "localhost" or endpoint.host.startswith("127.") or endpoint.host == "::1"
    if endpoint.scheme == "http" and not local and user != UserFields():
        warn(f"The credentials for {endpoint} travel unencrypted: its server is an http:// URL.")
