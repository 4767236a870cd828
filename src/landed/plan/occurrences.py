"""Services that keep alerts, or spans of time: one occurrence for each thing that begins or ends. No I/O, no clock.

A failure of an object stays open until a success of it is told, be it of another commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from landed import render
from landed.model import (
    RESULTS,
    Destination,
    Event,
    InvolvedObject,
    Mark,
    Observation,
    Occurrence,
    Outcome,
    State,
    Story,
    Update,
)
from landed.plan.channels import is_new_of, print_in, still
from landed.plan.news import News, View, line_of
from landed.plan.stories import Telling, is_mute, is_new, telling
from landed.plan.troubles import CONTROLLER, tellable
from landed.story import title
from landed.told import Entry, Told

#: What becomes of an open failure is told also to who asks for failures only.
_ENDS = frozenset({State.SUCCESS})


def occurrences(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """Everything that began or ended, objects before the commits that they are a part of."""
    for view, outcome in tellable(views, told, to):
        for observation in _told_of(outcome):
            yield from _object(view, outcome, observation, told, to, now)
    if to.whole:
        for view in views:
            for outcome in view.look.outcomes:
                yield from _whole(view, outcome, told, to, now)


def _told_of(outcome: Outcome) -> Iterator[Observation]:
    """One controller that is silent stands for everything that it is silent about."""
    if outcome.observations[0].about == CONTROLLER:
        yield outcome.observations[0]
        return
    for observation in outcome.observations:
        if not observation.keeps and (observation.state is not State.PENDING or observation.waits_for is not None):
            yield observation


def _object(
    view: View, outcome: Outcome, observation: Observation, told: Told, to: Destination, now: int
) -> Iterator[News]:
    line = line_of(outcome.cluster, observation.about)
    current = view.commits_of(observation.about) if outcome.commit else still(line, told, to)
    mark = Mark(line, outcome.commit, print_in(observation, outcome), current)
    if not is_new_of(mark, observation, told, to):
        return
    opened = open_on(line, told, to)
    if observation.closes and not (observation.state in _ENDS and opened):
        return
    silent = observation.state not in (State.FAILURE, State.STALE) and not told.knows(to.name)
    if silent:
        yield News(silent=((to.name, mark),))
        return
    yield News(Update(to.name, (mark,), _occurrence(outcome, observation, line, opened, now)))


def open_on(line: str, told: Told, to: Destination) -> Sequence[Entry]:
    """What was told on ``line`` since its last success, the newest first."""
    row: list[Entry] = []
    for entry in reversed(told.destinations.get(to.name, {}).get(line, ())):
        if entry.state == State.SUCCESS:
            break
        row.append(entry)
    return row


def _occurrence(outcome: Outcome, observation: Observation, line: str, opened: Sequence[Entry], now: int) -> Occurrence:
    return Occurrence(
        render.event(outcome.cluster, observation),
        observation.state,
        line,
        outcome.cluster,
        observation.since or now,
        outcome.repository,
        outcome.commit,
        _url(outcome),
        seconds(observation.duration),
        observation.changes,
        next((entry.handle for entry in opened if entry.handle), ""),
    )


def _whole(view: View, outcome: Outcome, told: Told, to: Destination, now: int) -> Iterator[News]:
    """What became of a commit on all of a cluster."""
    said = telling(view, outcome, told, to) if outcome.commit else None
    if said is None or said.state not in RESULTS or said.flapping or is_mute(said, told, to):
        return
    if not is_new(said, told.entry(to.name, said.line, outcome.commit)):
        return
    mark = Mark(said.line, outcome.commit, said.fingerprint, view.commits_in(outcome.repository))
    if said.state is State.SUCCESS and not told.knows(to.name):
        yield News(silent=((to.name, mark),))
        return
    yield News(Update(to.name, (mark,), _of_commit(said, now)))


def _of_commit(said: Telling, now: int) -> Occurrence:
    """From when the first of its objects was begun to when the last one had its result."""
    outcome = said.outcome
    done = [o for o in outcome.observations if o.state in RESULTS and o.since]
    ended = max((o.since for o in done), default=now)
    begun = min((o.since - seconds(o.duration) for o in done), default=float(ended))
    first = outcome.observations[0]
    return Occurrence(
        Event(
            InvolvedObject(name=outcome.commit),
            "error" if said.state is State.FAILURE else "info",
            render.rfc3339(ended),
            title(Story(outcome)),
            "ReconciliationFailed" if said.state is State.FAILURE else "ReconciliationSucceeded",
            {"cluster": outcome.cluster, **({"revision": first.revision} if first.revision else {})},
            "landed",
        ),
        said.state,
        said.line,
        outcome.cluster,
        ended,
        outcome.repository,
        outcome.commit,
        _url(outcome),
        ended - begun,
    )


def _url(outcome: Outcome) -> str:
    return render.commit_url(outcome.repository, outcome.commit) if outcome.commit else ""


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


def seconds(text: str) -> float:
    """Go's ``1m3.218s`` in seconds; 0 for what is none (https://pkg.go.dev/time#Duration.String)."""
    if not re.fullmatch(r"(?a)(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|µs|us|ns|s))+", text):
        return 0.0
    parts = re.findall(r"(?a)(\d+(?:\.\d+)?)(h|ms|m|µs|us|ns|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
