"""Channels: one message for everything new in a look, or one event for each result; and troubles without a commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from landed import render
from landed.model import (
    RESULTS,
    Destination,
    Digest,
    Dispatch,
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
from landed.plan.news import News, View, common_state, fingerprint, fingerprint_of, is_news, line_of
from landed.told import Told


def digests(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """One message for everything that is new in this look."""
    stories: list[Story] = []
    marks: list[Mark] = []
    silent: list[tuple[str, Mark]] = []
    for view, outcome in _tellable(views, told, to):
        outcome = view.standing(outcome)
        state = common_state(outcome)
        if state not in RESULTS:
            continue
        line = _line(outcome)
        print_ = fingerprint_of(outcome, state)
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
    yield News(update, tuple(silent))


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


def _tellable(views: Iterable[View], told: Told, to: Destination) -> Iterator[tuple[View, Outcome]]:
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


def events(views: Iterable[View], told: Told, to: Destination) -> Iterator[News]:
    """One event per observation, as Flux would have sent it; progress is not an event."""
    for outcome, observation, news in _happened(_tellable(views, told, to), told, to):
        if isinstance(news, Mark):
            yield News(Update(to.name, (news,), render.event(outcome.cluster, observation)))
        else:
            yield news


def dispatches(views: Iterable[View], told: Told, to: Destination) -> Iterator[News]:
    """One event per observation for the repository it is about, successes included."""
    here = ((view, outcome) for view in views for outcome in view.look.outcomes if outcome.repository.host == to.host)
    for outcome, observation, news in _happened(here, told, to):
        if isinstance(news, Mark):
            dispatch = Dispatch(outcome.repository, render.event(outcome.cluster, observation))
            yield News(Update(to.name, (news,), dispatch), rank=2)
        else:
            yield news


def _happened(
    outcomes: Iterable[tuple[View, Outcome]], told: Told, to: Destination
) -> Iterator[tuple[Outcome, Observation, Mark | News]]:
    """What is an event and news: with its mark where it is to be told, or as a silent baseline."""
    for view, outcome in outcomes:
        for observation in outcome.observations:
            if observation.keeps or (observation.state is State.PENDING and observation.waits_for is None):
                continue
            line = line_of(outcome.cluster, observation.about)
            print_ = fingerprint(observation)
            entry = told.entry(to.name, line, outcome.commit)
            if not is_news(entry, print_, past=observation.past):
                continue
            current = view.commits_of(observation.about) if outcome.commit else ("",)
            mark = Mark(line, outcome.commit, print_, current)
            silent = observation.state is not State.FAILURE and not told.knows(to.name)
            yield outcome, observation, News(silent=((to.name, mark),)) if silent else mark
