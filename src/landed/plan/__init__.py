"""What is news: from outcomes and what was told before to the updates that are due. No I/O, no clock.

The rules, for each destination by itself:

- Pending never hides a result of the same commit, and is told once.
- Failure after success and success after failure are news; a repeat is not.
- A commit that was told before and becomes current again, after another one was, is news again.
- What came and went between two looks is told once.
- A channel that was never served before starts silently: only failures that are current are told.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from landed.model import Destination, Look, Mark, Update
from landed.plan.channels import digests, events
from landed.plan.news import News, View
from landed.plan.readback import recall, unsure
from landed.plan.statuses import Wording, statuses
from landed.told import Told


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
    views = [View(look) for look in looks if not look.error]
    news: list[News] = []
    for to in destinations:
        if to.takes == "statuses":
            news += statuses(views, told, to, wording)
        elif to.takes == "digests":
            news += digests(views, told, to, now)
        else:
            news += events(views, told, to)
    return Plan(
        tuple(n.update for n in sorted(news, key=_urgency) if n.update is not None),
        tuple(pair for n in news for pair in n.silent),
    )


def _urgency(news: News) -> tuple[int, str]:
    """Within a line the order stays as it was: what came and went before what is current."""
    return news.rank, news.update.marks[0].line if news.update else ""


__all__ = ["Plan", "Wording", "plan", "recall", "unsure"]
