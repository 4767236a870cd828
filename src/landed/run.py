"""The line that everything here is: read, judge, decide, deliver, remember.

``report`` walks it once; ``stop`` decides, so that waiting and watching are the same loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from landed.closing import summed_up
from landed.delivery import Parts, Rest, deliver, keeps, undelivered
from landed.errors import (
    ClusterError,
    DeliveryError,
    LandedError,
)
from landed.model import (
    Cluster,
    Delivery,
    Digest,
    Held,
    Look,
    ObjectRef,
    Report,
    Repository,
    State,
    Update,
)
from landed.outcomes import judge
from landed.plan import Found, Plan, Wording, observe, plan
from landed.revision import repository
from landed.told import Told

if TYPE_CHECKING:
    from landed.background import Asked
    from landed.explaining import Search
    from landed.outcomes.remembered import Remembered
    from landed.plan.changes import Events

#: Seconds that may lie between the time in a snapshot and its being there to read.
STAMPED_BEFORE = 60

#: Clusters that are read at once.
WORKERS = 32


class Reader(Struct, frozen=True):
    """A cluster, ready to be read."""

    cluster: str
    read: Callable[[int], Cluster]
    """Since when histories are wanted → everything there. Raises ClusterError."""
    events: Asked | None = None
    """What the cluster's own events say of some objects."""
    follow: Callable[[Callable[[], None]], None] | None = None
    """Begin to watch: from then on ``read`` costs no request, and what is given is called after each change. From any
    thread; more than once is as good as once."""
    request: Callable[[ObjectRef, str], None] | None = None
    """Ask the controller of an object to look now, with a fresh token. Raises ClusterError."""
    gone: Callable[[Collection[ObjectRef]], Collection[ObjectRef]] | None = None
    """Which of these objects are deleted."""
    evidence: Search | None = None
    """What stands below objects that fail, or will."""


def _nobody() -> None:
    """Whom a change is told where nobody waits for one."""


def _unwatched(_: Sequence[Look]) -> None:
    """Whom a look is told where nobody waits for what it shows."""


class Line(Struct, frozen=True):
    """Everything a run is made of."""

    readers: Sequence[Reader]
    parts: Parts
    wording: Wording
    pause: Callable[[float], object]
    """Wait for so many seconds, or until something has changed."""
    repositories: frozenset[Repository] = frozenset()
    locate: Callable[[str], Repository | None] = repository
    """The repository behind a URL."""
    warnings: tuple[str, ...] = ()
    """What is not as somebody may expect, known before the first look."""
    dry_run: bool = False
    fail_on_failure: bool = False
    strict: bool = False
    details: bool = False
    """Whether there are Alerts, which ask for more than what became of commits."""
    keep: bool = False
    """Whether looks are to hold what was read."""
    wake: Callable[[], None] = _nobody
    """Ends a pause. From any thread."""
    remembered: Mapping[str, Remembered] = {}
    """By cluster, what was judged before; none where there is one look only."""
    rewrite: Callable[[Sequence[Update]], tuple[tuple[Update, ...], tuple[str, ...]]] | None = None
    """What the user's own words make of updates, and what is wrong with those."""
    seen: Callable[[Sequence[Look]], None] = _unwatched
    """Told what each look has shown, before anything is delivered for it."""


def run(line: Line, stop: Callable[[Report], float | None]) -> Report:
    """Look, tell what is new, and again after as many seconds as ``stop`` says, until it says None.

    Raises ConfigurationError if the ledger cannot be used; nothing has been sent then.
    """
    passing = _Passing()
    rest = Rest()
    followed = False
    with nullcontext(line.parts.ledger.peek()) if line.dry_run else line.parts.ledger.open() as told:
        while True:
            now = line.parts.now()
            awake = structs.replace(line.parts, outlets=rest.awake(line.parts.outlets, now))
            outstanding = rest.outstanding(now)
            report = once(structs.replace(line, parts=awake), told, passing.believed(now), outstanding)
            rest.note(report.deliveries[: len(report.deliveries) - len(outstanding)], line.parts.now())
            passing.note(report.looks, now)
            wait = stop(report)
            if wait is None:
                return report
            if not followed:
                followed, line = True, _following(line)
            line.pause(wait)


