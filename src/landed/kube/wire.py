"""HTTP/1.1, as much of it as an API server speaks, over a connection that is open already.

``http.client`` would do the same and imports the e-mail parser for it: a third of what a small run costs.
https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

from msgspec import Struct

#: Bytes that the head of an answer may have, and lines.
LONGEST_HEAD = 1 << 18

#: Bytes of one answer, decompressed: thousands of times more than a page has.
LIMIT = 1 << 30

#: Bytes of one line of an answer that is read line by line.
LONGEST_LINE = 1 << 26

_AT_ONCE = 1 << 18

#: Seconds of silence, seconds between two questions, and how many without an answer.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


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

    def abort(self) -> None:
        """End what another thread reads at present, from here; ``close`` is still due there."""
        self.usable = False
        with contextlib.suppress(OSError):
            shut(self.sock)

    def silence(self, seconds: float) -> None:
        """How long each read may last from now on."""
        self.sock.settimeout(seconds)

    def notice_the_end(self) -> None:
        """Have the system ask every few seconds whether the other side is still there, and give up after a while."""
        import socket

        with contextlib.suppress(OSError, AttributeError):  # none of it on a Unix socket, not all of it everywhere
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEP_ALIVE.items():
                self.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

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
        return self._rest(*self._begin(), deadline)

    def stream(self, deadline: float) -> Answer | Iterator[bytes]:
        """Read a 200 line by line as it arrives, without line ends; another answer as ``answer`` does.

        While lines are read, what ``answer`` raises is raised; CutOff, too, where the last line has no end.
        """
        status, headers = self._begin()
        if status != 200:
            return self._rest(status, headers, deadline)
        framed = "content-length" in headers or "transfer-encoding" in headers
        afterwards, self.usable = self.usable and framed, False
        return self._lines(self._parts(status, headers), _gzipped(headers), afterwards)

    def _begin(self) -> tuple[int, dict[str, str]]:
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        self.usable = self.usable and headers.get("connection", "").lower() != "close"
        return status, headers

    def _rest(self, status: int, headers: Mapping[str, str], deadline: float) -> Answer:
        return Answer(status, headers, _joined(self._parts(status, headers), _gzipped(headers), deadline))

    def _lines(self, parts: Iterable[bytes], gzipped: bool, afterwards: bool) -> Iterator[bytes]:
        """Until the last line is out, the connection is good for nothing else, and ``afterwards`` perhaps."""
        rest = bytearray()
        for part in _inflated(parts) if gzipped else parts:
            if not rest and part.find(b"\n") == len(part) - 1:  # an event is a chunk, mostly
                yield part[:-1]
                continue
            begun = len(rest)
            rest += part
            if b"\n" in part:
                *lines, remains = bytes(rest).split(b"\n")
                yield from lines
                rest = bytearray(remains)
            elif begun > LONGEST_LINE:
                raise ValueError("too long")
        if rest:
            raise CutOff
        self.usable = afterwards

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


def _gzipped(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "").lower() == "gzip"


def _inflated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Each part as far as it can be decompressed already. Raises zlib.error."""
    inflate = zlib.decompressobj(31)
    for part in parts:
        while part:
            if plain := inflate.decompress(part, _AT_ONCE):
                yield plain
            part = inflate.unconsumed_tail
    if not inflate.eof:
        raise CutOff


def shut(sock: Any) -> None:
    """End both directions of a connection: whoever reads from it is woken. Raises OSError."""
    import socket

    base = getattr(sock, "_outer", sock)  # the socket that carries another TLS connection
    if isinstance(base, socket.socket):
        socket.socket.shutdown(base, socket.SHUT_RDWR)  # TLS' own would forget the session that the other thread uses


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
