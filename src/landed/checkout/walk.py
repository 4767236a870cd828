"""Which of two commits contains the other, walked from both at once. Pure: what a commit is, is looked up for it.

Later commits come first, so that little is walked where the times are right; where they are not it takes longer, and
the answer is the same: what lies on the way from one commit to the other is an ancestor of the first alone, and such
are walked to the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

from landed.model import Relation


class Known(NamedTuple):
    """What of a commit the walk needs."""

    time: int
    """When it was committed; any number will do."""
    parents: tuple[str, ...]


#: From which of the two a commit is reached: from both, it is an ancestor of both.
_COMMIT, _OTHER, _BOTH = 1, 2, 3


class Walk:
    """One walk. ``look`` gives None for a commit that is not there."""

    def __init__(self, look: Callable[[str], Known | None], commit: str, other: str) -> None:
        self._look = look
        self._ends = {commit: _OTHER, other: _COMMIT}
        self._reached: dict[str, int] = {}
        self._known: dict[str, Known] = {}
        self._queue: list[tuple[int, str]] = []
        self._waiting: set[str] = set()
        """What is in the queue."""
        self._open = 0
        """How many of those are reached from one only."""
        self.gaps: set[str] = set()
        """What is not there and is reached from one only: behind it there may be anything."""
        self._absent: set[str] = set()
        self._relation: Relation | None = None
        self._reach(commit, _COMMIT)
        self._reach(other, _OTHER)

    def relation(self) -> Relation:
        """How the other one relates to the commit; UNKNOWN where what is not there would have to be seen."""
        while self._queue and self._relation is None and (self._open or self.gaps):
            _, name = heapq.heappop(self._queue)
            self._waiting.discard(name)
            paint = self._reached[name]
            self._open -= paint != _BOTH
            for parent in self._known[name].parents:
                self._reach(parent, paint)
        if self._relation is not None:
            return self._relation
        return Relation.UNKNOWN if self.gaps else Relation.APART

    def _reach(self, name: str, paint: int) -> None:
        before = self._reached.get(name, 0)
        after = before | paint
        if after == before:
            return
        self._reached[name] = after
        if after & self._ends.get(name, 0):
            self._relation = Relation.AFTER if self._ends[name] == _OTHER else Relation.BEFORE
        if name in self._absent:
            self.gaps.discard(name)  # now it is reached from both
        elif name in self._waiting:
            self._open -= after == _BOTH
        else:
            self._take(name, after)

    def _take(self, name: str, paint: int) -> None:
        known = self._known.get(name) or self._look(name)
        if known is None:
            self._absent.add(name)
            if paint != _BOTH:
                self.gaps.add(name)
            return
        self._known[name] = known
        self._waiting.add(name)
        self._open += paint != _BOTH
        heapq.heappush(self._queue, (-known.time, name))
