"""What makes news: fingerprints, what they are compared with, and what a look speaks of now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from zlib import crc32

from msgspec import Struct, structs

from landed.model import RESULTS, Look, Mark, ObjectRef, Observation, Outcome, Repository, State, Update
from landed.told import Entry


class News(Struct, frozen=True):
    """An update that is due, or marks to take down silently."""

    update: Update | None = None
    silent: tuple[tuple[str, Mark], ...] = ()
    rank: int = 0


class View:
    """A look, and which commits are current in it; worked out only if there is news."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._by_object: dict[ObjectRef, set[str]] | None = None

    def commits_of(self, about: ObjectRef) -> tuple[str, ...]:
        """The commits that one object speaks of now."""
        if self._by_object is None:
            self._by_object = defaultdict(set)
            for outcome in self.look.outcomes:
                for observation in outcome.observations:
                    if not observation.past:
                        self._by_object[observation.about].add(outcome.commit)
        return tuple(sorted(self._by_object.get(about, ())))

    def commits_in(self, repository: Repository) -> tuple[str, ...]:
        """The commits of one repository that somebody speaks of now."""
        outcomes = (o for o in self.look.outcomes if o.repository == repository and not o.past)
        return tuple(sorted(o.commit for o in outcomes))


def fingerprint(observation: Observation) -> str:
    """State and reason of one observation. The reason of a success, or of plain progress, tells nothing."""
    if observation.state is State.FAILURE:
        return f"failure {observation.reason}"
    if observation.state is State.PENDING and observation.waits_for is not None:
        return f"pending {observation.reason}"
    return str(observation.state)


def fingerprint_of(outcome: Outcome, state: State) -> str:
    """State of an outcome and, for a failure, who fails and why."""
    if state is not State.FAILURE:
        return str(state)
    failed = [f"{o.about} {o.reason}" for o in outcome.observations if o.state is State.FAILURE]
    return f"failure {len(failed)} {crc32(chr(10).join(failed).encode()):08x}"


def is_news(entry: Entry | None, mark: str, *, past: bool = False) -> bool:
    """Whether the fingerprint ``mark`` tells something beyond what ``entry`` holds."""
    if entry is None:
        return True
    if past:
        return False
    if mark.startswith(State.PENDING):
        return entry.fingerprint == State.PENDING and mark != entry.fingerprint and not entry.past
    return entry.past or entry.fingerprint != mark


def standing_of(observation: Observation, entry: Entry | None) -> Observation:
    """The observation with the state that holds here: a result told before outlasts pending."""
    if observation.state in RESULTS or entry is None or entry.past or entry.state not in RESULTS:
        return observation
    state, _, reason = entry.fingerprint.partition(" ")
    return structs.replace(observation, state=State(state), reason=reason or observation.reason, keeps=False)


def common_state(outcome: Outcome, standing: Iterable[Observation]) -> State | None:
    """What all of them amount to, or None where that cannot be said: somebody only keeps what we never knew, or others
    have moved on to another commit.
    """
    states = {None if o.keeps else o.state for o in standing}
    if State.FAILURE in states:
        return State.FAILURE
    if None in states or not outcome.whole:
        return None
    return State.PENDING if State.PENDING in states else State.SUCCESS
