"""The line that everything here is: read, judge, decide, deliver, remember.

``report`` walks it once; ``stop`` decides, so that waiting and watching are the same loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from landed.errors import (
    CLUSTER_UNREADABLE,
    COMMIT_FAILED,
    CONFIGURATION,
    DONE,
    UNDELIVERED,
    ClusterError,
    DeliveryError,
)
from landed.ledger.interface import Ledger
from landed.model import Cluster, Delivery, Look, ObjectRef, Report, Repository, State, Update
from landed.outcomes import judge
from landed.plan import Plan, Wording, plan, recall, unsure
from landed.providers.outlet import Outlet
from landed.told import Intent, Told

T = TypeVar("T")

#: Seconds that may lie between the time in a snapshot and its being there to read.
STAMPED_BEFORE = 60

#: Seconds between two writes of the ledger while deliveries come in.
SAVE_EVERY = 2.0


class Reader(Struct, frozen=True):
    """A cluster, ready to be read."""

    cluster: str
    read: Callable[[int], Cluster]
    """Since when histories are wanted → everything there. Raises ClusterError."""


class Tongue(Protocol):
    """How the run speaks to whoever watches it."""

    def warn(self, text: str) -> None:
        """Something is not as it should be, and the run goes on."""

    def progress(self, text: str) -> None:
        """What is being done at the moment; shown only when it takes long."""


class Line(Struct, frozen=True):
    """Everything a run is made of."""

    readers: Sequence[Reader]
    ledger: Ledger
    outlets: Mapping[str, Outlet]
    wording: Wording
    tongue: Tongue
    now: Callable[[], float]
    pause: Callable[[float], None]
    repositories: frozenset[Repository] = frozenset()
    dry_run: bool = False
    fail_on_failure: bool = False
    strict: bool = False


def run(line: Line, stop: Callable[[Report], float | None]) -> Report:
    """Look, tell what is new, and again after as many seconds as ``stop`` says, until it says None.

    Raises ConfigurationError if the ledger cannot be used; nothing has been sent then.
    """
    passing: frozenset[ObjectRef] = frozenset()
    with nullcontext(line.ledger.peek()) if line.dry_run else line.ledger.open() as told:
        while True:
            report = once(line, told, passing)
            passing = _passing(report.looks)
            wait = stop(report)
            if wait is None:
                return report
            line.pause(wait)


def once(line: Line, told: Told, passing: frozenset[ObjectRef] = frozenset()) -> Report:
    """One look at every cluster, and the delivery of what it brings."""
    looks = look(line.readers, told.seen, now=int(line.now()), passing=passing, repositories=line.repositories)
    due = _plan(line, looks, told)
    if line.dry_run:
        return _report(line, looks, (), due.updates)
    due, unread = _read_back(line, looks, told, due)
    deliveries = (*unread, *_deliver(line, due, told))
    _remember(line, looks, told, due, deliveries)
    return _report(line, looks, deliveries, ())


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
            found[reader.cluster] = judge(cluster, now=now, since=since, passing=passing, repositories=repositories)

    if len(readers) == 1:
        look_at(readers[0])
    else:
        _all_at_once(look_at, readers, workers=8)
    return tuple(found[reader.cluster] for reader in readers)


def _passing(looks: Iterable[Look]) -> frozenset[ObjectRef]:
    """Objects that show a failure which may pass by itself: seen a second time, it is believed."""
    observations = (o for look in looks for outcome in look.outcomes for o in outcome.observations)
    return frozenset(o.about for o in observations if o.state is State.PENDING and o.reason == "ArtifactFailed")


# ── decide ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan(line: Line, looks: Sequence[Look], told: Told) -> Plan:
    destinations = [outlet.destination for outlet in line.outlets.values()]
    return plan(looks, told, destinations, wording=line.wording, now=int(line.now()))


def _read_back(line: Line, looks: Sequence[Look], told: Told, due: Plan) -> tuple[Plan, tuple[Delivery, ...]]:
    """Where the ledger does not know a commit, what its Git host holds counts as told.

    Gives what is due after that, and the updates that must wait because their host could not be asked.
    """
    asked = unsure(due.updates, told)
    if not asked:
        return due, ()
    found: dict[tuple[str, Repository, str], Mapping[str, tuple[State, str]]] = {}
    failed: dict[tuple[str, Repository, str], DeliveryError] = {}

    def ask(question: tuple[str, Repository, str]) -> None:
        destination, repository, commit = question
        try:
            found[question] = line.outlets[destination].statuses(repository, commit)
        except DeliveryError as error:
            failed[question] = error

    questions = [(destination, *commit) for destination, commits in asked.items() for commit in commits]
    line.tongue.progress(f"reading back the statuses of {len(questions)} commits")
    _all_at_once(ask, questions, workers=8)
    again = due
    for _ in range(2):  # what is due for a whole commit follows from what is known of its objects
        recall(told, again.updates, found, int(line.now()))
        again = _plan(line, looks, told)
    held = tuple(_undelivered(update, failed[key]) for update in again.updates if (key := _asked(update)) in failed)
    waiting = {id(delivery.update) for delivery in held}
    return Plan(tuple(u for u in again.updates if id(u) not in waiting), again.silent), held


def _asked(update: Update) -> tuple[str, Repository, str]:
    repository = getattr(update.payload, "repository", Repository("", ""))
    return update.destination, repository, update.marks[0].commit


# ── deliver ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _deliver(line: Line, due: Plan, told: Told) -> tuple[Delivery, ...]:
    """Send every update, concurrently within what each destination allows, and take down each acknowledgement.

    What is about to be sent is written to the ledger first: a run that is killed in between leaves a trace, and the
    next one asks the Git host before it repeats anything.
    """
    if not due.updates:
        return ()
    told.begin(Intent(update.destination, mark.line, mark.commit) for update in due.updates for mark in update.marks)
    line.ledger.save(told)
    results: SimpleQueue[Delivery] = SimpleQueue()
    for destination, updates in _by_destination(due.updates).items():
        outlet = line.outlets[destination]
        _start(_sender(outlet, results), updates, outlet.workers)
    deliveries: list[Delivery] = []
    try:
        _collect(line, due, told, results, deliveries)
    finally:
        with suppress(Empty):  # cut short: what has been acknowledged meanwhile still counts
            while len(deliveries) < len(due.updates):
                _take(line, told, results.get_nowait(), deliveries)
        _settle(told, due, deliveries)
        line.ledger.save(told)
    return tuple(deliveries)


def _collect(line: Line, due: Plan, told: Told, results: SimpleQueue[Delivery], deliveries: list[Delivery]) -> None:
    saved = line.now()
    while len(deliveries) < len(due.updates):
        delivery = results.get()
        _take(line, told, delivery, deliveries)
        line.tongue.progress(f"{len(deliveries)} of {len(due.updates)} updates delivered")
        # A message to people cannot be looked up later: its acknowledgement is not to be lost.
        to_people = line.outlets[delivery.update.destination].destination.takes != "statuses"
        if to_people or line.now() - saved > SAVE_EVERY:
            line.ledger.save(told)
            saved = line.now()


def _take(line: Line, told: Told, delivery: Delivery, deliveries: list[Delivery]) -> None:
    deliveries.append(delivery)
    if not delivery.error:
        for mark in delivery.update.marks:
            told.record(delivery.update.destination, mark, int(line.now()))


def _settle(told: Told, due: Plan, deliveries: Iterable[Delivery]) -> None:
    """Keep as begun only what may have been carried out without our knowing."""
    accounted = {id(delivery.update) for delivery in deliveries if not delivery.uncertain}
    told.begin(
        Intent(update.destination, mark.line, mark.commit)
        for update in due.updates
        if id(update) not in accounted
        for mark in update.marks
    )


def _sender(outlet: Outlet, results: SimpleQueue[Delivery]) -> Callable[[Update], None]:
    return lambda update: results.put(_send(outlet, update))


def _send(outlet: Outlet, update: Update) -> Delivery:
    try:
        outlet.deliver(update)
    except DeliveryError as error:
        return _undelivered(update, error)
    except Exception as error:  # noqa: BLE001 — a fault of ours in one destination must not silence the others
        what = f"{outlet.destination.name}: an unexpected {type(error).__name__}; this is a fault of landed"
        return Delivery(update, what, "Please report it, with the steps that lead to it.")
    return Delivery(update)


def _undelivered(update: Update, error: DeliveryError) -> Delivery:
    return Delivery(update, error.message, error.hint, passing=error.passing, uncertain=error.uncertain)


def _by_destination(updates: Iterable[Update]) -> dict[str, list[Update]]:
    groups: dict[str, list[Update]] = {}
    for update in updates:
        groups.setdefault(update.destination, []).append(update)
    return groups


def _start(work: Callable[[T], object], items: Iterable[T], workers: int) -> list[threading.Thread]:
    """Have ``items`` worked off in order by a few threads that do not outlive the program."""
    queue: SimpleQueue[T] = SimpleQueue()
    for item in items:
        queue.put(item)

    def loop() -> None:
        with suppress(Empty):
            while True:
                work(queue.get_nowait())

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(workers, queue.qsize()))]
    for thread in threads:
        thread.start()
    return threads


def _all_at_once(work: Callable[[T], object], items: Iterable[T], workers: int) -> None:
    for thread in _start(work, items, workers):
        thread.join()


# ── remember ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _remember(line: Line, looks: Iterable[Look], told: Told, due: Plan, deliveries: Sequence[Delivery]) -> None:
    """Take down the baselines and how far this look reached; write only if there is anything to write."""
    read = [look for look in looks if not look.error]
    if not read:
        return
    fresh = [told.serve(outlet.destination.name) for outlet in line.outlets.values()]
    for destination, mark in due.silent:
        told.record(destination, mark, int(line.now()))
    if not any(fresh) and not due.silent and not deliveries:
        return
    if not any(delivery.error for delivery in deliveries):
        told.seen.update({look.cluster: _reach(told, look) for look in read})
    line.ledger.save(told)


def _reach(told: Told, look: Look) -> int:
    """From when on histories are wanted next time. What had come and gone before the very first look is nobody's news.
    After that some time is looked at twice: Flux stamps a snapshot before it writes it.
    """
    if look.cluster not in told.seen:
        return look.seen + 1
    return max(told.seen[look.cluster], look.seen - STAMPED_BEFORE)


def _report(line: Line, looks: Sequence[Look], deliveries: Sequence[Delivery], planned: Sequence[Update]) -> Report:
    seen = summed_up(looks, deliveries, fail_on_failure=line.fail_on_failure, strict=line.strict)
    return structs.replace(seen, planned=tuple(planned))


def summed_up(
    looks: Sequence[Look], deliveries: Sequence[Delivery] = (), *, fail_on_failure: bool, strict: bool
) -> Report:
    """The report of a run, with its exit code.

    A cluster that cannot be read comes first, for nothing is known then. A failed delivery never counts as a failed
    rollout, nor the reverse.
    """
    warnings = tuple(f"{look.cluster}: {warning}" for look in looks for warning in look.warnings)
    report = Report(tuple(looks), tuple(deliveries), warnings=warnings)
    if any(look.error for look in looks):
        return structs.replace(report, exit_code=CLUSTER_UNREADABLE)
    if fail_on_failure and any(_failed(look) for look in looks):
        return structs.replace(report, exit_code=COMMIT_FAILED)
    if any(delivery.error for delivery in deliveries):
        return structs.replace(report, exit_code=UNDELIVERED)
    return structs.replace(report, exit_code=CONFIGURATION if strict and warnings else DONE)


def _failed(look: Look) -> bool:
    """Whether something that Flux was to apply has failed at present."""
    current = any(outcome.state is State.FAILURE for outcome in look.outcomes if not outcome.past)
    return current or any(o.state is State.FAILURE and o.about.kind in _ROLLOUTS for o in look.silent)


_ROLLOUTS = frozenset({"Kustomization", "HelmRelease"})
