"""Server-side apply, as far as one needs it: fields have owners, owners may conflict, what is left out goes away.

Lists belong to one owner as a whole, and only what was applied is tracked: what is written in other ways is
nobody's.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from landed.sandbox.kinds import Kind, Object
from landed.sandbox.objects import now
from landed.sandbox.problem import Problem

Path = tuple[str, ...]

_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}


def applied(kind: Kind, before: Object | None, sent: Object, manager: str, *, force: bool) -> Object:
    """``before`` (None: nothing yet) after ``manager`` applied ``sent``. Raises Problem 409 on a conflict."""
    result = copy.deepcopy(before) if before else {"metadata": {}}
    fields = dict(_leaves(sent))
    managed = list(result["metadata"].get("managedFields", ()))
    owned = {path: entry["manager"] for entry in managed for path in _paths(entry["fieldsV1"])}
    if not force:
        _check_conflicts(result, fields, owned, manager)
    for path in [path for path, owner in owned.items() if owner == manager and path not in fields]:
        _discard(result, path)
    for path, value in fields.items():
        _set(result, path, copy.deepcopy(value))
    result["metadata"]["managedFields"] = _managed(kind, managed, fields, manager, force=force)
    return result


def _check_conflicts(current: Object, fields: Mapping[Path, object], owned: Mapping[Path, str], manager: str) -> None:
    taken = sorted(
        (path, owned[path])
        for path, value in fields.items()
        if owned.get(path, manager) != manager and _get(current, path) != value
    )
    if not taken:
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{owner}"', "field": "." + ".".join(path)}
        for path, owner in taken
    ]
    listed = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    message = f"Apply failed with {len(taken)} conflict{'s' if len(taken) > 1 else ''}: {listed}"
    raise Problem(409, "Conflict", message, details={"causes": causes})


def _managed(
    kind: Kind, before: list[Any], fields: Mapping[Path, object], manager: str, *, force: bool
) -> list[dict[str, Any]]:
    entries = [entry for entry in before if entry["manager"] != manager]
    if force:
        entries = [entry | {"fieldsV1": _tree(set(_paths(entry["fieldsV1"])) - set(fields))} for entry in entries]
    mine = _tree(set(fields) - _IDENTITY)
    return [*entries, {
        "manager": manager, "operation": "Apply", "apiVersion": kind.api_version, "time": now(),
        "fieldsType": "FieldsV1", "fieldsV1": mine,
    }]  # fmt: skip


def _leaves(value: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, object]]:
    for name, member in value.items():
        if isinstance(member, dict) and member:
            yield from _leaves(member, (*path, name))
        elif (*path, name)[:2] != ("metadata", "managedFields"):
            yield (*path, name), member


def _tree(paths: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for part in path:
            node = node.setdefault(f"f:{part}", {})
    return tree


def _paths(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for name, below in tree.items():
        here = (*path, name.removeprefix("f:"))
        if below:
            yield from _paths(below, here)
        else:
            yield here


def _get(obj: Any, path: Path) -> object:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


def _set(obj: Object, path: Path, value: object) -> None:
    for part in path[:-1]:
        if not isinstance(obj.get(part), dict):
            obj[part] = {}
        obj = obj[part]
    obj[path[-1]] = value


def _discard(obj: Object, path: Path) -> None:
    parents = []
    for part in path[:-1]:
        parents.append((obj, part))
        obj = obj.get(part, {})
    obj.pop(path[-1], None)
    for parent, part in reversed(parents):
        if not parent.get(part) and part not in ("metadata", "spec"):
            parent.pop(part, None)
