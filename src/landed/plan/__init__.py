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
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from landed.model import Destination, Event, Held, Look, Mark, Repository, Update
from landed.plan.channels import digests, dispatches, events
from landed.plan.news import News, View, observe
from landed.plan.statuses import Shown, statuses
from landed.plan.wording import Expression, Wording
from landed.told import Told

#: (destination, repository, commit) → context or environment → what a Git host was found to hold.
Found = Mapping[tuple[str, Repository, str], Mapping[str, Held]]


class Plan(Struct, frozen=True):
    """What to send, and what to take down without sending it."""

    updates: tuple[Update, ...] = ()
    silent: tuple[tuple[str, Mark], ...] = ()
    """(destination, mark): the baseline of a channel that is served for the first time."""
    notes: tuple[str, ...] = ()
    """What is left out on purpose."""
    problems: tuple[str, ...] = ()
    """What cannot be told, because it cannot be named."""
    held: bool = False
    """Whether something is kept until quiet hours are over."""


def plan(
    looks: Iterable[Look],
    told: Told,
    destinations: Iterable[Destination],
    *,
    wording: Wording,
    now: int,
    found: Found | None = None,
) -> Plan:
    """Every update that tells something new, the most urgent first, in an order that depends on the input alone."""
    looks = tuple(looks)
    views = [View(look, told, now) for look in looks if not look.error]
    unread = frozenset(look.cluster for look in looks if look.error)
    shown: dict[str, dict[tuple[Repository, str], Collection[str]]] = defaultdict(dict)
    for (destination, repository, commit), held in (found or {}).items():
        shown[destination][repository, commit] = held.keys()
    news: list[News] = []
    for to in destinations:
        news += _news(_narrowed(views, told, to, now), told, to, wording, now, shown[to.name], unread)
    return Plan(
        tuple(n.update for n in sorted(news, key=_urgency) if n.update is not None),
        tuple(pair for n in news for pair in n.silent),
        tuple(dict.fromkeys(n.note for n in news if n.note)),
        tuple(dict.fromkeys(n.problem for n in news if n.problem)),
        any(n.held for n in news),
    )


def _narrowed(views: list[View], told: Told, to: Destination, now: int) -> list[View]:
    """What ``to`` wants to hear of; for most that is everything."""
    if not (to.alerts or to.beside or to.within is not None):
        return views
    from landed.plan.narrow import narrowed

    return [View(narrowed(view.look, to), told, now) for view in views]


def _news(
    views: Sequence[View],
    told: Told,
    to: Destination,
    wording: Wording,
    now: int,
    shown: Shown,
    unread: Collection[str],
) -> Iterable[News]:
    if to.takes == "statuses":
        return statuses(views, told, to, wording, shown)
    if to.takes == "deployments":  # imported late, as few runs tell them
        from landed.plan.deployments import deployments

        return deployments(views, told, to, wording)
    if to.takes == "comments":
        from landed.plan.comments import comments

        return comments(views, told, to, wording)
    if to.takes == "dispatches":
        return dispatches(views, told, to)
    if to.takes == "messages":
        from landed.plan.rollouts import rollouts

        return rollouts(views, told, to, now, unread)
    if to.takes == "occurrences":
        from landed.plan.occurrences import occurrences
        from landed.plan.vanished import vanished

        return (*occurrences(views, told, to, now), *vanished(views, told, to, now))
    return digests(views, told, to, now) if to.takes == "digests" else events(views, told, to)


def _urgency(news: News) -> tuple[int, str]:
    """Within a line the order stays as it was: what came and went before what is current; and within what is told of
    one object, that its parts changed before that it is done.
    """
    if news.update is None:
        return news.rank, ""
    line = news.update.marks[0].line
    return news.rank, " ".join(line.split(" ")[:2]) if isinstance(news.update.payload, Event) else line


__all__ = ["Expression", "Found", "Plan", "Wording", "observe", "plan"]
