"""Takes secrets out of text and values, however they are written there. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from landed.model import Secret

T = TypeVar("T")

#: What is shorter is no secret, and taking it out would make every text unreadable.
SHORTEST = 4
#: Parts of a secret that are shorter give nothing away, and would be found all over.
SHORTEST_PART = 6


def hider(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """A function that replaces every one of ``secrets`` in a text by ``***``."""
    found = {form for secret in secrets for form in forms(secret.reveal())}
    longest_first = sorted(found, key=lambda form: (-len(form), form))

    def hide(text: str) -> str:
        for form in longest_first:
            text = text.replace(form, "***")
        return text

    return hide


def forms(secret: str) -> frozenset[str]:
    """How a secret may turn up: whole, line by line, the path and the password of a URL, escaped for JSON or a URL."""
    if len(secret.strip()) < SHORTEST:
        return frozenset()
    found = {secret, secret.strip()}
    parts = {line.strip() for line in secret.splitlines()}
    scheme, separator, rest = secret.strip().partition("://")
    if separator and scheme.isalnum():
        authority, slash, path = rest.partition("/")
        userinfo, _, _ = authority.rpartition("@")
        parts |= {
            slash + path,
            path,
            path.partition("?")[0],
            path.partition("?")[2],
            userinfo,
            userinfo.partition(":")[2],
        }
    found |= {part for part in parts if len(part) >= SHORTEST_PART}
    return frozenset(found | {_in_json(form) for form in found} | {_in_url(form) for form in found})


def hidden(value: T, hide: Callable[[str], str]) -> T:
    """``value``, a Struct of Structs, tuples, mappings and strings, with ``hide`` applied to every string in it.

    Where nothing is to hide it is the same value: looking for secrets in its JSON is far quicker than a walk.
    """
    with suppress(UnicodeEncodeError):  # half a character, from an argument that was not UTF-8
        written = msgspec.json.encode(value).decode()
        if hide(written) == written:
            return value
    walked: T = _walked(value, hide)
    return walked


def _walked(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, Struct):
        return type(value)(*(_walked(getattr(value, name), hide) for name in value.__struct_fields__))
    if isinstance(value, str) and not isinstance(value, Enum):
        return hide(value)
    if isinstance(value, tuple | list):
        return type(value)(_walked(item, hide) for item in value)
    if isinstance(value, Mapping):
        return {_walked(key, hide): _walked(item, hide) for key, item in value.items()}
    return value


def _in_json(text: str) -> str:
    return msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()[1:-1]


def _in_url(text: str) -> str:
    """Percent-encoded as in a query, https://www.rfc-editor.org/rfc/rfc3986#section-2.1 ."""
    return "".join(c if c in _UNRESERVED else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace")) for c in text)


_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
