"""JSON into values, from several threads. No I/O.

msgspec keeps what it learns of a Struct on the Struct itself, and shows it to other threads half done: a decoder that
is made of that crashes the interpreter. So they are made one at a time.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

from msgspec.json import Decoder

T = TypeVar("T")

_ONE_AT_A_TIME = Lock()


def decoder(shape: Any) -> Decoder[Any]:
    """Give the decoder for a shape, made when it is first wanted."""
    with _ONE_AT_A_TIME:
        return _made(shape)


@lru_cache(maxsize=64)
def _made(shape: Any) -> Decoder[Any]:
    return Decoder(shape)


def decode(text: bytes | bytearray | str, shape: type[T]) -> T:
    """Decode a whole document. Raises what ``msgspec.json.decode`` raises."""
    found: T = decoder(shape).decode(text)
    return found
