"""Sends updates, and takes down what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from landed.errors import DeliveryError, LandedError
from landed.model import Delivery, Update
from landed.providers.outlet import Outlet
from landed.told import Intent, Told

if TYPE_CHECKING:
    from queue import SimpleQueue

    from landed.ledger.interface import Ledger
    from landed.pool import Crew

T = TypeVar("T")

#: Seconds between two writes of the ledger while deliveries come in.
SAVE_EVERY = 2.0

#: Seconds that a run which is told to stop waits for answers. CI systems give about ten in all.
LAST_WAIT = 2.0

#: What a Git host can be asked for before it is told again. The rest is told once more where an acknowledgement is
#: lost.
CAN_BE_READ_BACK = frozenset({"statuses", "deployments", "comments"})


#: What became of an update, and the sign that it stands in the ledger.
_Result: TypeAlias = tuple[Delivery, Event]


class Tongue(Protocol):
    """How a run speaks to whoever watches it."""

    def warn(self, text: str) -> None:
        """Something is not as it should be, and the run goes on."""

    def progress(self, text: str) -> None:
        """What is being done at the moment; shown only when it takes long."""


def _always() -> bool:
    return True


class Parts(Struct, frozen=True):
    """What it takes to deliver."""

    ledger: Ledger
    outlets: Mapping[str, Outlet]
    tongue: Tongue
    now: Callable[[], float]
    """Seconds since the Unix epoch."""
    may: Callable[[], bool] = _always
    """Whether it is still for us to deliver: asked before each one."""


class Rest:
    """Destinations that took nothing are left alone for a while, longer each time: a run that goes on must neither
    press them nor wait for them at every look.
    """

    #: Seconds: the first rest, and the longest.
    FIRST, LONGEST = 5.0, 300.0

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._length: dict[str, float] = {}
        self._failed: dict[str, tuple[Delivery, ...]] = {}

    def awake(self, outlets: Mapping[str, Outlet], now: float) -> Mapping[str, Outlet]:
        """Those that may be told something at ``now``, in seconds."""
        if not self._until:
            return outlets
        return {name: outlet for name, outlet in outlets.items() if self._until.get(name, 0.0) <= now}

    def outstanding(self, now: float) -> tuple[Delivery, ...]:
        """What could not be delivered to those that rest."""
        return tuple(d for name, failed in self._failed.items() if self._until[name] > now for d in failed)

    def note(self, deliveries: Iterable[Delivery], now: float) -> None:
        """Take down what became of deliveries that were tried at ``now``."""
        for name, its in _grouped(deliveries, lambda delivery: delivery.update.destination).items():
            if any(not d.error for d in its) or all(d.read_only for d in its):
                for known in (self._until, self._length, self._failed):
                    known.pop(name, None)
            else:
                self._length[name] = min(self._length.get(name, self.FIRST / 2) * 2, self.LONGEST)
                self._until[name] = now + self._length[name]
                self._failed[name] = tuple(its)


def deliver(parts: Parts, updates: Sequence[Update], told: Told) -> tuple[Delivery, ...]:
    """Send every update, concurrently within what each destination allows, and take down each acknowledgement.

    What is about to be sent is written to the ledger first: a run that is killed in between leaves a trace, and the
    next one asks the Git host before it repeats anything.
    """
    if not updates:
        return ()
    from queue import SimpleQueue  # imported late: a run without news has nobody to do anything

    from landed.pool import Crew
    from landed.postponed import Postponed

    older = _older(told, updates, parts.outlets)
    told.begin((*older, *(intent for update in updates for intent in _intents(update))))
    parts.ledger.save(told)
    results: SimpleQueue[_Result | None] = SimpleQueue()
    made: list[Delivery] = []
    signs = _Signs()
    deliveries: list[Delivery] = []
    with Postponed(lambda: results.put(None)):  # what has been acknowledged is taken down, whatever comes
        crews = [
            Crew(
                _sender(parts.outlets[name], parts.may, made, results, signs),
                its,
                parts.outlets[name].workers,
                parts.outlets[name].lane,
            )
            for name, its in _grouped(updates, lambda update: update.destination).items()
        ]
        try:
            _collect(parts, updates, told, results, deliveries)
        finally:
            _wind_up(crews, signs)
            taken = {id(delivery.update) for delivery in deliveries}
            for delivery in tuple(made):  # cut short: what has been acknowledged meanwhile still counts
                if id(delivery.update) not in taken:
                    _take(parts, told, delivery, deliveries)
            _settle(told, updates, deliveries, older)
            parts.ledger.save(told)
    place = {id(update): number for number, update in enumerate(updates)}
    return tuple(sorted(deliveries, key=lambda delivery: place[id(delivery.update)]))


def _wind_up(crews: Iterable[Crew[Update]], signs: _Signs) -> None:
    """Let what is under way come to its end, for a moment: a message whose acknowledgement is lost is sent twice."""
    for crew in crews:
        crew.stop()
    signs.close()
    end = monotonic() + LAST_WAIT
    for crew in crews:
        crew.wait(max(0.0, end - monotonic()))


def _collect(
    parts: Parts,
    updates: Sequence[Update],
    told: Told,
    results: SimpleQueue[_Result | None],
    deliveries: list[Delivery],
) -> None:
    """Take down what comes in, until everything is there or somebody puts None into the queue."""
    saved = parts.now()
    while len(deliveries) < len(updates):
        result = results.get()
        if result is None:
            return
        delivery, written = result
        _take(parts, told, delivery, deliveries)
        parts.tongue.progress(f"{len(deliveries)} of {len(updates)} updates delivered")
        # What cannot be looked up later must not lose its acknowledgement.
        if not _lasting(parts.outlets[delivery.update.destination]) or parts.now() - saved > SAVE_EVERY:
            parts.ledger.save(told)
            saved = parts.now()
        written.set()


def _take(parts: Parts, told: Told, delivery: Delivery, deliveries: list[Delivery]) -> None:
    if not delivery.error:
        for mark in delivery.update.marks:
            told.record(delivery.update.destination, mark, int(parts.now()), handle=delivery.handle)
    deliveries.append(delivery)


def _settle(told: Told, updates: Sequence[Update], deliveries: Iterable[Delivery], older: Sequence[Intent]) -> None:
    """Keep as begun only what may have been carried out without our knowing."""
    accounted = {id(delivery.update) for delivery in deliveries if not delivery.uncertain}
    unsure = (update for update in updates if id(update) not in accounted)
    told.begin((*older, *(intent for update in unsure for intent in _intents(update))))


def _older(told: Told, updates: Iterable[Update], outlets: Mapping[str, Outlet]) -> Sequence[Intent]:
    """What an earlier run has begun and nobody has news of yet: an alert may have come of it that must end some day."""
    if not told.begun:
        return ()
    lines = {(update.destination, mark.line) for update in updates for mark in update.marks}
    keeping = {name for name, outlet in outlets.items() if keeps(outlet)}
    return [one for one in told.begun if one.destination in keeping and (one.destination, one.line) not in lines]


def _intents(update: Update) -> Iterable[Intent]:
    return (Intent(update.destination, mark.line, mark.commit) for mark in update.marks)


def keeps(outlet: Outlet) -> bool:
    """Whether what it is told stays open there until it ends."""
    return outlet.destination.takes == "occurrences"


def _lasting(outlet: Outlet) -> bool:
    return outlet.destination.takes in CAN_BE_READ_BACK


def _sender(
    outlet: Outlet,
    may: Callable[[], bool],
    made: list[Delivery],
    results: SimpleQueue[_Result | None],
    signs: _Signs,
) -> Callable[[Update], None]:
    """What cannot be looked up later is taken down before the next one is sent: a run that is killed repeats one."""

    def send(update: Update) -> None:
        written = signs.new()
        delivery = _send(outlet, update) if may() else undelivered(update, _not_ours(outlet))
        made.append(delivery)  # an interruption may lose what is taken from a queue
        results.put((delivery, written))
        if not _lasting(outlet):
            written.wait()

    return send


class _Signs:
    """The signs that deliveries stand in the ledger. Once they are closed, nobody waits for one any more."""

    def __init__(self) -> None:
        self._given: list[Event] = []
        self._closed = False

    def new(self) -> Event:
        """One that is not given yet."""
        sign = Event()
        self._given.append(sign)
        if self._closed:  # looked at after it is in the list: one of the two sees the other
            sign.set()
        return sign

    def close(self) -> None:
        """Give all of them."""
        self._closed = True
        for sign in tuple(self._given):
            sign.set()


def _send(outlet: Outlet, update: Update) -> Delivery:
    began = monotonic()
    try:
        handle = outlet.deliver(update)
    except DeliveryError as error:
        return undelivered(update, error)
    except LandedError as error:  # what connecting finds wrong with a token or an address
        return undelivered(update, DeliveryError(error.message, error.hint))
    except Exception as error:  # noqa: BLE001 — a fault of ours in one destination must not silence the others
        what = f"{outlet.destination.name}: an unexpected {type(error).__name__}; this is a fault of landed"
        return Delivery(update, what, "Please report it, with the steps that lead to it.")
    return Delivery(update, handle=handle, took=monotonic() - began)


def _not_ours(outlet: Outlet) -> DeliveryError:
    return DeliveryError(f"{outlet.destination.name}: another replica leads now, and tells it.", passing=True)


def undelivered(update: Update, error: DeliveryError) -> Delivery:
    """The delivery that failed with ``error``."""
    return Delivery(
        update,
        error.message,
        error.hint,
        passing=error.passing,
        uncertain=error.uncertain,
        read_only=error.read_only,
    )


def _grouped(items: Iterable[T], destination: Callable[[T], str]) -> dict[str, list[T]]:
    """``items`` by the name of their destination."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(destination(item), []).append(item)
    return groups
