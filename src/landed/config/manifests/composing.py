"""YAML and JSON as trees that know their lines.

Scalars are told apart as kubectl does it (YAML 1.1 without its sexagesimals and dates), because what kubectl takes for
text must be text here: https://yaml.org/type/ . A tree is made from the parser's events, not by its composer, which
falls over where something is nested deeply and follows aliases without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from landed.config.manifests.nodes import DEEPEST, Fault, Node, Unreadable, too_deep
from landed.config.manifests.problems import quoted

#: Values in one file, and values in one document that are there by way of an alias.
MOST_VALUES = 500_000
MOST_COPIES = 50_000

#: Faults of one mapping that are told.
MOST_FAULTS = 20

_CORE = "tag:yaml.org,2002:"
_WORDS: Mapping[str, tuple[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), ("null", None)),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), ("bool", True)),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), ("bool", False)),
}
_NUMBER = r"""(?ax)
    [-+]? (?: 0b[01_]+ | 0o[0-7_]+ | 0x[0-9a-fA-F_]+ | [0-9][0-9_]*
            | (?: \.[0-9]+ | [0-9][0-9_]*(?:\.[0-9_]*)? ) (?: [eE][-+]?[0-9]+ )?
            | \.(?:inf|Inf|INF) )
    | \.(?:nan|NaN|NAN)
    """
_SURROGATES = r"(\\\\)|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"


def documents(text: str) -> tuple[list[Node], Unreadable | None]:
    """The documents of a file of YAML or JSON, empty ones included, and what ended the reading before the last one."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tree = _Tree(yaml.parse(_json_as_yaml(text), Loader=loader))
    try:
        tree.documents()
    except yaml.YAMLError as error:
        return tree.found, _unreadable(error, text)
    except Unreadable as error:
        return tree.found, error
    return tree.found, None


class _Tree:
    """Makes trees from the events of a parser."""

    def __init__(self, events: Iterator[Any]) -> None:
        import yaml

        self.found: list[Node] = []
        """What is whole."""
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._values = self._copies = 0
        self._kinds = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingStartEvent: self._mapping,
        }
        self._refers = yaml.AliasEvent
        self._opens, self._ends = yaml.DocumentStartEvent, (yaml.SequenceEndEvent, yaml.MappingEndEvent)

    def documents(self) -> None:
        """Fill ``found``. Raises Unreadable and YAMLError."""
        for event in self._events:
            if isinstance(event, self._opens):
                self._anchors, self._copies = {}, 0
                self.found.append(self._node(next(self._events), 0))

    def _node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + 1
        self._values += 1
        if depth > DEEPEST:
            raise too_deep(line)
        if self._values > MOST_VALUES:
            raise Unreadable(f"there are more than {MOST_VALUES} values in it", line, "Take several files.")
        node = self._kinds[type(event)](event, line, depth)
        if event.anchor and type(event) is not self._refers:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any, line: int, depth: int) -> Node:
        if event.tag not in (None, "!"):
            return _tagged(event, line)
        if event.tag is None and event.implicit[0]:
            type_, value = _resolved(event.value)
            return Node(type_, line, value)
        return Node("text", line, event.value)

    def _alias(self, event: Any, line: int, depth: int) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise Unreadable(
                "an alias (*) stands for nothing before it", line, "Put a text that begins with * in quotes"
            )
        self._copies += node.size
        if self._copies > MOST_COPIES:
            raise Unreadable("its aliases (*) blow it up", line, "Write it without aliases.")
        return Node(node.type, line, node.value, node.size, node.faults)

    def _sequence(self, event: Any, line: int, depth: int) -> Node:
        items = [self._node(inner, depth + 1) for inner in iter(self._inner, None)]
        return _own(event, Node("list", line, items, 1 + sum(item.size for item in items)), "seq")

    def _inner(self) -> Any:
        """The next event of a collection; None at its end."""
        event = next(self._events)
        return None if isinstance(event, self._ends) else event

    def _mapping(self, event: Any, line: int, depth: int) -> Node:
        entries: dict[str, Node] = {}
        merged: list[Node] = []
        faults: list[Fault] = []
        for start in iter(self._inner, None):
            key = self._node(start, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if key.value == "<<" and start.tag is None and getattr(start, "implicit", (False,))[0]:
                merged += value.value if value.type == "list" else [value]
            else:
                _enter(entries, faults, key, value)
        for other in merged:
            _merge(entries, faults, other)
        size = 1 + sum(entry.size for entry in entries.values())
        return _own(event, Node("map", line, entries, size, tuple(faults[:MOST_FAULTS])), "map")


def _enter(entries: dict[str, Node], faults: list[Fault], key: Node, value: Node) -> None:
    name = _key(key)
    if name is None:
        faults.append(Fault("", key.line, "a key is not text", "Write the key in quotes."))
    elif name in entries:
        faults.append(Fault(name, key.line, f"{quoted(name)} is there twice", "Leave one of them out."))
    else:
        entries[name] = Node(value.type, key.line, value.value, value.size, value.faults)


def _merge(entries: dict[str, Node], faults: list[Fault], other: Node) -> None:
    """What ``<<`` brings; what is written beside it wins."""
    if other.type != "map":
        faults.append(Fault("<<", other.line, "<< merges mappings only", "Give it an alias of a mapping."))
        return
    for key, value in other.value.items():
        entries.setdefault(key, value)


def _key(node: Node) -> str | None:
    """A key as text: kubectl takes numbers and words like true, too, where they can only be written in one way."""
    if node.type == "text":
        return str(node.value)
    if node.type == "bool":
        return str(node.value).lower()
    return str(node.value) if node.type == "number" and isinstance(node.value, int) else None


def _resolved(text: str) -> tuple[str, object]:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789" and re.fullmatch(_NUMBER, text):
        return "number", _number(text)
    return "text", text


def _number(text: str) -> object:
    if re.fullmatch(r"(?a)-?(?:0|[1-9][0-9]{0,29})", text):
        return int(text)
    try:
        return float(text.replace("_", ""))
    except ValueError:  # hexadecimal and the like, which nothing here reads
        return text


def _tagged(event: Any, line: int) -> Node:
    """A scalar with a tag: those of YAML itself say what it is."""
    if event.tag == f"{_CORE}str":
        return Node("text", line, event.value)
    type_, value = _resolved(event.value)
    meant = {"int": "number", "float": "number", "bool": "bool", "null": "null"}.get(event.tag.removeprefix(_CORE))
    return Node(type_, line, value) if meant == type_ else Node("tagged", line, None)


def _own(event: Any, node: Node, tag: str) -> Node:
    return node if event.tag in (None, "!", f"{_CORE}{tag}") else Node("tagged", node.line, None)


def _json_as_yaml(text: str) -> str:
    r"""JSON is YAML but for pairs such as ``\ud83d\ude00``, with which it may write one character."""
    if not text.lstrip().startswith(("{", "[")):
        return text

    def character(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group()
        high, low = (int(match.group(place), 16) for place in (2, 3))
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))

    return re.sub(_SURROGATES, character, text)


def _unreadable(error: Any, text: str) -> Unreadable:
    """In the parser's words, which are always the same; its ``str`` would quote the text."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        what = f"it is not YAML: {error.problem or 'it breaks off'} (column {mark.column + 1})"
        return Unreadable(what, mark.line + 1)
    before = text.encode()[: getattr(error, "position", 0)]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return Unreadable(
        f"it is not YAML: it holds a control character (column {column})", line, "Take it out.", anywhere=True
    )
