"""What Flux's controllers say in the cluster's own Events: more than any status holds, and kept for an hour or so.

It makes messages better and nothing else: whatever keeps it from being read is a note, never an error.
https://fluxcd.io/flux/monitoring/events/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import ClusterError
from landed.flux import KINDS, is_source
from landed.flux.times import seconds
from landed.kube.client import Client
from landed.kube.errors import Forbidden
from landed.model import Happened, ObjectRef

#: Pages that are read of one list at most.
PAGES = 10
#: Up to so many namespaces are asked one by one rather than all at once.
FEW = 3

#: What a run changed and that health checks passed; and what a commit is called, which is in no status.
_OF_ROLLOUTS, _OF_SOURCES = "Progressing", "NewArtifact"


class _Involved(Struct, gc=False):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    apiVersion: str | None = None


class _Metadata(Struct, gc=False):
    annotations: dict[str, str | None] | None = None
    creationTimestamp: str | None = None


class _Series(Struct, gc=False):
    lastObservedTime: str | None = None


class _Event(Struct, gc=False):
    """https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ , in its older form."""

    involvedObject: _Involved
    metadata: _Metadata | None = None
    reason: str | None = None
    message: str | None = None
    type: str | None = None
    lastTimestamp: str | None = None
    eventTime: str | None = None
    series: _Series | None = None


class _ListMetadata(Struct, rename={"continue_": "continue"}):
    continue_: str | None = None


class _List(Struct):
    items: list[_Event] | None
    metadata: _ListMetadata | None = None


def happened(client: Client, wanted: Collection[ObjectRef]) -> tuple[Mapping[ObjectRef, tuple[Happened, ...]], str]:
    """What was said of each of ``wanted``, oldest first; and a note where it could not be read, or not all of it."""
    found: dict[ObjectRef, set[Happened]] = {}
    whole = True
    try:
        for reason, refs in _asked(wanted):
            for namespace in _namespaces(refs):
                whole = _read(client, reason, namespace, refs, found) and whole
    except Forbidden:
        return {}, "The cluster's Events may not be read (deploy/rbac-alerts.yaml grants it): messages say less."
    except ClusterError as error:
        return {}, f"The cluster's Events cannot be read: {error.message} Messages say less."
    note = "" if whole else "There are too many Events in the cluster to read all of them: some messages say less."
    return {ref: tuple(sorted(said, key=lambda h: (h.at, h.message))) for ref, said in found.items()}, note


def _asked(wanted: Collection[ObjectRef]) -> Iterator[tuple[str, frozenset[ObjectRef]]]:
    known = [ref for ref in wanted if ref.kind in KINDS]
    sources = frozenset(ref for ref in known if is_source(ref.kind))
    yield from ((reason, refs) for reason, refs in ((_OF_ROLLOUTS, frozenset(known) - sources), (_OF_SOURCES, sources)))


def _namespaces(refs: Collection[ObjectRef]) -> tuple[str, ...]:
    """Where Events are: beside their objects. Nothing for all namespaces."""
    namespaces = sorted({ref.namespace for ref in refs})
    return tuple(namespaces) if len(namespaces) <= FEW else ("",)


def _read(
    client: Client, reason: str, namespace: str, wanted: Collection[ObjectRef], found: dict[ObjectRef, set[Happened]]
) -> bool:
    """Add what one list says of ``wanted``; gives whether that was all of it. Raises ClusterError."""
    from urllib.parse import quote

    pages, whole = 0, True

    def take(page: bytes | bytearray) -> str:
        nonlocal pages, whole
        pages += 1
        read = _decoded(page)
        for ref, said in _said(read.items or (), wanted):
            found.setdefault(ref, set()).add(said)
        following = (read.metadata and read.metadata.continue_) or ""
        whole = not following or pages < PAGES
        return following if whole else ""

    within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    client.pages(f"/api/v1{within}/events", {"fieldSelector": f"reason={reason}"}, take, lambda: None)
    return whole


def _decoded(page: bytes | bytearray) -> _List:
    try:
        return decode(page, _List)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("It is not a list of Events.") from None


def _said(events: Iterable[_Event], wanted: Collection[ObjectRef]) -> Iterator[tuple[ObjectRef, Happened]]:
    for event in events:
        about = event.involvedObject
        ref = ObjectRef(about.kind or "", about.namespace or "", about.name or "")
        if ref in wanted and (about.apiVersion or "").partition("/")[0] == KINDS[ref.kind].group:
            yield ref, _happened(event, KINDS[ref.kind].group)


def _happened(event: _Event, group: str) -> Happened:
    head = event.metadata or _Metadata()
    notes = head.annotations or {}
    last = event.series.lastObservedTime if event.series else None
    times = (last, event.lastTimestamp, event.eventTime, head.creationTimestamp)
    return Happened(
        event.reason or "",
        event.message or "",
        notes.get(f"{group}/revision") or "",
        notes.get(f"{group}/originRevision") or "",
        next((at for at in map(seconds, times) if at), 0),
        "error" if event.type == "Warning" else "info",
    )
