"""What Flux's controllers leave in ``.status``, moment by moment: pure functions from a status to the next one.

A *run* is one reconciliation of a Kustomization; it goes through ``fetching``, ``building``, ``detecting`` and, where
there is something to check, ``checking``, and ends in one of the ways below. So does one that changes nothing.
https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

State = dict[str, Any]
"""A ``.status``"""

#: How conditions are ordered; the others follow.
_ORDER = ("Stalled", "Reconciling", "Ready")
#: Entries that ``.status.history`` keeps.
_HISTORY = 5


class Run(Struct, frozen=True):
    """One reconciliation: which revision, when, of which generation."""

    revision: str
    at: str
    """RFC 3339, the moment that is described"""
    generation: int = 1
    origin_revision: str = ""
    timeout: str = "1m0s"
    inventory: tuple[str, ...] = ()
    manifests: str = ""
    """What stands for the built manifests: the same text gives the same digest. Default: the revision."""

    def message(self, phase: str) -> str:
        """``Building manifests for revision main@sha1:… with a timeout of 1m0s``."""
        return f"{phase} for revision {self.revision} with a timeout of {self.timeout}"


def fetching(status: State, run: Run) -> State:
    """The run has begun. ``lastAttemptedRevision`` still names what came before."""
    status = _without(status, "Stalled")
    status = _with(status, run, "Reconciling", "True", "Progressing", run.message("Fetching manifests"))
    return _with(status, run, "Ready", "Unknown", "Progressing", "Reconciliation in progress")


def building(status: State, run: Run) -> State:
    """The artifact is there and has the path: from here on the revision counts as attempted."""
    status = _with(status, run, "Reconciling", "True", "Progressing", run.message("Building manifests"))
    return status | {"lastAttemptedRevision": run.revision}


def detecting(status: State, run: Run) -> State:
    """Manifests are being applied."""
    return _with(status, run, "Reconciling", "True", "Progressing", run.message("Detecting drift"))


def checking(status: State, run: Run) -> State:
    """All is applied, and its health is waited for. The inventory is the new one already."""
    message = run.message("Running health checks")
    status = _with(status, run, "Reconciling", "True", "Progressing", message)
    status = _with(status, run, "Healthy", "Unknown", "Progressing", message)
    return status | _inventory(run)


def succeeded(status: State, run: Run, took: str, *, checked: bool = True) -> State:
    """Applied, pruned and, where ``checked``, healthy."""
    status = _without(status, "Reconciling", "Stalled")
    status = _with(status, run, "Ready", "True", "ReconciliationSucceeded", f"Applied revision: {run.revision}")
    if checked:
        status = _with(status, run, "Healthy", "True", "Succeeded", f"Health check passed in {took}")
    status |= _inventory(run) | {"lastAppliedRevision": run.revision, "lastAttemptedRevision": run.revision}
    status.pop("lastAppliedOriginRevision", None)
    if run.origin_revision:
        status["lastAppliedOriginRevision"] = run.origin_revision
    return _recorded(status, run, "ReconciliationSucceeded", took) | {"observedGeneration": run.generation}


def health_failed(status: State, run: Run, took: str, objects: Mapping[str, str]) -> State:
    """``objects`` (``Deployment/shop/web`` → ``InProgress``) did not become healthy in time."""
    listed = ", ".join(f"{name} status: '{state}'" for name, state in objects.items())
    why = f"timeout waiting for: [{listed}]"
    status = _failed(
        status, run, "HealthCheckFailed", f"health check failed after {took}: {why}", "Running health checks"
    )
    status = _with(status, run, "Healthy", "False", "HealthCheckFailed", why)
    return _recorded(status, run, "HealthCheckFailed", took) | _inventory(run)


def health_canceled(status: State, run: Run, by: str) -> State:
    """A newer revision arrived (``by`` is ``GitRepository/flux-system/fleet``), and the checks were given up for it."""
    why = f"New reconciliation triggered by {by}"
    return _failed(status, run, "HealthCheckCanceled", why, "Running health checks") | _inventory(run)


def build_failed(status: State, run: Run, why: str) -> State:
    """``kustomize build failed: …``; leaves nothing in the history."""
    return _failed(status, run, "BuildFailed", why, "Building manifests")


def apply_failed(status: State, run: Run, why: str, took: str) -> State:
    """The API server did not take a manifest."""
    status = _failed(status, run, "ReconciliationFailed", why, "Detecting drift")
    return _recorded(status, run, "ReconciliationFailed", took)


def prune_failed(status: State, run: Run, why: str, took: str, survivors: Sequence[str]) -> State:
    """Something could not be deleted; it stays in the inventory."""
    status = _failed(status, run, "PruneFailed", why, "Detecting drift")
    return _recorded(status, run, "PruneFailed", took) | _inventory(run, survivors)


def fetch_failed(status: State, run: Run, why: str) -> State:
    """The artifact or the path in it is missing. ``lastAttemptedRevision`` names the earlier, innocent revision."""
    return _failed(status, run, "ArtifactFailed", why, "Fetching manifests")


def source_missing(status: State, run: Run, why: str) -> State:
    """No run has begun: there is no source, or it has no artifact. Only Ready says so."""
    return _not_begun(status, run, "ArtifactFailed", why)


def dependency_not_ready(status: State, run: Run, dependency: str, why: str = "is not ready") -> State:
    """No run has begun: ``dependency`` (``flux-system/infra``) comes first. Which revision waits is not recorded."""
    return _not_begun(status, run, "DependencyNotReady", f"dependency '{dependency}' {why}")


def stalled(status: State, run: Run, reason: str, why: str) -> State:
    """A mistake that no retry can mend. The generation counts as observed where the mistake is in an expression."""
    status = _without(status, "Reconciling")
    status = _with(status, run, "Stalled", "True", reason, why)
    status = _with(status, run, "Ready", "False", reason, why)
    return status | ({"observedGeneration": run.generation} if reason == "InvalidCELExpression" else {})


def _failed(status: State, run: Run, reason: str, why: str, phase: str) -> State:
    status = _without(status, "Stalled")
    status = _with(status, run, "Reconciling", "True", "ProgressingWithRetry", run.message(phase))
    status = _with(status, run, "Ready", "False", reason, why)
    return status if phase == "Fetching manifests" else status | {"lastAttemptedRevision": run.revision}


def _not_begun(status: State, run: Run, reason: str, why: str) -> State:
    left = next((entry for entry in status.get("conditions", ()) if entry["type"] == "Reconciling"), None)
    if left:
        status = _with(status, run, "Reconciling", "True", "ProgressingWithRetry", left["message"])
    return _with(status, run, "Ready", "False", reason, why)


def stored(status: State, run: Run, message: str, artifact: State) -> State:
    """A source that has fetched ``artifact``."""
    status = _without(status, "Reconciling", "ArtifactOutdated", "FetchFailed")
    for type_ in ("Ready", "ArtifactInStorage"):
        status = _with(status, run, type_, "True", "Succeeded", message)
    return status | {"artifact": artifact, "observedGeneration": run.generation}


def source_failed(status: State, run: Run, reason: str, why: str) -> State:
    """A source that cannot fetch; it keeps its old artifact, so that all behind it stays green."""
    status = _with(status, run, "Reconciling", "True", "ProgressingWithRetry", "reconciliation in progress")
    status = _with(status, run, "Ready", "False", reason, why)
    return _with(status, run, "FetchFailed", "True", reason, why)


def releasing(status: State, run: Run) -> State:
    """A HelmRelease whose upgrade is under way."""
    why = "Running 'upgrade' action with timeout of 5m0s"
    status = _with(status, run, "Reconciling", "True", "Progressing", why)
    return _with(status, run, "Ready", "Unknown", "Progressing", why) | _attempted(run)


def released(status: State, run: Run, message: str) -> State:
    """A HelmRelease that is done."""
    status = _without(status, "Reconciling", "Stalled", "Remediated")
    for type_ in ("Ready", "Released"):
        status = _with(status, run, type_, "True", "UpgradeSucceeded", message)
    return status | _attempted(run) | {"observedGeneration": run.generation}


def _attempted(run: Run) -> State:
    return {"lastAttemptedRevision": run.revision, "lastAttemptedGeneration": run.generation}


def _with(status: State, run: Run, type_: str, value: str, reason: str, message: str) -> State:
    """Set a condition. Its time moves when status, reason or message does; its generation always."""
    before = next((entry for entry in status.get("conditions", ()) if entry["type"] == type_), None)
    entry: State = {"type": type_, "status": value, "reason": reason, "message": message}
    same = before is not None and entry.items() <= before.items()
    since = before["lastTransitionTime"] if before is not None and same else run.at
    entry |= {"lastTransitionTime": since, "observedGeneration": run.generation}
    others = [other for other in status.get("conditions", ()) if other["type"] != type_]
    return status | {"conditions": sorted([*others, entry], key=_rank)}


def _rank(entry: State) -> tuple[int, str]:
    type_ = entry["type"]
    return (_ORDER.index(type_) if type_ in _ORDER else len(_ORDER), type_)


def _without(status: State, *types: str) -> State:
    kept = [entry for entry in status.get("conditions", ()) if entry["type"] not in types]
    return status | {"conditions": kept}


def _inventory(run: Run, more: Sequence[str] = ()) -> State:
    return {"inventory": {"entries": [{"id": entry, "v": "v1"} for entry in (*run.inventory, *more)]}}


def _recorded(status: State, run: Run, result: str, took: str) -> State:
    """Put the run into the history: the same manifests with the same result share one entry."""
    digest = "sha256:" + hashlib.sha256((run.manifests or run.revision).encode()).hexdigest()
    history = status.get("history", [])
    before = next((e for e in history if (e["digest"], e["lastReconciledStatus"]) == (digest, result)), None)
    metadata = {"revision": run.revision}
    if run.origin_revision:
        metadata["originRevision"] = run.origin_revision
    entry = {
        "digest": digest,
        "firstReconciled": before["firstReconciled"] if before else run.at,
        "lastReconciled": run.at,
        "lastReconciledDuration": took,
        "lastReconciledStatus": result,
        "totalReconciliations": before["totalReconciliations"] + 1 if before else 1,
        "metadata": metadata,
    }
    others = [other for other in history if other is not before]
    return status | {"history": [entry, *others][:_HISTORY]}
