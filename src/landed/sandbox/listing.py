"""Lists: selected, ordered, consistent from page to page.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from landed.sandbox.kinds import Kind, Object
from landed.sandbox.problem import Problem, bad_request, expired, too_new
from landed.sandbox.selectors import field_selector, label_selector
from landed.sandbox.store import Key, Store

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Token(Struct, frozen=True):
    """Where a list goes on: after ``key``, as of version ``rv`` (-1: as of now)."""

    rv: int
    key: Key
    v: str = "meta.k8s.io/v1"


def selection(kind: Kind, namespace: str, query: Mapping[str, str]) -> Callable[[Object], bool]:
    """Which objects of a kind are meant. Raises Problem 400."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""), kind.fields)

    def matches(obj: Object) -> bool:
        here = not namespace or obj["metadata"].get("namespace") == namespace
        return here and labels(obj) and fields(obj)

    return matches


def page(store: Store, kind: Kind, namespace: str, query: Mapping[str, str]) -> tuple[list[Object], dict[str, Any]]:
    """The objects of one page and the list's metadata. Raises Problem 400, 410 or 504."""
    token = _decode(query.get("continue", ""))
    snapshot, version = _moment(store, kind, query, token)
    matches = selection(kind, namespace, query)
    begin = token.key if token else ("", "")
    rest = sorted((key, obj) for key, obj in snapshot.items() if key > begin and matches(obj))
    limit = whole(query, "limit") or len(rest)
    metadata: dict[str, Any] = {"resourceVersion": str(version), "continue": ""}
    if len(rest) > limit:
        metadata["continue"] = _encode(Token(version, rest[limit - 1][0]))
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(rest) - limit
    return [obj for _, obj in rest[:limit]], metadata


def version_in(query: Mapping[str, str]) -> int | None:
    """The resource version asked for; None for any. Raises Problem 400."""
    return whole(query, "resourceVersion") or None


def _moment(store: Store, kind: Kind, query: Mapping[str, str], token: Token | None) -> tuple[dict[Key, Object], int]:
    if token and query.get("resourceVersion", "0") not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    if token and token.rv > 0:
        try:
            return store.snapshot(kind, token.rv)
        except Problem:
            raise expired(_TOO_OLD, _encode(Token(-1, token.key))) from None
    version = version_in(query)
    if version and version > store.version:
        raise too_new(version, store.version)
    if query.get("resourceVersionMatch") == "Exact" and version:
        return store.snapshot(kind, version)
    return store.snapshot(kind)


def whole(query: Mapping[str, str], name: str) -> int:
    """The number that a query holds; 0 if it holds none. Raises Problem 400."""
    text = query.get(name, "") or "0"
    if not text.isdecimal():
        raise bad_request(f"invalid {name}: {text!r} is not a whole number")
    return int(text)


def _encode(token: Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _decode(text: str) -> Token | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Token)
    except (ValueError, msgspec.MsgspecError):
        raise bad_request("continue key is not valid") from None
