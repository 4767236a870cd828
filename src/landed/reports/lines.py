"""One line for each update and for each object that says nothing, and one line that sums up. Made for logs and grep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from landed.model import Delivery, Look, ObjectRef, Report, Update
from landed.reports.interface import View
from landed.reports.rows import SYMBOLS, plain, rank, silent, troubles

#: Columns wider than this are not aligned: one long name must not push all others out of sight.
WIDEST = 48


def render(report: Report, view: View) -> str:
    """All lines, aligned; the last one sums up. Where a commit was waited for, the answer comes after what was told."""
    notes = (f"· {plain(note)}" for note in report.notes)
    if report.answer is None and not report.explanations:
        return "\n".join((*lines(report), *notes, summary(report))) + "\n"
    from landed.reports.answers import passages  # imported late: most reports answer nothing

    if report.answer is None:
        return "\n".join((*lines(report), *passages(report, view.now), *notes, summary(report))) + "\n"
    told = (f"{_told(report)}.",) if report.deliveries or report.planned else ()
    seen = (*aligned(_deliveries(report)), *told, *_unread(report), *notes)
    return "\n".join((*seen, *passages(report, view.now))) + "\n"


def lines(report: Report) -> tuple[str, ...]:
    """What was delivered, what was not and why, what would be, and which objects say nothing of any commit."""
    return tuple(aligned([*_deliveries(report), *_silent(report)]))


def _deliveries(report: Report) -> list[tuple[str, ...]]:
    return [
        *(_delivered(delivery) for delivery in report.deliveries),
        *(("· planned", *_update(update)) for update in report.planned),
    ]


def _unread(report: Report) -> Iterator[str]:
    for row in (row for look in report.looks for row in troubles(look) if row.state == "unreadable"):
        yield f"{row.symbol} unreadable  {row.cluster}  {row.message}"


def aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Cells as lines, the columns one below the other, two blanks apart."""
    widths: list[int] = []
    for cells in table:
        widths += [0] * (len(cells) - len(widths))
        for number, cell in enumerate(cells):
            widths[number] = max(widths[number], min(len(cell), WIDEST))
    for cells in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()


def summary(report: Report) -> str:
    """The whole run in one line."""
    return f"{_told(report)}; {_seen(report)}."


def what_is_seen(report: Report) -> str:
    """What there is, in one line, for when nothing was to be told."""
    return f"{_seen(report)}."


def _delivered(delivery: Delivery) -> tuple[str, ...]:
    *cells, said = _update(delivery.update)
    if delivery.read_only:
        return ("· not written", *cells, said)
    if delivery.error:
        return ("✗ undelivered", *cells, plain(delivery.error))
    return ("✓ delivered", *cells, said)


def _update(update: Update) -> tuple[str, ...]:
    """Commit, state, what about, whereto, and what is said."""
    from landed.reports.payloads import words  # imported late: a run without news has no updates

    said = words(update)
    to = f"→ {plain(update.destination)}"
    return plain(said.commit), said.state, plain(said.name), to, plain(said.said)


def _silent(report: Report) -> Iterator[tuple[str, ...]]:
    for look in report.looks:
        for row in troubles(look):
            if row.state == "unreadable":
                yield f"{row.symbol} unreadable", row.cluster, "", "", "", row.message
            else:
                yield f"{row.symbol} failing", row.cluster, row.state, row.name, "", row.message or row.reason
        for row in silent(look):
            yield f"{row.symbol} silent", row.cluster, row.state, row.name, "", row.message or row.reason


def _told(report: Report) -> str:
    done = [delivery.update for delivery in report.deliveries if not delivery.error]
    failed = sum(bool(delivery.error) and not delivery.read_only for delivery in report.deliveries)
    kept = len(report.deliveries) - len(done) - failed
    if report.planned:
        return f"{_updates(report.planned)} would be delivered"
    if not report.deliveries:
        return "Nothing new"
    if not done:
        why = "could not be delivered" if failed else "not written, for want of a right"
        return f"{_updates([d.update for d in report.deliveries])} {why}"
    rest = (f"{failed} failed" if failed else "", f"{kept} not written" if kept else "")
    return ", ".join((f"{_updates(done)} delivered", *filter(None, rest)))


def _updates(updates: Iterable[Update]) -> str:
    from landed.reports.payloads import PLURALS, words

    def in_order(counted: tuple[str, int]) -> int:
        return list(PLURALS).index(counted[0])

    kinds = Counter("message" if (kind := words(update).kind) == "event" else kind for update in updates)
    counted = [f"{n} {kind if n == 1 else PLURALS[kind]}" for kind, n in sorted(kinds.items(), key=in_order)]
    return " and ".join((", ".join(counted[:-1]), counted[-1]) if len(counted) > 1 else counted)


def _seen(report: Report) -> str:
    read = [look for look in report.looks if not look.error]
    states = Counter(state for look in read for state in _worst(look).values())
    objects, unread = sum(states.values()), len(report.looks) - len(read)
    found = ", ".join(f"{states[state]} {_WORDS.get(state, state)}" for state in SYMBOLS if states[state])
    text = f"{objects} {'object' if objects == 1 else 'objects'} on {clusters(len(read))}"
    text += f": {found}" if found else ""
    return f"{text}; {clusters(unread)} could not be read" if unread else text


_WORDS = {"failure": "failing", "success": "live"}


def _worst(look: Look) -> dict[ObjectRef, str]:
    """Each object once, though it may speak of two commits, with the worst that it says of the present."""
    worst: dict[ObjectRef, str] = {}
    current = (o for outcome in look.outcomes for o in outcome.observations if not o.past)
    for observation in (*current, *look.silent):
        about, state = observation.about, observation.state
        before = worst.setdefault(about, state)
        if before is not state and rank(state) < rank(before):
            worst[about] = state
    return worst


def clusters(number: int) -> str:
    """So many clusters, in words."""
    return f"{number} cluster" if number == 1 else f"{number} clusters"
