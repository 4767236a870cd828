"""Reading one cluster: which lists, in which order.

The order matters for truth. Kustomizations come first, their sources after them. Between two lists a new commit may
arrive: read in this order, the source then looks newer than what is applied, and the commit is told as pending, which
it is a moment later at the most. The other way round, a Kustomization that has meanwhile applied the new commit would
be compared with the old source, and a commit that not everybody has seen could look applied everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from urllib.parse import quote

from msgspec.structs import replace

from landed.errors import ClusterError
from landed.flux import KINDS, Kind, Reader, is_source
from landed.kube.client import PAGE, Client
from landed.kube.errors import Forbidden, NotInstalled, NotServed
from landed.model import Cluster
from landed.selection import Selection, Wants

KUSTOMIZATION = "Kustomization"
HELM_RELEASE = "HelmRelease"

EVERYWHERE = ("",)


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
    chosen, wants = selection or Selection(), wants or Wants()
    reader = Reader(chosen, since, wants=wants)
    lists = Lists(client, reader, name, listable(chosen), progress or (lambda _: None))
    lists.kustomizations(chosen.label_selector)
    lists.sources()
    lists.sources_beside(wants.kinds)
    if HELM_RELEASE in wants.kinds:
        lists.all_helm_releases()
    elif reader.applies_helm_releases:
        lists.helm_releases()
    cluster = reader.cluster(name)
    return replace(cluster, warnings=(*cluster.warnings, *lists.warnings)) if lists.warnings else cluster


def listable(selection: Selection) -> tuple[str, ...]:
    """The namespaces to list one by one; empty, meaning all, where patterns are to be matched by the reader."""
    patterns = any(character in name for name in selection.namespaces for character in "*?")
    return () if patterns else selection.namespaces


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
        self._reader = reader
        self._name = name
        self._namespaces = namespaces
        self._progress = progress
        self.warnings: list[str] = []

    def kustomizations(self, label_selector: str) -> None:
        """All that are selected, as far as the server can select. Raises ClusterError."""
        labels = {"labelSelector": label_selector} if label_selector else {}
        try:
            self._read(KINDS[KUSTOMIZATION], self._namespaces or EVERYWHERE, labels)
        except NotInstalled as error:
            raise NotInstalled(
                f"Flux is not installed on {self._client.endpoint}: it serves no Kustomizations of "
                f"{KINDS[KUSTOMIZATION].group}.",
                "Is this the right context? See https://fluxcd.io/flux/installation/.",
            ) from error

    def sources(self) -> None:
        """The kinds that the Kustomizations refer to and no others. Raises ClusterError."""
        for kind in self._reader.source_kinds():
            if kind not in KINDS:
                continue
            namespaces = self._reader.source_namespaces(kind) if self._namespaces else EVERYWHERE
            try:
                self._read(KINDS[kind], namespaces, {})
            except NotInstalled as error:
                self.warnings.append(f"{error.message} Kustomizations refer to them all the same.")

    def sources_beside(self, kinds: Collection[str]) -> None:
        """All sources of these kinds in the namespaces that are meant, where they have not been read."""
        for kind in sorted(kind for kind in kinds if is_source(kind)):
            read = self._reader.source_namespaces(kind)
            if read and not self._namespaces:
                continue
            namespaces = [each for each in self._namespaces or EVERYWHERE if each not in read]
            self._try(KINDS[kind], namespaces, {})

    def all_helm_releases(self) -> None:
        """Those in the namespaces that are meant, and those elsewhere that Kustomizations of these applied."""
        self._try(KINDS[HELM_RELEASE], self._namespaces or EVERYWHERE, {})
        if self._namespaces and self._reader.applies_helm_releases:
            self._try(KINDS[HELM_RELEASE], EVERYWHERE, {"labelSelector": _applied_by(self._namespaces)})

    def helm_releases(self) -> None:
        """Those that Kustomizations applied. What may not be read is a warning: Kustomizations speak for themselves."""
        kind = KINDS[HELM_RELEASE]
        try:
            self._read(kind, EVERYWHERE, {"labelSelector": _applied_by(self._namespaces)})
        except (Forbidden, NotInstalled) as error:
            self.warnings.append(f"{error.message} {error.hint}".strip())
            if isinstance(error, Forbidden) and self._namespaces:
                self._helm_releases_beside()

    def _helm_releases_beside(self) -> None:
        """With rights in single namespaces: at least those in the Kustomizations' own."""
        for namespace in self._namespaces:
            try:
                self._read(KINDS[HELM_RELEASE], (namespace,), {"labelSelector": _applied_by(self._namespaces)})
            except (Forbidden, NotInstalled):
                continue  # the warning has been given

    def _try(self, kind: Kind, namespaces: Iterable[str], query: Mapping[str, str]) -> None:
        """Read namespace by namespace; what may not be read, or is not there, is a warning."""
        for namespace in namespaces:
            try:
                self._read(kind, (namespace,), query)
            except (Forbidden, NotInstalled) as error:
                self.warnings.append(f"{error.message} {error.hint}".strip())
                if isinstance(error, NotInstalled):
                    return

    def _read(self, kind: Kind, namespaces: Iterable[str], query: Mapping[str, str]) -> None:
        known: str = kind.versions[0]
        for namespace in namespaces:
            known = self._read_version(kind, known, namespace, query)

    def _read_version(self, kind: Kind, version: str, namespace: str, query: Mapping[str, str]) -> str:
        return in_version(self._client, kind, version, lambda each: self._list(kind, each, namespace, query))

    def _list(self, kind: Kind, version: str, namespace: str, query: Mapping[str, str]) -> None:
        pages = 0

        def take(page: bytes | bytearray) -> str:
            nonlocal pages
            following = self._reader.take(kind.kind, page)
            pages += 1
            count = f"more than {pages * PAGE}" if following else "all"
            self._progress(f"{self._name}: {count} {kind.kind}s read")
            return following

        self._client.pages(
            path(kind, version, namespace), query, take, lambda: self._reader.forget(kind.kind, namespace)
        )


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


def _applied_by(namespaces: tuple[str, ...]) -> str:
    """Flux labels what a Kustomization applies, https://fluxcd.io/flux/components/kustomize/kustomizations/#labels ."""
    label = "kustomize.toolkit.fluxcd.io/namespace"
    return f"{label} in ({','.join(namespaces)})" if namespaces else label
