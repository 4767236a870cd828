"""Changes as they happen, for those who watch.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from landed.sandbox.kinds import Kind, Object
from landed.sandbox.problem import Problem
from landed.sandbox.store import Change, Store

#: Seconds a watch lasts where the client does not say, and how often a bookmark is due.
LASTS = 1800.0
BOOKMARK_EVERY = 60.0


class Watch(Struct, frozen=True):
    """What a client wants to see."""

    kind: Kind
    matches: Callable[[Object], bool]
    since: int | None
    """The version that the client has seen; None for everything there is, then what changes."""
    seconds: float = LASTS
    bookmarks: bool = False
    initial_end: bool = False
    """Say when everything there was has been sent (``sendInitialEvents``)."""
    shape: Callable[[Object, bool], Object] = lambda obj, _first: obj
    """How objects are shown; told whether it is the first one."""


def events(store: Store, watch: Watch) -> Iterator[bytes]:
    """One JSON line per event until time is up or the store closes. Ends with an ERROR event if the log is gone."""
    first = True
    try:
        for type_, obj in _events(store, watch):
            shaped = obj if type_ == "BOOKMARK" else watch.shape(obj, first)
            first = first and type_ == "BOOKMARK"
            yield _line(type_, shaped)
    except Problem as problem:
        yield _line("ERROR", problem.status)


def _line(type_: str, obj: Object) -> bytes:
    return msgspec.json.encode({"type": type_, "object": obj}) + b"\n"


def _events(store: Store, watch: Watch) -> Iterator[tuple[str, Object]]:
    deadline = time.monotonic() + watch.seconds
    bookmark_due = time.monotonic() + BOOKMARK_EVERY
    seen = watch.since
    if seen is None:
        objects, seen = store.snapshot(watch.kind)
        yield from (("ADDED", obj) for _, obj in sorted(objects.items()) if watch.matches(obj))
        if watch.initial_end:
            yield "BOOKMARK", _bookmark(watch.kind, seen, end=True)
    while not store.closed and time.monotonic() < deadline:
        reached = store.version
        for change in store.changes(watch.kind, seen):
            reached = max(reached, change.version)
            if event := _seen_as(change, watch.matches):
                yield event
        seen = reached
        if watch.bookmarks and time.monotonic() >= bookmark_due:
            bookmark_due += BOOKMARK_EVERY
            yield "BOOKMARK", _bookmark(watch.kind, seen)
        store.wait(
            seen, min(deadline, bookmark_due) - time.monotonic() if watch.bookmarks else deadline - time.monotonic()
        )
    if watch.bookmarks:
        yield "BOOKMARK", _bookmark(watch.kind, seen)


def _seen_as(change: Change, matches: Callable[[Object], bool]) -> tuple[str, Object] | None:
    """The event that a change is to somebody with a selector: what stops matching is deleted for them."""
    before = change.before is not None and matches(change.before)
    after = change.after is not None and matches(change.after)
    if after and change.after is not None:
        return ("MODIFIED" if before else "ADDED"), change.after
    if before and change.before is not None:
        last = change.after or change.before
        metadata = {**last["metadata"], "resourceVersion": str(change.version)}
        return "DELETED", {**last, "metadata": metadata}
    return None


def _bookmark(kind: Kind, version: int, *, end: bool = False) -> Object:
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
