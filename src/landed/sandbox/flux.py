"""A scripted Flux: puts on the store what Flux's controllers would, when it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from landed.sandbox import objects, statuses
from landed.sandbox.api import ensure_namespace
from landed.sandbox.clock import Clock
from landed.sandbox.kinds import KINDS, Kind, Object
from landed.sandbox.statuses import Run
from landed.sandbox.store import Store

NAMESPACE = "flux-system"
_KINDS = {kind.kind: kind for kind in KINDS}
_FINALIZER = "finalizers.fluxcd.io"

#: The phases of a run after its begin, and how many seconds each takes.
_PHASES: tuple[tuple[Callable[[statuses.State, Run], statuses.State], float], ...] = (
    (statuses.fetching, 0),
    (statuses.building, 1),
    (statuses.detecting, 1),
    (statuses.checking, 2),
)


class Flux:
    """Flux's controllers, as one actor. ``pause`` is called after each change that people may want to see."""

    def __init__(self, store: Store, clock: Clock, pause: Callable[[float], object] = lambda _: None) -> None:
        self._store = store
        self._clock = clock
        self._pause = pause

    def create(self, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Object:
        """Put an object there as ``flux create`` would. ``metadata`` may hold ``namespace`` and ``labels``."""
        of = _KINDS[kind]
        head = {"name": name, "namespace": NAMESPACE, "finalizers": [_FINALIZER], **metadata}
        sent = {"apiVersion": of.api_version, "kind": kind, "metadata": head, "spec": dict(spec)}
        ensure_namespace(self._store, KINDS, head["namespace"])
        obj = objects.created(of, sent)
        obj["metadata"]["creationTimestamp"] = self._clock.now()
        return self._store.write(of, (head["namespace"], name), lambda before: before or obj) or obj

    def edit(self, kind: str, name: str, spec: Mapping[str, Any], namespace: str = NAMESPACE) -> None:
        """Change members of an object's spec, as applying a changed manifest does."""
        of = _KINDS[kind]

        def put(before: Object | None) -> Object | None:
            if before is None:
                return None
            changed = {**before, "metadata": dict(before["metadata"]), "spec": {**before["spec"], **spec}}
            return objects.replaced(of, before, changed)

        self._store.write(of, (namespace, name), put)

    def status(self, kind: str, name: str, namespace: str = NAMESPACE) -> statuses.State:
        """The ``.status`` of an object as it is now."""
        return dict(self._found(kind, name, namespace).get("status", {}))

    def change(
        self,
        kind: str,
        name: str,
        step: Callable[[statuses.State, Run], statuses.State],
        run: Run,
        namespace: str = NAMESPACE,
    ) -> None:
        """Move the status of an object on by one ``step`` of ``run``."""
        of = _KINDS[kind]

        def put(before: Object | None) -> Object | None:
            return before and before | {
                "metadata": dict(before["metadata"]),
                "status": step(before.get("status", {}), run),
            }

        self._store.write(of, (namespace, name), put)

    # source-controller

    def fetch(self, name: str, revision: str) -> None:
        """A GitRepository stores a new revision."""
        run = Run(revision, self._clock.now(), self._generation("GitRepository", name))
        artifact = _artifact("gitrepository", name, revision, run.at)
        message = f"stored artifact for revision '{revision}'"
        self.change("GitRepository", name, lambda s, r: statuses.stored(s, r, message, artifact), run)
        self._pause(0.08)

    def pull(self, name: str, revision: str, origin_revision: str, origin_url: str) -> None:
        """An OCIRepository stores a new artifact that says which commit it was made of."""
        run = Run(revision, self._clock.now(), self._generation("OCIRepository", name))
        origin = {
            "org.opencontainers.image.created": run.at,
            "org.opencontainers.image.revision": origin_revision,
            "org.opencontainers.image.source": origin_url,
        }
        artifact = _artifact("ocirepository", name, revision, run.at) | {"metadata": origin}
        message = f"stored artifact for digest '{revision}'"
        self.change("OCIRepository", name, lambda s, r: statuses.stored(s, r, message, artifact), run)
        self._pause(0.08)

    # kustomize-controller

    def begin(self, name: str, phases: int = len(_PHASES)) -> None:
        """A Kustomization's run begins and goes through that many phases; the last one is the health check."""
        for step, seconds in _PHASES[:phases]:
            self._clock.advance(seconds)
            self.change("Kustomization", name, step, self._run(name))
            self._pause(0.04)

    def succeed(self, name: str, seconds: float = 7) -> None:
        """The run ends well."""
        self._clock.advance(seconds)
        checked = bool(self._found("Kustomization", name)["spec"].get("wait"))
        took = f"{seconds + 0.118402:.6f}s"
        self.change(
            "Kustomization", name, lambda s, r: statuses.succeeded(s, r, took, checked=checked), self._run(name)
        )
        self._pause(0.08)

    def fail(self, name: str, unhealthy: Mapping[str, str], seconds: float = 60.004) -> None:
        """The run ends with objects that do not become healthy."""
        self._clock.advance(seconds)
        minutes, rest = divmod(seconds, 60)
        took = (f"{minutes:.0f}m" if minutes else "") + f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
        self.change("Kustomization", name, lambda s, r: statuses.health_failed(s, r, took, unhealthy), self._run(name))
        self._pause(0.08)

    def hold(self, name: str, dependency: str, why: str = "is not ready") -> None:
        """A Kustomization waits for one that it depends on."""
        of = f"{NAMESPACE}/{dependency}"
        run = self._run(name)
        self.change("Kustomization", name, lambda s, r: statuses.dependency_not_ready(s, r, of, why), run)
        self._pause(0.04)

    def applied(self, name: str, *changes: str) -> None:
        """Say in an Event of the cluster what a run has changed: ``Deployment/shop/checkout configured``."""
        of, run, number = _KINDS["Event"], self._run(name), len(self._store.snapshot(_KINDS["Event"])[0])
        about = {"apiVersion": _KINDS["Kustomization"].api_version, "kind": "Kustomization", "name": name}
        head = {
            "name": f"{name}.{number:016x}",
            "namespace": NAMESPACE,
            "annotations": {"kustomize.toolkit.fluxcd.io/revision": run.revision},
        }
        event = {
            "apiVersion": of.api_version, "kind": "Event", "metadata": head, "reason": "Progressing", "type": "Normal",
            "message": "\n".join(changes), "involvedObject": about | {"namespace": NAMESPACE},
            "firstTimestamp": run.at, "lastTimestamp": run.at, "count": 1,
            "source": {"component": "kustomize-controller"}, "reportingComponent": "kustomize-controller",
        }  # fmt: skip
        obj = objects.created(of, event)
        self._store.write(of, (NAMESPACE, obj["metadata"]["name"]), lambda before: before or obj)

    def cancel(self, name: str, source: str = "GitRepository/flux-system/fleet") -> None:
        """The run's health check is given up, because its source has a newer revision."""
        run = structs.replace(self._run(name), revision=self.status("Kustomization", name)["lastAttemptedRevision"])
        self.change("Kustomization", name, lambda s, r: statuses.health_canceled(s, r, source), run)
        self._pause(0.04)

    # helm-controller

    def upgrade(self, name: str, namespace: str, chart: str) -> None:
        """A HelmRelease begins to upgrade to a chart version."""
        run = Run(chart, self._clock.now(), self._generation("HelmRelease", name, namespace))
        self.change("HelmRelease", name, statuses.releasing, run, namespace)
        self._pause(0.08)

    def release(self, name: str, namespace: str, chart: str, number: int) -> None:
        """The upgrade is done."""
        run = Run(chart, self._clock.now(), self._generation("HelmRelease", name, namespace))
        message = f"Helm upgrade succeeded for release {namespace}/{name}.v{number} with chart {name}@{chart}"
        self.change("HelmRelease", name, lambda s, r: statuses.released(s, r, message), run, namespace)
        self._pause(0.08)

    def _run(self, name: str) -> Run:
        obj = self._found("Kustomization", name)
        spec = obj["spec"]
        source = self.status(spec["sourceRef"]["kind"], spec["sourceRef"]["name"])
        artifact = source["artifact"]
        origin = artifact.get("metadata", {}).get("org.opencontainers.image.revision", "")
        generation = obj["metadata"]["generation"]
        return Run(artifact["revision"], self._clock.now(), generation, origin, spec["timeout"], self._inventory(name))

    def _inventory(self, name: str) -> tuple[str, ...]:
        """What a Kustomization has applied: an application, or the HelmReleases that bear its name."""
        releases = [
            f"{namespace}_{release}_helm.toolkit.fluxcd.io_HelmRelease"
            for (namespace, release), obj in self._store.snapshot(_KINDS["HelmRelease"])[0].items()
            if obj["metadata"].get("labels", {}).get("kustomize.toolkit.fluxcd.io/name") == name
        ]
        return tuple(releases) or (f"{name}_{name}_apps_Deployment", f"{name}_{name}__Service")

    def _generation(self, kind: str, name: str, namespace: str = NAMESPACE) -> int:
        return int(self._found(kind, name, namespace)["metadata"]["generation"])

    def _found(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        of: Kind = _KINDS[kind]
        obj = self._store.get(of, (namespace, name))
        if obj is None:
            raise LookupError(f"there is no {kind} {namespace}/{name} in the sandbox")
        return obj


def _artifact(kind: str, name: str, revision: str, at: str) -> Object:
    path = f"{kind}/{NAMESPACE}/{name}/{revision.rpartition(':')[2]}.tar.gz"
    return {
        "revision": revision,
        "digest": "sha256:" + hashlib.sha256(path.encode()).hexdigest(),
        "path": path,
        "url": f"http://source-controller.{NAMESPACE}.svc.cluster.local./{path}",
        "size": 20480,
        "lastUpdateTime": at,
    }
