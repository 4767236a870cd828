"""Everything else that a report knows, as plain tables. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from landed import render
from landed.model import Cluster, HelmRelease, Look, Outcome, Report, Update
from landed.reports.html import signs
from landed.reports.html.head import named
from landed.reports.html.seen import Cell, Column
from landed.reports.html.signs import SIGNS, Sign
from landed.reports.payloads import words
from landed.reports.rows import label, outcomes

#: Lines of one table, and characters of a message in it.
MOST, MOST_OF_A_MESSAGE = 200, 500


class Text(Struct, frozen=True):
    """What stands in one place: words, code, a state, a time, or a link."""

    text: str = ""
    kind: str = ""
    """Empty for words, ``code``, ``name``, ``sign`` or ``time``."""
    sign: Sign | None = None
    time: int = 0
    url: str = ""


class Table(Struct, frozen=True):
    """A section of its own."""

    id: str
    title: str
    caption: str
    """What it shows, for those who do not see it."""
    head: tuple[str, ...]
    lines: tuple[tuple[Text, ...], ...]
    left: int = 0
    """Lines that are left out, for want of room."""


def tables(report: Report, columns: Sequence[Column]) -> tuple[Table, ...]:
    """All tables that have anything in them."""
    looks = [column.look for column in columns if column.look is not None and not column.error]
    every = (
        _commits(looks),
        _releases(columns),
        _sources(columns),
        _silent(columns),
        _undelivered(report),
        _delivered(report),
        _planned(report),
        _gone(looks),
        _plain("warnings", "Warnings", "What was not as it should be", "Warning", report.warnings),
        _plain("notes", "Notes", "What was left out on purpose, and how it is asked for", "Note", report.notes),
    )
    return tuple(table for table in every if table.lines)


def _table(id_: str, title: str, caption: str, head: Sequence[str], lines: Sequence[tuple[Text, ...]]) -> Table:
    return Table(id_, title, caption, tuple(head), tuple(lines[:MOST]), max(0, len(lines) - MOST))


def _plain(id_: str, title: str, caption: str, head: str, texts: Sequence[str]) -> Table:
    return _table(id_, title, caption, (head,), [(Text(text),) for text in texts])


def _code(text: str) -> Text:
    return Text(text, "code")


def _name(text: str) -> Text:
    return Text(text, "name")


def _sign(key: str) -> Text:
    return Text(kind="sign", sign=SIGNS[key])


def _time(seconds: int) -> Text:
    return Text(kind="time", time=seconds)


def _message(text: str) -> Text:
    return Text(render.cut(signs.line(text), MOST_OF_A_MESSAGE))


# ── commits ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _commits(looks: Sequence[Look]) -> Table:
    lines = [_commit(look, outcome) for look in looks for outcome in outcomes(look) if _of_a_commit(outcome)]
    head = ("State", "Repository", "Commit", "Cluster", "What it says")
    return _table("commits", "Commits", "What the clusters say of each commit now", head, lines)


def _gone(looks: Sequence[Look]) -> Table:
    lines = [_commit(look, outcome) for look in looks for outcome in outcomes(look) if outcome.past]
    head = ("State", "Repository", "Commit", "Cluster", "What it said")
    return _table("gone", "Came and went", "Commits that were replaced between two looks", head, lines)


def _of_a_commit(outcome: Outcome) -> bool:
    return bool(outcome.commit) and not outcome.past


def _commit(look: Look, outcome: Outcome) -> tuple[Text, ...]:
    url = signs.link(render.commit_url(outcome.repository, outcome.commit))
    return (
        _sign(signs.key(outcome.state)),
        _name(outcome.repository.path),
        Text(label(outcome), "code", url=url),
        _name(look.cluster),
        _message(render.summary(outcome, MOST_OF_A_MESSAGE)),
    )


# ── objects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cells(columns: Sequence[Column], *kinds: str) -> Iterator[tuple[Column, Cell]]:
    """The objects of some kinds, worst first."""
    found = [(column, cell) for column in columns for cell in column.cells.values() if cell.about.kind in kinds]
    yield from sorted(found, key=lambda pair: (signs.rank(pair[1].key), pair[1].about, pair[0].name))


def _releases(columns: Sequence[Column]) -> Table:
    read = {id(column): _by_ref(column.look.read if column.look else None) for column in columns}
    lines = []
    for column, cell in _cells(columns, "HelmRelease"):
        release = read[id(column)].get(cell.about)
        lines.append((
            _sign(cell.key),
            _name(f"{cell.about.namespace}/{cell.about.name}"),
            _name(column.name),
            _name(named(release.owner) if release and release.owner else ""),
            _code(release.attempted if release else ""),
            _code(cell.commit),
            _message(cell.said[0].doomed or cell.said[0].message or render.words(cell.said[0].reason)),
            _time(cell.said[0].since),
        ))  # fmt: skip
    head = ("State", "HelmRelease", "Cluster", "Applied by", "Chart", "Commit", "Message", "Since")
    return _table("releases", "HelmReleases", "How each HelmRelease stands now", head, lines)


def _by_ref(read: Cluster | None) -> dict[object, HelmRelease]:
    return {release.ref: release for release in read.helm_releases} if read else {}


def _sources(columns: Sequence[Column]) -> Table:
    lines = [
        (
            _sign(cell.key),
            _name(named(cell.about)),
            _name(column.name),
            _code(cell.said[0].reason),
            _message(cell.said[0].message),
            _time(cell.said[0].since),
        )
        for column in columns
        for cell in sorted(column.cells.values(), key=lambda cell: cell.about)
        if cell.about.kind not in ("Kustomization", "HelmRelease") and cell.key == "failed"
    ]
    head = ("State", "Source", "Cluster", "Reason", "Message", "Since")
    caption = "Sources that bring nothing new, although what is behind them may look well"
    return _table("sources", "Sources that cannot fetch", caption, head, lines)


def _silent(columns: Sequence[Column]) -> Table:
    keys = ("suspended", "deleting", "new", "stale")
    lines = [
        (
            _sign(cell.key),
            _name(named(cell.about)),
            _name(column.name),
            _code(cell.commit),
            _message(cell.said[0].message),
            _time(cell.said[0].since),
        )
        for column in columns
        for cell in sorted(column.cells.values(), key=lambda cell: (signs.rank(cell.key), cell.about))
        if cell.key in keys
    ]
    head = ("State", "Object", "Cluster", "Applied", "Message", "Since")
    caption = "Objects that are suspended, new, being deleted, or not looked at"
    return _table("silent", "Says nothing of any commit", caption, head, lines)


# ── deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _undelivered(report: Report) -> Table:
    lines = [
        (
            Text("not written" if delivery.read_only else "not delivered"),
            _name(delivery.update.destination),
            _name(words(delivery.update).name),
            _code(words(delivery.update).commit),
            _message(delivery.error),
            _message(delivery.hint),
        )
        for delivery in report.deliveries
        if delivery.error
    ]
    head = ("Result", "To", "What about", "Commit", "Why", "What to do")
    return _table("undelivered", "Not delivered", "Updates that did not reach their destination", head, lines)


def _delivered(report: Report) -> Table:
    return _told("delivered", "Delivered", "Updates that were acknowledged", [
        delivery.update for delivery in report.deliveries if not delivery.error
    ])  # fmt: skip


def _planned(report: Report) -> Table:
    return _told("planned", "Would be delivered", "Updates that a run without --dry-run would send", report.planned)


def _told(id_: str, title: str, caption: str, updates: Sequence[Update]) -> Table:
    lines = []
    for update in updates:
        said = words(update)
        key = signs.key(said.state)
        lines.append((
            _sign(key), _name(update.destination), _name(said.name), _code(said.commit), _message(said.said),
            Text("open", url=_target(update)) if _target(update) else Text(),
        ))  # fmt: skip
    return _table(id_, title, caption, ("State", "To", "What about", "Commit", "What it says", "Link"), lines)


def _target(update: Update) -> str:
    found = (getattr(update.payload, name, "") for name in ("target_url", "environment_url", "log_url"))
    return next((link for url in found if (link := signs.link(url))), "")
