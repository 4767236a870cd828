"""Channels: one message for everything new in a look, or Flux's event objects, one for each thing that happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from msgspec import structs

from landed import render
from landed.model import RESULTS, Destination, Digest, Dispatch, Event, Mark, Observation, Outcome, State, Update
from landed.plan.news import News, View, fingerprint, is_news, line_of
from landed.plan.stories import Telling, essence, failures, is_mute, is_new, story, telling
from landed.plan.troubles import CONTROLLER, tellable
from landed.told import Told


def digests(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """One message for everything that is new in this look."""
    yield _digest(tellable(views, told, to), told, to, now)


def _digest(outcomes: Iterable[tuple[View, Outcome]], told: Told, to: Destination, now: int) -> News:
    new: list[tuple[Telling, Mark]] = []
    silent: list[tuple[str, Mark]] = []
    later = 0
    for view, outcome in outcomes:
        said = telling(view, outcome, told, to)
        if said is None or not _is_told(said, to) or is_mute(said, told, to):
            continue
        if not is_new(said, told.entry(to.name, said.line, outcome.commit)):
            continue
        current = view.commits_in(outcome.repository) if outcome.commit else ("",)
        mark = Mark(said.line, outcome.commit, said.fingerprint, current)
        if said.state in QUIET and not told.knows(to.name):
            silent.append((to.name, mark))
        elif held(to, said.state, now):
            later += 1
        else:
            new.append((said, mark))
    kept = News(None, tuple(silent), note=held_back(to) if later else "", held=bool(later))
    if not new:
        return kept
    stories = tuple(story(said, told, to, over(said, told, to, now)) for said, _ in new)
    update = Update(to.name, tuple(mark for _, mark in new), dressed(Digest(stories), to))
    return structs.replace(kept, update=update)


def held(to: Destination, state: State, now: int) -> bool:
    """Whether it is kept for later: in quiet hours, everything but failures and silence. It stays news."""
    if to.quiet is None or state in (State.FAILURE, State.STALE):
        return False
    begin, end = to.quiet(now)
    return begin <= now < end


def held_back(to: Destination) -> str:
    """What to say of it."""
    return f"{to.name}: quiet hours: whatever is no failure is told when they are over."


def happened(said: Telling) -> int:
    """When the last of its objects came to say what it says."""
    return max(o.since for o in said.outcome.observations)


def over(said: Telling, told: Told, to: Destination, now: int) -> int:
    """When a failure that it ends was over: that quiet hours hold the news back makes nothing last longer."""
    if to.quiet is None or said.state is not State.SUCCESS:
        return now
    begin, end = to.quiet(now)
    before = max((entry.when for entry in failures(told, to, said)), default=now)
    at = happened(said)
    return at if begin <= at < end and before < at <= now else now


#: What was so before a channel was served for the first time is nobody's news.
QUIET = frozenset({State.SUCCESS, State.SUSPENDED})


def dressed(digest: Digest, to: Destination) -> Digest:
    """``digest`` with what its Alert says in general; a reply stands below a message that says it already."""
    if not to.alerts or digest.reply:
        return digest
    metadata = dict(to.alerts[0].metadata)
    summary = to.alerts[0].summary or metadata.get("summary", "")
    facts = tuple((name, value) for name, value in metadata.items() if name != "summary")
    return structs.replace(digest, summary=summary, facts=facts)


def _is_told(said: Telling, to: Destination) -> bool:
    """Results, and what no commit is known of. A wait for a dependency where an Alert asks for everything."""
    if not said.outcome.commit or said.state in RESULTS:
        return True
    return bool(to.alerts) and any(o.waits_for for o in said.outcome.observations)


def rest(views: Iterable[View], told: Told, to: Destination, now: int) -> News:
    """What has no commit, for a channel that keeps a message for each commit."""
    return _digest(((v, o) for v, o in tellable(views, told, to) if not o.commit), told, to, now)


# ── Flux's event objects ────────────────────────────────────────────────────────────────────────────────────────────


def events(views: Iterable[View], told: Told, to: Destination) -> Iterator[News]:
    """One event for each thing that happened, as Flux would have sent it; progress is not an event."""
    for _, mark, event in _happened(tellable(views, told, to), told, to):
        yield News(Update(to.name, (mark,), event)) if event else News(silent=((to.name, mark),))


def dispatches(views: Iterable[View], told: Told, to: Destination) -> Iterator[News]:
    """One event for each thing that happened, for the repository it is about, successes included."""
    here = ((view, outcome) for view in views for outcome in view.look.outcomes if outcome.repository.host == to.host)
    for outcome, mark, event in _happened(here, told, to):
        payload = Dispatch(outcome.repository, event) if event else None
        yield News(Update(to.name, (mark,), payload), rank=2) if payload else News(silent=((to.name, mark),))


def _happened(
    outcomes: Iterable[tuple[View, Outcome]], told: Told, to: Destination
) -> Iterator[tuple[Outcome, Mark, Event | None]]:
    """What is news, with its event; without one it is taken down and not told."""
    for view, outcome in outcomes:
        for observation in outcome.observations:
            if observation.keeps or observation.about == CONTROLLER:
                continue
            if observation.state is State.PENDING and observation.waits_for is None:
                continue
            for mark, event in _events(view, outcome, observation, told, to):
                silent = observation.state is not State.FAILURE and not told.knows(to.name)
                yield outcome, mark, None if silent else event


def _events(
    view: View, outcome: Outcome, observation: Observation, told: Told, to: Destination
) -> Iterator[tuple[Mark, Event | None]]:
    line = line_of(outcome.cluster, observation.about)
    current = view.commits_of(observation.about) if outcome.commit else still(line, told, to)
    for part, event in render.events(outcome.cluster, observation, view.now):
        print_ = f"{State.SUCCESS} {part}" if part else print_in(observation, outcome)
        mark = Mark(f"{line} {part.partition(' ')[0]}" if part else line, outcome.commit, print_, current)
        if not is_new_of(mark, observation, told, to):
            continue
        said = structs.replace(event, severity="info") if part else event
        if _is_admitted(said, outcome.cluster, observation, to):
            yield mark, said
        elif told.latest(to.name, mark.line) is not None:  # what was told before it no longer holds
            yield mark, None
    if observation.reason == "HealthCheckFailed" and not observation.past:
        passed = told.entry(to.name, f"{line} health", outcome.commit)
        if passed is not None and passed.state == State.SUCCESS:  # that it passes again is news
            yield Mark(f"{line} health", outcome.commit, str(State.FAILURE), current), None


def still(line: str, told: Told, to: Destination) -> tuple[str, ...]:
    """What was told of commits still holds while an object has a trouble that no commit is known of."""
    return ("", *(e.commit for e in told.destinations.get(to.name, {}).get(line, ()) if e.commit and not e.past))


def is_new_of(mark: Mark, observation: Observation, told: Told, to: Destination) -> bool:
    """What came and went is told once, and where it had no result when it was told of."""
    entry = told.entry(to.name, mark.line, mark.commit)
    return is_news(entry, mark.fingerprint, past=observation.past and entry is not None and entry.state in RESULTS)


def _is_admitted(event: Event, cluster: str, observation: Observation, to: Destination) -> bool:
    if not to.alerts:
        return True
    from landed.alerts import admits  # imported late: without an Alert everything is
    from landed.plan.narrow import asks, waits_admitted

    asking = [alert for alert in to.alerts if asks(alert, cluster, observation)]
    if observation.state is State.PENDING:
        return any(waits_admitted(alert, observation) for alert in asking)
    return any(admits(alert, event.severity, event.message) for alert in asking)


def print_in(observation: Observation, outcome: Outcome) -> str:
    """Of what has no commit, the revision tells one from another; of a release also what it says."""
    if outcome.commit or observation.state is not State.SUCCESS or not observation.revision:
        return fingerprint(observation)
    if observation.about.kind == "HelmRelease":
        return f"{observation.state} {crc32(essence(observation).encode()):08x}"
    return f"{observation.state} {observation.revision}"
