"""``/healthz``, ``/readyz`` and ``/metrics``, from one thread that nobody can keep.

Every connection has a few seconds in all for one small request, and if there are too many of them the oldest has to go:
so clients that are slow, or mean, keep no probe from its answer.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any, Final

from msgspec import Struct

from landed.errors import ConfigurationError

#: Connections that may be open at once.
CONNECTIONS = 64
#: Seconds that a connection may take, from its beginning to its end.
PATIENCE = 5.0
#: Bytes that the head of a request may have.
LONGEST_HEAD = 8192

#: What ``accept`` fails with where the machine, or this process, has nothing left.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_PLAIN = "text/plain; charset=utf-8"
_WORDS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_REQUEST = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,2048}) HTTP/1\.[01]")

#: The answer for a path: status, body, content type.
Page = Callable[[], tuple[int, bytes, str]]


class _Connection(Struct):
    """One connection: what has come, what is still to go, and until when it may take."""

    sock: socket.socket
    until: float
    came: bytearray
    goes: bytes = b""
    answered: bool = False


def address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``:PORT`` or ``[HOST]:PORT``; no host is every one. Raises ConfigurationError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:/@\s]*)):([0-9]{1,5})", text, re.ASCII)
    if not match or int(match[3]) > 65535:
        raise ConfigurationError(
            f"{text!r} is no address to listen on.", "Write HOST:PORT, such as :8080, 127.0.0.1:8080 or [::]:8080."
        )
    return match[1] or match[2] or "", int(match[3])


class Server:
    """Serves what is known of a run, from ``start`` until ``stop``."""

    def __init__(
        self,
        listen: str,
        *,
        trouble: Callable[[], str],
        unready: Callable[[], str],
        metrics: Callable[[], tuple[bytes, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind to ``listen``. ``trouble`` and ``unready`` give a line, empty where all is well; ``metrics`` a body and
        its content type. Raises ConfigurationError where the address cannot be had.
        """
        self._listener = _bound(listen)
        self._clock = clock
        self._pages: Mapping[str, Page] = {
            "/healthz": lambda: _said(trouble()),
            "/readyz": lambda: _said(unready()),
            "/metrics": lambda: (200, *metrics()),
        }
        self._open: dict[socket.socket, _Connection] = {}
        self._stopping = Event()
        self._bell, self._ear = socket.socketpair()
        self._thread = Thread(target=self._serve, name="serving", daemon=True)
        host, port = self._listener.getsockname()[:2]
        self.address: Final = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        """Where it listens, with the port that it has got."""

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more, and end what is under way."""
        self._stopping.set()
        with suppress(OSError):
            self._bell.send(b".")
        if self._thread.is_alive():
            self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            for sock in (self._listener, self._bell, self._ear):
                sock.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in (self._listener, self._ear):
                sock.setblocking(False)
                selector.register(sock, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select(self._patience()):
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    elif connection := self._open.get(key.fileobj):  # type: ignore[call-overload]
                        self._advance(selector, connection)
                self._dismiss(selector)
            for connection in tuple(self._open.values()):
                self._close(selector, connection)

    def _patience(self) -> float | None:
        """Seconds until the first connection has had its time."""
        oldest = next(iter(self._open.values()), None)
        return max(0.0, oldest.until - self._clock()) if oldest else None

    def _dismiss(self, selector: selectors.BaseSelector) -> None:
        now = self._clock()
        for connection in [each for each in self._open.values() if each.until <= now]:
            self._close(selector, connection)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._make_room(selector)
            return  # else it has gone again
        if len(self._open) >= CONNECTIONS:
            self._make_room(selector)
        sock.setblocking(False)
        self._open[sock] = _Connection(sock, self._clock() + PATIENCE, bytearray())
        selector.register(sock, selectors.EVENT_READ)

    def _make_room(self, selector: selectors.BaseSelector) -> None:
        if self._open:
            self._close(selector, next(iter(self._open.values())))
        else:
            self._stopping.wait(0.1)

    def _close(self, selector: selectors.BaseSelector, connection: _Connection) -> None:
        del self._open[connection.sock]
        selector.unregister(connection.sock)
        connection.sock.close()

    def _advance(self, selector: selectors.BaseSelector, connection: _Connection) -> None:
        try:
            going = self._write(connection) if connection.goes else self._read(connection)
        except BlockingIOError:
            return
        except OSError:
            going = False
        if not going:
            self._close(selector, connection)
        elif connection.goes:
            selector.modify(connection.sock, selectors.EVENT_WRITE)
        else:
            selector.modify(connection.sock, selectors.EVENT_READ)

    def _read(self, connection: _Connection) -> bool:
        """Take what has come, and answer once the head is whole. False at the end."""
        part = connection.sock.recv(LONGEST_HEAD)
        if connection.answered:  # it is only waited for that the client has read it all and closes
            return bool(part)
        connection.came += part
        head, end, _ = bytes(connection.came).partition(b"\r\n\r\n")
        if end:
            connection.goes = self._answer(head.split(b"\r\n")[0])
        elif len(connection.came) > LONGEST_HEAD:
            connection.goes = _written(431, b"The request is too long.\n", _PLAIN)
        return bool(part)

    def _write(self, connection: _Connection) -> bool:
        """Send as much as goes; after the last of it only the client has still to close."""
        connection.goes = connection.goes[connection.sock.send(connection.goes) :]
        if not connection.goes:
            connection.answered = True
            connection.sock.shutdown(socket.SHUT_WR)
        return True

    def _answer(self, line: bytes) -> bytes:
        match = _REQUEST.fullmatch(line)
        if not match:
            return _written(400, b"This is no HTTP request.\n", _PLAIN)
        method, path = match[1].decode(), match[2].decode().partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            return _written(404, b"There are /healthz, /readyz and /metrics.\n", _PLAIN, method)
        if method not in ("GET", "HEAD"):
            return _written(405, b"Only GET and HEAD are served.\n", _PLAIN)
        try:
            return _written(*page(), method)
        except Exception:  # noqa: BLE001 — a fault of ours in one page must not end the others
            return _written(500, b"This page has failed; that is a fault of landed.\n", _PLAIN, method)


def _said(trouble: str) -> tuple[int, bytes, str]:
    line = " ".join(trouble.split()) or "ok"
    return (503 if trouble else 200), f"{line}\n".encode(), _PLAIN


def _written(status: int, body: bytes, content_type: str, method: str = "GET") -> bytes:
    head = [
        f"HTTP/1.1 {status} {_WORDS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(["Allow: GET, HEAD"] if status == 405 else []),
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + (b"" if method == "HEAD" else body)


def _bound(listen: str) -> socket.socket:
    """The socket. Without a host it takes both kinds of addresses where the machine has both."""
    host, port = address(listen)
    try:
        if not host and socket.has_dualstack_ipv6():
            with suppress(OSError):  # else the machine has turned it off
                return _listening(socket.AF_INET6, ("::", port), dual=True)
        family, *_, place = socket.getaddrinfo(
            host or "0.0.0.0",  # noqa: S104 — every address is what was asked for
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )[0]
        return _listening(family, place, dual=host == "::" and socket.has_dualstack_ipv6())
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number and number > 0 else "it is no name of a host"
        raise ConfigurationError(
            f"--listen: {listen} cannot be listened on: {why}.",
            "Choose a port that is free and an address of this machine; ports below 1024 take root.",
        ) from None


def _listening(family: int, place: tuple[Any, ...], *, dual: bool) -> socket.socket:
    return socket.create_server(place, family=family, dualstack_ipv6=dual, backlog=CONNECTIONS)
