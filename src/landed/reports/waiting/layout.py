"""Puts a wait into the columns and lines that a terminal has. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from landed.model import Answer, Standing, Verdict
from landed.reports.rows import SYMBOLS, plain, rank
from landed.reports.standings import called
from landed.reports.waiting.words import WAITED_FOR, lasting, why

HEAD = ("STATE", "CLUSTER", "OBJECT", "COMMIT", "REASON", "SINCE", "MESSAGE")
#: As long as a message would get less than this, other columns give way.
LEAST_MESSAGE = 18
#: Columns to leave out, and the most that others may take, from plenty of room to little.
_STEPS: tuple[tuple[frozenset[str], int], ...] = (
    (frozenset(), 60),
    (frozenset({"REASON"}), 60),
    (frozenset({"REASON"}), 28),
    (frozenset({"REASON", "COMMIT"}), 18),
)


class Row(Struct, frozen=True):
    """One line of the table: an object or a cluster, or, where ``cells`` has one, how many are left out."""

    state: str
    cells: tuple[str, ...]


def table(answer: Answer, now: float, room: int, safe: Callable[[str], str]) -> tuple[Row, ...]:
    """The rows that fit into ``room`` lines: cluster by cluster, what is not live first.

    Where not all fit, those that are live are counted in one line, and after that the others that do not fit.
    """
    order = {name: number for number, name in enumerate(_clusters(answer))}
    lacking = sorted(filter(_lacks, answer.standings), key=lambda one: _place(one, order))
    live = [one for one in answer.standings if not _lacks(one)]
    unread = [Row("unreadable", ("✗ unread", safe(plain(name)), "", "", "", "", "")) for name in answer.unread]
    if len(unread) + len(answer.standings) <= room:
        every = sorted(answer.standings, key=lambda one: _place(one, order))
        return (*unread, *(_row(one, now, safe) for one in every))
    counted = _counted(live)
    room -= len(counted)
    wanted = len(unread) + len(lacking)
    if wanted > room:
        # No room for all: what has failed, on whatever cluster, must not be what is left out.
        lacking.sort(key=lambda one: rank(one.state))
        room = max(0, room - 1)
    shown = [*unread[:room], *(_row(one, now, safe) for one in lacking[: max(0, room - len(unread))])]
    more = [Row("", (f"… and {wanted - len(shown)} more not live",))] if wanted > len(shown) else []
    return (*shown, *more, *counted)


def fitted(rows: Sequence[Row], room: int, length: Callable[[str], int]) -> list[tuple[int, int]]:
    """(number, width) of the columns to show in ``room`` columns of the terminal; two blanks stand between them."""
    full = [row.cells for row in rows if len(row.cells) == len(HEAD)]
    widths = [max(length(name), *(length(cells[number]) for cells in full)) for number, name in enumerate(HEAD)]
    message = len(HEAD) - 1
    for dropped, most in _STEPS:
        shown = [(n, min(widths[n], most)) for n, name in enumerate(HEAD[:message]) if name not in dropped]
        left = room - sum(width + 2 for _, width in shown)
        if left >= min(widths[message], LEAST_MESSAGE):
            return [*shown, (message, min(widths[message], left))]
    return [*shown, (message, left)] if left >= length(HEAD[message]) else shown


def _lacks(one: Standing) -> bool:
    return one.state in WAITED_FOR and one.state != Verdict.LIVE


def _place(one: Standing, order: dict[str, int]) -> tuple[int, bool, int]:
    return order[one.cluster], not _lacks(one), rank(one.state)


def _clusters(answer: Answer) -> Iterable[str]:
    return dict.fromkeys(one.cluster for one in answer.standings)


def _counted(still: Sequence[Standing]) -> list[Row]:
    """Those that are live, and those that are not waited for, in a line."""
    live = sum(one.state == Verdict.LIVE for one in still)
    parts = [f"{live} live"] if live else []
    parts += [f"{len(still) - live} suspended or being deleted"] if len(still) > live else []
    return [Row(Verdict.LIVE, (f"✓ {', '.join(parts)}",))] if parts else []


def _row(one: Standing, now: float, safe: Callable[[str], str]) -> Row:
    def clean(text: str) -> str:
        return " ".join(safe(text).split())

    since = lasting(now - one.since) if one.since and _lacks(one) else ""
    reason = "" if one.state == Verdict.LIVE else plain(one.reason)
    state = f"{SYMBOLS.get(one.state, '·')} {one.state}"
    where = (clean(one.cluster), clean(called(one.about)), clean(one.commit)[:8])
    return Row(one.state, (state, *where, clean(reason), since, clean(why(one))))
