"""One ledger for several runs at a time, each with clusters of its own: what one of them changed, put into what the
others stored meanwhile. No I/O.

What was delivered is joined, so that nobody erases what another one has told. Of everything else a run changes what it
has changed itself since it last stored anything: its own view of the others' part is out of date at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from msgspec import structs

from landed.told import TURNS, Entry, Intent, Told, joined

V = TypeVar("V")


def visible(stored: Told, clusters: Collection[str]) -> Told:
    """What a run for these clusters is to know of the ledger.

    A destination that only other shards have served is none that it has served: it starts there as silently as they
    did.
    """
    others = {name for name, whose in stored.served.items() if not set(clusters).intersection(whose)}
    if not others:
        return stored
    kept = {name: lines for name, lines in stored.destinations.items() if name not in others}
    return Told(kept, stored.seen, stored.begun, stored.observed, stored.turns, stored.inventories, stored.served)


def _copied(entries: list[Entry] | None) -> list[Entry] | None:
    return None if entries is None else [structs.replace(entry) for entry in entries]


class Since:
    """What a run knew when it last stored anything."""

    def __init__(self, told: Told, clusters: Collection[str]) -> None:
        """``told`` is what the run begins with."""
        self._clusters = frozenset(clusters)
        self._found = tuple(told.begun)
        lines = {(intent.destination, intent.line) for intent in told.begun}
        self._lines = {(d, line): _copied(told.destinations.get(d, {}).get(line)) for d, line in lines}
        self._mine: set[Intent] = set()
        self.stored(told)

    def stored(self, told: Told) -> None:
        """``told`` has been stored."""
        self._seen = dict(told.seen)
        self._observed = dict(told.observed)
        self._turns = dict(told.turns)
        self._inventories = dict(told.inventories)

    def joined(self, told: Told, stored: Told | None) -> Told:
        """What is stored now, with what this run has changed. Neither is changed. Where nothing is stored, or it could
        not be read, it is everything that this run knows.
        """
        there = self._known() if stored is None else stored
        return Told(
            _all(told.destinations, there.destinations),
            _changed(self._seen, told.seen, there.seen, min),
            self._begun(told, there),
            _changed(self._observed, told.observed, there.observed, _neither),
            _changed(self._turns, told.turns, there.turns, _both),
            _changed(self._inventories, told.inventories, there.inventories, _neither),
            self._served(told, there),
        )

    def _known(self) -> Told:
        return Told({}, self._seen, list(self._found), self._observed, self._turns, self._inventories)

    def _begun(self, told: Told, there: Told) -> list[Intent]:
        """What others have begun stays, unless it was there before this run, which has told something of it since."""
        if tuple(told.begun) != self._found:
            self._mine |= set(told.begun)
        settled = {
            intent
            for intent in self._found
            if told.destinations.get(intent.destination, {}).get(intent.line)
            != self._lines[intent.destination, intent.line]
        }
        own = self._mine.intersection(told.begun)
        return sorted((set(there.begun) - self._mine - settled) | own)

    def _served(self, told: Told, there: Told) -> dict[str, list[str]]:
        served = dict(there.served)
        for name in told.destinations:
            if name in served or name not in there.destinations:
                served[name] = sorted({*served.get(name, ()), *self._clusters})
        return served


def _all(
    ours: Mapping[str, dict[str, list[Entry]]], theirs: Mapping[str, dict[str, list[Entry]]]
) -> dict[str, dict[str, list[Entry]]]:
    """Every acknowledgement that either knows."""
    together = {name: dict(lines) for name, lines in theirs.items()}
    for name, lines in ours.items():
        known = together.setdefault(name, {})
        for line, entries in lines.items():
            known[line] = joined(known[line], entries) if line in known else list(entries)
    return together


def _changed(
    before: Mapping[str, V], ours: Mapping[str, V], theirs: Mapping[str, V], settle: Callable[[V, V], V | None]
) -> dict[str, V]:
    """``theirs`` with what we have changed; ``settle`` says what holds where both have, None for nothing."""
    together = dict(theirs)
    for key in {**before, **ours}:
        was, is_, there = before.get(key), ours.get(key), theirs.get(key)
        if is_ in (was, there):
            continue
        value = settle(is_, there) if None not in (is_, there) and there != was else is_  # type: ignore[arg-type]
        if value is not None:
            together[key] = value
        elif there == was or is_ is not None:
            together.pop(key, None)
    return together


def _neither(_: str, __: str) -> None:
    """Two results of one object at a time: neither is believed."""


def _both(ours: list[int], theirs: list[int]) -> list[int]:
    return sorted({*ours, *theirs})[-TURNS:]
