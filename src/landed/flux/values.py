"""From the wire's shapes to the model's values: equal parts are shared, parts that nobody needs are dropped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import structs

from landed.flux import wire
from landed.flux.times import length, seconds
from landed.model import Condition, HelmRelease, Kustomization, ObjectRef, Snapshot, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from landed.selection import Selection, Wants

#: https://fluxcd.io/flux/components/notification/alerts/#event-metadata-from-object-annotations
EVENT_METADATA = "event.toolkit.fluxcd.io/"

_NO_KUSTOMIZATION_STATUS: wire.KustomizationStatus[Any, Any] = wire.KustomizationStatus()
_NO_HELM_STATUS: wire.HelmReleaseStatus[Any] = wire.HelmReleaseStatus()
_NO_SOURCE_STATUS: wire.SourceStatus[Any] = wire.SourceStatus()
_NO_SOURCE_SPEC: wire.SourceSpec[Any] = wire.SourceSpec()
_NO_ARTIFACT = wire.Artifact()
_NO_ARTIFACT_METADATA = wire.ArtifactMetadata()
_NO_SNAPSHOT_METADATA = wire.SnapshotMetadata()

#: Which member of ``.spec.ref`` counts if there are several, and what Flux follows if there is none.
_PRECEDENCE = {
    "GitRepository": (("commit", "name", "semver", "tag", "branch"), "branch=master"),
    "OCIRepository": (("digest", "semver", "tag"), "tag=latest"),
}


class Values:
    """Makes values. Thousands of objects share a few revisions, namespaces, sources and conditions."""

    def __init__(self, selection: Selection, since: int, wants: Wants, *, whole: bool = False) -> None:
        """``whole`` histories are kept where ``since`` is only known later: see ``recent``."""
        self._selection = selection
        self._since = since
        self._labels = wants.details or bool(selection.label_selector)
        self._details = wants.details
        self._rollout = wants.rollout
        self._whole = whole or wants.rollout
        self._paths = wants.rollout or bool(selection.paths)
        self._read = _READ_IN_DETAIL if wants.details else _READ
        self._texts: dict[str, str] = {}
        self._refs: dict[tuple[str, str, str], ObjectRef] = {}
        self._settled: dict[tuple[object, ...] | None, Condition] = {}
        self._nothing: Mapping[str, str] = {}
        self.seen = 0
        """The newest ``lastReconciled`` of the Kustomizations made so far."""

    def forget_shared(self) -> None:
        """Share nothing with what was made before, so that what is gone takes no room."""
        self._texts.clear()
        self._refs.clear()
        self._settled.clear()

    def kustomization(self, raw: wire.Kustomization[Any, Any, Any, Any, Any]) -> Kustomization | None:
        """Make a Kustomization; None if it is not selected."""
        meta, spec, status = raw.metadata, raw.spec, raw.status or _NO_KUSTOMIZATION_STATUS
        shared = self._texts.setdefault
        namespace, name = self._text(meta.namespace), meta.name
        applied, attempted = status.lastAppliedRevision or "", status.lastAttemptedRevision or ""
        labels = self._labelled(meta.labels) if self._labels else self._nothing
        path = self._text(spec.path) if self._paths else ""
        if not self._selection.admits(namespace, name, labels, path):
            return None
        states = self._states(status.conditions)
        source = spec.sourceRef
        return Kustomization(
            ObjectRef("Kustomization", namespace, name),
            self._ref(source.kind, source.namespace or namespace, source.name),
            meta.uid or "",
            meta.generation or 0,
            _observed(status.observedGeneration),
            meta.deletionTimestamp is not None,
            spec.suspend is True,
            self._dependencies(namespace, spec.dependsOn) if spec.dependsOn else (),
            labels,
            self._metadata(meta.annotations),
            states.get("Ready"),
            states.get("Reconciling"),
            states.get("Stalled"),
            shared(applied, applied),
            self._text(status.lastAppliedOriginRevision) if status.lastAppliedOriginRevision else "",
            shared(attempted, attempted),
            self._history(status) if status.history else (),
            states.get("Healthy"),
            tuple(sorted(_inventory(status.inventory))) if self._details and status.inventory else (),
            _patience(spec) if self._details else 0,
            path,
            (status.lastHandledReconcileAt or "") if self._rollout else "",
        )

    def meant(self, namespace: str, name: str) -> bool:
        """Whether a Kustomization of which only this much is known may be selected."""
        return structs.replace(self._selection, label_selector="", paths=()).admits(namespace, name, {})

    def helm_release(self, raw: wire.HelmRelease[Any, Any, Any]) -> HelmRelease:
        """Make a HelmRelease."""
        meta, status = raw.metadata, raw.status or _NO_HELM_STATUS
        namespace = self._text(meta.namespace)
        states = self._states(status.conditions)
        return HelmRelease(
            ref=ObjectRef("HelmRelease", namespace, meta.name),
            owner=self._owner(namespace, meta.labels),
            generation=meta.generation or 0,
            observed_generation=_observed(status.observedGeneration),
            deleting=meta.deletionTimestamp is not None,
            suspended=raw.spec is not None and raw.spec.suspend is True,
            labels=self._labelled(meta.labels) if self._details else self._nothing,
            metadata=self._metadata(meta.annotations),
            uid=(meta.uid or "") if self._details or self._rollout else "",
            attempted=self._text(status.lastAttemptedRevision) if self._details else "",
            ready=states.get("Ready"),
            stalled=states.get("Stalled"),
        )

    def source(self, kind: str, raw: wire.Source[Any, Any, Any]) -> Source:
        """Make a source of any kind."""
        meta, spec, status = raw.metadata, raw.spec or _NO_SOURCE_SPEC, raw.status or _NO_SOURCE_STATUS
        artifact = status.artifact or _NO_ARTIFACT
        origin = artifact.metadata or _NO_ARTIFACT_METADATA
        states = self._states(status.conditions)
        ref = self._ref(kind, self._text(meta.namespace), meta.name)
        return Source(
            ref=ref,
            url=spec.url or spec.endpoint or "",
            pointer=_pointer(ref, spec),
            revision=self._text(artifact.revision),
            origin_revision=self._text(origin.revision),
            origin_url=origin.source or "",
            updated=seconds(artifact.lastUpdateTime),
            labels=self._labelled(meta.labels) if self._details else self._nothing,
            metadata=self._metadata(meta.annotations),
            uid=(meta.uid or "") if self._details else "",
            ready=states.get("Ready"),
            fetch_failed=states.get("FetchFailed"),
            suspended=spec.suspend is True,
            deleting=meta.deletionTimestamp is not None,
            interval=int(length(spec.interval) + 0.5) if self._rollout else 0,
            handled=(status.lastHandledReconcileAt or "") if self._rollout else "",
        )

    def _owner(self, namespace: str, labels: wire.Owner | wire.Labels) -> ObjectRef | None:
        """The Kustomization that applied an object of ``namespace``, as its labels have it."""
        if isinstance(labels, dict):
            labels = wire.Owner(labels.get(f"{_OWNER}name"), labels.get(f"{_OWNER}namespace"))
        if labels is None or not labels.name:
            return None
        return self._ref("Kustomization", labels.namespace or namespace, labels.name)

    def _labelled(self, labels: wire.Labels) -> Mapping[str, str]:
        """Labels, whose texts many objects share."""
        return {self._text(key): self._text(value) for key, value in labels.items()} if labels else self._nothing

    def _metadata(self, annotations: Any) -> Mapping[str, str]:
        """What annotations add to events, without their prefix; nothing where they were not to be read."""
        if not isinstance(annotations, dict):
            return self._nothing
        prefix = len(EVENT_METADATA)
        found = {key[prefix:]: value or "" for key, value in annotations.items() if key.startswith(EVENT_METADATA)}
        return found or self._nothing

    def _text(self, text: str | None) -> str:
        return self._texts.setdefault(text, text) if text else ""

    def _ref(self, kind: str, namespace: str, name: str) -> ObjectRef:
        key = (kind, namespace, name)
        ref = self._refs.get(key)
        if ref is None:
            ref = self._refs[key] = ObjectRef(self._text(kind), self._text(namespace), name)
        return ref

    def _dependencies(self, namespace: str, entries: Sequence[wire.Dependency]) -> tuple[ObjectRef, ...]:
        return tuple(self._ref("Kustomization", entry.namespace or namespace, entry.name) for entry in entries)

    def _states(self, conditions: Sequence[wire.Condition] | None) -> dict[str, Condition]:
        """The conditions that are read, by type."""
        return {c.type: self._condition(c) for c in conditions or () if c.type in self._read}

    def _condition(self, raw: wire.Condition) -> Condition:
        """A Ready that is True needs no message where no Alert asks, and without one it is like many others."""
        status = self._text(raw.status)
        settled = status == "True" and raw.type == "Ready" and not self._details
        key = (raw.reason, raw.observedGeneration, raw.lastTransitionTime) if settled else None
        if key in self._settled:
            return self._settled[key]
        made = Condition(
            status,
            self._text(raw.reason),
            "" if settled else raw.message or "",
            raw.observedGeneration or 0,
            seconds(raw.lastTransitionTime),
        )
        if key is not None:
            self._settled[key] = made
        return made

    def _history(self, status: wire.KustomizationStatus[Any, Any]) -> tuple[Snapshot, ...]:
        """The snapshots that may still be news.

        Flux keeps the newest first, so reading stops at the first one older than ``since``; everything that ended
        since then is kept, whatever its revision: a result may have been overtaken by a run that goes on, in which
        case nothing else tells of it. With ``since`` 0 nothing was looked at before, and what came and went is no
        news: the newest one suffices, for its duration. Always kept is the newest one of a revision that was
        attempted in vain, because nothing else in the status tells its origin revision. Where a rollout is shown,
        all of it is kept.
        """
        entries = status.history or ()
        kept = []
        for entry in entries if self._since or self._whole else entries[:1]:
            at = seconds(entry.lastReconciled)
            if at > self.seen:
                self.seen = at
            if at < self._since and not self._whole:
                break
            kept.append(self._snapshot(entry))
        attempted = status.lastAttemptedRevision
        if attempted != status.lastAppliedRevision and all(s.revision != attempted for s in kept):
            rest = map(self._snapshot, entries[len(kept) :])
            kept += [snapshot for snapshot in rest if snapshot.revision == attempted][:1]
        return tuple(kept)

    def _snapshot(self, raw: wire.Snapshot) -> Snapshot:
        made_of = raw.metadata or _NO_SNAPSHOT_METADATA
        return Snapshot(
            self._text(made_of.revision),
            self._text(made_of.originRevision),
            self._text(raw.lastReconciledStatus),
            seconds(raw.lastReconciled),
            raw.lastReconciledDuration or "",
            seconds(raw.firstReconciled) if self._rollout else 0,
            (raw.totalReconciliations or 0) if self._rollout else 0,
        )


def recent(k: Kustomization, since: int) -> Kustomization:
    """A Kustomization with a whole history, cut down to what is kept where it is read ``since`` then."""
    history = k.history
    kept = history if since else history[:1]
    if since:
        kept = history[: next((n for n, snapshot in enumerate(history) if snapshot.at < since), len(history))]
    if k.attempted != k.applied and k.attempted and all(snapshot.revision != k.attempted for snapshot in kept):
        kept += tuple(s for s in history[len(kept) :] if s.revision == k.attempted)[:1]
    return k if len(kept) == len(history) else structs.replace(k, history=kept)


_READ = frozenset({"Ready", "Reconciling", "Stalled", "FetchFailed"})
_READ_IN_DETAIL = _READ | {"Healthy"}

_OWNER = "kustomize.toolkit.fluxcd.io/"

#: What an entry of an inventory may look like when it is spelt out. Compiled when it is first used.
_SPELT = r"[A-Za-z][A-Za-z0-9]{0,62}(?:/[a-z0-9-]{1,63})?/[A-Za-z0-9.:@+-]{1,253}"

#: Seconds: what Flux takes off the interval where no timeout is given, and the shortest that comes of it.
_TIMEOUT = 30


def _inventory(inventory: wire.Inventory) -> Iterator[str]:
    """What an inventory names, as Flux's messages do: ``Kind/namespace/name``, or ``Kind/name``.

    It says ``NAMESPACE_NAME_GROUP_KIND``. The names of RBAC's objects may hold colons, which are written as two
    underscores (https://pkg.go.dev/sigs.k8s.io/cli-utils/pkg/object#ParseObjMetadata). What no Kubernetes object can
    be called is left out.
    """
    fits = re.compile(_SPELT).fullmatch
    for entry in inventory.entries or ():
        namespace, _, rest = (entry.id or "").partition("_")
        rest, _, kind = rest.rpartition("_")
        name = rest.rpartition("_")[0].replace("__", ":")
        spelt = f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"
        if fits(spelt):
            yield spelt


def _patience(spec: wire.KustomizationSpec[Any, Any]) -> int:
    """Seconds within which a Kustomization is looked at again; 0 where its interval is none.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#timeout
    """
    interval = length(spec.interval)
    timeout = length(spec.timeout) or max(interval - _TIMEOUT, _TIMEOUT)
    return int(interval + timeout + 0.5) if interval else 0


def _observed(generation: int | None) -> int:
    return -1 if generation is None else generation


def _pointer(ref: ObjectRef, spec: wire.SourceSpec[Any]) -> str:
    if ref.kind == "Bucket":
        return f"bucket={spec.bucketName or ''}/{spec.prefix or ''}"
    if ref.kind not in _PRECEDENCE:
        return f"artifact={ref.namespace}/{ref.name}"
    members, default = _PRECEDENCE[ref.kind]
    given = spec.ref or {}
    return next((f"{member}={given[member]}" for member in members if given.get(member)), default)
