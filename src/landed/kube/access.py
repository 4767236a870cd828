"""What ``landed doctor`` finds out about a cluster: is it there, who are we to it, what may we read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from landed.errors import ClusterError
from landed.flux import KINDS, Kind
from landed.kube import problems
from landed.kube.client import Client
from landed.kube.errors import Forbidden, NotServed
from landed.kube.read import EVERYWHERE, listable
from landed.model import Finding
from landed.selection import Selection

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

#: ``list`` is needed for every command, ``watch`` only to stay.
VERBS = ("list", "watch")

#: Kinds without which rollouts can still be told.
OPTIONAL = frozenset({"HelmRelease"})


def examine(client: Client, selection: Selection | None = None) -> tuple[Finding, ...]:
    """Look at the server, its Flux APIs and our rights. Changes nothing. Raises ClusterError if there is no server."""
    namespaces = listable(selection or Selection())
    return tuple(_examine(client, namespaces or EVERYWHERE))


def _examine(client: Client, namespaces: tuple[str, ...]) -> Iterator[Finding]:
    subject = f"cluster {client.context}"
    yield _version(client, subject)
    user = _user(client)
    if user:
        yield _who(user, subject)
    installed = []
    for kind in KINDS.values():
        versions = _served(client, kind)
        if versions:
            installed.append(kind)
            yield Finding(subject, "ok", f"{kind.kind} is served as {', '.join(versions)}.")
        elif kind.kind == "Kustomization":
            yield Finding(
                subject,
                "problem",
                f"Flux is not installed: {client.endpoint} serves no Kustomizations.",
                "Is this the right context? See https://fluxcd.io/flux/installation/.",
            )
    yield from _rights(client, installed, namespaces, user)


def _version(client: Client, subject: str) -> Finding:
    try:
        version = _mapping(client, client.get("/version")).get("gitVersion", "unknown version")
    except Forbidden:
        version = "a version it does not tell"
    return Finding(subject, "ok", f"{client.endpoint.subject} answers: Kubernetes {version}.")


def _user(client: Client) -> str:
    """Who the server takes us for; empty where it cannot say (before Kubernetes 1.28)."""
    body = encode({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    try:
        status = _mapping(client, client.post(WHO, body)).get("status", {})
    except ClusterError:
        return ""
    return str(status.get("userInfo", {}).get("username", ""))


def _who(user: str, subject: str) -> Finding:
    if user == "system:anonymous":
        return Finding(
            subject, "problem", "The server takes us for system:anonymous.", "The kubeconfig's credentials are no good."
        )
    return Finding(subject, "ok", f"We are {user}.")


def _served(client: Client, kind: Kind) -> tuple[str, ...]:
    """The versions in which a kind is there, of those we know."""
    try:
        group = _mapping(client, client.get(f"/apis/{kind.group}"))
    except (NotServed, Forbidden):
        return ()
    versions = {entry["version"] for entry in group.get("versions", ())}
    return tuple(version for version in kind.versions if version in versions and _has(client, kind, version))


def _has(client: Client, kind: Kind, version: str) -> bool:
    try:
        resources = _mapping(client, client.get(f"/apis/{kind.group}/{version}")).get("resources", ())
    except (NotServed, Forbidden):
        return False
    return any(resource.get("name") == kind.plural for resource in resources)


def _rights(client: Client, kinds: list[Kind], namespaces: tuple[str, ...], user: str) -> Iterator[Finding]:
    for kind in kinds:
        for namespace in namespaces:
            try:
                missing = [verb for verb in VERBS if not _may(client, verb, kind, namespace)]
            except NotServed:
                yield Finding(
                    "RBAC",
                    "warning",
                    f"{client.endpoint.subject} cannot be asked what we may do: it has no SelfSubjectAccessReview.",
                )
                return
            yield _right(kind, namespace, missing, user)


def _right(kind: Kind, namespace: str, missing: list[str], user: str) -> Finding:
    resource = f"{kind.plural}.{kind.group}"
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    if not missing:
        return Finding("RBAC", "ok", f"{' and '.join(VERBS)} {resource} {where}: allowed.")
    level = "problem" if "list" in missing and kind.kind not in OPTIONAL else "warning"
    note = "" if "list" in missing else " Only landed watch needs it."
    return Finding(
        "RBAC",
        level,
        f"{' and '.join(missing)} {resource} {where}: not allowed.{note}",
        problems.grant("get,list,watch", resource, user, namespace),
    )


def _may(client: Client, verb: str, kind: Kind, namespace: str) -> bool:
    attributes = {"group": kind.group, "resource": kind.plural, "verb": verb, "namespace": namespace}
    body = encode(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
    )
    status = _mapping(client, client.post(REVIEW, body)).get("status", {})
    return bool(status.get("allowed"))


def _mapping(client: Client, body: bytes) -> dict[str, Any]:
    try:
        answer = decode(body)
    except (DecodeError, UnicodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise problems.not_kubernetes(client.endpoint, body)
    return answer
