"""The last outcomes of each Kustomization on one axis of time, drawn: a picture for each cluster. No I/O.

The axis is of age, and the older the closer: the last minutes must be legible beside the last month.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from landed import render
from landed.model import Kustomization, Snapshot
from landed.reports.html import signs
from landed.reports.html.graph import shortened
from landed.reports.html.head import named
from landed.reports.html.seen import Column
from landed.reports.html.signs import SIGNS, Sign

#: Lines of one picture, and of all; outcomes of one line.
MOST_OF_A_CLUSTER, MOST, OUTCOMES = 40, 120, 5
#: Pixels: the whole width, where the axis begins and ends, a line's height, what a label and a sign
#: take, and where the lines begin.
WIDTH, LEFT, RIGHT, LANE, LABEL, DOT, TOP = 1120, 230, 1085, 40, 62, 19, 26
_ROOM = 32
_FAILED = frozenset({"ReconciliationFailed", "PruneFailed", "HealthCheckFailed"})
_TICKS = ((60, "1m"), (600, "10m"), (3600, "1h"), (6 * 3600, "6h"), (86400, "1d"), (7 * 86400, "7d"),
          (30 * 86400, "30d"), (90 * 86400, "90d"), (365 * 86400, "1y"))  # fmt: skip


class Mark(Struct, frozen=True):
    """One outcome: a point where it ended like this first, and a line to where it did last."""

    sign: Sign
    commit: str
    x: float
    until: float
    label: float
    """The middle of its label."""
    status: str
    revision: str
    first: int
    last: int
    times: int
    duration: str


class Lane(Struct, frozen=True):
    """One Kustomization."""

    name: str
    label: str
    y: float
    """The middle of its marks."""
    marks: tuple[Mark, ...]
    """Newest first."""


class Tick(Struct, frozen=True):
    """A place on the axis."""

    x: float
    word: str


class Timeline(Struct, frozen=True):
    """The picture of one cluster."""

    cluster: str
    height: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    left: int
    """Kustomizations that are not drawn, because there are too many."""
    calm: bool


def timelines(columns: Sequence[Column], now: int) -> tuple[Timeline, ...]:
    """A picture for each cluster whose histories are known, all with the same axis."""
    drawn = {number: _drawn(column) for number, column in enumerate(columns)}
    drawn = {number: found for number, found in drawn.items() if found}
    most = min(MOST_OF_A_CLUSTER, max(3, MOST // max(1, len(drawn))))
    shown = {number: found[:most] for number, found in drawn.items()}
    oldest = max((now - _first(s) for found in shown.values() for k in found for s in k.history[:OUTCOMES]), default=60)
    span = max(oldest, 60)
    return tuple(_timeline(columns[n], found, len(drawn[n]) - len(found), now, span) for n, found in shown.items())


def _drawn(column: Column) -> list[Kustomization]:
    """What needs eyes first, then what changed last."""
    look = column.look
    read = look.read.kustomizations if look and look.read and not column.error else ()
    known = [k for k in read if k.history and k.ref in column.cells]
    return sorted(known, key=lambda k: (signs.rank(column.cells[k.ref].key), -_first(k.history[0]), k.ref))


def _first(snapshot: Snapshot) -> int:
    return min(snapshot.first, snapshot.at) if snapshot.first else snapshot.at


def _timeline(column: Column, found: Sequence[Kustomization], left: int, now: int, span: int) -> Timeline:
    lanes = tuple(_lane(k, TOP + (number + 0.62) * LANE, now, span) for number, k in enumerate(found))
    ticks = [Tick(RIGHT, "now"), *(Tick(_x(age, span), f"{word} ago") for age, word in _TICKS if age <= span)]
    calm = all(cell.key == "live" for cell in column.cells.values())
    return Timeline(column.name, TOP + len(lanes) * LANE + 8, lanes, tuple(_apart(ticks)), left, calm)


def _apart(ticks: Sequence[Tick]) -> list[Tick]:
    """Those whose words do not touch."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or kept[-1].x - tick.x > 52:
            kept.append(tick)
    return kept


def _x(age: int, span: int) -> float:
    """Where something stands that is ``age`` seconds old: the first minute is linear, then each doubling alike."""
    share = math.log1p(max(0, age) / 60) / math.log1p(span / 60)
    return round(RIGHT - min(1.0, share) * (RIGHT - LEFT), 1)


def _lane(k: Kustomization, y: float, now: int, span: int) -> Lane:
    outcomes = sorted(k.history, key=lambda s: -_first(s))[:OUTCOMES]
    exact = [_x(now - _first(snapshot), span) for snapshot in outcomes]
    signs_at, labels = _beside(exact, DOT), _beside(exact, LABEL)
    marks = tuple(
        _mark(snapshot, at, _x(now - snapshot.at, span), label)
        for snapshot, at, label in zip(outcomes, signs_at, labels, strict=True)
    )
    name = named(k.ref)
    return Lane(name, shortened(name, _ROOM), round(y, 1), marks)


def _beside(wanted: Sequence[float], apart: float) -> list[float]:
    """Places, from right to left, that do not touch: each moves to the left as far as it must, and where the axis
    begins they push back.
    """
    places: list[float] = []
    for place in wanted:
        places.append(min(place, places[-1] - apart if places else place))
    least = float(LEFT)
    for number in range(len(places) - 1, -1, -1):
        places[number] = round(max(places[number], least), 1)
        least = places[number] + apart
    return places


def _mark(snapshot: Snapshot, x: float, until: float, label: float) -> Mark:
    return Mark(
        SIGNS["live" if snapshot.status == "ReconciliationSucceeded" else "failed" if snapshot.status in _FAILED
              else "other"],
        signs.digits(snapshot.origin_revision or snapshot.revision),
        x,
        max(x, until),
        label,
        render.words(snapshot.status),
        snapshot.revision,
        _first(snapshot),
        snapshot.at,
        snapshot.times,
        render.duration(snapshot.duration),
    )  # fmt: skip
