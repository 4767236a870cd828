"""Clusters × Kustomizations: how each stands now, what needs eyes first. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from landed import render
from landed.model import ObjectRef
from landed.reports.html import signs
from landed.reports.html.seen import Cell, Column, Said
from landed.reports.html.signs import SIGNS, Sign

#: Cells on the page, those of them that can be opened, and how many there may be for their messages to be long.
MOST_CELLS, MOST_OPEN, FEW = 20_000, 4_000, 300
LONG, SHORT = 3_000, 500


class Field(Struct, frozen=True):
    """One line of what a cell tells when it is opened."""

    name: str
    text: str
    code: bool = False


class Part(Struct, frozen=True):
    """One thing that is said of an object, to be read."""

    sign: Sign
    commit: str
    fields: tuple[Field, ...]


class Square(Struct, frozen=True):
    """One place in the table."""

    sign: Sign | None
    """None where the object is not on this cluster."""
    commit: str = ""
    parts: tuple[Part, ...] = ()
    """Empty where there is nothing to open."""
    fields: tuple[Field, ...] = ()


class Line(Struct, frozen=True):
    """One Kustomization."""

    about: ObjectRef
    calm: bool
    """Whether it is live wherever it is."""
    squares: tuple[Square, ...]


class Head(Struct, frozen=True):
    """What stands above a column."""

    name: str
    said: str
    sign: Sign


class Group(Struct, frozen=True):
    """Lines that belong together; the name is empty where there is one group only."""

    name: str
    lines: tuple[Line, ...]


class Matrix(Struct, frozen=True):
    """The table."""

    heads: tuple[Head, ...]
    groups: tuple[Group, ...]
    left: int = 0
    """Kustomizations that have no line, for want of room; the calmest ones."""
    closed: bool = False
    """Whether there are live ones that cannot be opened, for want of room."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of them."""
        return tuple(line for group in self.groups for line in group.lines)

    @property
    def mixed(self) -> bool:
        """Whether there are enough lines, calm ones and others, to look at the others alone."""
        lines = self.lines
        return len(lines) > 12 and 0 < sum(line.calm for line in lines) < len(lines)


def matrix(columns: Sequence[Column], now: int) -> Matrix:
    """The table of everything that is known; ages are counted from ``now``."""
    cells = [{about: cell for about, cell in c.cells.items() if about.kind == "Kustomization"} for c in columns]
    order = sorted({about for column in cells for about in column}, key=lambda about: _urgency(cells, about))
    room = max(1, MOST_CELLS // max(1, len(columns)))
    shown, rest = order[:room], order[room:]
    many = len(shown) * len(columns)
    live_too = many <= MOST_OPEN
    width = LONG if many <= FEW else SHORT
    groups: dict[str, list[Line]] = {}
    split = len({_asked(cells, about) for about in shown}) > 1
    for about in shown:
        title = ("Waited for" if _asked(cells, about) else "Not waited for") if split else ""
        squares = tuple(
            _square(found.get(about), column, now, width, live_too)
            for found, column in zip(cells, columns, strict=True)
        )
        calm = all(square.sign is None or square.sign.key == "live" for square in squares)
        groups.setdefault(title, []).append(Line(about, calm, squares))
    heads = tuple(_head(column, found) for column, found in zip(columns, cells, strict=True))
    return Matrix(heads, tuple(Group(name, tuple(lines)) for name, lines in groups.items()), len(rest), not live_too)


def _asked(cells: Sequence[dict[ObjectRef, Cell]], about: ObjectRef) -> bool:
    return any(column[about].asked for column in cells if about in column)


def _urgency(cells: Sequence[dict[ObjectRef, Cell]], about: ObjectRef) -> tuple[bool, int, int, str, str]:
    keys = [column[about].key for column in cells if about in column]
    first = signs.worst(keys)
    return not _asked(cells, about), signs.rank(first), -keys.count(first), about.namespace, about.name


def _head(column: Column, cells: dict[ObjectRef, Cell]) -> Head:
    if column.error:
        return Head(column.name, "could not be read", SIGNS["unreadable"])
    found = Counter(cell.key for cell in cells.values())
    said = f"{found['live']} of {len(cells)} live" if cells else "nothing there"
    return Head(column.name, said, SIGNS[signs.worst(found)])


def _square(cell: Cell | None, column: Column, now: int, width: int, live_too: bool) -> Square:
    if column.error:
        return Square(SIGNS["unreadable"])
    if cell is None:
        return Square(None)
    if cell.key == "live" and not live_too:
        return Square(SIGNS["live"], cell.commit)
    parts = tuple(_part(said, now, width) for said in cell.said)
    return Square(SIGNS[cell.key], cell.commit, parts, tuple(_stock(cell)))


def _part(said: Said, now: int, width: int) -> Part:
    found = [Field("Will fail", said.doomed)] if said.doomed else []
    if said.reason and said.reason != "ReconciliationSucceeded":
        found.append(Field("Reason", said.reason, code=True))
    if said.message and not said.message.startswith("Applied revision: "):
        found.append(Field("Message", render.cut(said.message, width)))
    if said.waits_for:
        found.append(Field("Waits for", f"{said.waits_for.namespace}/{said.waits_for.name}", code=True))
    if said.since:
        found.append(Field("Since", f"{signs.moment(said.since)}, {signs.ago(said.since, now)}"))
    if said.duration:
        found.append(Field("Took", render.duration(said.duration)))
    return Part(SIGNS[said.key], signs.digits(said.commit or said.revision), tuple(found))


def _stock(cell: Cell) -> list[Field]:
    """What the object itself holds, whatever is said of it."""
    k = cell.kustomization
    if k is None:
        revision = cell.said[0].revision
        return [Field("Revision", revision, code=True)] if revision else []
    found = [Field("Applied", k.applied or "nothing yet", code=bool(k.applied))]
    if k.attempted and k.attempted != k.applied:
        found.append(Field("Attempted", k.attempted, code=True))
    if k.applied_origin:
        found.append(Field("Origin", k.applied_origin, code=True))
    if k.path:
        found.append(Field("Path", k.path, code=True))
    if cell.key == "live" and k.history and not any(said.duration for said in cell.said):
        found.append(Field("Took", render.duration(k.history[0].duration)))
    return found
