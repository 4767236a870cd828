"""Label and field selectors.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from landed.sandbox.kinds import Object
from landed.sandbox.problem import bad_request

Matches = Callable[[Object], bool]

_SET = re.compile(r"^(?P<name>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<name>[^\s!=]+)\s*(?P<operator>!=|==?)\s*(?P<value>[^\s!=]*)$")
_EXISTS = re.compile(r"^(?P<absent>!?)\s*(?P<name>[^\s!=()]+)$")
#: The fields that any object may be selected by.
_FIELDS = ("metadata.name", "metadata.namespace")


def label_selector(text: str) -> Matches:
    """What ``labelSelector=text`` lets through. Raises Problem 400."""
    tests = [_requirement(part) for part in re.split(r",(?![^(]*\))", text) if part.strip()]

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    text = text.strip()
    if found := _SET.match(text):
        name, values = found["name"], {value.strip() for value in found["values"].split(",")}
        if found["operator"] == "in":
            return lambda labels: labels.get(name) in values
        return lambda labels: labels.get(name) not in values
    if found := _EQUAL.match(text):
        name, value = found["name"], found["value"]
        if found["operator"] == "!=":
            return lambda labels: labels.get(name) != value
        return lambda labels: labels.get(name) == value
    if found := _EXISTS.match(text):
        name, absent = found["name"], bool(found["absent"])
        return lambda labels: (name in labels) != absent
    raise bad_request(f"unable to parse requirement: {text!r}")


def field_selector(text: str, more: Collection[str] = ()) -> Matches:
    """What ``fieldSelector=text`` lets through; ``more`` are fields of the kind.

    Raises Problem 400, for fields that are not served too.
    """
    tests = []
    for part in filter(None, text.split(",")):
        found = _EQUAL.match(part.strip())
        if not found or found["name"] not in (*_FIELDS, *more):
            label = found["name"] if found else part
            raise bad_request(f"field label not supported: {label}")
        tests.append((found["name"].split("."), found["value"], found["operator"] != "!="))

    def matches(obj: Object) -> bool:
        return all((_field(obj, path) == value) == wanted for path, value, wanted in tests)

    return matches


def _field(obj: object, path: Sequence[str]) -> object:
    for name in path:
        obj = obj.get(name, "") if isinstance(obj, dict) else ""
    return obj
