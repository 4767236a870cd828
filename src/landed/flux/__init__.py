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
from landed.flux.values import Values, recent
from landed.model import Cluster, HelmRelease, Kustomization, ObjectRef, Source
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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

#: The version of an object that a watch has yet to say is gone.
_GONE = 1 << 63

#: After how many changes what values share is forgotten, and shared anew: the rest of it is of objects long gone.
_SHARED_FOR = 10_000

#: How an inventory names a HelmRelease; looked for in the bytes, since inventories are seldom decoded.
_HELM_RELEASE_ID = b"_helm.toolkit.fluxcd.io_HelmRelease"


class Change(Struct, frozen=True, gc=False):
    """What one line of a watch has changed."""

    type: str
    """``ADDED``, ``MODIFIED``, ``DELETED``, ``BOOKMARK`` or ``ERROR``."""
    version: str = ""
    """The resourceVersion up to which everything is known now; "" where the line does not say."""
    before: Kustomization | HelmRelease | Source | None = None
    now: Kustomization | HelmRelease | Source | None = None
    ends_list: bool = False
    """Of a bookmark: everything that there was at the beginning has been sent."""
    warns: bool = False
    """The object makes no sense, of which there is a warning."""
    code: int = 0
    """Of an error; so is ``said``."""
    said: str = ""


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
        whole: bool = False,
    ) -> None:
        self._given = (selection, wants)
        self._values = Values(selection, since, wants, whole=whole)
        self._shapes = _shapes(wants, selection)
        self._source_shape = self._shapes.pop(_SOURCE)
        self._objects: dict[str, dict[ObjectRef, Any]] = {}
        self._warnings: dict[str, dict[tuple[str, str], str]] = {}
        self._versions: dict[ObjectRef, int] = {}
        self._events: dict[str, Any] = {}
        self._changes = 0
        self.version = ""
        """The resourceVersion of the list whose page was taken last."""
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
        head = read.metadata or _NO_HEAD
        self.version = head.resourceVersion or ""
        return head.continue_ or ""

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
        self._warnings[kind] = {about: text for about, text in warnings.items() if namespace not in ("", about[0])}

    def branch(self, kind: str, mine: Callable[[str], bool] = lambda _: True) -> Reader:
        """A reader of its own for what was read of a kind in the namespaces that are ``mine``, to be kept up to date
        with ``put``. From here on histories are kept whole.
        """
        made = Reader(*self._given[:1], wants=self._given[1], whole=True)
        made._objects[kind] = {ref: o for ref, o in self._objects.get(kind, {}).items() if mine(ref.namespace)}
        made._warnings[kind] = {about: t for about, t in self._warnings.get(kind, {}).items() if mine(about[0])}
        made._values.seen = self._values.seen
        return made

    def put(self, kind: str, line: bytes) -> Change:
        """Take one line of a watch of a kind. Raises ValueError if it is none."""
        if not self.applies_helm_releases:
            self._look_for_helm_releases(line)
        try:
            event = (self._events.get(kind) or self._event(kind)).decode(line)
            meta = event.object.metadata
            if event.type in _OF_OBJECTS:
                return self._put(kind, event.type, ObjectRef(kind, meta.namespace, meta.name), event.object)
        except wire.ERRORS:
            pass
        return self._put_other(kind, wire.decoded(wire.Event[Raw], line))

    def put_one(self, kind: str, ref: ObjectRef, document: bytes | None) -> Change:
        """Take one object as it is asked for by its name, or None where it is not there any more: what a watch says
        later of an older version of it counts no longer. Raises ValueError if it is no such object.
        """
        if document is None:
            if ref not in self._objects.get(kind, {}):
                return Change("DELETED")
            self._versions[ref] = _GONE
            return Change("DELETED", before=self._drop(kind, ref))
        raw = wire.decoded(self._shape(kind), document)
        if (raw.metadata.namespace, raw.metadata.name) != (ref.namespace, ref.name):
            raise ValueError("It is another object.")
        return self._put(kind, "MODIFIED", ref, raw)

    def versions_after(self, version: str) -> tuple[ObjectRef, ...]:
        """The objects that are known in a later version than this one."""
        known = _number(version)
        return tuple(ref for ref, at in self._versions.items() if at > known)

    def holds_same(self, other: Reader) -> bool:
        """Whether another reader has read just the same."""
        return self._objects == other._objects and self._warnings == other._warnings

    def objects(self, kind: str) -> Iterable[Any]:
        """The values of a kind."""
        return self._objects.get(kind, {}).values()

    def held(self, ref: ObjectRef) -> Any:
        """The value of one object, or None."""
        return self._objects.get(ref.kind, {}).get(ref)

    def source_kinds(self) -> tuple[str, ...]:
        """The kinds of sources that the Kustomizations read so far refer to, sorted; unknown ones left out."""
        return tuple(sorted({ref.kind for ref in self._sources_wanted() if is_source(ref.kind)}))

    def source_namespaces(self, kind: str) -> tuple[str, ...]:
        """The namespaces of the sources of one kind that the Kustomizations read so far refer to, sorted."""
        return tuple(sorted({ref.namespace for ref in self._sources_wanted() if ref.kind == kind}))

    def cluster(self, name: str, since: int | None = None) -> Cluster:
        """Everything read so far as a value; with whole histories cut down to those ``since`` then."""
        kustomizations: Iterable[Kustomization] = self._objects.get("Kustomization", {}).values()
        if since is not None and not self._given[1].rollout:
            kustomizations = [recent(k, since) if k.history else k for k in kustomizations]
        releases: dict[ObjectRef, HelmRelease] = self._objects.get("HelmRelease", {})
        sources: dict[ObjectRef, Source] = {}
        for kind in filter(is_source, KINDS):
            sources.update(self._objects.get(kind, {}))
        return Cluster(
            name,
            tuple(kustomizations),
            sources,
            tuple(releases.values()),
            tuple(warning for warnings in self._warnings.values() for warning in warnings.values()),
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
                self._warn("", "", f"Object {number} of the list: {wire.problem(error)}")
                continue
            known = KINDS.get(head.kind or kind)
            if known is None or (head.apiVersion and head.apiVersion.partition("/")[0] != known.group):
                others += 1
            else:
                self._take_one(known.kind, raw, number)
        if others:
            self._warn("", "", f"{others} of the objects are of kinds that say nothing about commits; left out")

    def _take_one(self, kind: str, raw: bytes, number: int) -> None:
        try:
            self._keep(kind, decoder(self._shape(kind)).decode(raw))
        except wire.ERRORS as error:
            called = _called(raw)
            which = f"{number} of the list" if number else "in a watch"
            if called is None:
                self._warn(kind, "", f"{kind} {which}: {wire.problem(error)}")
            elif kind != "Kustomization" or self._values.meant(called.namespace, called.name):
                about = f"{called.namespace}/{called.name}"
                self._warn(kind, called.namespace, f"{kind} {about}: {wire.problem(error)}", called.name)

    def _keep(self, kind: str, raw: Any) -> None:
        value = self._made(kind, raw)
        if value is not None:
            self._objects.setdefault(kind, {})[value.ref] = value

    def _made(self, kind: str, raw: Any) -> Kustomization | HelmRelease | Source | None:
        if kind == "Kustomization":
            return self._values.kustomization(raw)
        if kind == "HelmRelease":
            return self._values.helm_release(raw)
        return self._values.source(kind, raw)

    def _put(self, kind: str, type_: str, ref: ObjectRef, raw: Any) -> Change:
        """Take what a watch says of one object that makes sense, unless a later version of it is known."""
        version = raw.metadata.resourceVersion or ""
        if is_source(kind) and not self._advances(ref, type_, version):
            return Change(type_, version)
        if type_ == "DELETED":
            return Change(type_, version, self._drop(kind, ref))
        self._changes += 1
        if self._changes >= _SHARED_FOR:
            self._changes = 0
            self._values.forget_shared()
        value = self._made(kind, raw)
        if value is None:  # not selected, or no longer
            return Change(type_, version, self._drop(kind, ref))
        if self._warnings.get(kind):
            self._warnings[kind].pop((ref.namespace, ref.name), None)
        objects = self._objects.setdefault(kind, {})
        before = objects.get(ref)
        objects[ref] = value
        return Change(type_, version, before, value)

    def _advances(self, ref: ObjectRef, type_: str, version: str) -> bool:
        """Whether a source's version is none that was overtaken when it was asked for by name."""
        number, known = _number(version), self._versions.get(ref, 0)
        if known == _GONE and type_ != "DELETED":
            return False
        if number and known != _GONE and number < known:
            return False
        if type_ == "DELETED":
            self._versions.pop(ref, None)
        else:
            self._versions[ref] = number
        return True

    def _drop(self, kind: str, ref: ObjectRef) -> Any:
        if self._warnings.get(kind):
            self._warnings[kind].pop((ref.namespace, ref.name), None)
        return self._objects.get(kind, {}).pop(ref, None)

    def _put_other(self, kind: str, event: wire.Event[Raw]) -> Change:
        """Take a line that is not about an object, or about one that makes no sense."""
        try:
            marked: wire.Marked = decoder(wire.Marked).decode(event.object)
        except wire.ERRORS:
            marked = wire.Marked()
        head = marked.metadata or wire.MarkedMetadata()
        version = head.resourceVersion or ""
        if event.type == "ERROR":
            return Change("ERROR", code=marked.code or 0, said=marked.message or marked.reason or "")
        if event.type == "BOOKMARK":
            ends = (head.annotations or {}).get("k8s.io/initial-events-end") == "true"
            return Change("BOOKMARK", version, ends_list=ends)
        if event.type not in _OF_OBJECTS:
            raise ValueError("It is no event of a watch.")
        called = _called(event.object)
        before = self._drop(kind, ObjectRef(kind, called.namespace, called.name)) if called else None
        if event.type != "DELETED":
            self._take_one(kind, event.object, 0)
        return Change(event.type, version, before, warns=event.type != "DELETED")

    def _event(self, kind: str) -> Any:
        made = self._events[kind] = decoder(wire.Event[self._shape(kind)])  # type: ignore[misc]
        return made

    def _shape(self, kind: str) -> Any:
        return self._shapes.get(kind, self._source_shape)

    def _warn(self, kind: str, namespace: str, warning: str, name: str = "") -> None:
        self._warnings.setdefault(kind, {})[namespace, name or warning] = warning


_OF_OBJECTS = frozenset({"ADDED", "MODIFIED", "DELETED"})
_NO_HEAD = wire.PageMetadata()


def _number(version: str) -> int:
    """A resourceVersion as a number; 0 where it is none.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    return int(version) if version.isascii() and version.isdigit() and len(version) < 19 else 0


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
