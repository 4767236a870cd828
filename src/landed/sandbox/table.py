"""Objects as kubectl prints them: ``meta.k8s.io/v1`` Tables.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from landed.sandbox.kinds import Column, Kind, Object

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 31_536_000
#: Below how many seconds an age is shown in which unit, and which smaller one if any.
_SCALES = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def table(kind: Kind, objects: Sequence[Object], metadata: Mapping[str, Any], *, columns: bool = True) -> Object:
    """A Table of ``objects``. Only the first of a watch describes its columns."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": _definitions(kind) if columns else None,
        "rows": [_row(kind, obj) for obj in objects],
    }


def partial(obj: Object) -> Object:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def age(since: str, until: datetime | None = None) -> str:
    """How long ago, as kubectl says it: ``45s``, ``3m10s``, ``5h``, ``12d``."""
    begin = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = max(0, int(((until or datetime.now(UTC)) - begin).total_seconds()))
    for limit, unit, sign, smaller, smaller_sign in _SCALES:
        if seconds < limit:
            rest = seconds % unit // smaller if smaller else 0
            return f"{seconds // unit}{sign}" + (f"{rest}{smaller_sign}" if rest else "")
    return f"{seconds // _YEAR}y"


def _definitions(kind: Kind) -> list[dict[str, Any]]:
    name = {"name": "Name", "type": "string", "format": "name", "description": "Name of the object", "priority": 0}
    rest = [
        {"name": column.name, "type": column.type, "format": "", "description": column.name, "priority": 0}
        for column in kind.columns
    ]
    return [name, *rest]


def _row(kind: Kind, obj: Object) -> dict[str, Any]:
    cells = [obj["metadata"]["name"], *(_cell(column, obj) for column in kind.columns)]
    return {"cells": cells, "object": partial(obj)}


def _cell(column: Column, obj: Object) -> object:
    value = column.value(obj)
    if column.type != "date":
        return value
    try:
        return age(str(value)) if value else "<unknown>"
    except ValueError:
        return "<invalid>"
