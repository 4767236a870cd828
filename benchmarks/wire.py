"""An HTTP/1.1 server that does as little as it can, in a process of its own, and counts what it is asked.

Its own work must not be mistaken for its client's, so answers are bytes made beforehand wherever possible.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path


class Request(Struct, frozen=True):
    """One request, its target as it was sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


class Answer(Struct, frozen=True):
    """One answer; ``headers`` without Content-Length."""

    body: bytes
    status: str = "200 OK"
    headers: tuple[str, ...] = ("Content-Type: application/json",)


class Flow(Struct, frozen=True):
    """An answer that goes on: each part is sent as a chunk of its own as soon as there is one. An empty one is not
    sent; it only finds out whether the reader is gone, who has nothing to say meanwhile."""

    parts: Iterable[bytes]
    headers: tuple[str, ...] = ("Content-Type: application/json",)


class Seen(Struct, frozen=True):
    """What a server was asked since it was last asked to forget."""

    connections: int
    requests: tuple[str, ...]
    """``GET /path?query``, in order of arrival."""


class Handler(Protocol):
    """What answers; made inside the server's process."""

    def __call__(self, request: Request) -> Answer | Flow: ...

    def order(self, command: str) -> object:
        """Carry out an order of the benchmark's, and give what it brought."""


class Server(Struct, frozen=True):
    """A server at work, seen from outside."""

    port: int
    pipe: Connection

    def seen(self) -> Seen:
        """Everything since the last call."""
        self.pipe.send("seen")
        answer: Seen = self.pipe.recv()
        return answer

    def order(self, command: str) -> Any:
        """Pass ``command`` to the handler, wait until it is done, and give what it brought."""
        self.pipe.send(command)
        return self.pipe.recv()


@contextmanager
def serving(make: Callable[..., Handler], *arguments: object, certificate: Path | None = None) -> Iterator[Server]:
    """Run ``make(*arguments)`` behind a free port of the loopback interface, with TLS if there is a certificate."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, make, arguments, certificate), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Server(ours.recv(), ours)
    finally:
        ours.close()
        process.join(10)
        process.kill()


class _Counter:
    """What arrived, counted by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections = 0
        self._requests: list[str] = []

    def connected(self) -> None:
        with self._lock:
            self._connections += 1

    def asked(self, request: Request) -> None:
        with self._lock:
            self._requests.append(f"{request.method} {request.target}")

    def take(self) -> Seen:
        with self._lock:
            seen = Seen(self._connections, tuple(self._requests))
            self._connections, self._requests = 0, []
        return seen


def _run(
    pipe: Connection, make: Callable[..., Handler], arguments: tuple[object, ...], certificate: Path | None
) -> None:
    handler, counter = make(*arguments), _Counter()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if tls and certificate:
        tls.load_cert_chain(certificate)
    threading.Thread(target=_accept, args=(listener, tls, handler, counter), daemon=True).start()
    pipe.send(listener.getsockname()[1])
    while command := _next(pipe):
        if command == "seen":
            pipe.send(counter.take())
        else:
            pipe.send(handler.order(command))


def _next(pipe: Connection) -> str:
    try:
        return str(pipe.recv())
    except EOFError:  # the benchmark is over
        return ""


def _accept(listener: socket.socket, tls: ssl.SSLContext | None, handler: Handler, counter: _Counter) -> None:
    while True:
        connection, _ = listener.accept()
        counter.connected()
        threading.Thread(target=_talk, args=(connection, tls, handler, counter), daemon=True).start()


def _talk(connection: socket.socket, tls: ssl.SSLContext | None, handler: Handler, counter: _Counter) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as reader:
            while request := _read(reader.readline, reader.read):
                counter.asked(request)
                answer = handler(request)
                if isinstance(answer, Flow):
                    _flow(connection, answer)
                    return
                connection.sendall(_bytes(answer))
    except OSError:  # the client left
        return


def _flow(connection: socket.socket, answer: Flow) -> None:
    head = ("HTTP/1.1 200 OK", *answer.headers, "Transfer-Encoding: chunked", "", "")
    connection.sendall("\r\n".join(head).encode("latin-1"))
    for part in answer.parts:
        if not part:
            if select.select([connection], [], [], 0)[0]:
                return
            continue
        connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))


def _read(line: Callable[[], bytes], read: Callable[[int], bytes]) -> Request | None:
    words = line().decode("latin-1").split()
    if len(words) != 3:
        return None
    headers = {}
    while header := line().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Request(words[0], words[1], headers, read(int(headers.get("content-length", 0))))


def _bytes(answer: Answer) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {answer.status}", *answer.headers, f"Content-Length: {len(answer.body)}", "", ""))
    return head.encode("latin-1") + answer.body
