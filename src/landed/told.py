"""What earlier runs delivered, as a value: destination → line → entries, oldest first. No I/O.

A *line* is what is told about, commit apart (``owner/name flux/prod/apps/web``), so that a rollback, which makes an
earlier commit current again, can be told from a repeat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from msgspec import Struct, structs

from landed.model import RESULTS, Mark, State

#: How many commits a line remembers, current ones apart.
COMMITS_PER_LINE = 10
#: So many turns between success and failure within so many seconds are flapping; after as long without one it is over.
TURNS, TURNS_WITHIN = 3, 600


class Entry(Struct, gc=False, omit_defaults=True, rename={"fingerprint": "is", "when": "at"}):
    """What one destination acknowledged about one commit."""

    commit: str
    fingerprint: str
    when: int
    """When it was acknowledged, in our clock."""
    handle: str = ""
    """What the service needs to edit the message later."""
    past: bool = False
    """Another commit has been told on this line since, and this one was gone."""

    @property
    def state(self) -> str:
        """``success``, ``failure``, ``pending`` or ``superseded``."""
        return self.fingerprint.partition(" ")[0]


class Intent(Struct, frozen=True, array_like=True, gc=False, order=True):
    """A delivery that was begun. One that survives its run may or may not have been carried out."""

    destination: str
    line: str
    commit: str


class Told(Struct):
    """The ledger's content. Changed only through its methods."""

    destinations: dict[str, dict[str, list[Entry]]] = {}
    seen: dict[str, int] = {}
    """Cluster → how far, in that cluster's clock, everything there was to tell has been delivered."""
    begun: list[Intent] = []
    observed: dict[str, str] = {}
    """``cluster Kind/namespace/name`` → the commit and fingerprint of its last result, whether or not it was told: what
    still holds while Flux looks again at what it has judged."""
    turns: dict[str, list[int]] = {}
    """The same lines → when, in our clock, the result of one commit last turned into its opposite; oldest first."""
    inventories: dict[str, str] = {}
    """The same lines → what stood in the cluster by the object's doing when that was last told, packed."""
    served: dict[str, list[str]] = {}
    """Of destinations that shards have served from the beginning: destination → the clusters of those that have. Any
    other one is known to everybody."""

    def knows(self, destination: str) -> bool:
        """Whether this destination was ever served: if not, old news is recorded and not told."""
        return destination in self.destinations

    def entry(self, destination: str, line: str, commit: str) -> Entry | None:
        """What was acknowledged about ``commit`` on ``line``, if anything."""
        for entry in self.destinations.get(destination, {}).get(line, ()):
            if entry.commit == commit:
                return entry
        return None

    def latest(self, destination: str, line: str) -> Entry | None:
        """What was acknowledged last on ``line``, whatever the commit."""
        entries = self.destinations.get(destination, {}).get(line)
        return entries[-1] if entries else None

    def observe(self, line: str, result: str, when: int = 0) -> bool:
        """Remember the last result of an object, its commit and fingerprint. True if it is not what was remembered."""
        known = self.observed.get(line)
        if known == result:
            return False
        if known is not None and known.partition(" ")[0] != result.partition(" ")[0]:
            self.turns.pop(line, None)  # another commit has not turned yet
        elif known is not None and _turned(known, result):
            self.turns[line] = [*self.turns.get(line, ()), when][-TURNS:]
        self.observed[line] = result
        return True

    def flaps(self, line: str, now: int) -> bool:
        """Whether an object goes to and fro: its last turns are close together, and it has not come to rest since."""
        turns = self.turns.get(line, [])
        return len(turns) == TURNS and max(turns) - min(turns) <= TURNS_WITHIN and _lately(turns[-1], now)

    def calm(self, now: int) -> None:
        """Forget turns that are too long ago to matter, or were taken down by a clock that was far ahead."""
        self.turns = {line: turns for line, turns in self.turns.items() if _lately(turns[-1], now)}

    def remembered(self, line: str, commit: str) -> str:
        """The fingerprint of the object's last result, if that was of ``commit``; else ""."""
        known, _, fingerprint = self.observed.get(line, "").partition(" ")
        return fingerprint if known == commit else ""

    def serve(self, destination: str) -> bool:
        """Remember that this destination exists. True if it was new."""
        if destination in self.destinations:
            return False
        self.destinations[destination] = {}
        return True

    def record(self, destination: str, mark: Mark, when: int, *, handle: str = "") -> None:
        """Take down an acknowledgement.

        Any other commit than the ones that are current on this line becomes past as soon as a result is recorded, so
        that coming back to it is news again.
        """
        lines = self.destinations.setdefault(destination, {})
        known = lines.get(mark.line, ())
        kept = next((entry.handle for entry in known if entry.commit == mark.commit), "")
        entries = [entry for entry in known if entry.commit != mark.commit]
        if not mark.fingerprint.startswith(State.PENDING):
            for entry in entries:
                entry.past = entry.past or entry.commit not in mark.current
        gone = bool(mark.current) and mark.commit not in mark.current
        entries.append(Entry(mark.commit, mark.fingerprint, when, handle or kept, gone))
        lines[mark.line] = _newest(entries, {mark.commit, *mark.current})

    def begin(self, intents: Iterable[Intent]) -> None:
        """Announce deliveries before they are made."""
        self.begun = sorted(intents)

    def settle(self, keeping: Collection[str] = ()) -> None:
        """Every delivery announced is accounted for, but for what those destinations may have been told that are
        ``keeping`` it open until it ends.
        """
        self.begun = [intent for intent in self.begun if intent.destination in keeping]

    def count(self) -> int:
        """How many acknowledgements are held."""
        return sum(len(entries) for lines in self.destinations.values() for entries in lines.values())


