"""Objects that were deleted while something was open of them: whoever keeps alerts must not keep theirs for ever.

Flux's controllers say nothing of an object that is gone (its events are about what is there), and a look cannot tell
what was deleted from what is not selected. So the cluster is asked about each. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from landed import render
from landed.model import Destination, Look, Mark, ObjectRef, Observation, Occurrence, State, Update
from landed.plan.news import News, View, line_of
from landed.plan.occurrences import open_on
from landed.told import Told

#: What such a success is called; Flux has no word for it.
DELETED = "Deleted"


def missing(
    looks: Iterable[Look], told: Told, destinations: Iterable[Destination]
) -> Mapping[str, Collection[ObjectRef]]:
    """Cluster → objects that something is open of, and that a look which read the cluster does not speak of."""
    found: dict[str, set[ObjectRef]] = defaultdict(set)
    spoken = {look.cluster: look for look in looks if not look.error}
    for to in destinations:
        unsure = _unsure(told, to)
        for line in (*told.destinations.get(to.name, ()), *unsure) if to.resolves else ():
            cluster, about = _named(line)
            if about is not None and cluster in spoken and (line in unsure or open_on(line, told, to)):
                found[cluster].add(about)
    silent = {cluster: refs - _shown(spoken[cluster]) for cluster, refs in found.items()}
    return {cluster: refs for cluster, refs in silent.items() if refs}


def _unsure(told: Told, to: Destination) -> Collection[str]:
    """Of what something was sent, and nobody knows whether it arrived."""
    return {intent.line for intent in told.begun if intent.destination == to.name}


def _named(line: str) -> tuple[str, ObjectRef | None]:
    """The cluster and the object of a line; none where it is of a commit."""
    cluster, _, name = line.rpartition(" ")
    parts = name.split("/")
    about = ObjectRef(*parts) if len(parts) == 3 else None
    return cluster, about if about is not None and about.kind[:1].isupper() else None  # hosts are in lower case


def _shown(look: Look) -> set[ObjectRef]:
    said = [*(o for x in look.outcomes for o in x.observations), *look.silent, *look.fetched]
    return {*(o.about for o in said), *look.healthy}


def vanished(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """The end of everything that is open of objects which are gone. If one of them comes back, all of it is news."""
    unsure = _unsure(told, to)
    for view in views:
        for about in view.look.gone if to.resolves else ():
            line = line_of(view.look.cluster, about)
            opened = open_on(line, told, to)
            if not opened and line not in unsure:
                continue
            words = f"{about} was deleted: nothing is left of it that could fail"
            observation = Observation(about, State.SUCCESS, reason=DELETED, message=words, since=now)
            handle = next((entry.handle for entry in opened if entry.handle), "")
            event = render.event(view.look.cluster, observation)
            occurrence = Occurrence(event, State.SUCCESS, line, view.look.cluster, now, handle=handle, told=now)
            yield News(Update(to.name, (Mark(line, "", State.SUCCESS, ("",)),), occurrence))
