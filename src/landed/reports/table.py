"""A table for people: cluster, commit and object, with state, reason, age and what it says.

On a terminal it is drawn by rich, which is loaded for that alone; anywhere else it is plain aligned text in which
every line stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from landed.model import Report
from landed.reports.interface import View
from landed.reports.lines import aligned, summary, what_is_seen
from landed.reports.rows import COLOURS, Row, plain, rows, troubles
from landed.revision import short

HEAD = ("STATE", "CLUSTER", "COMMIT", "OBJECT", "REASON", "AGE", "MESSAGE")

#: As long as a message would get less than this, other columns give way.
LEAST_MESSAGE = 40


def render(report: Report, view: View) -> str:
    """The table, and a line that sums it up; where a commit was waited for, the answer and why."""
    found = rows(report) if report.answer is None else _standing(report)
    several = len({row.repository for row in found if row.repository}) > 1
    table = [_cells(row, view.now, several=several) for row in found]
    text = ""
    if table:
        text = _drawn(found, table, view) if view.terminal else "\n".join(aligned([HEAD, *table])) + "\n"
    return f"{text}{_ending(report, view.now)}\n"


def _standing(report: Report) -> tuple[Row, ...]:
    """Every object as it stands to the commit that was waited for, and what could not be read."""
    from landed.reports import standings  # imported late: most reports answer nothing

    unread = (row for look in report.looks for row in troubles(look) if row.state == "unreadable")
    repository = plain(report.answer.repository.path) if report.answer else ""
    return (
        *unread,
        *(
            Row(
                plain(one.cluster),
                plain(one.state),
                repository,
                plain(short(one.revision)) or plain(one.commit[:8]),
                standings.called(one.about),
                plain(one.reason),
                one.since,
                standings.why(one),
            )
            for one in standings.standings(report)
        ),
    )


def _cells(row: Row, now: int, *, several: bool) -> tuple[str, ...]:
    commit = f"{row.repository} {row.commit}" if several and row.commit else row.commit
    return (
        f"{row.symbol} {row.state}" + (" (past)" if row.past else ""),
        row.cluster,
        commit or "–",
        row.name or "–",
        row.reason or "–",
        row.age(now) or "–",
        row.message,
    )


def _drawn(found: Sequence[Row], table: Sequence[Sequence[str]], view: View) -> str:
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn: Any = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    columns = _fitted(table, view.width or 80)
    for number, width in columns:
        drawn.add_column(HEAD[number], no_wrap=True, overflow="ellipsis", width=width)
    for row, cells in zip(found, _unrepeated(table), strict=True):
        texts = [Text(cells[number], COLOURS.get(row.state, "dim") if number == 0 else "") for number, _ in columns]
        drawn.add_row(*texts, style="dim" if row.past else "")
    text = io.StringIO()
    Console(
        file=text,
        width=sum(width + 2 for _, width in columns),
        force_terminal=view.colour,
        color_system="standard" if view.colour else None,
        legacy_windows=False,
        _environ={},
    ).print(drawn)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _fitted(table: Sequence[Sequence[str]], room: int) -> list[tuple[int, int]]:
    """(number, width) of the columns to show: the reason gives way first, then the age, then the ends of names."""
    widths = [max(len(name), *(len(cells[number]) for cells in table)) for number, name in enumerate(HEAD)]
    message = HEAD.index("MESSAGE")
    for left_out in ((), ("REASON",), ("REASON", "AGE")):
        shown = [number for number, name in enumerate(HEAD[:message]) if name not in left_out]
        left = room - sum(widths[number] + 2 for number in shown)
        if left >= min(widths[message], LEAST_MESSAGE):
            return [*((number, widths[number]) for number in shown), (message, min(widths[message], left))]
    least = [(number, min(widths[number], 20)) for number in shown]
    return [*least, (message, max(LEAST_MESSAGE // 2, room - sum(width + 2 for _, width in least)))]


def _unrepeated(table: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The cells, without cluster and commit where they are those of the line above."""
    above: Sequence[str] = ()
    for cells in table:
        same = above[1:3] == cells[1:3]
        yield (cells[0], "", "", *cells[3:]) if same else cells
        above = cells


def _ending(report: Report, now: int) -> str:
    if report.answer is not None or report.explanations:
        from landed.reports.answers import passages

        said = "\n".join(passages(report, now, listed=True))
        return said if report.answer is not None else f"{said}\n{what_is_seen(report)}"
    return summary(report) if report.deliveries or report.planned else what_is_seen(report)
