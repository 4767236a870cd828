"""One kind, in one namespace or in all, followed: listed where it must be, watched where it can be.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes . A stream goes on from the
last version that it has seen, whatever ends it; only where the server has forgotten that version is everything listed
again. It never gives up.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from random import random
from threading import Event, Lock

from msgspec import Struct
from msgspec.structs import replace

from landed.errors import ClusterError, LandedError
from landed.flux import Change, Reader
from landed.kube.client import Client, NoStream
from landed.kube.errors import Forbidden, Gone
from landed.kube.grants import asked
from landed.kube.read import Listed, in_version, path, tolerated
from landed.kube.wire import CutOff
from landed.model import Kustomization
from landed.outcomes.again import goes_on

BROKEN = (OSError, CutOff, zlib.error, ValueError)

#: How often the server may refuse to go on from a version before everything is listed again.
REFUSALS = 3

#: How many lists are made before a watch that was forbidden is tried again.
LISTS_BEFORE_WATCH = 60

_WATCH = {"watch": "true", "allowWatchBookmarks": "true"}

#: https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists
_EVERYTHING = {**_WATCH, "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


#: Answers to a streaming list after which it may be asked for again; after any other one (400, 422, and 500 where etcd
#: is too old for it) the server has none.
_SAYS_NOTHING = frozenset({0, 401, 403, 404, 429, 503})


class Times(Struct, frozen=True):
    """How long things take, in seconds."""

    lasts: float = 150.0
    """A watch, give or take a fifth; then the server ends it and the next one begins."""
    slack: float = 15.0
    """How much longer it may be silent until it counts as dead."""
    initial: float = 10.0
    """How long a streaming list may be silent, and a sixth of what it may take: else the server has none."""
    shortest: float = 1.0
    """What ends sooner than this without a word is a failure."""
    sound: float = 10.0
    """What has lasted for so long was none, however it ended."""
    backoff: float = 0.25
    """The wait after the first failure; doubled with each one more, give or take a half."""
    longest: float = 30.0
    """The longest wait."""
    poll: float = 5.0
    """Between two lists where a watch is forbidden."""
    seldom: float = 60.0
    """Between two tries of what may be lacking."""
    patience: float = 5.0
    """How long a stream may be down until what is known counts as out of date."""


class Down(Struct, frozen=True):
    """Why nothing new is heard."""

    error: LandedError
    at: float
    """Since when, in the monotonic clock."""
    since: float
    """The same in ours."""


class Ears(Struct, frozen=True):
    """Whom a stream tells what. The first two are called with the lock held."""

    heard: Callable[[Stream, Change], None]
    renewed: Callable[[Stream, Reader, str], None]
    """After everything was read anew: with the reader before, and the version of the list."""
    wake: Callable[[], None]
    """After a change can be read, and when it becomes known that nothing is heard, or is again."""
    fresh: Callable[[], Reader]


class Stream:
    """Keeps ``reader`` up to date until ``stopped``. ``run`` is for a thread of its own; ``lock`` guards everything."""

    def __init__(
        self, client: Client, listed: Listed, reader: Reader, ears: Ears, lock: Lock, stopped: Event, times: Times
    ) -> None:
        self.listed = listed
        self.reader = reader
        self.warning = listed.warning
        self.down: Down | None = None
        self.client = client
        self._ears = ears
        self._lock = lock
        self._stopped = stopped
        self._times = times
        self._version = listed.version
        self._failures = 0
        self._refusals = 0
        self._told = False
        self._streaming = True
        self._lists_left = 0
        self._polling = False
        self._began = 0.0

    @property
    def kind(self) -> str:
        """What it follows."""
        return self.listed.kind.kind

    def covers(self, kind: str, namespace: str) -> bool:
        """Whether all objects of a kind in a namespace are followed."""
        return kind == self.kind and self.listed.namespace in ("", namespace)

    def run(self) -> None:
        """Follow until stopped."""
        while not self._stopped.is_set():
            try:
                self._round()
            except (LandedError, NoStream, *BROKEN) as error:
                self.client.close()  # whatever is left on it
                self._cope(error)
        self.client.close()

    # ── one round ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _round(self) -> None:
        if self._lists_left:
            self._list()
            self._lists_left -= 1
            self._rest(self._times.poll * (0.8 + 0.4 * random()))  # noqa: S311
            return
        lines = None
        if not self._version:
            lines = self._stream_list() if self._streaming else None
            if lines is None:
                self._list()
        if not self._version:  # a list without a version: there is nothing to go on from
            self._lists_left = LISTS_BEFORE_WATCH
            return
        if lines is None:
            seconds = self._seconds()
            lines = self._open({**_WATCH, "resourceVersion": self._version}, seconds, seconds + self._times.slack)
        self._polling = False
        self._up()
        self._listen(lines)

    def _seconds(self) -> int:
        """How long the next watch is to last: not all at the same time."""
        return max(1, int(self._times.lasts * (0.8 + 0.4 * random())))  # noqa: S311

    def _open(self, query: Mapping[str, str], seconds: int, silence: float) -> Iterator[bytes]:
        limits = {"timeoutSeconds": str(seconds)}
        return self.client.watch(self._path(), {**self.listed.query, **query, **limits}, silence)

    def _path(self) -> str:
        return path(self.listed.kind, self.listed.api, self.listed.namespace)

    def _listen(self, lines: Iterator[bytes]) -> None:
        """Take what comes until the server ends it. Raises Gone, ClusterError, and what reading raises."""
        self._began, silent = time.monotonic(), True
        if self._stopped.is_set():  # before there was a connection to break off
            return
        for line in lines:
            if self._stopped.is_set():
                return
            if line:
                self._take(line)
                silent = False
        lasted = time.monotonic() - self._began
        if silent and lasted < self._times.shortest:
            self._failures += 1
            self._rest(self._backoff())
        elif lasted >= self._times.sound:
            self._failures = 0

    def _take(self, line: bytes) -> None:
        with self._lock:
            change = self.reader.put(self.kind, line)
            if change.before is not None or change.now is not None:
                self._ears.heard(self, change)
        if change.type == "ERROR":
            raise self._error(change)
        if change.type == "BOOKMARK" and _before(change.version, self._version):
            raise Gone(f"{self.client.endpoint.subject} has gone back to an earlier state.")
        self._version = change.version or self._version
        self._failures = self._refusals = 0
        if change.warns or (change.before != change.now and not _goes_on(change)):
            self._ears.wake()

    def _error(self, change: Change) -> Exception:
        """What an ERROR event says, which comes within a 200."""
        if change.code == 410:
            return Gone(f"{self.client.endpoint.subject} no longer has the version that was seen last.")
        from landed.redact import clean

        said = f": {clean(change.said).rstrip('.')}" if change.said else ""
        error = ClusterError(f"{self.client.endpoint.subject} ended a watch with {change.code or 'an error'}{said}.")
        return NoStream(error, change.code or 500)

    # ── everything anew ──────────────────────────────────────────────────────────────────────────────────────────────

    def _list(self) -> None:
        """Read all pages, in whichever version is served. Raises ClusterError."""
        kind, namespace = self.listed.kind, self.listed.namespace
        fresh, versions = self._ears.fresh(), list[str]()

        def begin() -> None:
            nonlocal fresh
            fresh = self._ears.fresh()
            versions.clear()

        def take(page: bytes | bytearray) -> str:
            following = fresh.take(kind.kind, page)
            versions.append(fresh.version)
            return following

        def attempt(api: str) -> None:
            begin()
            self.client.pages(path(kind, api, namespace), self.listed.query, take, begin)

        api = in_version(self.client, kind, self.listed.api, attempt)
        self.listed = replace(self.listed, api=api)
        self._install(fresh, versions[0])

    def _stream_list(self) -> Iterator[bytes] | None:
        """Everything by a watch that goes on afterwards; None where the server has no such thing."""
        self._streaming = False  # until it is known that there is
        fresh = self._ears.fresh()
        deadline = time.monotonic() + 6 * self._times.initial
        seconds = self._seconds()
        try:
            lines = self._open(_EVERYTHING, seconds, self._times.initial)
            for line in lines:
                change = fresh.put(self.kind, line) if line else Change("")
                if change.type == "ERROR":
                    raise self._error(change)
                if change.ends_list and change.version:
                    self.client.silence(seconds + self._times.slack)
                    self._install(fresh, change.version)
                    self._streaming = True
                    return lines
                if time.monotonic() > deadline or self._stopped.is_set():
                    break
        except NoStream as error:
            if error.status in _SAYS_NOTHING:
                self._streaming = error.status != 404
                raise
        except BROKEN:
            pass
        self.client.close()
        return None

    def _install(self, fresh: Reader, version: str) -> None:
        with self._lock:
            before, self.reader = self.reader, fresh
            self._version = version
            changed = not fresh.holds_same(before)
            self._ears.renewed(self, before, version)
        self._up()
        if changed:
            self._ears.wake()

    # ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────

    def _cope(self, error: Exception) -> None:
        """Wait, and do differently what has to be."""
        if isinstance(error, NoStream):
            self._not_begun(error)
        elif isinstance(error, Gone):
            self._version = ""
            self._failed(error)
        elif isinstance(error, LandedError):
            self._lacking(error)
        else:
            self._interrupted(error)

    def _not_begun(self, error: NoStream) -> None:
        if error.status == 403 and isinstance(error.error, Forbidden):
            self._forbidden(error.error)
            return
        if error.status in (404, 410):
            self._version = ""
        elif error.status:
            self._refusals += 1
            if self._refusals % REFUSALS == 0:
                self._version = ""
        self._failed(error.error, error.pause)

    def _forbidden(self, error: Forbidden) -> None:
        """There may be no watch: then it is listed, and said so."""
        resource, namespace, _ = asked(self._path())
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        every = f"every {self._times.poll:g} s"
        said = (
            f"{self.client.endpoint.subject} does not let us watch {resource} {where} (403), so they are listed "
            f"{every}. {error.hint}"
        )
        self._polling = True
        self._lists_left = LISTS_BEFORE_WATCH
        self._say(said)

    def _say(self, warning: str) -> None:
        if self.warning != warning:
            with self._lock:
                self.warning = warning
            self._ears.wake()

    def _lacking(self, error: LandedError) -> None:
        if not isinstance(error, self.listed.tolerates):
            self._failed(error)
            return
        with self._lock:
            before, self.reader = self.reader, self._ears.fresh()
            self._version = ""
            self._lists_left = 0
            self.down = None
            self._ears.renewed(self, before, "")
        self._say(tolerated(self.kind, error))
        self._rest(self._times.seldom * (0.8 + 0.4 * random()))  # noqa: S311

    def _interrupted(self, error: Exception) -> None:
        """A watch broke off. What was missed comes with the next one, which may begin at once if this one was good."""
        if self._stopped.is_set():
            return
        if time.monotonic() - self._began >= self._times.sound:
            self._failures = 0
        if isinstance(error, ValueError):
            problem = ClusterError(f"{self.client.endpoint.subject} sends a watch that makes no sense.")
        elif isinstance(error, TimeoutError):
            problem = ClusterError(f"{self.client.endpoint.subject} has been silent for too long in a watch.")
        else:
            problem = ClusterError(f"{self.client.endpoint.subject} broke off a watch.")
        if isinstance(error, ValueError):
            self._refusals += 1
            if self._refusals % REFUSALS == 0:
                self._version = ""
        self._failed(problem)

    def _failed(self, error: LandedError, pause: float = 0.0) -> None:
        with self._lock:
            at, since = (self.down.at, self.down.since) if self.down else (time.monotonic(), time.time())
            self.down = Down(error, at, since)
        self._failures += 1
        self._rest(max(pause, self._backoff()))

    def _backoff(self) -> float:
        longest = self._times.longest
        doubled = self._times.backoff * 2 ** min(self._failures - 1, 20)
        return min(longest, float(doubled)) * (0.5 + random() / 2)  # noqa: S311

    def _rest(self, seconds: float) -> None:
        """Wait; and say so when it has lasted too long that nothing is heard."""
        down = self.down
        if down is not None and not self._told:
            left = down.at + self._times.patience - time.monotonic()
            if left <= seconds:
                self._stopped.wait(max(0.0, left))
                seconds -= max(0.0, left)
                self._told = True
                self._ears.wake()
        self._stopped.wait(max(0.0, seconds))

    def _up(self) -> None:
        with self._lock:
            self.down = None
        if self._told:
            self._told = False
            self._ears.wake()
        if not self._polling:
            self._say("")


def _goes_on(change: Change) -> bool:
    """Whether it is one of the changes that say nothing new of any commit; the next look sees them all the same."""
    before, now = change.before, change.now
    return isinstance(before, Kustomization) and isinstance(now, Kustomization) and goes_on(before, now)


def _before(one: str, other: str) -> bool:
    """Whether a version is older than another one, as far as that can be told."""
    return one.isdigit() and other.isdigit() and int(one) < int(other)
