"""How long it took from a commit to its being live on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from landed.model import Cluster, Look, ObjectRef, Outcome, Repository, Source, State
from landed.revision import ORIGIN, commit

#: How many commits that are no longer there are remembered for each cluster, beside as many as are there.
KEPT = 256

#: Of a commit: it has been counted, or was under way before we came.
_COUNTED, _UNKNOWN = -2.0, -1.0

_Commit: TypeAlias = tuple[Repository, str]


class Length(Struct, frozen=True):
    """One lead time."""

    since: str
    """What it is counted from: ``commit``, ``artifact`` or ``seen``."""
    seconds: float


class LeadTimes:
    """Remembers which commits are under way, and gives the lead time of each once it is live."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[_Commit, float]] = {}
        """Cluster → commit → when it was first seen under way."""

    def of(self, look: Look, now: float, committed: Mapping[_Commit, int]) -> Iterator[Length]:
        """The lead times that end with this look at ``now``, in epoch seconds; one for each thing it can count from."""
        if look.error:
            return
        first = look.cluster not in self._seen
        seen = self._seen.setdefault(look.cluster, {})
        current = [outcome for outcome in look.outcomes if outcome.commit and not outcome.past]
        for outcome in current:
            key = (outcome.repository, outcome.commit)
            live = outcome.state is State.SUCCESS
            known = seen.pop(key, None)  # and put back, so that what is there is never the oldest
            if live and not first and known != _COUNTED:
                yield from _lengths(outcome, look.read, now, _UNKNOWN if known is None else known, committed)
            if live:
                seen[key] = _COUNTED
            else:
                seen[key] = known if known is not None else _UNKNOWN if first else now
        while len(seen) > KEPT + len(current):
            del seen[next(iter(seen))]


def _lengths(
    outcome: Outcome, read: Cluster | None, now: float, seen: float, committed: Mapping[_Commit, int]
) -> Iterator[Length]:
    live = max(o.since for o in outcome.observations) or now
    if at := committed.get((outcome.repository, outcome.commit)):
        yield Length("commit", max(0.0, live - at))
    if at := _fetched(outcome, read) if read else 0:
        yield Length("artifact", max(0.0, live - at))
    if seen >= 0:
        yield Length("seen", max(0.0, now - seen))


def _fetched(outcome: Outcome, read: Cluster) -> int:
    """When the cluster first had the commit as an artifact; 0 where no source that is followed holds it any more."""
    told = {o.about for o in outcome.observations}
    followed = {each.source for each in read.kustomizations if each.ref in told}
    return min((at for ref in followed if (at := _held(read.sources, ref, outcome.commit))), default=0)


def _held(sources: Mapping[ObjectRef, Source], ref: ObjectRef, wanted: str) -> int:
    source = sources.get(ref)
    if source is None:
        return 0
    held = commit(source.origin_revision, ORIGIN) or commit(source.revision, ref.kind)
    return source.updated if held == wanted else 0
