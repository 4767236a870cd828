"""A threaded HTTP server on 127.0.0.1 that hands each request to one function. All of the sandbox speaks through it."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

LOOPBACK = "127.0.0.1"
#: Seconds an idle connection is kept.
IDLE = 120
#: Bytes of body a client may send.
LARGEST_BODY = 16 * 1024 * 1024


class Request(Struct, frozen=True):
    """What a client sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    def json(self) -> Any:
        """The body decoded. Raises ``msgspec.DecodeError``."""
        return msgspec.json.decode(self.body)


class Response(Struct, frozen=True):
    """What the client gets: ``body`` or, while it lasts, ``stream``."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}
    stream: Iterator[bytes] | None = None


Answer = Callable[[Request], Response]


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``value`` as a JSON answer."""
    return Response(status, msgspec.json.encode(value), headers=headers or {})


def text_response(text: str, status: int = 200) -> Response:
    """``text`` as a plain answer."""
    return Response(status, text.encode(), "text/plain; charset=utf-8")


class Server:
    """Serves ``answer`` from a thread per connection, from ``start`` until ``stop``.

    Raises OSError from ``__init__`` if ``port`` cannot be had (0 takes any free one).
    """

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self._listener = socket.create_server((LOOPBACK, port))
        self._answer = answer
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name="sandbox-accept", daemon=True)
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Begin to serve."""
        self._accepting.start()

    def stop(self) -> None:
        """End every connection and wait until nothing of this server runs any more."""
        self.stopping.set()
        if self._accepting.is_alive():
            # Closing a socket does not wake the thread that accepts on it; a caller does.
            with suppress(OSError):
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
            self._accepting.join()
        self._listener.close()
        with self._lock:
            open_now = list(self._connections.items())
        for connection, _ in open_now:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _, thread in open_now:
            thread.join()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The handler reads requests until the client leaves; it asks nothing of its "server" but the answer.
            _Handler(connection, address, self._answer)  # type: ignore[arg-type]
        except OSError:
            pass  # The client went away in the middle of something: its business.
        finally:
            with self._lock:
                del self._connections[connection]
            connection.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection. The standard library can only be used by way of a subclass."""

    protocol_version = "HTTP/1.1"
    server_version = "landed-sandbox"
    sys_version = ""
    timeout = IDLE
    wbufsize = -1  # headers and body leave in one piece

    def _handle(self) -> None:
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer: Answer = self.server  # type: ignore[assignment]
        self._send(answer(Request(self.command, parts.path, query, headers, body)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle

    def _read_body(self) -> bytes | None:
        """The body, or None where the client died before it was whole: half a request must not count."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            self.send_error(413)
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _read_chunks(self) -> bytes | None:
        body = b""
        while len(body) <= LARGEST_BODY:
            size = int(self.rfile.readline(64).split(b";")[0].strip() or b"0", 16)
            chunk = self.rfile.read(size)
            self.rfile.readline(64)
            if size == 0:
                return body
            body += chunk
        return None

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.stream is not None:
            self._send_stream(response.stream)
            return
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _send_stream(self, stream: Iterator[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in stream:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the story."""
