"""From Kubernetes' JSON to a ``Cluster``: decoded page by page, and only the fields that are read.

An object that makes no sense (wrong types, missing parts) becomes a warning that names it; the others are still read.
Unknown fields, conditions and versions are fine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from landed.decoding import decoder
from landed.flux import wire
from landed.flux.values import Values
from landed.model import Cluster, HelmRelease, Kustomization, ObjectRef, Source
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(Struct, frozen=True):
    """Where the API server keeps a kind."""

    kind: str
    group: str
    plural: str
    versions: tuple[str, ...]
    """Newest first."""


_SOURCE = "source.toolkit.fluxcd.io"

KINDS: dict[str, Kind] = {
    kind.kind: kind
    for kind in (
        Kind("Kustomization", "kustomize.toolkit.fluxcd.io", "kustomizations", ("v1", "v1beta2", "v1beta1")),
        Kind("HelmRelease", "helm.toolkit.fluxcd.io", "helmreleases", ("v2", "v2beta2", "v2beta1")),
        Kind("GitRepository", _SOURCE, "gitrepositories", ("v1", "v1beta2", "v1beta1")),
        Kind("OCIRepository", _SOURCE, "ocirepositories", ("v1", "v1beta2")),
        Kind("Bucket", _SOURCE, "buckets", ("v1", "v1beta2", "v1beta1")),
        Kind("ExternalArtifact", _SOURCE, "externalartifacts", ("v1",)),
        Kind("HelmRepository", _SOURCE, "helmrepositories", ("v1", "v1beta2", "v1beta1")),
        Kind("HelmChart", _SOURCE, "helmcharts", ("v1", "v1beta2", "v1beta1")),
    )
}

#: Kinds that no Kustomization refers to: they are listed only where somebody wants them.
ASIDE = frozenset({"HelmRepository", "HelmChart"})

#: How an inventory names a HelmRelease; looked for in the bytes, since inventories are seldom decoded.
_HELM_RELEASE_ID = b"_helm.toolkit.fluxcd.io_HelmRelease"


class Reader:
    """Collects what the API server, or a file, says about one cluster.

    Kept are the Kustomizations that ``selection`` admits, with the parts of their history that ended at or after
    ``since`` (epoch seconds in the cluster's clock; 0: only the newest entry), and all sources and HelmReleases that
    are fed in, with as much of each as ``wants`` says. Of objects that come twice the last one counts.
    """

    def __init__(
        self,
        selection: Selection = Selection(),  # noqa: B008 (it is immutable)
        since: int = 0,
        *,
        wants: Wants = Wants(),  # noqa: B008 (so is this)
    ) -> None:
        self._values = Values(selection, since, wants)
        self._shapes = _shapes(wants, selection)
        self._source_shape = self._shapes.pop(_SOURCE)
        self._objects: dict[str, dict[ObjectRef, Any]] = {}
        self._warnings: dict[str, dict[str, None]] = {}
        self.applies_helm_releases = False
        """Whether some inventory names a HelmRelease, so that it is worth listing them."""

    def take(self, kind: str, page: bytes | bytearray) -> str:
        """Take one page of the list of a kind; gives the token of the next page, "" when this was the last.

        Raises ValueError, with a sentence, if it is not a list.
        """
        self._look_for_helm_releases(page)
        try:
            read = decoder(wire.Page[self._shape(kind)]).decode(page)  # type: ignore[misc]
            for item in read.items or ():
                self._keep(kind, item)
        except wire.ERRORS:  # one of them makes no sense, or none does: one by one, then
            read = wire.decoded(wire.Page[Raw], page)
            for number, raw in enumerate(read.items or (), 1):
                self._take_one(kind, raw, number)
        return (read.metadata and read.metadata.continue_) or ""

    def take_any(self, document: bytes) -> None:
        """Take what ``kubectl get … -o json`` prints: a List of mixed kinds, or a single object.

        Raises ValueError, with a sentence, if it is neither.
        """
        self._look_for_helm_releases(document)
        head = wire.decoded(wire.Head, document)
        if head.items and (not head.kind or head.kind.endswith("List")):
            self._take_mixed((head.kind or "").removesuffix("List"), wire.decoded(list[Raw] | None, head.items) or [])
        elif not head.kind or head.kind == "Status":
            raise ValueError("It is neither a Kubernetes object nor a list of them.")
        else:
            self._take_mixed("", [document])

    def forget(self, kind: str, namespace: str = "") -> None:
        """Drop what was read of a kind (in one namespace), because its list has to start again."""
        objects, warnings = self._objects.get(kind, {}), self._warnings.get(kind, {})
        self._objects[kind] = {ref: o for ref, o in objects.items() if namespace not in ("", ref.namespace)}
        here = f"{kind} {namespace}/" if namespace else ""
        self._warnings[kind] = {warning: None for warning in warnings if not warning.startswith(here)}

    def source_kinds(self) -> tuple[str, ...]:
        """The kinds of sources that the Kustomizations read so far refer to, sorted; unknown ones left out."""
        return tuple(sorted({ref.kind for ref in self._sources_wanted() if is_source(ref.kind)}))

    def source_namespaces(self, kind: str) -> tuple[str, ...]:
        """The namespaces of the sources of one kind that the Kustomizations read so far refer to, sorted."""
        return tuple(sorted({ref.namespace for ref in self._sources_wanted() if ref.kind == kind}))

    def cluster(self, name: str) -> Cluster:
        """Everything read so far as a value."""
        kustomizations: dict[ObjectRef, Kustomization] = self._objects.get("Kustomization", {})
        releases: dict[ObjectRef, HelmRelease] = self._objects.get("HelmRelease", {})
        sources: dict[ObjectRef, Source] = {}
        for kind in filter(is_source, KINDS):
            sources.update(self._objects.get(kind, {}))
        return Cluster(
            name,
            tuple(kustomizations.values()),
            sources,
            tuple(releases.values()),
            tuple(warning for warnings in self._warnings.values() for warning in warnings),
            self._values.seen,
        )

    def _sources_wanted(self) -> Iterable[ObjectRef]:
        return {k.source for k in self._objects.get("Kustomization", {}).values()}

    def _look_for_helm_releases(self, document: bytes | bytearray) -> None:
        self.applies_helm_releases = self.applies_helm_releases or _HELM_RELEASE_ID in document

    def _take_mixed(self, kind: str, items: Iterable[bytes]) -> None:
        """Take objects that say themselves what they are; ``kind`` is for those that do not."""
        others = 0
        for number, raw in enumerate(items, 1):
            try:
                head = decoder(wire.Head).decode(raw)
            except wire.ERRORS as error:
                self._warn("", f"Object {number} of the list: {wire.problem(error)}")
                continue
            known = KINDS.get(head.kind or kind)
            if known is None or (head.apiVersion and head.apiVersion.partition("/")[0] != known.group):
                others += 1
            else:
                self._take_one(known.kind, raw, number)
        if others:
            self._warn("", f"{others} of the objects are of kinds that say nothing about commits; left out")

    def _take_one(self, kind: str, raw: bytes, number: int) -> None:
        try:
            self._keep(kind, decoder(self._shape(kind)).decode(raw))
        except wire.ERRORS as error:
            called = _called(raw)
            if called is None:
                self._warn(kind, f"{kind} {number} of the list: {wire.problem(error)}")
            elif kind != "Kustomization" or self._values.meant(called.namespace, called.name):
                self._warn(kind, f"{kind} {called.namespace}/{called.name}: {wire.problem(error)}")

    def _keep(self, kind: str, raw: Any) -> None:
        value: Kustomization | HelmRelease | Source | None
        if kind == "Kustomization":
            value = self._values.kustomization(raw)
        elif kind == "HelmRelease":
            value = self._values.helm_release(raw)
        else:
            value = self._values.source(kind, raw)
        if value is not None:
            self._objects.setdefault(kind, {})[value.ref] = value

    def _shape(self, kind: str) -> Any:
        return self._shapes.get(kind, self._source_shape)

    def _warn(self, kind: str, warning: str) -> None:
        self._warnings.setdefault(kind, {})[warning] = None


def _shapes(wants: Wants, selection: Selection) -> dict[str, Any]:
    """In which shape each kind is decoded: what is not wanted costs next to nothing. All sources have one shape."""
    unread, details = wire.Unread, wants.details
    labels = wire.Labels if details or selection.label_selector else unread
    more = wire.Text if wants.rollout or selection.paths else unread
    annotations = wire.Annotations if details or wants.metadata else unread
    owner = wire.Labels if details else wire.Owner | None
    text, inventory = (wire.Text, wire.Inventory | None) if details else (unread, unread)
    marks = (wire.Labels, wire.Annotations) if details else (unread, unread)
    return {
        "Kustomization": wire.Kustomization[labels, annotations, text, inventory, more],  # type: ignore[valid-type]
        "HelmRelease": wire.HelmRelease[owner, annotations, text],  # type: ignore[valid-type]
        _SOURCE: wire.Source[marks[0], marks[1], more],  # type: ignore[valid-type]
    }


def is_source(kind: str) -> bool:
    """Whether a kind is one of source-controller's that we know."""
    return kind in KINDS and KINDS[kind].group == _SOURCE


def _called(raw: bytes) -> wire.Called | None:
    """What an object that makes no sense is called, if that much of it does."""
    try:
        head = decoder(wire.Head).decode(raw)
        called: wire.Called = decoder(wire.Called).decode(head.metadata)
    except wire.ERRORS:
        return None
    fit = re.fullmatch(r"[A-Za-z0-9.:-]{1,253}/[A-Za-z0-9.:-]{1,253}", f"{called.namespace}/{called.name}")
    return called if fit else None  # what Kubernetes would not allow is not repeated in a message
