"""One object while it is read: its fields against their rules, and everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from landed.config.manifests.nodes import Node, below, plain, walk
from landed.config.manifests.problems import one_line, quoted
from landed.config.manifests.rules import NEWEST, Rule
from landed.config.manifests.values import Place, Problem

DEFAULT_NAMESPACE = "default"
#: Flux's substitution after a build, https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
VARIABLE = r"(?<!\$)\$\{\w+(?:[:=?/#%^,-][^{}]*)?\}"
_ARTICLES = {
    "text": "text",
    "bool": "true or false",
    "number": "a number",
    "null": "null",
    "map": "a mapping",
    "object": "a mapping",
    "list": "a list",
}
_INSTEAD = {"bool": "Write true or false, without quotes.", "list": "Write a list.", "map": "Write a mapping."}


class Reading:
    """Gathers problems and notes about one object. None of them holds the value of an address, a proxy or a Secret."""

    def __init__(self, node: Node, kind: str, version: str, file: str, document: int) -> None:
        self.node = node
        self.kind = kind
        self.version = version
        metadata = node.entry("metadata")
        self.name = metadata.text("name") if metadata else ""
        self.named = bool(metadata and metadata.text("namespace"))
        """Whether its namespace is written."""
        self.namespace = (metadata.text("namespace") if metadata else "") or DEFAULT_NAMESPACE
        self.place = Place(file, node.line, document)
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._newer: list[str] = []
        self._lines = {"": node.line}

    @property
    def about(self) -> str:
        """``Provider flux-system/slack``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.name else self.kind

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    def problem(self, field: str, what: str, instead: str = "") -> None:
        """Something is wrong: the object cannot be used."""
        line, known = 0, field
        while not line and known:
            line = self._lines.get(known, 0)
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        place = Place(self.place.file, line or self.place.line, self.place.document)
        self.problems.append(Problem(place, self.about, field, what, instead))

    def note(self, text: str) -> None:
        """Something is not as somebody may expect."""
        self.notes.append(one_line(f"{self.about}: {text}"))

    def newer(self, field: str, since: str) -> None:
        """The object's version does not know what it holds there."""
        if since > self.version:
            self._newer.append(field)

    def check(self, rule: Rule) -> Any:
        """The whole object as plain values, as far as it keeps to ``rule``; everything else is a problem."""
        for field, node in walk(self.node):
            self._lines.setdefault(field, node.line)
            self._damage(field, node)
        value = _value(self, self.node, rule, "")
        if self._newer:
            self.note(f"{self.version} does not know {', '.join(self._newer)}; it is read as {NEWEST}")
        return value

    def lines(self) -> Mapping[str, int]:
        """Field → line, of an object from a file."""
        return {field: line for field, line in self._lines.items() if field and line}

    def plain(self) -> dict[str, Any]:
        """All of it, with the namespace that was taken."""
        whole: dict[str, Any] = plain(self.node)
        return whole | {"metadata": {**whole["metadata"], "namespace": self.namespace}}

    def variables(self) -> None:
        """Note the fields that hold variables: in a file nothing has put their values in. Their names are not told:
        a field may hold a secret.
        """
        held = [field for field, node in walk(self.node) if node.type == "text" and re.search(VARIABLE, node.value)]
        if held and self.place.line:
            self.note(
                f"there are variables such as ${{NAME}} in {', '.join(held)}. They stay as they are: it is Flux that "
                "substitutes them, when it applies the file"
            )

    def _damage(self, field: str, node: Node) -> None:
        if node.type == "tagged":
            self.problem(
                field, "it has a tag that is not YAML's own", "Take away what begins with an exclamation mark."
            )
        for fault in node.faults:
            there = below(field, fault.key) if fault.key else field
            self._lines[there] = fault.line
            self.problem(there, fault.what, fault.instead)


def _value(reading: Reading, node: Node, rule: Rule, field: str) -> Any:
    """None where there is nothing usable."""
    if node.type == "tagged" or rule.type == "any":
        return None
    expected = "map" if rule.type == "object" else rule.type
    if node.type != expected:
        _wrong_type(reading, node, expected, field)
        return None
    if expected == "map":
        return _object(reading, node, rule, field) if rule.type == "object" else _map(reading, node, field)
    if expected == "list":
        items = [
            _value(reading, item, rule.items or rule, f"{field}[{place}]") for place, item in enumerate(node.value)
        ]
        return [item for item in items if item is not None]
    return _text(reading, node.value, rule, field) if expected == "text" else node.value


def _wrong_type(reading: Reading, node: Node, expected: str, field: str) -> None:
    what = f"it is {_ARTICLES[node.type]}, not {_ARTICLES[expected]}"
    if node.type == "text" and re.search(VARIABLE, node.value):
        what, instead = _VARIABLE_THERE
    elif expected == "text" and node.type in ("bool", "number"):
        instead = "Write it in quotes."
    elif node.type == "text" and not node.value:
        instead = "Leave it out, or give it a value."
    else:
        instead = _INSTEAD.get(expected, "Write text.")
    reading.problem(field, what, instead)


_VARIABLE_THERE = (
    "it holds a variable such as ${NAME}, which nothing replaces here",
    "Write the value, or give the files after Flux's substitution.",
)


def _object(reading: Reading, node: Node, rule: Rule, field: str) -> dict[str, Any]:
    for key in node.value:
        if key not in rule.fields:
            _unknown(reading, below(field, key), key, rule)
    values = {}
    for key, known in rule.fields.items():
        there, entry = below(field, key), node.entry(key)
        if entry is not None:
            reading.newer(there, known.since)
            values[key] = _value(reading, entry, known, there)
        elif known.needed:
            reading.problem(there, "it is missing", f"Write {there}.")
    return {key: value for key, value in values.items() if value is not None}


def _unknown(reading: Reading, field: str, key: str, rule: Rule) -> None:
    near = nearest(key, rule.fields)
    instead = f"Did you mean {near}?" if near else f"There are {', '.join(sorted(rule.fields))}."
    reading.problem(field, "there is no such field", instead)


def _map(reading: Reading, node: Node, field: str) -> dict[str, str]:
    """Text by text; null is as nothing, as to the API server."""
    there = {key: item for key, item in node.value.items() if item.type != "null"}
    values = {key: _value(reading, item, Rule(), below(field, key)) for key, item in there.items()}
    return {key: value for key, value in values.items() if value is not None}


def _text(reading: Reading, value: str, rule: Rule, field: str) -> str | None:
    has_variable = re.search(VARIABLE, value)
    if not value and not rule.empty:
        reading.problem(field, "it is empty", "Give it a value.")
    elif rule.limit and len(value) > rule.limit:
        reading.problem(field, f"it is {len(value)} characters long", f"At most {rule.limit} are taken.")
    elif has_variable and (rule.choices or rule.pattern) and not field.startswith("metadata."):
        reading.problem(field, *_VARIABLE_THERE)
    elif rule.choices and value not in rule.choices:
        near = nearest(value, rule.choices)
        instead = f"Did you mean {near}?" if near else f"Take one of {', '.join(sorted(rule.choices))}."
        reading.problem(field, f"there is no {quoted(value)}", instead)
    elif rule.pattern and not has_variable and not re.fullmatch(rule.pattern, value):
        reading.problem(field, "it is not of the form that is taken", f"Write {rule.form}.")
    else:
        return value
    return None


def nearest(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """The one of ``known`` that was probably meant, else ""."""
    from difflib import get_close_matches

    if len(word) > 4 * max(map(len, known)):
        return ""
    spelt = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), list(spelt), 1, 0.6)
    return spelt[close[0]] if close else ""
