"""TLS inside TLS: to a cluster through a proxy that is itself spoken to over TLS."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable
from typing import Any


class Layered:
    """As much of a socket as ``wire.Connection`` uses, over another TLS socket.

    The ssl module can wrap only what has a file descriptor of its own; memory buffers close the gap.
    """

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, name: str) -> None:
        """Shake hands over ``outer``. Raises what ``SSLContext.wrap_socket`` does."""
        self._outer = outer
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._arrived, self._leaving, server_hostname=name)
        self._readers = 0
        self._closed = False
        self._drive(self._inner.do_handshake)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._drive(self._inner.write, rest) :]

    def recv_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with what there is; 0 at the end."""
        try:
            count: int = self._drive(self._inner.read, len(buffer), buffer)
        except ssl.SSLZeroReturnError:
            return 0
        return count

    def makefile(self, _mode: str, buffering: int = io.DEFAULT_BUFFER_SIZE) -> io.BufferedReader:
        """A file to read from, which keeps the connection open until it is closed, too."""
        self._readers += 1
        reader: Any = socket.SocketIO(self, "r")  # type: ignore[arg-type]
        return io.BufferedReader(reader, buffering)

    def settimeout(self, seconds: float) -> None:
        """Limit each read."""
        self._outer.settimeout(seconds)

    def close(self) -> None:
        """Close as soon as no file reads from it any more."""
        self._closed = True
        if self._readers <= 0:
            self._outer.close()

    def _decref_socketios(self) -> None:
        """What SocketIO calls when it is closed."""
        self._readers -= 1
        if self._closed:
            self.close()

    def _drive(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Repeat ``step`` until the inner layer has what it wants of the outer one."""
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                arrived = self._outer.recv(1 << 16)
                if arrived:
                    self._arrived.write(arrived)
                else:
                    self._arrived.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if leaving := self._leaving.read():
            self._outer.sendall(leaving)
