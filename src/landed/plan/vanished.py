"""Objects that were deleted while something was open of them: whoever keeps alerts must not keep theirs for ever.

Flux's controllers say nothing of an object that is gone (its events are about what is there), and a look cannot tell
what was deleted from what is not selected. So the cluster is asked about each. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from landed import render
from landed.model import Destination, Look, Mark, ObjectRef, Observation, Occurrence, State, Update
from landed.plan.news import News, View, line_of, object_of
from landed.plan.occurrences import handle_of, open_on, unsure_of
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
        unsure = unsure_of(told, to)
        for line in (*told.destinations.get(to.name, ()), *unsure) if to.resolves else ():
            cluster, about = object_of(line)
            if about is None or not about.kind[:1].isupper():  # of a commit: hosts are in lower case
                continue
            if cluster in spoken and (line in unsure or open_on(line, told, to)):
                found[cluster].add(about)
    silent = {cluster: refs - _shown(spoken[cluster]) for cluster, refs in found.items()}
    return {cluster: refs for cluster, refs in silent.items() if refs}


def _shown(look: Look) -> set[ObjectRef]:
    said = [*(o for x in look.outcomes for o in x.observations), *look.silent, *look.fetched]
    return {*(o.about for o in said), *look.healthy}


def vanished(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """The end of everything that is open of objects which are gone. If one of them comes back, all of it is news."""
    unsure = unsure_of(told, to)
    for view in views:
        for about in view.look.gone if to.resolves else ():
            line = line_of(view.look.cluster, about)
            opened = open_on(line, told, to)
            if not opened and line not in unsure:
                continue
            words = f"{about} was deleted: nothing is left of it that could fail"
            observation = Observation(about, State.SUCCESS, reason=DELETED, message=words, since=now)
            event = render.event(view.look.cluster, observation)
            occurrence = Occurrence(
                event, State.SUCCESS, line, view.look.cluster, now, handle=handle_of(opened), told=now
            )
            yield News(Update(to.name, (Mark(line, "", State.SUCCESS, ("",)),), occurrence))
