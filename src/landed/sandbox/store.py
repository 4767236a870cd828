"""Objects in memory with versions, a log of changes to watch, and views of the recent past to page through.

The store knows nothing of HTTP and of no rule about objects: it keeps what it is given, as etcd would.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence

from msgspec import Struct

from landed.sandbox.kinds import Kind, Object
from landed.sandbox.problem import expired

#: Changes that are remembered; whoever is further behind must list again.
LOG_LENGTH = 20_000

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""


class Change(Struct, frozen=True, gc=False):
    """One write: ``before`` is None for a creation, ``after`` for a removal."""

    version: int
    resource: str
    key: Key
    before: Object | None
    after: Object | None


class Store:
    """Keeps objects by kind and key. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._objects: dict[str, dict[Key, Object]] = {}
        self._log: list[Change] = []
        self._version = 1000
        self._forgotten = 1000
        self._closed = False

    @property
    def version(self) -> int:
        """The version of the newest change."""
        return self._version

    @property
    def closed(self) -> bool:
        """Whether everybody who waits should stop waiting."""
        return self._closed

    def get(self, kind: Kind, key: Key) -> Object | None:
        """The object as it is now."""
        with self._changed:
            return self._objects.get(_resource(kind), {}).get(key)

    def snapshot(self, kind: Kind, version: int | None = None) -> tuple[dict[Key, Object], int]:
        """Everything of a kind as it was at ``version`` (default: now), and that version.

        Raises Problem 410 where that is too long ago.
        """
        with self._changed:
            objects = dict(self._objects.get(_resource(kind), {}))
            if version is None:
                return objects, self._version
            for change in reversed(self.changes(kind, version)):
                if change.before is None:
                    objects.pop(change.key, None)
                else:
                    objects[change.key] = change.before
            return objects, version

    def write(self, kind: Kind, key: Key, change: Callable[[Object | None], Object | None]) -> Object | None:
        """Replace the object by what ``change`` makes of it; the same object means that nothing happens.

        ``change`` runs alone, so what it sees is what it replaces. Gives the object as stored.
        """
        with self._changed:
            before = self.get(kind, key)
            after = change(before)
            if after is before or after == before:
                return before
            self._version += 1
            objects = self._objects.setdefault(_resource(kind), {})
            if after is None:
                objects.pop(key)
            else:
                after["metadata"]["resourceVersion"] = str(self._version)
                objects[key] = after
            self._remember(Change(self._version, _resource(kind), key, before, after))
            return after

    def changes(self, kind: Kind, after: int) -> Sequence[Change]:
        """The changes to a kind that are newer than version ``after``. Raises Problem 410 if they are forgotten."""
        with self._changed:
            if after < self._forgotten:
                raise expired(f"too old resource version: {after} ({self._forgotten})")
            begin = bisect_right(self._log, after, key=lambda change: change.version)
            return [change for change in self._log[begin:] if change.resource == _resource(kind)]

    def wait(self, after: int, seconds: float) -> None:
        """Return as soon as there is any change newer than ``after``, the store closes, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._version > after, timeout=seconds)

    def forget(self) -> None:
        """Drop the log, as compaction does: every older version answers 410 from now on."""
        with self._changed:
            self._log.clear()
            self._forgotten = self._version

    def close(self) -> None:
        """Let everybody go who waits for changes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _remember(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > LOG_LENGTH:
            drop = LOG_LENGTH // 10
            self._forgotten = self._log[drop - 1].version
            del self._log[:drop]
        self._changed.notify_all()


def _resource(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}"