def _following(line: Line) -> Line:
    """From the second look on, clusters tell us what changes instead of being asked."""
    from landed.outcomes.remembered import Remembered  # imported late: a run that looks once has nothing to remember

    for reader in line.readers:
        if reader.follow is not None:
            reader.follow(line.wake)
    return structs.replace(line, remembered={reader.cluster: Remembered() for reader in line.readers})


def once(
    line: Line, told: Told, passing: frozenset[ObjectRef] = frozenset(), outstanding: tuple[Delivery, ...] = ()
) -> Report:
    """One look at every cluster, and the delivery of what it brings.

    ``outstanding`` is what an earlier look could not deliver to destinations that are left alone at present: it stays
    news.
    """
    looks = look(
        line.readers,
        told.seen,
        now=int(line.parts.now()),
        passing=passing,
        repositories=line.repositories,
        locate=line.locate,
        details=line.details,
        keep=line.keep,
        remembered=line.remembered,
    )
    line.seen(looks)
    observed = bool(line.parts.outlets) and observe(looks, told, int(line.parts.now()))
    looks, due, happened = _known(line, looks, told)
    if line.dry_run:
        return _report(line, looks, (), _described(line, looks, due, happened))
    due, unread, asked = _read_back(line, looks, told, due)
    due = _described(line, looks, due, happened)
    for destination, mark in due.silent:  # before anything is sent: a run cut short must not make news of it
        told.record(destination, mark, int(line.parts.now()))
    served = _serve(line, looks, told, due)
    deliveries = (*unread, *deliver(line.parts, due.updates, told), *outstanding)
    if served or asked or len(deliveries) > len(outstanding) or observed or _new_stock(line, looks, told):
        _remember(line, looks, told, deliveries, held=due.held)
    return _report(line, looks, deliveries, structs.replace(due, updates=()))


def once_only(_: Report) -> None:
    """The stop rule of ``landed report``."""


# ── read and judge ──────────────────────────────────────────────────────────────────────────────────────────────────


def look(
    readers: Sequence[Reader],
    seen: Mapping[str, int],
    *,
    now: int,
    passing: frozenset[ObjectRef] = frozenset(),
    repositories: frozenset[Repository] = frozenset(),
    locate: Callable[[str], Repository | None] = repository,
    details: bool = False,
    keep: bool = False,
    remembered: Mapping[str, Remembered] = {},
) -> tuple[Look, ...]:
    """Read all clusters, several at once if there are several. One that cannot be read does not stop the others.

    ``seen`` says for each cluster since when histories are wanted; ``now`` is in epoch seconds.
    """
    found: dict[str, Look] = {}

    def look_at(reader: Reader) -> None:
        since = seen.get(reader.cluster, 0)
        try:
            cluster = reader.read(since)
        except ClusterError as error:
            found[reader.cluster] = Look(reader.cluster, error=error.message, hint=error.hint)
        else:
            judged = judge(
                cluster,
                now=now,
                since=since,
                passing=passing,
                repositories=repositories,
                locate=locate,
                details=details,
                remembered=remembered.get(reader.cluster),
            )
            found[reader.cluster] = structs.replace(judged, read=cluster) if keep else judged

    if len(readers) == 1:
        look_at(readers[0])
    else:
        from landed.pool import at_once  # imported late: most runs look at one cluster

        at_once(look_at, readers, WORKERS)  # a few that hang must not hold up the others
    return tuple(found[reader.cluster] for reader in readers)


