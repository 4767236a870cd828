"""What makes news: fingerprints, what they are compared with, and what a look speaks of now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from zlib import crc32

from msgspec import Struct, structs

from landed.model import RESULTS, Look, Mark, ObjectRef, Observation, Outcome, Repository, State, Update
from landed.told import Entry, Told


class News(Struct, frozen=True):
    """An update that is due, or marks to take down silently, or what people must know of the plan."""

    update: Update | None = None
    silent: tuple[tuple[str, Mark], ...] = ()
    rank: int = 0
    note: str = ""
    """What is left out on purpose."""
    problem: str = ""
    """What could not be told, because it could not be named."""
    held: bool = False
    """Whether something is kept for later: it stays news."""


class View:
    """A look, what of it was known before, and which commits are current in it; worked out only if there is news."""

    def __init__(self, look: Look, told: Told, now: int = 0) -> None:
        self.look = look
        self._told = told
        self.now = now
        self._by_object: dict[ObjectRef, set[str]] | None = None
        self._heads: dict[Repository, tuple[str, ...]] | None = None

    def commits_of(self, about: ObjectRef) -> tuple[str, ...]:
        """The commits that one object speaks of now."""
        if self._by_object is None:
            self._by_object = defaultdict(set)
            for outcome, observation in self._present():
                self._by_object[observation.about].add(outcome.commit)
        return tuple(sorted(self._by_object.get(about, ())))

    def commits_in(self, repository: Repository) -> tuple[str, ...]:
        """The commits of one repository that somebody speaks of now."""
        outcomes = (o for o in self.look.outcomes if o.repository == repository and not o.past)
        return tuple(sorted(o.commit for o in outcomes))

    def heads(self, repository: Repository) -> tuple[str, ...]:
        """What the sources of ``repository`` hold now, if everything that comes from it speaks of that; else nothing:
        a source may have lost its artifact for a moment, and what nobody speaks of may yet come back.
        """
        if self._heads is None:
            self._heads = self._found_heads()
        return self._heads.get(repository, ())

    def _found_heads(self) -> dict[Repository, tuple[str, ...]]:
        held: dict[Repository, set[str]] = defaultdict(set)
        arrived: dict[tuple[Repository, ObjectRef], bool] = defaultdict(bool)
        for outcome, observation in self._present():
            arrived[outcome.repository, observation.about] |= observation.newest
            if observation.newest:
                held[outcome.repository].add(outcome.commit)
        behind = {repository for (repository, _), newest in arrived.items() if not newest}
        return {repository: tuple(sorted(commits)) for repository, commits in held.items() if repository not in behind}

    def standing(self, outcome: Outcome) -> Outcome:
        """``outcome`` with the states that hold: a result outlasts pending of the same commit."""
        if all(o.state in RESULTS for o in outcome.observations):
            return outcome
        observations = tuple(self.standing_of(o, outcome.commit) for o in outcome.observations)
        return structs.replace(outcome, observations=observations)

    def standing_of(self, observation: Observation, commit: str, entry: Entry | None = None) -> Observation:
        """The observation with the state that holds: by what was seen before, else by what was told (``entry``)."""
        if observation.state in RESULTS:
            return observation
        known = self._told.remembered(line_of(self.look.cluster, observation.about), commit)
        if not known and entry is not None and not entry.past:
            known = entry.fingerprint
        state, _, reason = known.partition(" ")
        if state not in RESULTS:
            return observation
        return structs.replace(
            observation, state=State(state), reason=reason or observation.reason, message="", keeps=False, begun=False
        )

    def flapping(self, outcome: Outcome) -> tuple[ObjectRef, ...]:
        """What of it goes to and fro between success and failure."""
        if outcome.past or not self._told.turns:
            return ()
        lines = ((o.about, line_of(self.look.cluster, o.about)) for o in outcome.observations)
        return tuple(about for about, line in lines if self._told.flaps(line, self.now))

    def _present(self) -> Iterator[tuple[Outcome, Observation]]:
        for outcome in self.look.outcomes:
            yield from ((outcome, observation) for observation in outcome.observations if not observation.past)


def line_of(cluster: str, about: ObjectRef) -> str:
    """How what is known of one object is called."""
    return f"{cluster} {about.kind}/{about.namespace}/{about.name}"


def object_of(line: str) -> tuple[str, ObjectRef | None]:
    """The cluster and the object that ``line_of`` was given; none where a line has another form."""
    cluster, _, name = line.rpartition(" ")
    parts = name.split("/")
    return cluster, ObjectRef(*parts) if len(parts) == 3 else None


def observe(looks: Iterable[Look], told: Told, now: int = 0) -> bool:
    """Remember the result of every object that shows one, and when it turned. True if anything is new."""
    new = False
    told.calm(now)
    for look in looks:
        for outcome in look.outcomes:
            live = f"{outcome.commit} {State.SUCCESS}"
            for o in outcome.observations:  # of thousands, nearly all are live and known to be
                if o.state in RESULTS and not o.past:
                    result = live if o.state is State.SUCCESS else f"{outcome.commit} {fingerprint(o)}"
                    new |= told.observe(line_of(look.cluster, o.about), result, now)
    return new


def fingerprint(observation: Observation, *, progress: bool = False) -> str:
    """State and reason of one observation. The reason of a success tells nothing, that of plain progress only where
    the destination tells queued from in progress.
    """
    if observation.state is State.FAILURE:
        return f"failure {observation.reason}"
    if observation.state is State.PENDING and observation.waits_for is not None:
        return f"pending {observation.reason}"
    if observation.state is State.PENDING and progress and observation.begun:
        return _AT_WORK
    return str(observation.state)


def fingerprint_of(outcome: Outcome, state: State, *, progress: bool = False) -> str:
    """State of an outcome and, for a failure, who fails and why."""
    if state is State.PENDING and progress and begun(outcome):
        return _AT_WORK
    if state is not State.FAILURE:
        return str(state)
    failed = [f"{o.about} {o.reason}" for o in outcome.observations if o.state is State.FAILURE]
    return f"failure {len(failed)} {crc32(chr(10).join(failed).encode()):08x}"


_AT_WORK = "pending Progressing"


def begun(outcome: Outcome) -> bool:
    """Whether Flux is at work on it, or has done a part of it."""
    return any(o.begun or o.state in RESULTS for o in outcome.observations)


def is_news(entry: Entry | None, mark: str, *, past: bool = False) -> bool:
    """Whether the fingerprint ``mark`` tells something beyond what ``entry`` holds."""
    if entry is None:
        return True
    if past:  # what came of it while nobody looked settles what was pending, and nothing else
        return entry.state not in RESULTS
    if not mark.startswith(State.PENDING):
        return entry.past or entry.fingerprint != mark
    if entry.state == State.SUPERSEDED:  # and now it is waited for again
        return True
    return entry.state == State.PENDING and not entry.past and _eagerness(mark) > _eagerness(entry.fingerprint)


def _eagerness(mark: str) -> int:
    """Pending goes forward only: waiting, held up by a dependency, at work."""
    return (mark != State.PENDING) + (mark == _AT_WORK)


def common_state(outcome: Outcome) -> State | None:
    """What the standing observations of ``outcome`` amount to, or None where that cannot be said: somebody only keeps
    what we never knew, or others have moved on to another commit.
    """
    states = {None if o.keeps else o.state for o in outcome.observations}
    if State.FAILURE in states:
        return State.FAILURE
    if None in states or not outcome.whole:
        return None
    return State.PENDING if State.PENDING in states else State.SUCCESS
