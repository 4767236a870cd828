"""Reading one cluster: which lists, in which order.

The order matters for truth. Kustomizations come first, their sources after them. Between two lists a new commit may
arrive: read in this order, the source then looks newer than what is applied, and the commit is told as pending, which
it is a moment later at the most. The other way round, a Kustomization that has meanwhile applied the new commit would
be compared with the old source, and a commit that not everybody has seen could look applied everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from landed.errors import ClusterError, LandedError
from landed.flux import KINDS, Kind, Reader, is_source
from landed.kube.client import PAGE, Client
from landed.kube.errors import Forbidden, NotInstalled, NotServed
from landed.model import Cluster, Kustomization
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from landed.kube.follow import Follower

KUSTOMIZATION = "Kustomization"
HELM_RELEASE = "HelmRelease"

EVERYWHERE = ("",)

#: Seconds for which what was read beside the lists is good.
BESIDE_LASTS = 2.0


def read(
    client: Client,
    name: str,
    *,
    selection: Selection | None = None,
    since: int = 0,
    wants: Wants | None = None,
    progress: Callable[[str], None] | None = None,
) -> Cluster:
    """Everything the cluster has to say about commits, under ``name``.

    ``since`` (the cluster's clock) is how far back histories are wanted, ``wants`` what else is to be known.
    ``progress`` is told a short sentence after each page. Raises ClusterError; HelmReleases, and kinds wanted beyond
    what Kustomizations refer to, are only a warning in the result where they may not be read.
    """
    return _begin(client, name, selection or Selection(), since, wants or Wants(), progress or (lambda _: None))[0]


class Reading:
    """A cluster that is read when somebody asks, and from some time on followed instead."""

    def __init__(
        self, client: Client, name: str, selection: Selection, wants: Wants, progress: Callable[[str], None]
    ) -> None:
        """As for ``read``."""
        self._client = client
        self._name = name
        self._selection = selection
        self._wants = wants
        self._progress = progress
        self._lock = Lock()
        self._lists: Lists | None = None
        self._wake: Callable[[], None] | None = None
        self._follower: Follower | None = None
        self._error: LandedError | None = None
        self._since = 0
        self._beside: tuple[Kustomization, ...] = ()
        self._beside_until = 0.0

    def read(self, since: int) -> Cluster:
        """As ``read`` does, or as it is known by following. Raises ClusterError."""
        cluster = self._now(since)
        if not self._wants.rollout or self._selection == Selection():
            return cluster
        from landed.kube.beside import beside  # imported late: only where part of a rollout is waited for

        if monotonic() >= self._beside_until:
            self._beside = beside(self._client, cluster, self._wants)
            self._beside_until = monotonic() + BESIDE_LASTS
        return replace(cluster, beside=self._beside)

    def _now(self, since: int) -> Cluster:
        if self._follower is not None:
            return self._follower.read(since)
        if self._error is not None and self._wake is not None:  # it is tried again beside: no look waits for it
            raise ClusterError(self._error.message, self._error.hint)
        self._since = since
        return self._first(self._client)

    def _first(self, client: Client) -> Cluster:
        """Read everything once; what comes of it is what there is to go on from."""
        try:
            cluster, lists = _begin(client, self._name, self._selection, self._since, self._wants, self._progress)
        except LandedError as error:
            self._error = error
            raise
        with self._lock:
            self._lists, self._error = lists, None
            self._go_on()
        return cluster

    def _retried(self, client: Client) -> bool:
        """Try once more, unless somebody was faster."""
        try:
            if self._follower is None:
                self._first(client)
        except LandedError:
            return False
        finally:
            client.close()
        return True

    def follow(self, wake: Callable[[], None]) -> None:
        """Make no more requests for a look: follow from the last one on, or from the next if there was none. ``wake``
        is called after each change, from any thread; only the first ``wake`` counts.
        """
        with self._lock:
            if self._wake is not None:
                return
            self._wake = wake
            self._go_on()
            if self._follower is None:
                from landed.kube.follow import retry

                twin = self._client.twin()
                self._client.at_end(retry(lambda: self._retried(twin), wake))

    def _go_on(self) -> None:
        if self._wake is None or self._lists is None or self._follower is not None:
            return
        from landed.kube.follow import Follower  # imported late: a run that looks once needs none of it

        follower = Follower(self._client, self._name, self._lists, self._selection, self._wants, self._wake)
        self._client.at_end(follower.stop)
        follower.start()
        self._follower, self._lists = follower, None


def _begin(
    client: Client, name: str, chosen: Selection, since: int, wants: Wants, progress: Callable[[str], None]
) -> tuple[Cluster, Lists]:
    """Everything, and the lists that it was read from."""
    reader = Reader(chosen, since, wants=wants)
    lists = Lists(client, reader, name, listable(chosen), progress)
    lists.kustomizations(chosen.label_selector)
    lists.sources()
    lists.sources_beside(wants.kinds)
    if HELM_RELEASE in wants.kinds:
        lists.all_helm_releases()
    elif reader.applies_helm_releases:
        lists.helm_releases()
    cluster = reader.cluster(name)
    if lists.warnings:
        cluster = replace(cluster, warnings=(*cluster.warnings, *lists.warnings))
    return cluster, lists


def listable(selection: Selection) -> tuple[str, ...]:
    """The namespaces to list one by one; empty, meaning all, where patterns are to be matched by the reader."""
    patterns = any(character in name for name in selection.namespaces for character in "*?")
    return () if patterns else selection.namespaces


class Listed(Struct, frozen=True):
    """One list of a reading: what it takes to go on from there."""

    kind: Kind
    api: str
    """The version of the kind's group."""
    namespace: str
    """Empty for all."""
    query: Mapping[str, str]
    version: str = ""
    """The list's resourceVersion; empty where there was none."""
    warning: str = ""
    """Why it could not be read."""
    tolerates: tuple[type[ClusterError], ...] = ()
    """What is only a warning."""


class Lists:
    """The lists that make up one reading, and what could not be read of them."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        name: str,
        namespaces: tuple[str, ...],
        progress: Callable[[str], None],
    ) -> None:
        self._client = client
        self.reader = reader
        self._name = name
        self.namespaces = namespaces
        self._progress = progress
        self.warnings: list[str] = []
        self.listed: list[Listed] = []

    def kustomizations(self, label_selector: str) -> None:
        """All that are selected, as far as the server can select. Raises ClusterError."""
        labels = {"labelSelector": label_selector} if label_selector else {}
        try:
            self._read(KINDS[KUSTOMIZATION], self.namespaces or EVERYWHERE, labels)
        except NotInstalled as error:
            raise NotInstalled(
                f"Flux is not installed on {self._client.endpoint}: it serves no Kustomizations of "
                f"{KINDS[KUSTOMIZATION].group}.",
                "Is this the right context? See https://fluxcd.io/flux/installation/.",
            ) from error

    def sources(self) -> None:
        """The kinds that the Kustomizations refer to and no others. Raises ClusterError."""
        for kind in self.reader.source_kinds():
            if kind not in KINDS:
                continue
            namespaces = self.reader.source_namespaces(kind) if self.namespaces else EVERYWHERE
            try:
                self._read(KINDS[kind], namespaces, {}, SOURCES_TOLERATE)
            except NotInstalled as error:
                self.warnings.append(tolerated(kind, error))
                self._lack(KINDS[kind], namespaces, {}, self.warnings[-1], SOURCES_TOLERATE)

    def sources_beside(self, kinds: Collection[str]) -> None:
        """All sources of these kinds in the namespaces that are meant, where they have not been read."""
        for kind in sorted(kind for kind in kinds if is_source(kind)):
            read = self.reader.source_namespaces(kind)
            if read and not self.namespaces:
                continue
            namespaces = [each for each in self.namespaces or EVERYWHERE if each not in read]
            self._try(KINDS[kind], namespaces, {})

    def all_helm_releases(self) -> None:
        """Those in the namespaces that are meant, and those elsewhere that Kustomizations of these applied."""
        self._try(KINDS[HELM_RELEASE], self.namespaces or EVERYWHERE, {})
        if self.namespaces and self.reader.applies_helm_releases:
            self._try(KINDS[HELM_RELEASE], EVERYWHERE, {"labelSelector": applied_by(self.namespaces)})

    def helm_releases(self) -> None:
        """Those that Kustomizations applied. What may not be read is a warning: Kustomizations speak for themselves."""
        kind = KINDS[HELM_RELEASE]
        query = {"labelSelector": applied_by(self.namespaces)}
        try:
            self._read(kind, EVERYWHERE, query, OTHERS_TOLERATE)
        except OTHERS_TOLERATE as error:
            self.warnings.append(tolerated(HELM_RELEASE, error))
            self._lack(kind, EVERYWHERE, query, self.warnings[-1], OTHERS_TOLERATE)
            if isinstance(error, Forbidden) and self.namespaces:
                self._helm_releases_beside()

    def _helm_releases_beside(self) -> None:
        """With rights in single namespaces: at least those in the Kustomizations' own."""
        for namespace in self.namespaces:
            try:
                query = {"labelSelector": applied_by(self.namespaces)}
                self._read(KINDS[HELM_RELEASE], (namespace,), query, OTHERS_TOLERATE)
            except OTHERS_TOLERATE:
                continue  # the warning has been given

    def _try(self, kind: Kind, namespaces: Iterable[str], query: Mapping[str, str]) -> None:
        """Read namespace by namespace; what may not be read, or is not there, is a warning."""
        for namespace in namespaces:
            try:
                self._read(kind, (namespace,), query, OTHERS_TOLERATE)
            except OTHERS_TOLERATE as error:
                self.warnings.append(tolerated(kind.kind, error, hint=True))
                self._lack(kind, (namespace,), query, self.warnings[-1], OTHERS_TOLERATE)
                if isinstance(error, NotInstalled):
                    return

    def _lack(
        self, kind: Kind, namespaces: Iterable[str], query: Mapping[str, str], warning: str, tolerates: Tolerated
    ) -> None:
        """Take down lists that there could not be, for whoever tries again later."""
        for namespace in namespaces:
            self.listed.append(Listed(kind, kind.versions[0], namespace, query, "", warning, tolerates))
            warning = ""

    def _read(self, kind: Kind, namespaces: Iterable[str], query: Mapping[str, str], tolerates: Tolerated = ()) -> None:
        known: str = kind.versions[0]
        for namespace in namespaces:
            versions: list[str] = []
            known = self._read_version(kind, known, namespace, query, versions)
            self.listed.append(Listed(kind, known, namespace, query, versions[0], "", tolerates))

    def _read_version(
        self, kind: Kind, version: str, namespace: str, query: Mapping[str, str], versions: list[str]
    ) -> str:
        return in_version(self._client, kind, version, lambda each: self._list(kind, each, namespace, query, versions))

    def _list(self, kind: Kind, version: str, namespace: str, query: Mapping[str, str], versions: list[str]) -> None:
        pages = 0

        def take(page: bytes | bytearray) -> str:
            nonlocal pages
            following = self.reader.take(kind.kind, page)
            versions.append(self.reader.version)
            pages += 1
            count = f"more than {pages * PAGE}" if following else "all"
            self._progress(f"{self._name}: {count} {kind.plural} read")
            return following

        def restart() -> None:
            versions.clear()
            self.reader.forget(kind.kind, namespace)

        self._client.pages(path(kind, version, namespace), query, take, restart)


Tolerated = tuple[type[ClusterError], ...]
SOURCES_TOLERATE = (NotInstalled,)
OTHERS_TOLERATE = (Forbidden, NotInstalled)


def tolerated(kind: str, error: ClusterError, *, hint: bool = False) -> str:
    """The warning in place of a list."""
    if is_source(kind) and not hint:
        return f"{error.message} Kustomizations refer to them all the same."
    return f"{error.message} {error.hint}".strip()


def path(kind: Kind, version: str, namespace: str = "") -> str:
    """Where the list of a kind is; of all namespaces, or of one."""
    within = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"/apis/{kind.group}/{version}{within}/{kind.plural}"


def in_version(client: Client, kind: Kind, version: str, attempt: Callable[[str], None]) -> str:
    """``attempt`` something in ``version``, or in the newest older one that is served. Returns which it was.

    Raises NotInstalled if there is none, and whatever else ``attempt`` raises.
    """
    try:
        attempt(version)
    except NotServed:
        for older in served(client, kind, version):
            try:
                attempt(older)
            except NotServed:
                continue
            return older
        raise NotInstalled(
            f"{client.endpoint.subject} has no {kind.plural}.{kind.group}.",
            f"Looked for: {', '.join(kind.versions)}.",
        ) from None
    return version


def served(client: Client, kind: Kind, tried: str) -> tuple[str, ...]:
    """The versions of a kind's group that the cluster serves and we know, newest first, without ``tried``.

    A group may serve a version for some of its kinds only, so each is still to be tried. Raises ClusterError.
    """
    from msgspec import DecodeError
    from msgspec.json import decode

    try:
        group = decode(client.get(f"/apis/{kind.group}"))
        versions = {entry["version"] for entry in group["versions"]}
    except NotServed:
        return ()
    except (DecodeError, UnicodeError, LookupError, TypeError):
        raise ClusterError(f"{client.endpoint.subject} answers discovery with something else.") from None
    except Forbidden:
        versions = set(kind.versions)
    return tuple(version for version in kind.versions if version in versions and version != tried)


def applied_by(namespaces: tuple[str, ...]) -> str:
    """Flux labels what a Kustomization applies, https://fluxcd.io/flux/components/kustomize/kustomizations/#labels ."""
    label = "kustomize.toolkit.fluxcd.io/namespace"
    return f"{label} in ({','.join(namespaces)})" if namespaces else label
