"""What is news: from outcomes and what was told before to the updates that are due. No I/O, no clock.

The rules, for each destination by itself:

- Pending never hides a result of the same commit, and is told once.
- Failure after success and success after failure are news; a repeat is not.
- A commit that was told before and becomes current again, after another one was, is news again.
- What came and went between two looks is told once.
- A channel that was never served before starts silently: only failures that are current are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from zlib import crc32

from msgspec import Struct, structs

from landed import render
from landed.model import (
    RESULTS,
    CommitStatus,
    Destination,
    Digest,
    Look,
    Mark,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    State,
    Story,
    Update,
)
from landed.told import Entry, Intent, Told


class Wording(Struct, frozen=True):
    """How commit statuses are named. Placeholders: ``{cluster} {namespace} {name}``, in ``target_url`` also
    ``{repository} {commit}``.
    """

    context: str = "flux/{cluster}/{namespace}/{name}"
    commit_context: str = "flux/{cluster}"
    target_url: str = ""


class Plan(Struct, frozen=True):
    """What to send, and what to take down without sending it."""

    updates: tuple[Update, ...] = ()
    silent: tuple[tuple[str, Mark], ...] = ()
    """(destination, mark): the baseline of a channel that is served for the first time."""


def plan(
    looks: Iterable[Look],
    told: Told,
    destinations: Iterable[Destination],
    *,
    wording: Wording,
    now: int,
) -> Plan:
    """Every update that tells something new, the most urgent first, in an order that depends on the input alone."""
    views = [_View(look) for look in looks if not look.error]
    news: list[_News] = []
    for to in destinations:
        if to.takes == "statuses":
            news += _statuses(views, told, to, wording)
        elif to.takes == "digests":
            news += _digests(views, told, to, now)
        else:
            news += _events(views, told, to)
    return Plan(
        tuple(n.update for n in sorted(news, key=_urgency) if n.update is not None),
        tuple(pair for n in news for pair in n.silent),
    )


class _News(Struct, frozen=True):
    """An update that is due, or marks to take down silently."""

    update: Update | None = None
    silent: tuple[tuple[str, Mark], ...] = ()
    rank: int = 0


def _urgency(news: _News) -> tuple[int, str]:
    mark = news.update.marks[0] if news.update else None
    return news.rank, f"{mark.line} {mark.commit}" if mark else ""


class _View:
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


# ── fingerprints ────────────────────────────────────────────────────────────────────────────────────────────────────


def fingerprint(observation: Observation) -> str:
    """State and reason of one observation. The reason of a success, or of plain progress, tells nothing."""
    if observation.state is State.FAILURE:
        return f"failure {observation.reason}"
    if observation.state is State.PENDING and observation.waits_for is not None:
        return f"pending {observation.reason}"
    return str(observation.state)


def _fingerprint_of(outcome: Outcome, state: State) -> str:
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


# ── commit statuses ─────────────────────────────────────────────────────────────────────────────────────────────────


def _statuses(views: Iterable[_View], told: Told, to: Destination, wording: Wording) -> Iterator[_News]:
    for view in views:
        for outcome in view.look.outcomes:
            if outcome.repository.host == to.host:
                yield from _statuses_of(outcome, view, told, to, wording)


def _statuses_of(outcome: Outcome, view: _View, told: Told, to: Destination, wording: Wording) -> Iterator[_News]:
    contexts = _Contexts(wording, outcome, to)
    standing: list[Observation] = []
    for observation in outcome.observations:
        context = contexts.of(observation)
        line = f"{outcome.repository.path} {context}"
        entry = told.entry(to.name, line, outcome.commit)
        standing.append(_standing(observation, entry))
        if observation.keeps:
            continue
        print_ = fingerprint(observation)
        if is_news(entry, print_, past=observation.past):
            mark = Mark(line, outcome.commit, print_, view.commits_of(observation.about))
            said = render.say(observation, to.description_limit)
            yield contexts.status(context, mark, observation.state, said)
    state = _common_state(outcome, standing)
    if state is None:
        return
    whole = structs.replace(outcome, observations=tuple(standing))
    context = contexts.whole()
    line = f"{outcome.repository.path} {context}"
    print_ = _fingerprint_of(whole, state)
    if is_news(told.entry(to.name, line, outcome.commit), print_, past=outcome.past):
        mark = Mark(line, outcome.commit, print_, view.commits_in(outcome.repository))
        said = render.summary(whole, to.description_limit)
        yield contexts.status(context, mark, state, said, whole=True)


def _standing(observation: Observation, entry: Entry | None) -> Observation:
    """The observation with the state that holds here: a result told before outlasts pending."""
    if observation.state in RESULTS or entry is None or entry.past or entry.state not in RESULTS:
        return observation
    state, _, reason = entry.fingerprint.partition(" ")
    return structs.replace(observation, state=State(state), reason=reason or observation.reason, keeps=False)


def _common_state(outcome: Outcome, standing: Iterable[Observation]) -> State | None:
    """What all of them amount to, or None where that cannot be said: somebody only keeps what we never knew, or others
    have moved on to another commit.
    """
    states = {None if o.keeps else o.state for o in standing}
    if State.FAILURE in states:
        return State.FAILURE
    if None in states or not outcome.whole:
        return None
    return State.PENDING if State.PENDING in states else State.SUCCESS


class _Contexts:
    """The contexts of one outcome at one Git host."""

    def __init__(self, wording: Wording, outcome: Outcome, to: Destination) -> None:
        self._wording = wording
        self._outcome = outcome
        self._to = to

    def of(self, observation: Observation) -> str:
        about = observation.about
        namespace = about.namespace if about.kind == "Kustomization" else f"{about.kind.lower()}/{about.namespace}"
        return self._fill(self._wording.context, namespace, about.name)

    def whole(self) -> str:
        return self._fill(self._wording.commit_context, "", "")

    def _fill(self, template: str, namespace: str, name: str) -> str:
        context = (
            template.replace("{cluster}", self._outcome.cluster)
            .replace("{namespace}", namespace)
            .replace("{name}", name)
        )
        return shorten(context, self._to.context_limit)

    def status(self, context: str, mark: Mark, state: State, said: str, *, whole: bool = False) -> _News:
        outcome = self._outcome
        target = (
            self._wording.target_url.replace("{cluster}", outcome.cluster)
            .replace("{repository}", outcome.repository.path)
            .replace("{commit}", outcome.commit)
        )
        payload = CommitStatus(outcome.repository, outcome.commit, context, state, said, target)
        # Where a rate limit cuts a run short: failures first, then what speaks for the whole commit.
        rank = 0 if state is State.FAILURE else 1 if whole else 2 if state is State.SUCCESS else 3
        return _News(Update(self._to.name, (mark,), payload), rank=rank)


def shorten(context: str, limit: int) -> str:
    """``context``, with its end replaced by a hash where it is longer than the host takes: unique and stable."""
    if len(context) <= limit:
        return context
    return f"{context[: limit - 9]}~{crc32(context.encode()):08x}"


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _digests(views: Sequence[_View], told: Told, to: Destination, now: int) -> Iterator[_News]:
    """One message for everything that is new in this look."""
    stories: list[Story] = []
    marks: list[Mark] = []
    silent: list[tuple[str, Mark]] = []
    for view, outcome in _tellable(views, told, to):
        state = _common_state(outcome, outcome.observations)
        if state not in RESULTS:
            continue
        line = _line(outcome)
        print_ = _fingerprint_of(outcome, state)
        if not is_news(told.entry(to.name, line, outcome.commit), print_, past=outcome.past):
            continue
        current = view.commits_in(outcome.repository) if outcome.commit else ("",)
        mark = Mark(line, outcome.commit, print_, current)
        if state is State.SUCCESS and not told.knows(to.name):
            silent.append((to.name, mark))
            continue
        stories.append(_story(outcome, state, told, to, line, now))
        marks.append(mark)
    update = Update(to.name, tuple(marks), Digest(tuple(stories))) if stories else None
    yield _News(update, tuple(silent))


def _line(outcome: Outcome) -> str:
    if not outcome.commit:
        return f"{outcome.cluster} {outcome.observations[0].about}"
    return f"{outcome.cluster} {outcome.repository}"


def _story(outcome: Outcome, state: State, told: Told, to: Destination, line: str, now: int) -> Story:
    """What people were told before decides how it reads: a recovery, or a return to an earlier commit."""
    if state is not State.SUCCESS or outcome.past:
        return Story(outcome)
    before = [e for e in told.destinations.get(to.name, {}).get(line, ()) if not e.past]
    broken = [e.when for e in before if e.state == State.FAILURE]
    known = told.entry(to.name, line, outcome.commit)
    returns = known is not None and known.past and bool(before)
    return Story(
        outcome,
        broken_for=max(1, now - min(broken)) if broken else 0,
        rolled_back_from=before[-1].commit if returns else "",
    )


def _tellable(views: Iterable[_View], told: Told, to: Destination) -> Iterator[tuple[_View, Outcome]]:
    """The outcomes of all looks, and the troubles that no commit can be blamed for: begun and ended."""
    for view in views:
        look = view.look
        yield from ((view, outcome) for outcome in look.outcomes)
        troubles = [o for o in look.silent if o.state is State.FAILURE]
        yield from ((view, _trouble(look.cluster, o)) for o in (*troubles, *_over(look, told, to)))


def _trouble(cluster: str, observation: Observation) -> Outcome:
    return Outcome(cluster, Repository("", ""), "", (observation,))


def _over(look: Look, told: Told, to: Destination) -> Iterator[Observation]:
    """Troubles that were told and that the look shows to be over. Silence alone is no proof."""
    open_ = _open_troubles(look.cluster, told, to)
    if not open_:
        return
    well = {
        *look.healthy,
        *(o.about for x in look.outcomes for o in x.observations if o.state is State.SUCCESS),
    }
    ill = {o.about for o in look.silent if o.state is State.FAILURE}
    for ref in sorted(open_):
        if ref in well and ref not in ill:
            yield Observation(ref, State.SUCCESS, reason="Succeeded", message="Works again")


def _open_troubles(cluster: str, told: Told, to: Destination) -> list[ObjectRef]:
    found = []
    for line, entries in told.destinations.get(to.name, {}).items():
        last = entries[-1]
        if last.commit or last.state != State.FAILURE:
            continue
        where, _, about = line.rpartition(" ")
        parts = about.split("/")
        if where == cluster and len(parts) == 3:
            found.append(ObjectRef(*parts))
    return found


def _events(views: Iterable[_View], told: Told, to: Destination) -> Iterator[_News]:
    """One event per observation, as Flux would have sent it; progress is not an event."""
    for view, outcome in _tellable(views, told, to):
        for observation in outcome.observations:
            if observation.keeps or (observation.state is State.PENDING and observation.waits_for is None):
                continue
            line = f"{outcome.cluster} {observation.about}"
            print_ = fingerprint(observation)
            entry = told.entry(to.name, line, outcome.commit)
            if not is_news(entry, print_, past=observation.past):
                continue
            current = view.commits_of(observation.about) if outcome.commit else ("",)
            mark = Mark(line, outcome.commit, print_, current)
            if observation.state is not State.FAILURE and not told.knows(to.name):
                yield _News(silent=((to.name, mark),))
            else:
                yield _News(Update(to.name, (mark,), render.event(outcome.cluster, observation)))


# ── reading back ────────────────────────────────────────────────────────────────────────────────────────────────────


def unsure(updates: Iterable[Update], told: Told) -> dict[str, tuple[tuple[Repository, str], ...]]:
    """Destination → the commits whose statuses must be read back before anything is written: the ledger does not know
    one of their contexts, or a run that was broken off may have written it.
    """
    begun = set(told.begun)
    found: dict[str, set[tuple[Repository, str]]] = defaultdict(set)
    for update in updates:
        if not isinstance(update.payload, CommitStatus):
            continue
        for mark in update.marks:
            known = told.entry(update.destination, mark.line, mark.commit) is not None
            if not known or Intent(update.destination, mark.line, mark.commit) in begun:
                found[update.destination].add((update.payload.repository, update.payload.commit))
    return {destination: tuple(sorted(commits)) for destination, commits in found.items()}


def recall(
    told: Told,
    updates: Iterable[Update],
    found: Mapping[tuple[str, Repository, str], Mapping[str, tuple[State, str]]],
    now: int,
) -> None:
    """Take down in ``told`` what a Git host holds already.

    ``found``: (destination, repository, commit) → context → state and description. A status that says what we would
    say, durations apart, counts as told; any other one as an earlier state.
    """
    for update in updates:
        wanted = update.payload
        if not isinstance(wanted, CommitStatus):
            continue
        there = found.get((update.destination, wanted.repository, wanted.commit), {}).get(wanted.context)
        if there is None:
            continue
        state, description = there
        mark = update.marks[0]
        same = state is wanted.state and render.essence(description) == render.essence(wanted.description)
        kept = mark if same else structs.replace(mark, fingerprint=f"{state} found")
        told.record(update.destination, kept, now)


__all__ = ["Plan", "Wording", "fingerprint", "is_news", "plan", "recall", "shorten", "unsure"]
