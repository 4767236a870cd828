"""Why it failed: the explanations, and, of failures that have none, what Flux says itself. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from landed import render
from landed.model import Culprit, Explanation, ObjectRef, Observation, Report, State
from landed.reports.html.head import named
from landed.reports.html.seen import Column

#: Failures that are told at length, and characters of one message.
MOST, MOST_OF_A_MESSAGE = 30, 6_000
#: Of those that wait for it, how many are named.
MOST_WAITING = 40


class Cause(Struct, frozen=True):
    """One failure."""

    cluster: str
    name: str
    reason: str
    message: str
    path: str = ""
    command: str = ""
    culprits: tuple[Culprit, ...] = ()
    waiting: tuple[str, ...] = ()
    more_waiting: int = 0
    lacking: tuple[str, ...] = ()


class Causes(Struct, frozen=True):
    """All of them, explained ones first."""

    shown: tuple[Cause, ...]
    left: int = 0


def causes(report: Report, columns: Sequence[Column]) -> Causes:
    """Every failure of the present once."""
    told = {(one.cluster, one.about) for one in report.explanations}
    every = [_explained(one) for one in report.explanations]
    every += [_said(column, o) for column in columns for o in _failures(column) if (column.name, o.about) not in told]
    return Causes(tuple(every[:MOST]), max(0, len(every) - MOST))


def _explained(one: Explanation) -> Cause:
    waiting = tuple(named(about) for about in one.waiting)
    return Cause(
        one.cluster,
        named(one.about),
        one.reason,
        one.message[:MOST_OF_A_MESSAGE],
        one.path,
        one.command,
        one.culprits,
        waiting[:MOST_WAITING],
        max(0, len(waiting) - MOST_WAITING),
        one.lacking,
    )


def _failures(column: Column) -> Iterator[Observation]:
    look = column.look
    if look is None or column.error:
        return
    seen: set[ObjectRef] = set()
    present = (o for outcome in look.outcomes for o in outcome.observations if not o.past)
    for observation in (*present, *look.silent):
        if observation.state is State.FAILURE and observation.about not in seen:
            seen.add(observation.about)
            yield observation


def _said(column: Column, observation: Observation) -> Cause:
    cell = column.cells.get(observation.about)
    path = cell.kustomization.path if cell and cell.kustomization else ""
    return Cause(
        column.name,
        named(observation.about),
        observation.reason,
        observation.message[:MOST_OF_A_MESSAGE],
        path,
        render.next_command(observation),
    )
