"""A server on 127.0.0.1 that records what it is asked, and goes wrong as it is told.

``faults`` is a script: each request takes its first entry, ``None`` meaning that all goes well; when it is used up, all
goes well.

    with StandIn(lambda asked: Answer(200, b"ok")) as server:
        server.faults += [answer(503, {"Retry-After": "1"}), lost()]
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Asked(NamedTuple):
    """One request, wholly received."""

    method: str
    target: str
    """As it came: path and query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Answer(NamedTuple):
    """What to say."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Fault(NamedTuple):
    """What goes wrong with one request."""

    how: str
    answer: Answer = Answer(500)
    only: str = ""
    """The method it waits for; other requests pass it by."""


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes | str = b"", only: str = "") -> Fault:
    """Say this instead, and do nothing."""
    return Fault("answer", Answer(status, body.encode() if isinstance(body, str) else body, headers or {}), only)


def lost(only: str = "") -> Fault:
    """Do what is asked, then close the connection without a word."""
    return Fault("lost", only=only)


def reset(only: str = "") -> Fault:
    """Reset the connection once the request is read, and do nothing."""
    return Fault("reset", only=only)


def hang(only: str = "") -> Fault:
    """Say nothing until the stand-in ends, and do nothing."""
    return Fault("hang", only=only)


def hang_after(only: str = "") -> Fault:
    """Do what is asked, then say nothing until the stand-in ends."""
    return Fault("hang_after", only=only)


def rubbish(only: str = "") -> Fault:
    """Do what is asked, and answer with something that is not HTTP."""
    return Fault("rubbish", only=only)


class StandIn:
    """The server. ``act`` does what a request asks for; it runs for one request at a time."""

    def __init__(self, act: Callable[[Asked], Answer], *, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        """Every request that arrived whole, faults included."""
        self.halves = 0
        """Requests that broke off before their end: nothing was done."""
        self.connections = 0
        self.faults: deque[Fault | None] = deque()
        self.errors: list[BaseException] = []
        """What the stand-in itself got wrong; raised when it ends."""
        self._act = act
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if context is not None:
            self._server.context = context
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        self.scheme = "https" if context else "http"
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        if self.errors:
            raise self.errors[0]

    def handle(self, asked: Asked) -> tuple[str, Answer]:
        """How to treat one request, and what to answer."""
        with self._lock:
            self.asked.append(asked)
            fault = self._next_fault(asked.method)
            if fault is None:
                return "answer", self._act(asked)
            if fault.how in ("lost", "hang_after", "rubbish"):
                return fault.how, self._act(asked)
            return fault.how, fault.answer

    def _next_fault(self, method: str) -> Fault | None:
        if not self.faults or (self.faults[0] is not None and self.faults[0].only not in ("", method)):
            return None
        return self.faults.popleft()

    def wait_until_over(self) -> None:
        self._over.wait(60)


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext | None = None
    request_queue_size = 128

    def __init__(self, *args: object) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*args)  # type: ignore[arg-type]

    def finish_request(self, request: object, client_address: object) -> None:
        """In the request's own thread: a handshake that fails must not keep others waiting."""
        assert isinstance(request, socket.socket)
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                request.close()
                return
        self.open.add(request)
        try:
            self.RequestHandlerClass(request, client_address, self)  # type: ignore[arg-type]
        finally:
            self.open.discard(request)
            request.close()

    def hang_up(self) -> None:
        for connection in tuple(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def _handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            standin.connections += 1
            super().setup()

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                standin.halves += 1
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                how, said = standin.handle(Asked(self.command, self.path, headers, body))
            except Exception as error:
                standin.errors.append(error)
                how, said = "answer", Answer(500, b"the stand-in failed")
            self.speak(how, said)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

        def speak(self, how: str, said: Answer) -> None:
            if how == "answer":
                self.say(said)
                return
            self.close_connection = True
            if how.startswith("hang"):
                standin.wait_until_over()
            elif how == "rubbish":
                self.wfile.write(b"\x00\xff\x01 this is no HTTP \r\n\r\n")
            elif how == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how == "lost":
                self.connection.shutdown(socket.SHUT_RDWR)

        def say(self, said: Answer) -> None:
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in said.headers:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is in ``asked``."""

    return Handler
