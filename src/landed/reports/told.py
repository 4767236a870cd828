"""The ledger for people and programs: what each destination was told, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from landed import render
from landed.reports.jsonreport import written
from landed.reports.lines import aligned
from landed.reports.rows import SYMBOLS, plain
from landed.told import Entry, Told

SCHEMA = "landed.ledger/1"
HEAD = ("STATE", "DESTINATION", "ABOUT", "COMMIT", "TOLD", "REASON")


def as_table(told: Told, now: int, repositories: Sequence[str] = ()) -> str:
    """Aligned text, one entry to a line; with ``repositories`` (paths) only what is about one of them."""
    table = [
        (
            f"{SYMBOLS.get(entry.state, '·')} {plain(entry.state)}" + (" (past)" if entry.past else ""),
            plain(destination),
            plain(line),
            plain(entry.commit[:8]) or "–",
            f"{render.age(now - entry.when)} ago",
            plain(entry.fingerprint.partition(" ")[2]),
        )
        for destination, line, entry in _entries(told, repositories)
    ]
    if not table:
        return "Nothing has been told.\n"
    return "\n".join(aligned([HEAD, *table])) + "\n"


def as_json(told: Told, now: int, repositories: Sequence[str] = ()) -> str:
    """``{"schema": "landed.ledger/1", "entries": [{"destination", "about", "commit", "state", "fingerprint", "at",
    "handle", "past"}], "begun": [{"destination", "about", "commit"}], "seen": {cluster: time}}``.
    """
    document = {
        "schema": SCHEMA,
        "entries": [
            {
                "destination": destination,
                "about": line,
                "commit": entry.commit,
                "state": entry.state,
                "fingerprint": entry.fingerprint,
                "at": _time(entry.when),
                "handle": entry.handle,
                "past": entry.past,
            }
            for destination, line, entry in _entries(told, repositories)
        ],
        "begun": [
            {"destination": intent.destination, "about": intent.line, "commit": intent.commit} for intent in told.begun
        ],
        "seen": {cluster: _time(when) for cluster, when in sorted(told.seen.items())},
    }
    return written(document, indent=2) + "\n"


#: The last second that a four-digit year can name: a ledger may hold any number.
_LAST = 253402300799


def _time(when: int) -> str:
    return render.rfc3339(min(max(0, when), _LAST))


def _entries(told: Told, repositories: Sequence[str]) -> Iterator[tuple[str, str, Entry]]:
    found = [
        (destination, line, entry)
        for destination, lines in told.destinations.items()
        for line, entries in lines.items()
        if not repositories or _is_about(line, repositories)
        for entry in entries
    ]
    yield from sorted(found, key=lambda x: (-x[2].when, x[0], x[1], x[2].commit))


def _is_about(line: str, repositories: Sequence[str]) -> bool:
    """A line names a repository as ``owner/name``, or with its host before it."""
    words = line.split(" ")
    return any(word == path or word.endswith(f"/{path}") for word in words for path in repositories)
