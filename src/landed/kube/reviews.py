"""What a server says of itself and of us: its version, what it serves, who we are to it and what we may do."""

from __future__ import annotations

from typing import TypeVar

from msgspec import DecodeError, Struct
from msgspec.json import decode, encode

from landed.errors import ClusterError
from landed.flux import Kind
from landed.kube.client import Client
from landed.kube.errors import Forbidden, NotServed

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

_T = TypeVar("_T")


class _Version(Struct, rename={"git_version": "gitVersion"}):
    git_version: str = "unknown version"


class _GroupVersion(Struct):
    version: str


class _Group(Struct):
    versions: list[_GroupVersion] | None = None


class _Resource(Struct):
    name: str


class _Resources(Struct):
    resources: list[_Resource] | None = None


class _UserInfo(Struct, frozen=True):
    username: str = ""


class _Status(Struct, frozen=True, rename={"user_info": "userInfo"}):
    user_info: _UserInfo = _UserInfo()
    allowed: bool = False


class _Review(Struct):
    status: _Status = _Status()


def version(client: Client) -> str:
    """The version of Kubernetes, in words where it is not told. Raises ClusterError if there is no server."""
    try:
        return _read(client, client.get("/version"), _Version).git_version
    except Forbidden:
        return "a version it does not tell"


def user(client: Client) -> str:
    """Who the server takes us for; empty where it cannot say (before Kubernetes 1.28)."""
    body = encode({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    try:
        return _read(client, client.post(WHO, body), _Review).status.user_info.username
    except ClusterError:
        return ""


def served(client: Client, kind: Kind) -> tuple[str, ...]:
    """The versions in which a kind is there, of those we know. Raises ClusterError."""
    try:
        group = _read(client, client.get(f"/apis/{kind.group}"), _Group)
    except (NotServed, Forbidden):
        return ()
    versions = {entry.version for entry in group.versions or ()}
    return tuple(version for version in kind.versions if version in versions and _has(client, kind, version))


def _has(client: Client, kind: Kind, version: str) -> bool:
    try:
        found = _read(client, client.get(f"/apis/{kind.group}/{version}"), _Resources)
    except (NotServed, Forbidden):
        return False
    return any(resource.name == kind.plural for resource in found.resources or ())


def may(client: Client, verb: str, kind: Kind, namespace: str, name: str = "") -> bool:
    """Whether we are allowed to; in all namespaces where none is named. Raises ClusterError; NotServed where the server
    cannot be asked.
    """
    attributes = {"group": kind.group, "resource": kind.plural, "verb": verb, "namespace": namespace, "name": name}
    body = encode(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
    )
    return _read(client, client.post(REVIEW, body), _Review).status.allowed


def _read(client: Client, body: bytes, shape: type[_T]) -> _T:
    try:
        return decode(body, type=shape)
    except (DecodeError, UnicodeError, RecursionError):
        from landed.kube.problems import not_kubernetes

        raise not_kubernetes(client.endpoint, body) from None
