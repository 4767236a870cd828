"""What no commit can be blamed for: sources that cannot fetch, silent controllers, suspension while news waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from landed.model import RESULTS, Destination, Look, ObjectRef, Observation, Outcome, Repository, State
from landed.plan.news import View, object_of
from landed.told import Entry, Told

_NOWHERE = Repository("", "")
#: Who is silent when Kustomizations are stale.
CONTROLLER = ObjectRef("Deployment", "flux-system", "kustomize-controller")
#: The reason of an observation that a trouble is over.
OVER = "Succeeded"


def troubles(look: Look, told: Told, to: Destination, now: int = 0) -> Iterator[Outcome]:
    """What is to be told of objects that speak of no commit: failures, silence, suspension with news waiting; what
    sources and releases without a commit hold; and that a trouble which was told is over.
    """
    stale = [o for o in look.silent if o.state is State.STALE]
    said = [o for o in look.silent if _worth_telling(o, to)]
    if stale:  # one controller stands behind all of them
        first = structs.replace(stale[0], about=CONTROLLER, together=len(stale))
        yield Outcome(look.cluster, _NOWHERE, "", (first, *stale))
    for observation in (*said, *_over(look, told, to, now)):
        yield Outcome(look.cluster, _NOWHERE, "", (observation,))


def _worth_telling(observation: Observation, to: Destination) -> bool:
    """A success that no commit is known of is told only where an Alert asks for the object."""
    if observation.state is State.SUSPENDED:
        return bool(observation.revision) and not observation.closes
    return observation.state is State.FAILURE or (observation.state is State.SUCCESS and bool(to.alerts))


def _over(look: Look, told: Told, to: Destination, now: int) -> Iterator[Observation]:
    """Troubles that were told and that the look shows to be over. Silence alone is no proof."""
    open_ = _open(look.cluster, told, to)
    if not open_:
        return
    present = [o for x in look.outcomes for o in x.observations if not o.past]
    well = {*look.healthy, *(o.about for o in present if o.state is State.SUCCESS)}
    ill = {o.about for o in look.silent if o.state in (State.FAILURE, State.STALE)}
    alone = {o.about for o in look.silent if o.state is State.SUCCESS}
    if to.alerts:  # told by itself
        ill |= alone
    else:
        well |= alone
    looked = _looked(present)
    if not any(o.state is State.STALE for o in look.silent):
        well.add(CONTROLLER)
    for ref, entry in sorted(open_.items(), key=lambda item: item[0]):
        silence_lasts = entry.state == State.STALE and looked.get(ref, 0) <= entry.when
        if ref in well and ref not in ill and not silence_lasts:
            yield over(ref, now)


def over(about: ObjectRef, now: int) -> Observation:
    """That a trouble of which no commit is known has ended."""
    return Observation(about, State.SUCCESS, reason=OVER, message="Works again", since=now)


def _looked(present: Iterable[Observation]) -> dict[ObjectRef, int]:
    """When each Kustomization came to say what it says, and the newest of that as their controller's."""
    found: dict[ObjectRef, int] = {}
    for observation in present:
        shown = observation.state in RESULTS or observation.begun
        if observation.about.kind == "Kustomization" and shown:
            for ref in (observation.about, CONTROLLER):
                found[ref] = max(found.get(ref, 0), observation.since)
    return found


def _open(cluster: str, told: Told, to: Destination) -> dict[ObjectRef, Entry]:
    """The troubles that were told last, with what was told."""
    found = {}
    for line, entries in told.destinations.get(to.name, {}).items():
        last = entries[-1]
        if last.commit or last.state not in (State.FAILURE, State.STALE):
            continue
        where, about = object_of(line)
        if where == cluster and about is not None:
            found[about] = last
    return found


def tellable(views: Iterable[View], told: Told, to: Destination) -> Iterator[tuple[View, Outcome]]:
    """The outcomes of all looks, and the troubles that no commit can be blamed for: begun and ended."""
    for view in views:
        yield from ((view, outcome) for outcome in view.look.outcomes)
        yield from ((view, outcome) for outcome in troubles(view.look, told, to, view.now))