class _Passing:
    """Objects that show a failure which may pass by itself: still there after a while, it is believed."""

    #: Seconds between two looks that are two.
    WHILE = 10.0

    def __init__(self) -> None:
        self._first: dict[ObjectRef, float] = {}

    def believed(self, now: float) -> frozenset[ObjectRef]:
        """Those that have shown it for long enough."""
        return frozenset(about for about, first in self._first.items() if now - first >= self.WHILE)

    def note(self, looks: Iterable[Look], now: float) -> None:
        """Take down what a look at ``now`` has shown."""
        observations = chain.from_iterable(
            (*(o for x in one.outcomes for o in x.observations), *one.silent) for one in looks
        )
        seen = {
            o.about
            for o in observations
            if o.reason == "ArtifactFailed" and (o.state is State.PENDING or o.about in self._first)
        }
        self._first = {about: self._first.get(about, now) for about in seen}


# ── decide ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _known(line: Line, looks: tuple[Look, ...], told: Told) -> tuple[tuple[Look, ...], Plan, Events]:
    """The looks with what changed, what is due, and, if anything is, what the clusters' own events say of it."""
    if not line.details:
        return looks, _plan(line, looks, told), {}
    from landed import background  # imported late: a run without Alerts needs none of it
    from landed.plan.changes import changed

    seen = _without_vanished(line, changed(looks, told), told)
    due = _plan(line, seen, told)
    ask = {reader.cluster: reader.events for reader in line.readers if reader.events is not None}
    if not due.updates or not ask:
        return seen, due, {}
    happened, notes = background.events(ask, seen, due.updates)
    seen = changed(seen, told, happened)
    due = _plan(line, seen, told)
    return seen, structs.replace(due, notes=(*due.notes, *notes)), happened


def _without_vanished(line: Line, looks: tuple[Look, ...], told: Told) -> tuple[Look, ...]:
    """The looks with what is deleted of all that something is open of."""
    destinations = [outlet.destination for outlet in line.parts.outlets.values()]
    if not any(to.resolves for to in destinations):
        return looks
    from landed.plan.vanished import missing  # imported late: few runs tell somebody who keeps alerts

    ask = {reader.cluster: reader.gone for reader in line.readers if reader.gone is not None}
    absent = {cluster: about for cluster, about in missing(looks, told, destinations).items() if cluster in ask}
    gone = {cluster: tuple(sorted(ask[cluster](about))) for cluster, about in absent.items()}
    return tuple(structs.replace(look, gone=gone.get(look.cluster, ())) for look in looks) if gone else looks


def _described(line: Line, looks: Sequence[Look], due: Plan, happened: Events) -> Plan:
    """``due`` with the titles and authors of its commits, in the user's own words where there are some."""
    if not any(isinstance(update.payload, Digest) for update in due.updates):
        return due
    from landed import background  # imported late: a run without messages needs none of it

    updates = background.described(line.parts.outlets.values(), due.updates, looks, happened)
    if line.rewrite is None:
        return structs.replace(due, updates=updates)
    updates, wrong = line.rewrite(updates)
    return structs.replace(due, updates=updates, problems=(*due.problems, *wrong))


def _plan(line: Line, looks: Sequence[Look], told: Told, found: Found | None = None) -> Plan:
    destinations = [outlet.destination for outlet in line.parts.outlets.values()]
    return plan(looks, told, destinations, wording=line.wording, now=int(line.parts.now()), found=found)


