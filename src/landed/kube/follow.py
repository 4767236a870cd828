"""A cluster that is followed: what was listed once, kept up to date by watches.

Watches have no order between them, and the order matters for truth (see ``landed.kube.read``): a Kustomization may say
that it has applied a commit before its source is heard to hold it. Such a source is asked for by its name before the
cluster is given to anybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from random import random

from landed.errors import ClusterError, LandedError
from landed.flux import KINDS, Change, Reader, is_source
from landed.kube.client import Client
from landed.kube.errors import NotServed
from landed.kube.read import (
    HELM_RELEASE,
    KUSTOMIZATION,
    OTHERS_TOLERATE,
    SOURCES_TOLERATE,
    Listed,
    Lists,
    Tolerated,
    applied_by,
    path,
)
from landed.kube.watch import Ears, Stream, Times
from landed.model import Cluster, Kustomization, ObjectRef, Source
from landed.revision import attempt
from landed.selection import Selection, Wants

#: How many revisions are remembered that a source has held.
REMEMBERED = 16

#: Of how many sources.
MOST_SOURCES = 20_000

#: How many streams there are at most, each with a thread and a connection.
MOST_STREAMS = 200

#: How often sources are asked for before a cluster is given as it is.
ROUNDS = 3

#: Seconds that an answer about one source may take.
ASKING = 5.0

#: Seconds after which a cluster that could not be listed is tried again; doubled with each failure.
AGAIN, SELDOM = 5.0, 40.0


#: Many objects, one after the other, say the same.
_attempt = lru_cache(maxsize=1024)(attempt)


class Follower:
    """The mirror of one cluster. ``read`` makes no request, but for single sources where truth asks for it."""

    def __init__(
        self,
        client: Client,
        name: str,
        lists: Lists,
        selection: Selection,
        wants: Wants,
        wake: Callable[[], None],
        times: Times = Times(),  # noqa: B008 (it is immutable)
    ) -> None:
        """``lists`` is what was read. ``wake`` is called after each change, from any thread."""
        self._client = client
        self._name = name
        self._namespaces = lists.namespaces
        self._times = times
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._asker = client.twin(timeout=min(ASKING, client.timeout), tries=2)
        self._asking = threading.Lock()
        fresh = partial(Reader, selection, 0, wants=wants, whole=True)
        self._ears = Ears(self._heard, self._renewed, wake, fresh)
        self._streams: list[Stream] = []
        self._held: dict[ObjectRef, dict[str, None]] = {}
        """The revisions that each source has held, in that order."""
        self._doubts: dict[ObjectRef, set[str]] = {}
        """Revisions that Kustomizations name and that their sources are not known to have held."""
        self._helm = any(listed.kind.kind == HELM_RELEASE for listed in lists.listed)
        self._seen = lists.reader.cluster(name).seen
        self._warnings: tuple[str, ...] = ()
        for listed in lists.listed:
            self._add(listed, lists.reader.branch(listed.kind.kind, self._share(listed, lists.listed)))
        for reader in [stream.reader for stream in self._streams]:
            self._learn(reader)
        if lists.reader.applies_helm_releases:
            self._follow_helm_releases()

    def start(self) -> None:
        """Begin to watch."""
        with self._lock:
            for stream in self._streams:
                self._run(stream)

    def stop(self) -> None:
        """End all watches. May be called more than once."""
        self._stopped.set()
        for stream in list(self._streams):
            stream.client.abort()
        self._asker.abort()
        with self._asking:
            self._asker.close()

    def read(self, since: int) -> Cluster:
        """The cluster as it is known now, with histories back to ``since``.

        Raises ClusterError while nothing new has been heard for some time.
        """
        failed: set[ObjectRef] = set()
        for _ in range(ROUNDS):
            with self._lock:
                self._check()
                doubtful = [ref for ref in self._doubts if ref not in failed]
                if not doubtful:
                    return self._cluster(since)
            failed.update(ref for ref in doubtful if not self._ask(ref))
        with self._lock:
            self._check()
            return self._cluster(since)

    def _check(self) -> None:
        down = [stream.down for stream in self._streams if stream.down]
        late = [one for one in down if time.monotonic() - one.at >= self._times.patience]
        if late:
            first = min(late, key=lambda one: one.at)
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(first.since))
            raise ClusterError(f"{first.error.message} Nothing new is known of it since {when} UTC.", first.error.hint)

    def _cluster(self, since: int) -> Cluster:
        parts = [stream.reader.cluster(self._name, since) for stream in self._streams]
        said = dict.fromkeys(chain.from_iterable(part.warnings for part in parts))
        said.update(dict.fromkeys(stream.warning for stream in self._streams if stream.warning))
        said.update(dict.fromkeys(self._warnings))
        self._seen = max([self._seen, *(part.seen for part in parts)])
        return Cluster(
            self._name,
            tuple({k.ref: k for part in parts for k in part.kustomizations}.values()),
            {ref: source for part in parts for ref, source in part.sources.items()},
            tuple({release.ref: release for part in parts for release in part.helm_releases}.values()),
            tuple(said),
            self._seen,
        )

    # ── which streams ────────────────────────────────────────────────────────────────────────────────────────────────

    def _share(self, listed: Listed, all_: Iterable[Listed]) -> Callable[[str], bool]:
        """Which namespaces of what was read belong to one of the lists: of all namespaces, those that no other has."""
        if listed.namespace:
            return lambda namespace: namespace == listed.namespace
        others = {each.namespace for each in all_ if each.kind == listed.kind and each is not listed}
        return lambda namespace: namespace not in others or not namespace

    def _add(self, listed: Listed, reader: Reader) -> Stream | None:
        if len(self._streams) >= MOST_STREAMS:
            self._warnings = (f"{self._name}: not everything is followed; there are more than {MOST_STREAMS} lists.",)
            return None
        client = self._client.twin(pause=self._pause)
        stream = Stream(client, listed, reader, self._ears, self._lock, self._stopped, self._times)
        self._streams.append(stream)
        return stream

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _run(self, stream: Stream) -> None:
        name = f"{self._name} {stream.kind} {stream.listed.namespace}".strip()
        threading.Thread(target=stream.run, name=name, daemon=True).start()

    def _begin(self, kind: str, namespace: str, query: dict[str, str], tolerates: Tolerated) -> None:
        """Follow what was not listed at first. Called with the lock held."""
        known = KINDS[kind]
        stream = self._add(Listed(known, known.versions[0], namespace, query, tolerates=tolerates), self._ears.fresh())
        if stream is not None:
            self._run(stream)

    def _follow_source(self, ref: ObjectRef) -> None:
        if is_source(ref.kind) and not any(stream.covers(ref.kind, ref.namespace) for stream in self._streams):
            self._begin(ref.kind, ref.namespace if self._namespaces else "", {}, SOURCES_TOLERATE)

    def _follow_helm_releases(self) -> None:
        if not self._helm:
            self._helm = True
            self._begin(HELM_RELEASE, "", {"labelSelector": applied_by(self._namespaces)}, OTHERS_TOLERATE)

    # ── what streams say ─────────────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, stream: Stream, change: Change) -> None:
        """Take note of one change. Called with the lock held."""
        before, now = change.before, change.now
        if isinstance(now, Kustomization):
            self._vet(now, before if isinstance(before, Kustomization) else None)
            self._follow_source(now.source)
            if stream.reader.applies_helm_releases:
                self._follow_helm_releases()
        elif isinstance(now, Source):
            if not isinstance(before, Source) or before.revision != now.revision:
                self._hold(now.ref, now.revision)
        elif isinstance(before, Source):
            self._held.pop(before.ref, None)

    def _renewed(self, stream: Stream, before: Reader, version: str) -> None:
        """Take note of a list that was read anew. Called with the lock held."""
        for now in stream.reader.objects(stream.kind):
            self._heard(stream, Change("ADDED", before=before.held(now.ref), now=now))
        for ref in before.versions_after(version) if version else ():
            self._doubts.setdefault(ref, set())  # asked for while the list was on its way: ask again

    def _learn(self, reader: Reader) -> None:
        """What is named when everything was just listed in the right order is true."""
        for k in reader.objects(KUSTOMIZATION):
            for revision in _named(k):
                self._hold(k.source, revision)
        for kind in filter(is_source, KINDS):
            for source in reader.objects(kind):
                self._hold(source.ref, source.revision)

    def _hold(self, source: ObjectRef, revision: str) -> None:
        if not revision:
            return
        if len(self._held) > MOST_SOURCES:
            self._held.clear()
        held = self._held.setdefault(source, {})
        held.pop(revision, None)
        held[revision] = None
        while len(held) > REMEMBERED:
            del held[next(iter(held))]
        doubts = self._doubts.get(source)
        if doubts is not None:
            doubts.discard(revision)
            if not doubts:
                del self._doubts[source]

    def _vet(self, k: Kustomization, before: Kustomization | None) -> None:
        """Doubt a source where a Kustomization newly names a revision that it has not held, or not since the one that
        was named before.
        """
        known = set(_named(before)) if before is not None and before.source == k.source else set()
        fresh = [revision for revision in _named(k) if revision not in known]
        if not fresh:
            return
        held = list(self._held.get(k.source, ()))
        latest = max((number for number, revision in enumerate(held) if revision in known), default=0)
        doubtful = {revision for revision in fresh if revision not in held[latest:]}
        if doubtful:
            self._doubts.setdefault(k.source, set()).update(doubtful)

    # ── single sources ───────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, ref: ObjectRef) -> bool:
        """Ask for a source that there is a doubt about. False if no answer came, so that the doubt remains."""
        with self._asking:
            with self._lock:
                if ref not in self._doubts:
                    return True  # it was heard of meanwhile
                names = tuple(self._doubts[ref])
                stream = next((each for each in self._streams if each.covers(ref.kind, ref.namespace)), None)
                if stream is None:  # a kind that is not read
                    del self._doubts[ref]
                    return True
                where = f"{path(stream.listed.kind, stream.listed.api, ref.namespace)}/{ref.name}"
            document: bytes | None = None
            try:
                document = self._asker.get(where)
            except NotServed:
                pass
            except LandedError:
                return False
            with self._lock:
                self._settle(stream, ref, names, document)
            return True

    def _settle(self, stream: Stream, ref: ObjectRef, names: Iterable[str], document: bytes | None) -> None:
        """What was named before the source was asked for is in what it says: it held it then, or has moved on."""
        doubts = self._doubts.pop(ref, set()) - set(names)
        if doubts:
            self._doubts[ref] = doubts
        for name in names:
            self._hold(ref, name)
        try:
            change = stream.reader.put_one(ref.kind, ref, document)
        except ValueError:
            return  # the stream says that it makes no sense
        if isinstance(change.now, Source):
            self._hold(ref, change.now.revision)


def _named(k: Kustomization) -> Iterator[str]:
    """The revisions that a Kustomization says its source held."""
    if k.applied:
        yield k.applied
    if k.attempted and k.attempted != k.applied:
        yield k.attempted
    if k.reconciling is not None:
        revision = _attempt(k.reconciling.message)[1]
        if revision:
            yield revision


def retry(attempt: Callable[[], bool], wake: Callable[[], None]) -> Callable[[], None]:
    """Make an ``attempt`` now and then, until one succeeds; then wake. Gives what ends it."""
    stopped = threading.Event()

    def again() -> None:
        seconds = AGAIN
        while not stopped.wait(seconds * (0.8 + 0.4 * random())):  # noqa: S311
            if attempt():
                return wake()
            seconds = min(2 * seconds, SELDOM)
        return None

    threading.Thread(target=again, name="again", daemon=True).start()
    return stopped.set
