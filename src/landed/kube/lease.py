"""One at a time: a Lease that several processes want, and one holds.

https://kubernetes.io/docs/concepts/architecture/leases/ . The rules are those of Kubernetes' own components: whoever
holds it writes to it every few seconds, and whoever has seen it unchanged for as long as it is good may take it. Clocks
are never compared: each side counts from what it has seen itself. The holder counts from before it asked, and stops
counting on the Lease well before anybody else may take it.

What is under way when the Lease is lost is not undone: a request that takes longer than the margin between the two
(``DURATION`` less ``DEADLINE``) may still arrive after somebody else has begun.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from random import random
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import quote

from msgspec import MsgspecError, Struct, convert
from msgspec.json import encode

from landed.decoding import decode
from landed.errors import ClusterError, ConfigurationError
from landed.kube.client import Client
from landed.kube.errors import Conflict, Forbidden, NotServed

#: Seconds for which nobody else may take it after it was last seen to change.
DURATION = 15
#: Seconds after the last renewal that was confirmed until its holder no longer counts on it.
DEADLINE = 10.0
#: Seconds between two tries, give or take a fifth.
RETRY = 2.0
#: Seconds that a request about it may take; a client for it is made with this timeout.
TIMEOUT = 4.0

#: The Role that has all the rules.
RULES = "deploy/watch/lease.yaml"

_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LONGER = rf"{_NAME}(\.{_NAME})*"


class _Spec(Struct, frozen=True):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    acquireTime: str | None = None
    leaseTransitions: int | None = None


class _Document(Struct, frozen=True):
    """A Lease as it came: what of it is not ours is written back as it is."""

    metadata: dict[str, Any]
    spec: dict[str, Any] = {}


class _Found(Struct, frozen=True):
    """A Lease, and what of it counts."""

    document: _Document
    version: str
    spec: _Spec
    holder: str


class _Seen(Struct, frozen=True):
    """Which version of the Lease was seen last, and when it was new."""

    version: str = ""
    at: float = 0.0


def parse(text: str) -> tuple[str, str]:
    """Namespace and name in ``NAMESPACE/NAME``. Raises ConfigurationError."""
    namespace, _, name = text.partition("/")
    if not re.fullmatch(_NAME, namespace) or not re.fullmatch(_LONGER, name) or len(name) > 253:
        raise ConfigurationError(
            f"{text!r} does not name a Lease.", "Write NAMESPACE/NAME, such as flux-system/landed, in lower case."
        )
    return namespace, name


def identity(host: str) -> str:
    """A name that no other process has: ``host`` (a pod's name is its host name) and something random."""
    from uuid import uuid4

    return f"{host[:200]}_{uuid4()}"


def clock() -> float:
    """Seconds, counted on while the machine is suspended: what was held before that is not held after it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """A Lease, from the side of one who wants it.

    ``acquire`` waits for it, and renews it in a thread of its own from then on; ``held`` says whether it is ours at
    this moment, and is asked before everything that only one may do; ``release`` gives it up. The client must be its
    own: ``client.twin(timeout=TIMEOUT)``.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], float] = clock,
        now: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """``clock`` counts seconds, ``now`` is the epoch's; ``tell`` is given a sentence when something stands in the
        way; ``on_lost`` is called once, from the renewing thread, when the Lease is lost without having been released.
        """
        self.name: Final = f"{namespace}/{name}"
        self.identity: Final = identity
        self.term = 0
        """How often the Lease has changed hands (``leaseTransitions``), as of when it was acquired."""
        self.holder = ""
        """Who had it when it was last looked at; empty where nobody had."""
        self._client = client
        self._list = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
        self._path = f"{self._list}/{quote(name, safe='')}"
        self._metadata = {"namespace": namespace, "name": name}
        self._clock, self._now, self._tell, self._on_lost = clock, now, tell, on_lost
        self._until = float("-inf")
        self._seen = _Seen()
        self._told = ""
        self._done = Event()
        self._thread: Thread | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours now. Asks nobody, and may be asked from any thread."""
        return not self._done.is_set() and self._clock() < self._until

    def acquire(self, wait: Callable[[float], bool]) -> bool:
        """Try until it is ours; false once ``wait``, which lets so many seconds pass, says that we are to stop.

        Raises ClusterError where waiting is no use: Forbidden, NotServed. Everything else is told and tried again.
        """
        while self._thread is not None and self._thread.is_alive():  # a request that hangs since the last time
            if wait(RETRY):
                return False
        self._done.clear()
        while not self.attempt(strict=True):
            if wait(_pause()):
                return False
        self._thread = Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        return True

    def release(self) -> None:
        """Stop renewing and, if it is still ours, let the next one have it at once. Raises nothing."""
        self._done.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT)
            if self._thread.is_alive():  # its request hangs; the Lease runs out by itself
                return
        ours, self._until, self._thread = self._clock() < self._until, float("-inf"), None
        try:
            if ours:
                self._give_up()
        except (ClusterError, ConfigurationError) as error:
            self._say(f"Lease {self.name} could not be released and runs out by itself. {error.message}")
        finally:
            self._client.close()

    def attempt(self, *, strict: bool = False) -> bool:
        """One try to take it or to renew it; whether it is ours now. ``strict``: raise what waiting cannot help."""
        try:
            taken = self._try()
        except (Forbidden, NotServed) as error:
            if strict:
                raise self._explained(error) from None
            self._say(f"Lease {self.name} cannot be renewed. {error.message} {error.hint}")
        except Conflict:
            pass  # somebody was faster; the next try sees who
        except (ClusterError, ConfigurationError) as error:
            self._say(f"Lease {self.name} cannot be had at present. {error.message}")
        else:
            self._told = ""
            return taken
        return self.held

    def _try(self) -> bool:
        began = self._clock()
        found = self._read()
        if found is not None:
            self.holder = found.holder
            if found.version != self._seen.version:
                self._seen = _Seen(found.version, self._clock())
        if self.holder in ("", self.identity) or self._ran_out(found):
            self._take(began, found)
        else:
            self._until = float("-inf")
        return self.held

    def _ran_out(self, found: _Found | None) -> bool:
        """Whether nobody has written to it for as long as its holder said it would be good for.

        One that is gone had a holder, too, who may not know yet.
        """
        said = found.spec.leaseDurationSeconds if found else None
        return self._clock() - self._seen.at >= (said if said and said > 0 else DURATION)

    def _take(self, began: float, found: _Found | None) -> None:
        """Write our name into it, provided nobody has touched it since. ``began``: when we began to look."""
        spec = self._ours(found.spec if found else _Spec())
        written = self._write(spec, found)
        if written.holder != self.identity or (found is not None and written.version == found.version):
            raise ClusterError(f"{self._client.endpoint.subject} does not keep what is written to Lease {self.name}.")
        self._seen = _Seen(written.version, self._clock())
        self.holder = self.identity
        self.term = written.spec.leaseTransitions or 0
        self._until = began + DEADLINE

    def _ours(self, spec: _Spec) -> dict[str, Any]:
        now, known = _micro(self._now()), spec.leaseTransitions or 0
        same = spec.holderIdentity == self.identity
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": (spec.acquireTime if same else None) or now,
            "renewTime": now,
            "leaseTransitions": known if same else known + bool(spec.acquireTime),
        }

    def _give_up(self) -> None:
        found = self._read()
        if found is not None and found.holder == self.identity:
            now = _micro(self._now())
            free = {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now}
            self._write(free, found)

    def _read(self) -> _Found | None:
        try:
            return self._decoded(self._client.write("GET", self._path, tries=1))
        except NotServed:
            return None

    def _write(self, spec: dict[str, Any], found: _Found | None) -> _Found:
        known = found.document if found else _Document(self._metadata)
        document = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": known.metadata,
            "spec": {**known.spec, **spec},
        }
        method, path = ("PUT", self._path) if found else ("POST", self._list)
        return self._decoded(self._client.write(method, path, encode(document), tries=1))

    def _decoded(self, body: bytes) -> _Found:
        try:
            document = decode(body, _Document)
            spec = convert(document.spec, _Spec)
        except (MsgspecError, UnicodeError, RecursionError):
            document, spec = _Document({}), _Spec()
        version = document.metadata.get("resourceVersion")
        if not version or not isinstance(version, str):
            raise ClusterError(f"{self._client.endpoint.subject} answers with something that is no Lease.")
        return _Found(document, version, spec, spec.holderIdentity or "")

    def _renew(self) -> None:
        """Renew until it is released or lost. What is lost stays lost: somebody else may have begun."""
        try:
            while not self._done.wait(_pause()) and self.held and self.attempt():
                pass
        finally:
            if not self._done.is_set():
                self._until = float("-inf")
                self._on_lost()

    def _explained(self, error: ClusterError) -> ClusterError:
        if isinstance(error, Forbidden):
            return Forbidden(error.message, f"{RULES} has the Role for it. {error.hint}")
        hint = "Does the namespace exist? Is this a Kubernetes 1.14 or later?"
        return NotServed(f"Lease {self.name} cannot be made. {error.message}", hint)

    def _say(self, text: str) -> None:
        """Once, until something else is to be said."""
        if text != self._told:
            self._told = text
            self._tell(text.rstrip())


def _pause() -> float:
    return RETRY * (0.8 + 0.4 * random())  # noqa: S311


def _micro(seconds: float) -> str:
    """Kubernetes' MicroTime."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
