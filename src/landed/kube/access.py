"""What ``landed doctor`` finds out about a cluster: is it there, who are we to it, what may we read."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from landed.flux import ASIDE, KINDS, Kind
from landed.kube.client import Client
from landed.kube.errors import NotServed
from landed.kube.grants import grant, resource
from landed.kube.read import EVERYWHERE, listable
from landed.kube.reviews import REVIEW, WHO, may, served, user, version
from landed.model import Finding
from landed.selection import Selection

__all__ = ["REVIEW", "WHO", "examine", "examine_alerts"]

#: Kinds of Kubernetes itself.
_EVENT = Kind("Event", "", "events", ("v1",))
_SECRET = Kind("Secret", "", "secrets", ("v1",))

#: Kinds without which rollouts can still be told, and what is lost.
_OPTIONAL = {
    "HelmRelease": "",
    "HelmRepository": " Alerts about them then say nothing.",
    "HelmChart": " Alerts about them then say nothing.",
    "Event": " Messages then say less of what changed.",
}


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


def _examine(client: Client, namespaces: tuple[str, ...]) -> Iterator[Finding]:
    subject = f"cluster {client.context}"
    yield Finding(subject, "ok", f"{client.endpoint.subject} answers: Kubernetes {version(client)}.")
    us = user(client)
    if us:
        yield _who(us, subject)
    installed = []
    for kind in KINDS.values():
        if kind.kind in ASIDE:
            continue
        versions = served(client, kind)
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
    # ``list`` is needed for every command, ``watch`` only to stay.
    yield from _rights(client, us, [_Right(kind, ("list", "watch")) for kind in installed], namespaces)


def _examine_alerts(
    client: Client, namespaces: tuple[str, ...], secrets: Collection[tuple[str, str]]
) -> Iterator[Finding]:
    from landed.kube.objects import ALERT, PROVIDER

    us = user(client)
    subject = f"cluster {client.context}"
    for kind in (PROVIDER, ALERT):
        versions = served(client, kind)
        if not versions:
            yield Finding(
                subject,
                "problem",
                f"{client.endpoint.subject} serves no {resource(kind.plural, kind.group)}.",
                "Flux's notification-controller is not installed there. Give --config the path of the manifests.",
            )
            return
        yield Finding(subject, "ok", f"{kind.kind} is served as {', '.join(versions)}.")
    aside = [kind for kind in KINDS.values() if kind.kind in ASIDE and served(client, kind)]
    rights = [_Right(kind, ("list",)) for kind in (PROVIDER, ALERT, *aside, _EVENT)]
    yield from _rights(client, us, rights, namespaces, secrets)


def _who(us: str, subject: str) -> Finding:
    if us == "system:anonymous":
        return Finding(
            subject, "problem", "The server takes us for system:anonymous.", "The kubeconfig's credentials are no good."
        )
    return Finding(subject, "ok", f"We are {us}.")


class _Right(Struct, frozen=True):
    """What we should be allowed to do with a kind."""

    kind: Kind
    verbs: tuple[str, ...]


def _rights(
    client: Client,
    us: str,
    rights: Collection[_Right],
    namespaces: tuple[str, ...],
    secrets: Collection[tuple[str, str]] = (),
) -> Iterator[Finding]:
    try:
        for right in rights:
            for namespace in namespaces:
                missing = [verb for verb in right.verbs if not may(client, verb, right.kind, namespace)]
                yield _right(right, namespace, missing, us)
        for namespace, name in sorted(secrets):
            yield _secret(namespace, name, us, allowed=may(client, "get", _SECRET, namespace, name))
    except NotServed:
        what = "cannot be asked what we may do: it has no SelfSubjectAccessReview."
        yield Finding("RBAC", "warning", f"{client.endpoint.subject} {what}")


def _right(right: _Right, namespace: str, missing: list[str], us: str) -> Finding:
    kind = right.kind
    name = resource(kind.plural, kind.group)
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    if not missing:
        return Finding("RBAC", "ok", f"{' and '.join(right.verbs)} {name} {where}: allowed.")
    blind = "list" in missing
    note = _OPTIONAL.get(kind.kind, "") if blind else " Only landed watch needs it."
    return Finding(
        "RBAC",
        "problem" if blind and kind.kind not in _OPTIONAL else "warning",
        f"{' and '.join(missing)} {name} {where}: not allowed.{note}",
        grant(",".join(("get", *right.verbs)), name, us, namespace),
    )


def _secret(namespace: str, name: str, us: str, *, allowed: bool) -> Finding:
    from landed.kube.objects import VALUES_ELSEWHERE

    if allowed:
        return Finding("RBAC", "ok", f"get the Secret {namespace}/{name}: allowed.")
    hint = f"{grant('get', 'secrets', us, namespace, name)} {VALUES_ELSEWHERE}"
    return Finding("RBAC", "problem", f"get the Secret {namespace}/{name}: not allowed.", hint)
