"""One conversation with a NATS server, long enough to publish one message and to hear what became of it.

https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from landed.decoding import decode

if TYPE_CHECKING:
    import socket

#: Bytes of a line, and of a message, that are read.
_LINE, _MESSAGE = 1 << 20, 1 << 24
#: What a server answers where nobody would get the message, https://docs.nats.io/nats-concepts/core-nats/reqreply .
_NOBODY = re.compile(rb"NATS/1\.0 +503")


class Info(Struct, frozen=True):
    """What a server says of itself first."""

    max_payload: int = 1 << 20
    tls_required: bool = False
    tls_available: bool = False
    headers: bool = False
    nonce: str = ""


class Refused(Exception):
    """``-ERR``: what the server has against us, in its words."""


class Astray(Exception):
    """The other side is no NATS server."""


class Heard(NamedTuple):
    """What became of a message."""

    answer: bytes | None = None
    """What a stream, or somebody who listens, said to it; None where nobody said anything in time."""
    nobody: bool = False
    """Whether there is neither a stream nor anybody who listens."""
    deaf: bool = False
    """Whether we may not hear answers."""


class Session:
    """Reads and writes on one connection. All of it must be over at a time, by the clock that only runs forward."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.until = until
        self.sent = False
        """Whether the message may have arrived."""
        self._connection = connection
        self._held = b""
        self._deaf = False

    def info(self) -> Info:
        """What the server says first. Raises Astray where it is none, Refused, OSError."""
        name, _, rest = self._line(self.until).partition(b" ")
        if name == b"-ERR":
            raise Refused(_words(rest))
        try:
            if name.upper() != b"INFO":
                raise Astray
            return decode(rest, Info)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Astray from None

    def secure(self, wrap: Callable[[socket.socket], socket.socket]) -> None:
        """Go on over TLS. Raises OSError. What came before in the clear counts for nothing."""
        self._connection.settimeout(self._left(self.until))
        self._connection = wrap(self._connection)
        self._held = b""

    def connect(self, options: Mapping[str, object]) -> None:
        """Say who we are, and have it accepted. Raises Refused, Astray, OSError."""
        self._write(b"CONNECT " + json.dumps(options, separators=(",", ":")).encode() + b"\r\nPING\r\n")
        self._until_pong(None)

    def publish(self, subject: str, headers: Mapping[str, str], body: bytes, patience: float) -> Heard:
        """Publish ``body``; have it taken by the server, and wait ``patience`` seconds for an answer to it.

        Raises Refused, Astray, OSError.
        """
        inbox = f"_INBOX.{secrets.token_hex(11)}"
        above = head(headers)
        line = f"HPUB {subject} {inbox} {len(above)} {len(above) + len(body)}\r\n"
        self.sent = True
        self._write(f"SUB {inbox} 1\r\n".encode() + line.encode() + above + body + b"\r\nPING\r\n")
        heard = self._until_pong(inbox)
        if heard is not None or self._deaf:
            return heard or Heard(deaf=True)
        try:
            return self._answer(inbox, min(self.until, time.monotonic() + patience))
        except (OSError, Refused):  # the server has taken it; that nobody says more, or it ends, is no failure
            return Heard()

    def publish_plainly(self, subject: str, body: bytes) -> Heard:
        """The same for a server that is too old to know headers and to say that nobody listens."""
        self.sent = True
        self._write(f"PUB {subject} {len(body)}\r\n".encode() + body + b"\r\nPING\r\n")
        self._until_pong(None)
        return Heard(deaf=True)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _until_pong(self, inbox: str | None) -> Heard | None:
        """Read on until the server has dealt with all that it was sent; what came for ``inbox`` in the meantime."""
        heard = None
        while True:
            name, rest = self._operation(self.until)
            if name == b"PONG":
                return heard
            if name == b"-ERR":
                self._refused(_words(rest), inbox)
            elif name in (b"MSG", b"HMSG"):
                heard = heard or self._message(name, rest, inbox)

    def _answer(self, inbox: str, until: float) -> Heard:
        while True:
            name, rest = self._operation(until)
            if name == b"-ERR":
                self._refused(_words(rest), inbox)
            if name in (b"MSG", b"HMSG") and (heard := self._message(name, rest, inbox)):
                return heard

    def _operation(self, until: float) -> tuple[bytes, bytes]:
        """The next line that says something: its first word and the rest."""
        while True:
            name, _, rest = self._line(until).partition(b" ")
            name = name.upper()
            if name == b"PING":
                self._write(b"PONG\r\n")
            elif name in (b"PONG", b"-ERR", b"MSG", b"HMSG"):
                return name, rest
            elif name not in (b"+OK", b"INFO"):
                raise Astray

    def _refused(self, words: str, inbox: str | None) -> None:
        """Raise Refused, but where only the answers are denied to us."""
        if inbox and inbox in words and "subscription" in words.lower():
            self._deaf = True
            return
        raise Refused(words)

    def _message(self, name: bytes, rest: bytes, inbox: str | None) -> Heard | None:
        """What came for ``inbox``; None where it is for another one."""
        try:
            to, *_, last = parts = rest.split()
            size, start = int(last), int(parts[-2]) if name == b"HMSG" else 0
        except (ValueError, IndexError):
            raise Astray from None
        if not 0 <= start <= size <= _MESSAGE:
            raise Astray
        message = self._bytes(size + 2)
        if inbox is None or to != inbox.encode():
            return None
        return Heard(nobody=True) if _NOBODY.match(message[:start]) else Heard(message[start:size])

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._held:
            if len(self._held) > _LINE:
                raise Astray
            self._more(until)
        line, _, self._held = self._held.partition(b"\n")
        return line.rstrip(b"\r")

    def _bytes(self, count: int) -> bytes:
        while len(self._held) < count:
            self._more(self.until)
        found, self._held = self._held[:count], self._held[count:]
        return found

    def _more(self, until: float) -> None:
        self._connection.settimeout(self._left(until))
        piece = self._connection.recv(1 << 16)
        if not piece:
            raise ConnectionResetError
        self._held += piece

    def _write(self, data: bytes) -> None:
        self._connection.settimeout(self._left(self.until))
        self._connection.sendall(data)

    def _left(self, until: float) -> float:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def head(headers: Mapping[str, str]) -> bytes:
    """What stands before a message with ``headers``; empty without any."""
    if not headers:
        return b""
    return b"NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


def _words(rest: bytes) -> str:
    """What stands after ``-ERR``, without its quotes."""
    return rest.decode(errors="replace").strip().strip("'")
