"""What is worth telling people of one outcome, and how it reads beside what they were told before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from msgspec import Struct, structs

from landed.model import Destination, Look, ObjectRef, Observation, Outcome, Repository, State, Story
from landed.plan.news import View, common_state, fingerprint, fingerprint_of
from landed.told import Entry, Told

_NOWHERE = Repository("", "")


class Telling(Struct, frozen=True):
    """An outcome as it would be told."""

    outcome: Outcome
    """With the states that hold."""
    state: State
    fingerprint: str
    flapping: tuple[ObjectRef, ...] = ()

    @property
    def line(self) -> str:
        """What is told about, commit apart."""
        return line_in(self.outcome.cluster, self.outcome)


def line_in(cluster: str, outcome: Outcome) -> str:
    """How the ledger calls what one cluster says of a repository, or of an object that no commit is known of."""
    about = outcome.observations[0].about
    return f"{cluster} {outcome.repository}" if outcome.commit else f"{cluster} {about}"


def telling(view: View, outcome: Outcome) -> Telling | None:
    """How ``outcome`` would be told; None where that cannot be said."""
    if not outcome.commit:
        return _of_trouble(outcome)
    outcome = view.standing(outcome)
    flapping = view.flapping(outcome)
    if flapping:
        names = "\n".join(map(str, flapping))
        return Telling(outcome, State.FAILURE, f"failure flapping {crc32(names.encode()):08x}", flapping)
    state = common_state(outcome)
    return None if state is None else Telling(outcome, state, fingerprint_of(outcome, state))


def _of_trouble(outcome: Outcome) -> Telling:
    observation = outcome.observations[0]
    state = observation.state
    if state is State.FAILURE:
        return Telling(outcome, state, fingerprint(observation))
    # Known by its revision, a release by what it says: another one is news.
    essence = observation.revision or (observation.message if observation.reason != _OVER else "")
    return Telling(outcome, state, f"{state} {crc32(essence.encode()):08x}" if essence else str(state))


def is_mute(said: Telling, told: Told, to: Destination) -> bool:
    """Whether it is to be told only where it ends a failure that was told, and there is none."""
    if said.state is State.FAILURE or not all(o.closes for o in said.outcome.observations):
        return False
    return not failures(told, to, said.line)


def story(said: Telling, told: Told, to: Destination, now: int) -> Story:
    """What people were told before decides how it reads: a recovery, a return to an earlier commit, or a failure that
    began with an earlier one.
    """
    outcome = said.outcome
    if outcome.past:
        return Story(outcome)
    before = failures(told, to, said.line)
    if said.state is State.FAILURE:
        since = before[0].commit if before else ""
        return Story(outcome, flapping=said.flapping, failing_since="" if since == outcome.commit else since)
    if said.state is not State.SUCCESS:
        return Story(outcome)
    known = told.entry(to.name, said.line, outcome.commit)
    present = [e for e in told.destinations.get(to.name, {}).get(said.line, ()) if not e.past]
    returns = known is not None and known.past and bool(present)
    return Story(
        outcome,
        broken_for=max(1, now - before[0].when) if before else 0,
        rolled_back_from=present[-1].commit if returns else "",
    )


def failures(told: Told, to: Destination, line: str) -> Sequence[Entry]:
    """The failures that were told last on ``line`` and have not been ended, oldest first."""
    row: list[Entry] = []
    for entry in reversed(told.destinations.get(to.name, {}).get(line, ())):
        if entry.state == State.SUCCESS:
            break
        if entry.state == State.FAILURE:
            row.insert(0, entry)
    return row


# ── what no commit can be blamed for ────────────────────────────────────────────────────────────────────────────────


def troubles(look: Look, told: Told, to: Destination) -> Iterator[Outcome]:
    """What is to be told of objects that speak of no commit: failures, silence, suspension with news waiting; what
    sources and releases without a commit hold; and that a trouble which was told is over.
    """
    stale = [o for o in look.silent if o.state is State.STALE]
    said = [o for o in look.silent if _worth_telling(o, to)]
    if stale:  # one controller stands behind all of them
        first = structs.replace(stale[0], about=CONTROLLER, together=len(stale))
        yield Outcome(look.cluster, _NOWHERE, "", (first, *stale))
    for observation in (*said, *_over(look, told, to)):
        yield Outcome(look.cluster, _NOWHERE, "", (observation,))


#: Who is silent when Kustomizations are stale.
CONTROLLER = ObjectRef("Deployment", "flux-system", "kustomize-controller")
_OVER = "Succeeded"


def _worth_telling(observation: Observation, to: Destination) -> bool:
    """A success that no commit is known of is told only where an Alert asks for the object."""
    if observation.state is State.SUSPENDED:
        return bool(observation.revision)
    return observation.state is State.FAILURE or (observation.state is State.SUCCESS and bool(to.alerts))


def _over(look: Look, told: Told, to: Destination) -> Iterator[Observation]:
    """Troubles that were told and that the look shows to be over. Silence alone is no proof."""
    open_ = _open(look.cluster, told, to)
    if not open_:
        return
    well = {
        *look.healthy,
        *(o.about for x in look.outcomes for o in x.observations if o.state is State.SUCCESS),
    }
    ill = {o.about for o in look.silent if o.state in (State.FAILURE, State.SUCCESS)}
    if well and not any(o.state is State.STALE for o in look.silent):
        well.add(CONTROLLER)
    for ref in sorted(open_):
        if ref in well and ref not in ill:
            yield Observation(ref, State.SUCCESS, reason=_OVER, message="Works again")


def _open(cluster: str, told: Told, to: Destination) -> list[ObjectRef]:
    found = []
    for line, entries in told.destinations.get(to.name, {}).items():
        last = entries[-1]
        if last.commit or last.state not in (State.FAILURE, State.STALE):
            continue
        where, _, about = line.rpartition(" ")
        parts = about.split("/")
        if where == cluster and len(parts) == 3:
            found.append(ObjectRef(*parts))
    return found


def tellable(views: Iterable[View], told: Told, to: Destination) -> Iterator[tuple[View, Outcome]]:
    """The outcomes of all looks, and the troubles that no commit can be blamed for: begun and ended."""
    for view in views:
        yield from ((view, outcome) for outcome in view.look.outcomes)
        yield from ((view, outcome) for outcome in troubles(view.look, told, to))
