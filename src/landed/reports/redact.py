"""Takes secrets out of whole values. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")


def hidden(value: T, hide: Callable[[str], str]) -> T:
    """``value``, a Struct of Structs, tuples, mappings and strings, with ``hide`` applied to every string in it.

    Where nothing is to hide it is the same value: looking for secrets in all of its text at once is far quicker than a
    walk. That is MessagePack, which has strings as they are, and other keys than strings.
    """
    with suppress(UnicodeEncodeError):  # half a character, from an argument that was not UTF-8
        written = msgspec.msgpack.encode(value).decode("utf-8", "replace")
        if hide(written) == written:
            return value
    walked: T = _walked(value, hide)
    return walked


def _walked(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, Struct):
        return type(value)(*(_walked(getattr(value, name), hide) for name in value.__struct_fields__))
    if isinstance(value, str) and not isinstance(value, Enum):
        return hide(value)
    if isinstance(value, tuple | list | frozenset):
        return type(value)(_walked(item, hide) for item in value)
    if isinstance(value, Mapping):
        return {_walked(key, hide): _walked(item, hide) for key, item in value.items()}
    return value
