"""The warning Events of a namespace, and which reasons are given for one pod.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ , in their older form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from msgspec import Struct

from landed.explain.values import Warned
from landed.flux.times import seconds
from landed.kube.inquiry import Looker
from landed.model import ObjectRef

#: Characters of a message that are kept, and warnings about one object.
_LONGEST, MOST = 4096, 20


class _Involved(Struct, gc=False):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class _Series(Struct, gc=False):
    lastObservedTime: str | None = None


class _Head(Struct, gc=False):
    creationTimestamp: str | None = None


class _Event(Struct):
    involvedObject: _Involved
    metadata: _Head | None = None
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    lastTimestamp: str | None = None
    eventTime: str | None = None
    series: _Series | None = None


def warnings(by: Looker, namespace: str) -> tuple[Warned, ...]:
    """All warnings of a namespace, newest first; what could be read of them. Never raises."""
    found: list[_Event] = []
    _read(by, namespace, "type=Warning", found)
    said = (_warned(event) for event in found if event.type == "Warning")
    return tuple(sorted(said, key=lambda w: (-w.at, w.reason, w.message)))


def reasons(by: Looker, namespace: str, pod: str) -> frozenset[str]:
    """The reasons of all Events about one pod. Never raises."""
    found: list[_Event] = []
    _read(by, namespace, f"involvedObject.kind=Pod,involvedObject.name={pod}", found)
    return frozenset(event.reason or "" for event in found if event.involvedObject.name == pod)


def about(
    said: Mapping[str, Collection[Warned]], namespace: str, wanted: frozenset[tuple[str, str]]
) -> tuple[Warned, ...]:
    """The newest warnings about these objects of a namespace."""
    found = (w for w in said.get(namespace, ()) if (w.about.kind, w.about.name) in wanted)
    return tuple(found)[:MOST]


def _read(by: Looker, namespace: str, fields: str, into: list[_Event]) -> None:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/events"
    by.listed(("list", "events", namespace), path, {"fieldSelector": fields}, _Event, into)


def _warned(event: _Event) -> Warned:
    involved = event.involvedObject
    last = event.series.lastObservedTime if event.series else None
    times = (last, event.lastTimestamp, event.eventTime, event.metadata and event.metadata.creationTimestamp)
    return Warned(
        ObjectRef(involved.kind or "", involved.namespace or "", involved.name or ""),
        event.reason or "",
        (event.message or "")[:_LONGEST],
        next((at for at in map(seconds, times) if at), 0),
    )
