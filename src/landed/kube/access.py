"""What ``landed doctor`` finds out about a cluster: is it there, who are we to it, what may we read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from landed.errors import ClusterError
from landed.flux import ASIDE, KINDS, Kind
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


def examine_alerts(
    client: Client, selection: Selection | None = None, secrets: Collection[tuple[str, str]] = ()
) -> tuple[Finding, ...]:
    """Look at what it takes besides to read Providers and Alerts from the cluster (``--config cluster``).

    ``secrets`` are (namespace, name) of the Secrets that Providers refer to and that nothing else gives. Changes
    nothing. Raises ClusterError if there is no server.
    """
    namespaces = listable(selection or Selection()) or EVERYWHERE
    return tuple(_examine_alerts(client, namespaces, secrets))


def _examine_alerts(
    client: Client, namespaces: tuple[str, ...], secrets: Collection[tuple[str, str]]
) -> Iterator[Finding]:
    from landed.kube.objects import ALERT, PROVIDER

    user = _user(client)
    subject = f"cluster {client.context}"
    for kind in (PROVIDER, ALERT):
        versions = _served(client, kind)
        if not versions:
            yield Finding(
                subject,
                "problem",
                f"{client.endpoint.subject} serves no {kind.plural}.{kind.group}.",
                "Flux's notification-controller is not installed there. Give --config the path of the manifests.",
            )
            return
        yield Finding(subject, "ok", f"{kind.kind} is served as {', '.join(versions)}.")
    aside = [kind for kind in KINDS.values() if kind.kind in ASIDE and _served(client, kind)]
    wanted = [*((kind, "problem") for kind in (PROVIDER, ALERT)), *((kind, "warning") for kind in aside)]
    try:
        for kind, level in (*wanted, (_EVENT, "warning")):
            for namespace in namespaces:
                allowed = _may(client, "list", kind, namespace)
                yield _may_be_read(kind, namespace, level, user, allowed=allowed)
        for namespace, name in sorted(secrets):
            allowed = _may(client, "get", _SECRET, namespace, name)
            yield _may_be_got(namespace, name, user, allowed=allowed)
    except NotServed:
        yield _no_reviews(client)


#: Kinds of Kubernetes itself.
_EVENT = Kind("Event", "", "events", ("v1",))
_SECRET = Kind("Secret", "", "secrets", ("v1",))

#: What is lost without a kind that is not needed.
_LOSS = {
    "Event": " Messages then say less of what changed.",
    "HelmRepository": " Alerts about them then say nothing.",
    "HelmChart": " Alerts about them then say nothing.",
}


def _may_be_read(kind: Kind, namespace: str, level: str, user: str, *, allowed: bool) -> Finding:
    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    where = _where(namespace)
    if allowed:
        return Finding("RBAC", "ok", f"list {resource} {where}: allowed.")
    grant = problems.grant("get,list", resource, user, namespace)
    return Finding("RBAC", level, f"list {resource} {where}: not allowed.{_LOSS.get(kind.kind, '')}", _beside(grant))


def _may_be_got(namespace: str, name: str, user: str, *, allowed: bool) -> Finding:
    if allowed:
        return Finding("RBAC", "ok", f"get the Secret {namespace}/{name}: allowed.")
    grant = problems.grant("get", f"secrets --resource-name={name}", user, namespace)
    other = " Or give its values by a variable LANDED_SECRET_…, or as files with --secret-dir."
    return Finding("RBAC", "problem", f"get the Secret {namespace}/{name}: not allowed.", _beside(grant) + other)


def _beside(grant: str) -> str:
    """Rules for Alerts are in a file of their own."""
    from landed.kube.objects import RULES_FILE

    return grant.replace(problems.RULES_FILE, RULES_FILE)


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "in all namespaces"


def _no_reviews(client: Client) -> Finding:
    what = "cannot be asked what we may do: it has no SelfSubjectAccessReview."
    return Finding("RBAC", "warning", f"{client.endpoint.subject} {what}")


def _examine(client: Client, namespaces: tuple[str, ...]) -> Iterator[Finding]:
    subject = f"cluster {client.context}"
    yield _version(client, subject)
    user = _user(client)
    if user:
        yield _who(user, subject)
    installed = []
    for kind in KINDS.values():
        if kind.kind in ASIDE:
            continue
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
                yield _no_reviews(client)
                return
            yield _right(kind, namespace, missing, user)


def _right(kind: Kind, namespace: str, missing: list[str], user: str) -> Finding:
    resource = f"{kind.plural}.{kind.group}"
    where = _where(namespace)
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


def _may(client: Client, verb: str, kind: Kind, namespace: str, name: str = "") -> bool:
    attributes = {"group": kind.group, "resource": kind.plural, "verb": verb, "namespace": namespace, "name": name}
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