def _read_back(line: Line, looks: Sequence[Look], told: Told, due: Plan) -> tuple[Plan, tuple[Delivery, ...], bool]:
    """Where the ledger does not know a commit, what its Git host holds counts as told.

    Gives what is due after that, the updates that must wait because their host could not be asked, and whether any
    was asked.
    """
    if not due.updates:
        return due, (), False
    from landed.plan.readback import recall, unsure  # imported late: a run without news asks nobody
    from landed.pool import at_once

    asked = unsure(due.updates, told)
    if not asked:
        return due, (), False
    found: dict[tuple[str, Repository, str], Mapping[str, Held]] = {}
    failed: dict[tuple[str, Repository, str], DeliveryError] = {}

    def ask(question: tuple[str, Repository, str]) -> None:
        destination, repository, commit = question
        try:
            found[question] = line.parts.outlets[destination].held(repository, commit)
        except DeliveryError as error:
            failed[question] = error
        except LandedError as error:  # what connecting finds wrong with a token or an address
            failed[question] = DeliveryError(error.message, error.hint)

    questions = [(destination, *commit) for destination, commits in asked.items() for commit in commits]
    line.parts.tongue.progress(f"reading back what {len(questions)} commits have")
    at_once(ask, questions)
    again = due
    for _ in range(2):  # what is due for a whole commit follows from what is known of its objects
        recall(told, again.updates, found, int(line.parts.now()))
        again = _plan(line, looks, told, found)
    held = tuple(undelivered(update, failed[key]) for update in again.updates if (key := _asked(update)) in failed)
    waiting = {id(delivery.update) for delivery in held}
    sent = tuple(update for update in again.updates if id(update) not in waiting)
    return structs.replace(again, updates=sent), held, True


def _asked(update: Update) -> tuple[str, Repository, str]:
    repository = getattr(update.payload, "repository", Repository("", ""))
    return update.destination, repository, update.marks[0].commit


# ── remember ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _serve(line: Line, looks: Iterable[Look], told: Told, due: Plan) -> bool:
    """Take down the baselines of channels that are served for the first time; true if there was anything to take down.

    Before the first delivery: from then on the channel is known, and a run that is killed must not make old news of
    the baseline into news.
    """
    if all(look.error for look in looks):
        return False
    fresh = [told.serve(outlet.destination.name) for outlet in line.parts.outlets.values()]
    for destination, mark in due.silent:
        told.record(destination, mark, int(line.parts.now()))
    return any(fresh) or bool(due.silent)


def _remember(
    line: Line, looks: Iterable[Look], told: Told, deliveries: Sequence[Delivery], *, held: bool = False
) -> None:
    """Take down how far this look reached, if everything it brought is told, and write the ledger.

    Where something is ``held`` for later, histories are wanted from the same time on again, of a new cluster from now
    on; what others were told of changes is taken down all the same.
    """
    failed = any(delivery.error for delivery in deliveries)
    if not failed:
        told.settle({name for name, outlet in line.parts.outlets.items() if keeps(outlet)})
    if not failed and line.details and (deliveries or not held):
        from landed.plan.changes import take_stock

        take_stock(looks, told)
    if not failed:
        new = {look.cluster for look in looks if look.cluster not in told.seen}  # from here on, nothing goes unseen
        reached = (look for look in looks if not look.error and (not held or look.cluster in new))
        told.seen.update({look.cluster: _reach(told, look) for look in reached})
    line.parts.ledger.save(told)


def _new_stock(line: Line, looks: Iterable[Look], told: Told) -> bool:
    if not line.details:
        return False
    from landed.plan.changes import stocked

    return not stocked(looks, told)


def _reach(told: Told, look: Look) -> int:
    """From when on histories are wanted next time. What had come and gone before the very first look is nobody's news.
    After that some time is looked at twice: Flux stamps a snapshot before it writes it.
    """
    if look.cluster not in told.seen:
        return look.seen + 1
    return max(told.seen[look.cluster], look.seen - STAMPED_BEFORE)


def _report(line: Line, looks: Sequence[Look], deliveries: Sequence[Delivery], due: Plan) -> Report:
    """``due`` has the updates that were planned and not sent, and what else there is to say of the plan."""
    seen = summed_up(
        looks,
        deliveries,
        fail_on_failure=line.fail_on_failure,
        strict=line.strict,
        problems=(*line.warnings, *due.problems),
    )
    return structs.replace(seen, planned=due.updates, notes=due.notes)
