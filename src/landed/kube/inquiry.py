"""Many small questions to one cluster, by several threads, until a point in time. What has no answer is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Any

from msgspec import Struct

from landed.errors import LandedError
from landed.kube.below import page
from landed.kube.client import Client
from landed.kube.errors import Forbidden, NotServed

#: Verb, resource as rules name it, and namespace (empty for all).
Right = tuple[str, str, str]

#: What is lacking where there was no answer, or none that makes sense.
SILENT: Right = ("", "", "")

#: Objects of one page, and pages of one list.
PAGE, PAGES = 500, 4


class Unanswered(Exception):
    """There is no answer to this: no right, no time, no connection, or nonsense."""


class Inquiry:
    """Connections to one cluster, as many as there are threads that ask, and what is already known of our rights.

    ``connect`` makes one more client; ``end`` is when nothing more is asked (``time.monotonic``).
    """

    def __init__(self, connect: Callable[[], Client], end: float) -> None:
        self._connect = connect
        self._end = end
        self._idle: list[Client] = []
        self._closed = False
        self._lock = Lock()
        self._first: dict[Right, Lock] = {}
        self._allowed: set[Right] = set()
        self._refused: set[Right] = set()
        self._discovered: dict[str, bytes] = {}

    def get(self, right: Right, path: str, query: Mapping[str, str], lacks: set[Right]) -> bytes:
        """What is at ``path``. A right that turns out to be missing is added to ``lacks``, and asked for only once.

        Raises NotServed where there is nothing, Unanswered for everything else.
        """
        return self._ask(right, lacks, lambda client: client.get(path, query))

    def list(
        self, right: Right, path: str, query: Mapping[str, str], take: Callable[[bytes], str], lacks: set[Right]
    ) -> None:
        """Give ``take`` the pages of a list, which gives the continue token of each. Raises as ``get``."""

        def walk(client: Client) -> bytes:
            pages = 0

            def page(body: bytes | bytearray) -> str:
                nonlocal pages
                pages += 1
                following = take(bytes(body))
                return following if pages < PAGES and monotonic() < self._end else ""

            client.pages(path, query, page, lambda: None, PAGE)
            return b""

        self._ask(right, lacks, walk)

    def discover(self, path: str, lacks: set[Right]) -> bytes | None:
        """What discovery says at ``path``, asked once; None where it says nothing."""

        def ask(client: Client) -> bytes:
            if path not in self._discovered:  # somebody else may have asked while this one waited for its turn
                self._discovered[path] = client.get(path)
            return self._discovered[path]

        try:
            return self._discovered.get(path) or self._ask(("get", path, ""), lacks, ask)
        except (Unanswered, NotServed):
            return None

    def close(self) -> None:
        """Close what is idle; what is busy is closed when it is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _ask(self, right: Right, lacks: set[Right], question: Callable[[Client], bytes]) -> bytes:
        with self._in_turn(right, lacks):
            try:
                if right not in self._refused:
                    answer = self._by_some_client(question)
                    self._allowed.add(right)
                    return answer
            except NotServed:
                self._allowed.add(right)
                raise
            except Forbidden:
                self._refused.add(right)
            except (LandedError, Unanswered):
                lacks.add(SILENT)
                raise Unanswered from None
        lacks.add(right)
        raise Unanswered

    @contextmanager
    def _in_turn(self, right: Right, lacks: set[Right]) -> Iterator[None]:
        """One at a time until it is known whether we may."""
        if right in self._allowed:
            yield
            return
        with self._lock:
            turn = self._first.setdefault(right, Lock())
        if not turn.acquire(timeout=max(0.0, self._end - monotonic())):
            lacks.add(SILENT)
            raise Unanswered
        try:
            yield
        finally:
            turn.release()

    def _by_some_client(self, question: Callable[[Client], bytes]) -> bytes:
        if monotonic() >= self._end:
            raise Unanswered
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._connect()
        try:
            return question(client)
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(client)
            if not keep:
                client.close()


def sentences(lacks: set[Right]) -> tuple[str, ...]:
    """What each missing right would tell, those of one resource together."""
    where: dict[tuple[str, str], set[str]] = {}
    for verb, resource, namespace in lacks - {SILENT}:
        where.setdefault((resource, verb), set()).add(namespace)
    found = tuple(_sentence(verb, what, sorted(spaces)) for (what, verb), spaces in sorted(where.items()))
    return (*found, _SILENT) if SILENT in lacks else found


_SILENT = "Not all of it could be read: the cluster did not answer in time, or not sensibly."


def _sentence(verb: str, resource: str, namespaces: list[str]) -> str:
    if "" in namespaces:
        place = "in all namespaces"
    else:
        place = f"in namespace{'' if len(namespaces) == 1 else 's'} {', '.join(namespaces[:5])}"
    return f"To {verb} {resource} {place} is not allowed. It would tell more; deploy/rbac-explain.yaml grants it."


class Looker(Struct, frozen=True):
    """How far objects are looked into."""

    inquiry: Inquiry
    lacks: set[Right]
    events: bool = False
    logs: bool = False
    hide: Callable[[str], str] = str

    def listed(self, right: Right, path: str, query: Mapping[str, str], shape: type[Any], into: list[Any]) -> bool:
        """Add the objects of a list that are of this shape; false where it could not be read. Never raises."""
        try:
            self.inquiry.list(right, path, query, lambda body: page(body, shape, into), self.lacks)
        except (Unanswered, NotServed):
            return False
        return True
