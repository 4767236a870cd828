"""What is worth telling people of one outcome, and how it reads beside what they were told before."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from msgspec import Struct, structs

from landed import render
from landed.model import RESULTS, Destination, ObjectRef, Observation, Outcome, Repository, State, Story
from landed.plan.news import View, common_state, fingerprint, fingerprint_of, is_news, line_of
from landed.plan.troubles import OVER
from landed.told import Entry, Told

#: The fingerprint of a commit that only its sources speak of: it neither ends a failure nor begins one.
FETCHED = "fetched"
#: What stands in the cluster, as sources do not.
_ROLLED_OUT = frozenset({"Kustomization", "HelmRelease"})


class Telling(Struct, frozen=True):
    """An outcome as it would be told."""

    outcome: Outcome
    """With the states that hold."""
    state: State
    fingerprint: str
    flapping: tuple[ObjectRef, ...] = ()
    beside: tuple[str, ...] = ()
    """Other commits of the repository that are current, too: what is told of them is not about this one."""
    interrupted: bool = False
    """Another commit was live for a while, and nobody looked then."""
    held_up: bool = False
    """Something that failed is suspended since, so that nobody can say that it is over."""

    @property
    def line(self) -> str:
        """What is told about, commit apart."""
        return line_in(self.outcome.cluster, self.outcome)


def line_in(cluster: str, outcome: Outcome) -> str:
    """How the ledger calls what one cluster says of a repository, or of an object that no commit is known of."""
    about = outcome.observations[0].about
    return f"{cluster} {outcome.repository}" if outcome.commit else f"{cluster} {about}"


def telling(view: View, outcome: Outcome, told: Told, to: Destination) -> Telling | None:
    """How ``outcome`` would be told; None where that cannot be said."""
    if not outcome.commit:
        return _of_trouble(outcome)
    standing = view.standing(outcome)
    beside = tuple(commit for commit in view.commits_in(outcome.repository) if commit != outcome.commit)
    if not any(o.about.kind in _ROLLED_OUT for o in outcome.observations):
        return Telling(outcome, State.SUCCESS, FETCHED, beside=beside)
    state = common_state(standing)
    said = Telling(
        standing,
        state or State.PENDING,
        fingerprint_of(standing, state or State.PENDING),
        beside=beside,
        interrupted=any(
            x.past and x.repository == outcome.repository and x.state is State.SUCCESS for x in view.look.outcomes
        ),
    )
    flapping = _flapping(view, said, told, to)
    if flapping:
        return _to_and_fro(said, flapping)
    held_up = _held_up(view, outcome.repository, told)
    if state is None or (state is State.SUCCESS and not outcome.past and outcome.commit in held_up):
        return None
    return structs.replace(said, held_up=bool(held_up))


def _flapping(view: View, said: Telling, told: Told, to: Destination) -> tuple[ObjectRef, ...]:
    """What of this commit goes to and fro, once a failure of it may be told."""
    turning = view.flapping(said.outcome)
    found = [o for o in said.outcome.observations if o.about in turning and o.state in RESULTS and not o.past]
    if not any(o.state is State.FAILURE for o in found) and not failures(told, to, said):
        return ()
    return tuple(o.about for o in found)


def _to_and_fro(said: Telling, flapping: tuple[ObjectRef, ...]) -> Telling:
    """Known by what goes to and fro, and by what fails beside it."""
    failed = [o for o in said.outcome.observations if o.state is State.FAILURE and o.about not in flapping]
    names = "\n".join([*map(str, flapping), *(f"{o.about} {o.reason}" for o in failed)])
    print_ = f"failure flapping {crc32(names.encode()):08x}"
    return structs.replace(said, state=State.FAILURE, fingerprint=print_, flapping=flapping)


def _held_up(view: View, repository: Repository, told: Told) -> tuple[str, ...]:
    """The commits with which objects failed that nobody reconciles at present."""
    waiting = (o for o in view.look.silent if o.repository == repository and o.state in _UNRECONCILED)
    results = (told.observed.get(line_of(view.look.cluster, o.about), "").split(" ") for o in waiting)
    return tuple(result[0] for result in results if State.FAILURE in result[1:2])


_UNRECONCILED = frozenset({State.SUSPENDED, State.DELETING, State.NEW})


def _of_trouble(outcome: Outcome) -> Telling:
    observation = outcome.observations[0]
    state = observation.state
    if state is State.FAILURE:
        return Telling(outcome, state, fingerprint(observation))
    known_by = essence(observation) if state is not State.STALE else ""  # how long it lasts is no news
    return Telling(outcome, state, f"{state} {crc32(known_by.encode()):08x}" if known_by else str(state))


def essence(observation: Observation) -> str:
    """What tells it from another of the same object and state where no commit is known: a revision, of a release also
    what it says, for an upgrade may keep the version of the chart.
    """
    if observation.reason == OVER:
        return observation.revision
    says = observation.about.kind == "HelmRelease" or not observation.revision
    return f"{observation.revision} {render.essence(observation.message) if says else ''}".strip()


def is_new(said: Telling, entry: Entry | None, fingerprint: str = "") -> bool:
    """Whether it tells something beyond what ``entry`` holds; by another ``fingerprint`` where one is given."""
    if entry is None:
        return True
    if said.outcome.past:  # it waited when it was told of, and has a result that nobody saw
        return entry.state not in RESULTS
    if said.fingerprint == FETCHED:
        return entry.past
    return is_news(entry, fingerprint or said.fingerprint)


def is_mute(said: Telling, told: Told, to: Destination) -> bool:
    """Whether it is to be told only where it ends a failure that was told, and there is none."""
    if said.state is State.FAILURE or not all(o.closes for o in said.outcome.observations):
        return False
    return not failures(told, to, said)


#: Ends the fingerprint of a commit on its way that was told before and had been replaced by another one.
AGAIN = " again"


def story(said: Telling, told: Told, to: Destination, now: int) -> Story:
    """What people were told before decides how it reads: a recovery, a return to an earlier commit, or a failure that
    began with an earlier one.
    """
    outcome = said.outcome
    if outcome.past or said.fingerprint == FETCHED:
        return Story(outcome)
    before = failures(told, to, said)
    if said.state is State.FAILURE:
        since = before[0].commit if before and not said.interrupted else ""
        return Story(outcome, flapping=said.flapping, failing_since="" if since == outcome.commit else since)
    if said.state is not State.SUCCESS:
        return Story(outcome)
    known = told.entry(to.name, said.line, outcome.commit)
    others = {outcome.commit, *said.beside}
    present = [e for e in _entries(told, to, said) if not e.past and e.commit not in others]
    returns = known is not None and (known.past or known.fingerprint.endswith(AGAIN)) and bool(present)
    return Story(
        outcome,
        broken_for=max(1, now - before[0].when) if before and not said.held_up else 0,
        rolled_back_from=present[-1].commit if returns else "",
    )


def failures(told: Told, to: Destination, said: Telling) -> Sequence[Entry]:
    """The failures that were told last on its line and have not been ended, oldest first."""
    row: list[Entry] = []
    for entry in reversed(_entries(told, to, said)):
        if entry.commit in said.beside:
            continue
        if entry.state == State.SUCCESS:
            break
        if entry.state == State.FAILURE:
            row.insert(0, entry)
    own = told.entry(to.name, said.line, said.outcome.commit)
    if not row and own is not None and own.state == State.FAILURE and not own.past:
        return [own]  # what was live since is on another branch
    return row


def _entries(told: Told, to: Destination, said: Telling) -> Sequence[Entry]:
    return told.destinations.get(to.name, {}).get(said.line, ())
