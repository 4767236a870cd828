"""HTTP/1.1, as much of it as an API server speaks, over a connection that is open already.

``http.client`` would do the same and imports the e-mail parser for it: a third of what a small run costs.
https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

from msgspec import Struct

#: Bytes that the head of an answer may have, and lines.
LONGEST_HEAD = 1 << 18

#: Bytes of one answer, decompressed: thousands of times more than a page has.
LIMIT = 1 << 30

_AT_ONCE = 1 << 18


class NotHTTP(ValueError):
    """What came is no HTTP answer."""


class CutOff(Exception):
    """The answer ended before its end."""


class HungUp(ConnectionResetError):
    """The other side closed the connection without any answer."""


class Answer(Struct, frozen=True):
    """A response, its body decompressed."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes | bytearray


class Connection:
    """Requests and answers, one after the other, over ``sock``."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.usable = True
        """Whether another request may follow on it."""
        self._file = sock.makefile("rb", _AT_ONCE)

    def close(self) -> None:
        """Close the connection."""
        self.usable = False
        self._file.close()
        self.sock.close()

    def request(self, method: str, target: str, headers: Iterable[tuple[str, bytes]], body: bytes | None) -> None:
        """Send a request. Raises OSError, and ValueError for what must not stand in a head."""
        lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
        lines += [name.encode("ascii") + b": " + value for name, value in headers]
        if any(b"\r" in line or b"\n" in line for line in lines) or b" " in target.encode():
            raise ValueError("a header or the path holds a line break or a blank")
        self.sock.sendall(b"\r\n".join([*lines, b"", body or b""]))

    def answer(self, deadline: float) -> Answer:
        """Read the answer.

        Raises HungUp if there is none, CutOff if it ends too early, NotHTTP if it is nonsense, TimeoutError if it is
        not complete at ``deadline`` (``time.monotonic``), and OSError and zlib.error.
        """
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        self.usable = self.usable and headers.get("connection", "").lower() != "close"
        gzipped = headers.get("content-encoding", "").lower() == "gzip"
        return Answer(status, headers, _joined(self._parts(status, headers), gzipped, deadline))

    def _head(self) -> tuple[int, dict[str, str]]:
        line = self._file.readline(_AT_ONCE)
        if not line:
            raise HungUp
        version, _, rest = line.partition(b" ")
        code = rest.split(None, 1)[:1]
        if not version.startswith(b"HTTP/1.") or not code or len(code[0]) != 3 or not code[0].isdigit():
            raise NotHTTP("no status line")
        if version == b"HTTP/1.0":
            self.usable = False
        headers: dict[str, str] = {}
        size = 0
        while (line := self._file.readline(_AT_ONCE)) not in (b"\r\n", b"\n"):
            size += len(line)
            name, colon, value = line.partition(b":")
            if not line.endswith(b"\n"):
                raise CutOff
            if not colon or size > LONGEST_HEAD:
                raise NotHTTP("no headers")
            headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()
        return int(code[0]), headers

    def _parts(self, status: int, headers: Mapping[str, str]) -> Iterator[bytes]:
        length = headers.get("content-length", "")
        if status in (204, 304):
            return
        if headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks()
        elif length:
            if not (length.isascii() and length.isdigit()):
                raise NotHTTP("no length")
            yield from self._exactly(int(length))
        else:
            self.usable = False
            while part := self._file.read1(_AT_ONCE):
                yield part

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._file.readline(1 << 12)
            if not line.endswith(b"\n"):
                raise CutOff
            try:
                size = int(line.split(b";")[0].strip(), 16)
            except ValueError:
                raise NotHTTP("no chunk size") from None
            if size < 0:
                raise NotHTTP("no chunk size")
            if size == 0:
                break
            yield from self._exactly(size)
            if self._file.readline(3).strip():
                raise NotHTTP("no end of chunk")
        while (line := self._file.readline(_AT_ONCE)) not in (b"\r\n", b"\n"):  # trailers
            if not line:
                raise CutOff

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            part = self._file.read1(min(size, _AT_ONCE))
            if not part:
                raise CutOff
            size -= len(part)
            yield part


def _joined(parts: Iterable[bytes], gzipped: bool, deadline: float) -> bytearray:
    """The whole body, decompressed as it arrives."""
    inflate = zlib.decompressobj(31) if gzipped else None
    plain = bytearray()  # grows in place: a page is large, and two of it at once would be the run's peak
    came = False
    for part in parts:
        came = True
        plain += inflate.decompress(part, LIMIT + 1 - len(plain)) if inflate else part
        if len(plain) > LIMIT:
            raise ValueError("too long")
        if monotonic() > deadline:
            raise TimeoutError
    if inflate and came and not inflate.eof:
        raise CutOff
    return plain
