"""Services that keep alerts, or spans of time: one occurrence for each thing that begins or ends. No I/O, no clock.

A failure of an object stays open until a success of it is told, be it of another commit.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from msgspec import structs

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
    Repository,
    State,
    Story,
    Update,
)
from landed.plan.channels import is_new_of, print_in, still
from landed.plan.news import News, View, line_of
from landed.plan.stories import Telling, is_mute, is_new, telling
from landed.plan.troubles import CONTROLLER, OVER, over, tellable
from landed.story import title
from landed.told import Entry, Told

#: What begins something, and what ends it. Suspension does neither: what failed before has not recovered.
_BEGIN = frozenset({State.FAILURE, State.STALE})
_TOLD = frozenset({*_BEGIN, State.SUCCESS})
#: Who reports what no controller of Flux's does.
_OURS = "landed"


def occurrences(views: Sequence[View], told: Told, to: Destination, now: int) -> Iterator[News]:
    """Everything that began or ended, objects before the commits that they are a part of."""
    unsure = unsure_of(told, to)
    for view in views:
        by_line: dict[str, list[_Said]] = defaultdict(list)
        for _, outcome in tellable((view,), told, to):
            for observation in _told_of(outcome):
                by_line[line_of(outcome.cluster, observation.about)].append(_Said(outcome, observation))
        for line, well in _well(view, now) if unsure else ():
            if line in unsure and line not in by_line:
                by_line[line].append(well)
        for line, said in by_line.items():
            yield from _Line(view, line, told, to, now, unsure=line in unsure).news(sorted(said, key=_order))
    if to.whole:
        for view in views:
            for outcome in view.look.outcomes:
                yield from _whole(view, outcome, told, to, now)


class _Said(NamedTuple):
    outcome: Outcome
    observation: Observation


def _well(view: View, now: int) -> Iterator[tuple[str, _Said]]:
    """What works of which no commit is known: a run that was broken off may have told that it does not."""
    look = view.look
    well = [*look.healthy, *(o.about for o in look.silent if o.state is State.SUCCESS)]
    if not any(o.state is State.STALE for o in look.silent):
        well.append(CONTROLLER)
    for about in well:
        observation = over(about, now)
        outcome = Outcome(look.cluster, Repository("", ""), "", (observation,))
        yield line_of(look.cluster, about), _Said(outcome, observation)


def _told_of(outcome: Outcome) -> Iterator[Observation]:
    """One controller that is silent stands for everything that it is silent about."""
    if outcome.observations[0].about == CONTROLLER:
        yield outcome.observations[0]
        return
    for observation in outcome.observations:
        waits = observation.state is State.PENDING and observation.waits_for is not None
        if not observation.keeps and (observation.state in _TOLD or waits):
            yield observation


def _order(said: _Said) -> tuple[bool, int, bool]:
    """As it happened: what came and went, then the result that stands, then what is waited for."""
    past = said.observation.past
    return not past, said.observation.since if past else 0, said.observation.state is State.PENDING


class _Line:
    """What is told of one object."""

    def __init__(self, view: View, line: str, told: Told, to: Destination, now: int, *, unsure: bool) -> None:
        """``unsure``: something of it was sent, and nobody knows whether it arrived."""
        self._view = view
        self._line = line
        self._told = told
        self._to = to
        self._now = now
        self._opened = open_on(line, told, to)
        self._last = ""
        """The fingerprint of what this look has told last."""
        self._unsure = unsure
        self._begun = bool(self._opened) or self._unsure

    def news(self, said: Sequence[_Said]) -> Iterator[News]:
        """What is new. After something that came and went, what holds now is told once more where it is something else:
        or an alert would fire of what is over, and none of what still fails.
        """
        for one in said:
            mark = self._mark(one)
            new = is_new_of(mark, one.observation, self._told, self._to)
            again = self._is_again(one.observation, mark)
            if not (new or again) or (new and self._is_held(one)):
                continue
            idle = one.observation.closes and not (one.observation.state is State.SUCCESS and self._begun)
            if idle and not one.observation.past:
                continue
            if idle or self._is_baseline(one.observation):  # what came and went must not end what failed after it
                yield News(silent=((self._to.name, mark),))
                continue
            if one.observation.reason == OVER and self._last == mark.fingerprint:  # told together with the first
                continue
            self._last = mark.fingerprint
            self._begun = self._begun or one.observation.state is not State.SUCCESS
            yield News(Update(self._to.name, (mark, *self._over(said, mark)), self._occurrence(one)))

    def _over(self, said: Sequence[_Said], mark: Mark) -> Iterator[Mark]:
        """What a success says besides: that a trouble is over of which no commit was known."""
        for one in said if mark.commit and mark.fingerprint == State.SUCCESS else ():
            if one.observation.reason == OVER:
                other = self._mark(one)
                yield structs.replace(other, current=(*other.current, mark.commit))

    def _is_again(self, observation: Observation, mark: Mark) -> bool:
        """Whether what holds now is told although the ledger knows it: after something else of this look; where a run
        was broken off that may have told something else; and where a commit that the source has taken back is still
        open: for a failure, where a wait for one was told of last.
        """
        if observation.past or self._last == mark.fingerprint:
            return False
        waits = [entry for entry in self._opened[:1] if entry.state == State.PENDING]
        open_ = self._opened if observation.state is State.SUCCESS else waits
        back = observation.newest and any(entry.commit not in ("", mark.commit) for entry in open_)
        return bool(self._last) or (observation.state in _TOLD and (back or self._unsure))

    def _mark(self, one: _Said) -> Mark:
        outcome, observation = one
        commits = self._view.commits_of(observation.about)
        current = commits if outcome.commit else still(self._line, self._told, self._to)
        return Mark(self._line, outcome.commit, print_in(observation, outcome), current)

    def _is_held(self, one: _Said) -> bool:
        """What goes to and fro is not over each time that it works: that is told when it has come to rest."""
        if one.observation.state is not State.SUCCESS or not self._opened:
            return False
        return one.observation.about in self._view.flapping(one.outcome)

    def _is_baseline(self, observation: Observation) -> bool:
        """Of one that was never served before only what fails now is told."""
        return not self._told.knows(self._to.name) and (observation.past or observation.state not in _BEGIN)

    def _occurrence(self, one: _Said) -> Occurrence:
        outcome, observation = one
        return Occurrence(
            _event(outcome, observation, self._now),
            observation.state,
            self._line,
            outcome.cluster,
            observation.since or self._now,
            outcome.repository,
            outcome.commit,
            _url(outcome),
            seconds(observation.duration),
            observation.changes,
            handle_of(self._opened),
            self._now,
        )


def open_on(line: str, told: Told, to: Destination) -> Sequence[Entry]:
    """What was told on ``line`` since its last success, the newest first."""
    row: list[Entry] = []
    for entry in reversed(told.destinations.get(to.name, {}).get(line, ())):
        if entry.state == State.SUCCESS:
            break
        row.append(entry)
    return row


def handle_of(opened: Sequence[Entry]) -> str:
    """What the service calls what is open; "" where it has no names."""
    return next((entry.handle for entry in opened if entry.handle), "")


def unsure_of(told: Told, to: Destination) -> Collection[str]:
    """The lines of which something was sent, and nobody knows whether it arrived."""
    return {intent.line for intent in told.begun if intent.destination == to.name}


def _event(outcome: Outcome, observation: Observation, now: int) -> Event:
    """Flux's event; that a controller is silent is our own word."""
    event = render.event(outcome.cluster, observation, now)
    if observation.about != CONTROLLER:
        return event
    about = structs.replace(event.involvedObject, apiVersion="apps/v1")
    return structs.replace(event, involvedObject=about, reportingController=_OURS)


def _whole(view: View, outcome: Outcome, told: Told, to: Destination, now: int) -> Iterator[News]:
    """What became of a commit on all of a cluster."""
    said = telling(view, outcome, told, to) if outcome.commit else None
    if said is None or said.state not in RESULTS or said.flapping or is_mute(said, told, to):
        return
    entry = told.entry(to.name, said.line, outcome.commit)
    if not is_new(said, entry):
        return
    mark = Mark(said.line, outcome.commit, said.fingerprint, view.commits_in(outcome.repository))
    if said.state is State.SUCCESS and not told.knows(to.name):
        yield News(silent=((to.name, mark),))
        return
    yield News(Update(to.name, (mark,), _of_commit(said, now, entry.handle if entry else "")))


def _of_commit(said: Telling, now: int, handle: str) -> Occurrence:
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
            _OURS,
        ),
        said.state,
        f"{said.line} {outcome.commit}",
        outcome.cluster,
        ended,
        outcome.repository,
        outcome.commit,
        _url(outcome),
        ended - begun,
        handle=handle,
        told=now,
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
