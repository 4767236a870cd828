"""JSON Merge Patch (RFC 7386) and JSON Patch (RFC 6902), on values that are never changed in place."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from landed.sandbox.problem import Problem, bad_request


def merged(target: object, patch: object) -> Any:
    """``target`` after a merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def patched(target: object, operations: object) -> Any:
    """``target`` after a JSON Patch. Raises Problem 400 for nonsense, 422 where it does not fit the target."""
    if not isinstance(operations, list) or not all(isinstance(entry, dict) for entry in operations):
        raise bad_request("a JSON patch is a list of operations")
    document = copy.deepcopy(target)
    for entry in operations:
        operation = entry.get("op")
        if operation not in _OPERATIONS:
            raise bad_request(f"unknown JSON patch operation {operation!r}")
        document = _OPERATIONS[operation](document, entry)
    return document


def _add(document: Any, entry: dict[str, Any]) -> Any:
    return _insert(document, _pointer(entry, "path"), copy.deepcopy(entry.get("value")))


def _remove(document: Any, entry: dict[str, Any]) -> Any:
    path = _pointer(entry, "path")
    if not path:
        return None
    parent, last = _find(document, path[:-1]), path[-1]
    _step(parent, last)
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _replace(document: Any, entry: dict[str, Any]) -> Any:
    path, value = _pointer(entry, "path"), copy.deepcopy(entry.get("value"))
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    _step(parent, last)
    parent[int(last) if isinstance(parent, list) else last] = value
    return document


def _move(document: Any, entry: dict[str, Any]) -> Any:
    source = _pointer(entry, "from")
    value = _find(document, source)
    document = _remove(document, {"path": entry["from"]})
    return _insert(document, _pointer(entry, "path"), value)


def _copy(document: Any, entry: dict[str, Any]) -> Any:
    value = copy.deepcopy(_find(document, _pointer(entry, "from")))
    return _insert(document, _pointer(entry, "path"), value)


def _test(document: Any, entry: dict[str, Any]) -> Any:
    if _find(document, _pointer(entry, "path")) != entry.get("value"):
        raise _unfit(f"testing path {entry.get('path')} failed")
    return document


_OPERATIONS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test}


def _insert(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and last == "-":
        parent.append(value)
    elif isinstance(parent, list) and last.isdecimal() and int(last) <= len(parent):
        parent.insert(int(last), value)
    else:
        raise _unfit(f"add operation does not apply: doc is missing path: {'/'.join(path)}")
    return document


def _pointer(entry: dict[str, Any], field: str) -> list[str]:
    text = entry.get(field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"{field} of a JSON patch operation must be a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _find(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = _step(document, part)
    return document


def _step(parent: Any, part: str) -> Any:
    if isinstance(parent, dict) and part in parent:
        return parent[part]
    if isinstance(parent, list) and part.isdecimal() and int(part) < len(parent):
        return parent[int(part)]
    raise _unfit(f"doc is missing key: {part}")


def _unfit(message: str) -> Problem:
    return Problem(422, "Invalid", f"the server rejected our request due to an error in our request: {message}")
