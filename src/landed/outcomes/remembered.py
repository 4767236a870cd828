"""What Kustomizations have said at an earlier look, said again where nothing has changed that it depends on.

Of a thousand Kustomizations that are followed one has changed when everything is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from landed.model import Kustomization, ObjectRef, Observation, Source
from landed.outcomes.known import Known
from landed.outcomes.kustomizations import kustomization

#: What is judged by the clock, and by what was seen before.
_BY_THE_CLOCK = "ArtifactFailed"


class _Said(Struct, frozen=True, gc=False):
    about: Kustomization
    since: int
    observations: tuple[Observation, ...]


class Remembered:
    """The last look at one cluster. Good for one ``locate`` (see ``judge``) only."""

    def __init__(self) -> None:
        self._sources: Mapping[ObjectRef, Source] = {}
        self._said: dict[ObjectRef, _Said] = {}

    def speaker(self, known: Known) -> Callable[[Kustomization], tuple[Observation, ...]]:
        """What says what each Kustomization of ``known`` has to say; to be asked once about each of them."""
        before = self._said if known.cluster.sources == self._sources else {}
        since, now = known.since, self._now(known)

        def speak(k: Kustomization) -> tuple[Observation, ...]:
            said = before.get(k.ref)
            if said is None or said.about is not k or not _reaches_as_far(said, since):
                said = _Said(k, since, tuple(kustomization(known, k)))
            if k.ready is None or k.ready.reason != _BY_THE_CLOCK:
                now[k.ref] = said
            return said.observations

        return speak

    def _now(self, known: Known) -> dict[ObjectRef, _Said]:
        """Where to take down what is said now; what is gone is forgotten with what was said before."""
        self._sources, self._said = known.cluster.sources, {}
        return self._said


def _reaches_as_far(said: _Said, since: int) -> bool:
    """Whether no part of the history lies between where that look began and where this one does."""
    if said.since == since:
        return True
    first, last = min(said.since, since), max(said.since, since)
    return first > 0 and not any(first <= snapshot.at < last for snapshot in said.about.history)
