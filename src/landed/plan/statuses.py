"""Commit statuses: one for each object, and one for the whole commit on a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import structs

from landed.model import Destination, Mark, Observation, Outcome, Repository, State
from landed.plan.contexts import Contexts
from landed.plan.news import News, View, common_state, fingerprint, fingerprint_of, is_news
from landed.plan.wording import Wording
from landed.told import Entry, Told

#: (repository, commit) → contexts that the Git host is known to show, whoever wrote them.
Shown = Mapping[tuple[Repository, str], Collection[str]]


def statuses(views: Sequence[View], told: Told, to: Destination, wording: Wording, shown: Shown) -> Iterator[News]:
    """The statuses that are due on the Git host ``to``."""
    here = [(view, outcome) for view in views for outcome in view.look.outcomes if outcome.repository.host == to.host]
    sizes: Counter[tuple[Repository, str]] = Counter()
    for _, outcome in here:
        sizes[outcome.repository, outcome.commit] += len(outcome.observations) + 1
    rolled_up: Counter[tuple[Repository, str]] = Counter()
    for view, outcome in here:
        key = outcome.repository, outcome.commit
        seen = shown.get(key, ()) if sizes[key] > wording.max_contexts else None
        for news in _Statuses(view, outcome, told, to, wording, seen).due():
            if news is _ROLLED_UP:
                rolled_up[key] += 1
            else:
                yield news
    if to.superseded:
        yield from _superseded(here, told, to, wording)
    for (repository, commit), number in sorted(rolled_up.items()):
        total = sizes[repository, commit]
        yield News(
            note=f"{repository.path}@{commit[:8]} has {total} contexts on {to.name}, more than --max-contexts"
            f" {wording.max_contexts}: {number} that have not failed are rolled up into those of the whole commit."
        )


#: Stands for an observation that has no status of its own.
_ROLLED_UP = News()


class _Statuses:
    """The statuses of one outcome."""

    def __init__(
        self,
        view: View,
        outcome: Outcome,
        told: Told,
        to: Destination,
        wording: Wording,
        shown: Collection[str] | None,
    ) -> None:
        """``shown`` are the contexts that the host has already, where there is no room for all; else None."""
        self._view = view
        self._outcome = outcome
        self._told = told
        self._to = to
        self._contexts = Contexts(wording, outcome, to)
        self._shown = shown

    def due(self) -> Iterator[News]:
        """Those of single objects first."""
        for context, observation in self._contexts.each():
            if context and not observation.keeps:
                yield from self._one(context, observation)
        yield from (News(problem=problem) for problem in self._contexts.problems)
        if self._to.whole:
            yield from self._whole()

    def _one(self, context: str, observation: Observation) -> Iterator[News]:
        entry = self._entry(self._contexts.line(context))
        if self._hidden(context, observation, entry):
            yield _ROLLED_UP
            return
        if observation.closes and (entry is None or entry.state != State.FAILURE):
            return
        print_ = fingerprint(observation, progress=self._to.progress)
        if is_news(entry, print_, past=observation.past):
            current = self._view.commits_of(observation.about)
            mark = Mark(self._contexts.line(context), self._outcome.commit, print_, current)
            yield self._contexts.status(context, mark, observation, entry)

    def _hidden(self, context: str, observation: Observation, entry: Entry | None) -> bool:
        """Rolled up is what does not fail, and never did: what the host shows must stay true."""
        if self._shown is None or observation.state is State.FAILURE:
            return False
        return entry is None and context not in self._shown

    def _whole(self) -> Iterator[News]:
        """The status of the whole commit, by what stands: what was seen before, else what was told of each object."""
        view, outcome = self._view, self._outcome
        whole = view.standing(outcome)
        if any(o.keeps or o.state is State.PENDING for o in whole.observations):
            whole = self._by_what_was_told(whole)
        state = common_state(whole)
        if state is None:
            return
        context = self._contexts.whole()
        entry = self._entry(self._contexts.line(context))
        print_ = fingerprint_of(whole, state, progress=self._to.progress)
        if is_news(entry, print_, past=outcome.past):
            mark = Mark(self._contexts.line(context), outcome.commit, print_, view.commits_in(outcome.repository))
            yield self._contexts.status_of_all(context, mark, state, whole, entry)

    def _by_what_was_told(self, whole: Outcome) -> Outcome:
        observations = tuple(
            self._view.standing_of(o, whole.commit, self._entry(self._contexts.line(self._contexts.of(o))))
            for o in whole.observations
        )
        return structs.replace(whole, observations=observations)

    def _entry(self, line: str) -> Entry | None:
        return self._told.entry(self._to.name, line, self._outcome.commit)


def _superseded(here: Sequence[tuple[View, Outcome]], told: Told, to: Destination, wording: Wording) -> Iterator[News]:
    """Commits that are pending for ever: nobody speaks of them any more, and everybody has come to another one."""
    settled = {(outcome.repository.path, outcome.commit) for _, outcome in here if outcome.past}
    waiting = _waiting(told, to, settled)
    if not waiting:
        return
    for view, outcome in here:
        if outcome.past:
            continue
        contexts = Contexts(wording, outcome, to)
        for context, observation in contexts.each():
            if context and observation.newest:
                current = view.commits_of(observation.about)
                yield from _left(waiting, contexts, context, current, observation.revision or outcome.commit)
        heads = view.heads(outcome.repository)
        if outcome.commit in heads:
            current = view.commits_in(outcome.repository)
            by = next((o.revision for o in outcome.observations if o.revision), "") if len(heads) == 1 else ""
            yield from _left(waiting, contexts, contexts.whole(), current, by)


def _waiting(told: Told, to: Destination, settled: Collection[tuple[str, str]]) -> dict[str, list[Entry]]:
    """Line → what was told to be pending, where there is any; ``settled`` are repositories' paths with commits whose
    result is known from histories.
    """
    found: dict[str, list[Entry]] = {}
    for line, entries in told.destinations.get(to.name, {}).items():
        known = {commit for path, commit in settled if line.startswith(f"{path} ")}
        pending = [entry for entry in entries if entry.state == State.PENDING and entry.commit not in known]
        if pending:
            found[line] = pending
    return found


def _left(
    waiting: dict[str, list[Entry]], contexts: Contexts, context: str, current: tuple[str, ...], by: str
) -> Iterator[News]:
    left = [entry for entry in waiting.get(contexts.line(context), ()) if entry.commit not in current]
    if left:
        del waiting[contexts.line(context)]  # several commits may be current: each is told once
    yield from (contexts.superseded(context, entry, current, by) for entry in left)
