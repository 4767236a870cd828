"""One cluster, spoken to over one connection."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from ssl import SSLEOFError
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from landed import __version__
from landed.errors import ClusterError
from landed.kube import dial, tls
from landed.kube.credentials import Credentials, Identity
from landed.kube.endpoint import Endpoint
from landed.kube.errors import Gone
from landed.kube.wire import Answer, Connection, CutOff, HungUp

#: Seconds to wait for a connection, and for each part of an answer.
TIMEOUT = 30.0

#: Objects per page, as kubectl.
PAGE = 500

#: How often a request is made in all where it may help.
TRIES = 4

#: How often a list is begun again because it expired while it was read.
RESTARTS = 3

#: The longest a Retry-After is obeyed, in seconds.
LONGEST_PAUSE = 30.0

PASSING = frozenset({429, 500, 502, 503, 504})

#: The connection was lost. Asking again is safe: nothing that is asked here changes anything.
LOST = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, HungUp, SSLEOFError)

CUT = (*LOST, CutOff, zlib.error)


class NoStream(Exception):
    """A watch did not come about: ``error`` says why. ``status`` is the server's answer, 0 where there was none;
    ``pause`` are the seconds that it asks for.
    """

    def __init__(self, error: ClusterError, status: int = 0, pause: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.status = status
        self.pause = pause


class Client:
    """Asks one API server. Connects when it is first needed, keeps the connection, replaces it when it is lost.

    Not safe for several threads at once. Every method raises ClusterError, and ConfigurationError where the
    kubeconfig proves unusable only now.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        timeout: float = TIMEOUT,
        pause: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        """``timeout`` in seconds holds for connecting and for each read; ``pause`` waits between tries, of which there
        are ``tries`` where another one may help.
        """
        self.endpoint = endpoint
        self.requests = 0
        """How many requests were sent."""
        self.connections = 0
        """How many connections were made."""
        self._credentials = credentials
        self._timeout = timeout
        self._pause = pause
        self._tries = tries
        self._ends: list[Callable[[], None]] = []
        self._connection: Connection | None = None
        self._shown = Identity()

    @property
    def context(self) -> str:
        """The kubeconfig's context."""
        return self.endpoint.context

    @property
    def timeout(self) -> float:
        """Seconds to wait for a connection, and for each part of an answer."""
        return self._timeout

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of what is at ``path``."""
        return bytes(self._ask("GET", path, query or {}, None))

    def post(self, path: str, body: bytes) -> bytes:
        """Post JSON to ``path`` (a review, which changes nothing: it may be sent again) and give the answer's body."""
        return bytes(self._ask("POST", path, {}, body))

    def twin(self, *, timeout: float = 0.0, tries: int = 0, pause: Callable[[float], None] | None = None) -> Client:
        """Another client for the same cluster and the same credentials, for another thread; as patient as this one
        unless told otherwise.
        """
        return Client(
            self.endpoint,
            self._credentials,
            timeout=timeout or self._timeout,
            pause=pause or self._pause,
            tries=tries or self._tries,
        )

    def watch(self, path: str, query: Mapping[str, str], silence: float) -> Iterator[bytes]:
        """The lines of a watch as they arrive, which may be silent for as many seconds. One try.

        Raises NoStream if it does not begin, ClusterError and ConfigurationError where there are no credentials; while
        it is read, what ``wire.Connection.stream`` raises. ``abort`` ends it from another thread.
        """
        from_root = f"{self.endpoint.prefix}{path}?{urlencode(query)}"
        answer = self._opened(from_root, silence)
        if isinstance(answer, Answer) and answer.status == 401 and self._credentials.renew(self._shown):
            answer = self._opened(from_root, silence)
        if isinstance(answer, Answer):
            error = self._refused("GET", path, answer)
            raise NoStream(error, answer.status, _retry_after(answer.headers))
        return answer

    def _opened(self, from_root: str, silence: float) -> Answer | Iterator[bytes]:
        identity = self._credentials.identity()
        if self._connection is not None and not self._connection.usable:
            self.close()
        try:
            if self._connection is not None:
                try:
                    return self._stream(self._connect(identity), from_root, silence)
                except LOST:
                    self.close()
            return self._stream(self._connect(identity), from_root, silence)
        except (OSError, CutOff, zlib.error, ValueError) as error:
            self.close()
            from landed.kube import problems

            raise NoStream(problems.failed(self.endpoint, error, self._timeout, identity)) from None
        except BaseException:
            self.close()
            raise

    def _stream(self, connection: Connection, from_root: str, silence: float) -> Answer | Iterator[bytes]:
        self.requests += 1
        connection.silence(self._timeout)
        connection.request("GET", dial.target(self.endpoint, from_root), self._headers(None), None)
        answer = connection.stream(time.monotonic() + 10 * self._timeout)
        if not isinstance(answer, Answer):
            connection.silence(silence)
            connection.notice_the_end()
        return answer

    def silence(self, seconds: float) -> None:
        """How long what is read at present may be silent from now on."""
        if self._connection is not None:
            self._connection.silence(seconds)

    def abort(self) -> None:
        """Break off what another thread reads by this client at present."""
        connection = self._connection
        if connection is not None:
            connection.abort()

    def at_end(self, end: Callable[[], None]) -> None:
        """Have ``end`` called when the ``with`` block of this client is left."""
        self._ends.append(end)

    def pages(
        self,
        path: str,
        query: Mapping[str, str],
        take: Callable[[bytes | bytearray], str],
        restart: Callable[[], None],
        size: int = PAGE,
    ) -> None:
        """Read a list page by page.

        ``take`` consumes a page and returns its continue token, empty at the end; ValueError says that it is no list.
        ``restart`` is told when the list expired midway and begins again from its start.
        """
        for left in range(RESTARTS, -1, -1):
            try:
                return self._walk(path, {**query, "limit": str(size)}, take)
            except Gone:
                if not left:
                    raise ClusterError(
                        f"{self.endpoint.subject} let a list expire before it was read, {RESTARTS + 1} times.",
                        "It is busy, or the connection is slow. Try again later, or read fewer namespaces.",
                    ) from None
            restart()
        return None

    def close(self) -> None:
        """Close the connection. The client may still be used, and connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in self._ends:
            end()
        self.close()

    def _walk(self, path: str, query: Mapping[str, str], take: Callable[[bytes | bytearray], str]) -> None:
        token = ""
        while True:
            following = self._page(path, {**query, "continue": token} if token else query, take, token)
            if not following:
                return
            token = following

    def _page(self, path: str, query: Mapping[str, str], take: Callable[[bytes | bytearray], str], token: str) -> str:
        """Read one page and give the token of the next one. It is out of memory before that one is asked for."""
        body = self._ask("GET", path, query, None)
        try:
            following = take(body)
        except ValueError:
            raise self._not_kubernetes(body) from None
        if following and following == token:  # a server that does so would never end
            raise self._not_kubernetes(body)
        return following

    def _not_kubernetes(self, body: bytes | bytearray) -> ClusterError:
        from landed.kube import problems

        return problems.not_kubernetes(self.endpoint, bytes(body))

    def _ask(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes | bytearray:
        """Ask until there is an answer, or until it is clear that there will be none."""
        from_root = self.endpoint.prefix + path + (f"?{urlencode(query)}" if query else "")
        renewed = False
        for left in range(self._tries - 1, -1, -1):
            answer = self._exchange(method, from_root, body, last=not left)
            if answer is None:
                self._pause(_backoff(self._tries - left))
                continue
            if answer.status in (200, 201):
                return answer.body
            if answer.status == 401 and not renewed and left and self._credentials.renew(self._shown):
                renewed = True
                continue
            if answer.status not in PASSING or not left:
                raise self._refused(method, path, answer)
            self._pause(_retry_after(answer.headers) or _backoff(self._tries - left))
        raise AssertionError("the last try returns or raises")

    def _refused(self, method: str, path: str, answer: Answer) -> ClusterError:
        from landed.kube import problems

        return problems.answered(
            self.endpoint, method, path, answer.status, answer.headers, bytes(answer.body), self._shown
        )

    def _exchange(self, method: str, path: str, body: bytes | None, *, last: bool) -> Answer | None:
        """One request and its answer; None where the answer was cut off and another try is due."""
        identity = self._credentials.identity()
        try:
            return self._on_live_connection(identity, method, path, body)
        except (OSError, CutOff, zlib.error, ValueError) as error:
            self.close()
            if isinstance(error, CUT) and not last:
                return None
            from landed.kube import problems

            raise problems.failed(self.endpoint, error, self._timeout, identity) from None
        except BaseException:
            self.close()
            raise

    def _on_live_connection(self, identity: Identity, method: str, path: str, body: bytes | None) -> Answer:
        """A kept connection may have been closed by the other side meanwhile; that costs no try."""
        if self._connection is not None:
            try:
                return self._send(self._connect(identity), method, path, body)
            except LOST:
                self.close()
        return self._send(self._connect(identity), method, path, body)

    def _connect(self, identity: Identity) -> Connection:
        """The open connection, if it was opened with the certificate we have now; else a new one."""
        if (identity.certificate, identity.key) != (self._shown.certificate, self._shown.key):
            self.close()
        self._shown = identity
        if self._connection is None:
            https = self.endpoint.scheme == "https"
            context = tls.context(self.endpoint, identity.certificate, identity.key) if https else None
            self._connection = dial.connect(self.endpoint, self._timeout, context)
            self.connections += 1
        return self._connection

    def _send(self, connection: Connection, method: str, path: str, body: bytes | None) -> Answer:
        self.requests += 1
        connection.request(method, dial.target(self.endpoint, path), self._headers(body), body)
        answer = connection.answer(time.monotonic() + 10 * self._timeout)
        if not connection.usable:
            self.close()
        return answer

    def _headers(self, body: bytes | None) -> list[tuple[str, bytes]]:
        headers = [
            ("Host", self.endpoint.netloc),
            ("User-Agent", f"landed/{__version__}"),
            ("Accept", "application/json"),
            *self._credentials.impersonation,
        ]
        if self.endpoint.gzip:
            headers.append(("Accept-Encoding", "gzip"))
        if self._shown.authorization:
            headers.append(("Authorization", self._shown.authorization))
        if body is not None:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return [(name, value.encode()) for name, value in headers]

    def write(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        *,
        again: bool = False,
        tries: int = TRIES,
    ) -> bytes:
        """Ask for something that may change an object, and give the answer's body.

        Sent again, up to ``tries`` in all, is only what was refused before it was looked at (401, 429); with ``again``,
        which says that twice is as good as once, also what may have been carried out. Raises, beside ClusterError,
        Conflict (409), Forbidden (403), NotServed (404) and Unanswered where there is no telling what became of it.
        """
        from landed.kube import writes

        for left in range(tries - 1, -1, -1):
            answer = self._write(method, path, body, content_type, last=not (again and left))
            if answer is not None and answer.status in (200, 201, 202):
                return bytes(answer.body)
            status = answer.status if answer else 0
            renewed = status == 401 and self._credentials.renew(self._shown)
            may = renewed or status in (0, 429) or (again and status in PASSING)
            if answer is not None and not (may and left):
                raise writes.refused(self.endpoint, method, path, answer, self._shown)
            if not renewed:
                self._pause(_retry_after(answer.headers if answer else {}) or _backoff(tries - left))
        raise AssertionError("the last try returns or raises")

    def _write(self, method: str, path: str, body: bytes | None, content_type: str, *, last: bool) -> Answer | None:
        """One request and its answer; None where it was lost and another try is due."""
        from landed.kube import problems, writes

        identity = self._credentials.identity()
        if self._connection is not None and writes.ended(self._connection.sock):
            self.close()
        sent = False
        try:
            connection = self._connect(identity)
            headers = self._headers(None)
            if body is not None:
                headers += [("Content-Type", content_type.encode()), ("Content-Length", str(len(body)).encode())]
            self.requests += 1
            sent = True
            connection.request(method, dial.target(self.endpoint, self.endpoint.prefix + path), headers, body)
            answer = connection.answer(time.monotonic() + 10 * self._timeout)
        except (OSError, CutOff, zlib.error, ValueError) as error:
            self.close()
            if sent and not last and isinstance(error, CUT):
                return None
            tell = writes.lost if sent else problems.failed
            raise tell(self.endpoint, error, self._timeout, identity) from None
        except BaseException:
            self.close()
            raise
        if not connection.usable:
            self.close()
        return answer


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds the server asks for; 0 where it does not, or names a date (Kubernetes never does)."""
    text = headers.get("retry-after", "")
    return min(float(text), LONGEST_PAUSE) if text.isascii() and text.isdigit() else 0.0


def _backoff(tried: int) -> float:
    """Seconds: a quarter, doubled with each try, give or take a half."""
    from random import random

    return 0.25 * float(2 ** (tried - 1)) * (0.5 + random())  # noqa: S311