def _turned(before: str, after: str) -> bool:
    """Whether two results of one commit are opposite."""
    return before.split(" ")[1:2] != after.split(" ")[1:2]


def _lately(turn: int, now: int) -> bool:
    return abs(now - turn) < TURNS_WITHIN


def _newest(entries: list[Entry], current: Collection[str]) -> list[Entry]:
    """The newest ``COMMITS_PER_LINE`` entries; beyond that only current ones, or they would be news at every look."""
    surplus = len(entries) - COMMITS_PER_LINE
    if surplus <= 0:
        return entries
    kept = []
    for entry in entries:
        if surplus > 0 and entry.commit not in current:
            surplus -= 1
        else:
            kept.append(entry)
    return kept


def merge(a: Told, b: Told) -> Told:
    """What either of two ledgers knows, for when one was stored while the other was in use. Neither is changed.

    Per destination, line and commit the newer acknowledgement stands. ``seen`` keeps the lower of two figures, for each
    vouches for its own destinations only, and looking further back repeats nothing. What either has begun stays begun.
    Where they remember different results or inventories of an object, neither is believed.
    """
    destinations: dict[str, dict[str, list[Entry]]] = {}
    for destination in a.destinations | b.destinations:
        ours, theirs = a.destinations.get(destination, {}), b.destinations.get(destination, {})
        destinations[destination] = {line: joined(ours.get(line, []), theirs.get(line, [])) for line in ours | theirs}
    seen = {
        cluster: min(a.seen.get(cluster, figure), b.seen.get(cluster, figure))
        for cluster, figure in (a.seen | b.seen).items()
    }
    turns = {line: sorted({*a.turns.get(line, ()), *b.turns.get(line, ())})[-TURNS:] for line in a.turns | b.turns}
    return Told(
        destinations,
        seen,
        sorted({*a.begun, *b.begun}),
        _agreed(a.observed, b.observed),
        turns,
        _agreed(a.inventories, b.inventories),
        served_by(a, b),
    )


def served_by(a: Told, b: Told) -> dict[str, list[str]]:
    """Who has served destinations, as far as only shards have."""
    return {
        destination: sorted({*a.served.get(destination, ()), *b.served.get(destination, ())})
        for destination in a.served | b.served
        if all(destination in one.served or destination not in one.destinations for one in (a, b))
    }


def _agreed(a: dict[str, str], b: dict[str, str]) -> dict[str, str]:
    """What either says and the other does not deny."""
    return {key: value for key, value in (a | b).items() if a.get(key, value) == b.get(key, value)}


def joined(a: list[Entry], b: list[Entry]) -> list[Entry]:
    """Both lists in order of time, each commit once."""
    if a == b:
        return list(a)
    newest: dict[str, tuple[tuple[int, bool, str, str], int, Entry]] = {}
    past: dict[str, set[int]] = {}
    for entries in (a, b):
        for place, entry in enumerate(entries, -len(entries)):
            # Acknowledged in the same second, a result came after pending.
            rank = (entry.when, entry.state in RESULTS, entry.fingerprint, entry.handle)
            found = (rank, place, entry)
            newest[entry.commit] = max(found, newest.get(entry.commit, found), key=lambda x: x[:2])
            if entry.past:
                past.setdefault(entry.commit, set()).add(entry.when)
    in_order = sorted(newest.values(), key=lambda x: (x[0][0], x[1], x[2].commit))
    # What is past in one view is past: the other one was stored before that.
    merged = [structs.replace(entry, past=entry.when in past.get(entry.commit, ())) for _, _, entry in in_order]
    return _newest(merged, {entry.commit for entry in merged if not entry.past})


def prune(told: Told, most: int) -> Told:
    """``told``, or a copy with at most ``most`` entries.

    Entries that are past leave first, then older ones of commits a line still speaks of, the newest of a line last;
    within each, oldest first. Destinations stay, even empty: they were served.
    """
    surplus = told.count() - max(0, most)
    if surplus <= 0 and len(told.observed) <= most and len(told.inventories) <= most:
        return told
    ranked = sorted(
        (place == len(entries) - 1, not entry.past, entry.when, destination, line, place)
        for destination, lines in told.destinations.items()
        for line, entries in lines.items()
        for place, entry in enumerate(entries)
    )
    gone = {(destination, line, place) for *_, destination, line, place in ranked[: max(0, surplus)]}
    destinations: dict[str, dict[str, list[Entry]]] = {}
    for destination, lines in told.destinations.items():
        destinations[destination] = {}
        for line, entries in lines.items():
            kept = [entry for place, entry in enumerate(entries) if (destination, line, place) not in gone]
            if kept:
                destinations[destination][line] = kept
    return Told(
        destinations,
        dict(told.seen),
        list(told.begun),
        _last(told.observed, most),
        dict(told.turns),
        _last(told.inventories, most),
        dict(told.served),
    )


def _last(known: dict[str, str], most: int) -> dict[str, str]:
    return dict(islice(known.items(), max(0, len(known) - most), None))
