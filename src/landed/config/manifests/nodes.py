"""Values of a document that know their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

#: Levels of nesting; Kubernetes' longest schemas have some 60.
DEEPEST = 100


class Fault(Struct, frozen=True):
    """Something in a mapping that no manifest may have."""

    key: str
    line: int
    what: str
    instead: str


class Node(Struct, frozen=True):
    """A value of a document."""

    type: str
    """``text``, ``bool``, ``number``, ``null``, ``map``, ``list``; ``tagged`` where it has a tag of somebody's own."""
    line: int
    """Of its key, where it has one; counted from 1, 0 where it is from no file."""
    value: Any
    """Of a map ``dict[str, Node]``, of a list ``list[Node]``."""
    size: int = 1
    """Itself and all values in it."""
    faults: tuple[Fault, ...] = ()

    def entry(self, key: str) -> Node | None:
        """What a map has under ``key``; None where there is nothing, or null, which Kubernetes takes for nothing."""
        found = self.value.get(key) if self.type == "map" else None
        return found if isinstance(found, Node) and found.type != "null" else None

    def text(self, key: str) -> str:
        """The text that a map has under ``key``, else ""."""
        found = self.entry(key)
        return found.value if found and found.type == "text" else ""


class Unreadable(Exception):
    """What is there cannot be made into a tree. It quotes nothing of it."""

    def __init__(self, what: str, line: int = 0, instead: str = "", *, anywhere: bool = False) -> None:
        super().__init__(what)
        self.anywhere = anywhere
        """Whether it may be in a later document than the first that was not read."""
        self.what = what
        self.line = line
        self.instead = instead


def of(value: object, depth: int = 0) -> Node:
    """What was decoded from JSON, as a tree. Raises Unreadable where it is nested too deeply."""
    if depth > DEEPEST:
        raise too_deep(0)
    if isinstance(value, Mapping):
        entries = {str(key): of(item, depth + 1) for key, item in value.items()}
        return Node("map", 0, entries, 1 + sum(entry.size for entry in entries.values()))
    if isinstance(value, (list, tuple)):
        items = [of(item, depth + 1) for item in value]
        return Node("list", 0, items, 1 + sum(item.size for item in items))
    for type_, known in (("null", type(None)), ("bool", bool), ("number", (int, float)), ("text", str)):
        if isinstance(value, known):
            return Node(type_, 0, value)
    return Node("tagged", 0, None)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if node.type == "map":
        return {key: plain(item) for key, item in node.value.items()}
    if node.type == "list":
        return [plain(item) for item in node.value]
    return node.value


def walk(node: Node, field: str = "") -> Iterator[tuple[str, Node]]:
    """Every value in ``node`` with its field: ``spec.eventSources[1].kind``; ``node`` itself comes first."""
    yield field, node
    if node.type == "map":
        for key, item in node.value.items():
            yield from walk(item, below(field, key))
    elif node.type == "list":
        for place, item in enumerate(node.value):
            yield from walk(item, f"{field}[{place}]")


def below(field: str, key: str) -> str:
    """The field ``key`` of ``field``."""
    return f"{field}.{key}" if field else key


def too_deep(line: int) -> Unreadable:
    """It is nested too deeply."""
    return Unreadable(f"it is nested more than {DEEPEST} levels deep", line)
