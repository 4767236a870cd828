"""The scripted Flux is truthful: what it leaves in ``.status`` is what Flux's controllers leave there.

https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from landed.sandbox import statuses
from landed.sandbox.statuses import Run, State

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = Run("main@sha1:" + "a" * 40, "2026-08-20T09:00:00Z", 3, inventory=("x_old_apps_Deployment",))
NEW = structs.replace(
    OLD, revision="main@sha1:" + "b" * 40, at="2026-08-20T09:10:00Z", inventory=("x_new_apps_Deployment",)
)
MESSAGE = f"for revision {NEW.revision} with a timeout of 1m0s"


def _applied(run: Run) -> State:
    return statuses.succeeded(_health(run, {"observedGeneration": -1}), run, "7.1s")


def _health(run: Run, before: State) -> State:
    for step in (statuses.fetching, statuses.building, statuses.detecting, statuses.checking):
        before = step(before, run)
    return before


def _building(before: State) -> State:
    return statuses.building(statuses.fetching(before, NEW), NEW)


def _checking(before: State) -> State:
    return _health(NEW, before)


RUNNING = ("Unknown", "Progressing")
KEEP, FAILED = ("True", "Succeeded"), ("False", "HealthCheckFailed")
WAIT = {"Deployment/x/new": "InProgress"}
#: What is done → Ready, Reconciling (reason, how its message starts), Healthy, attempted, inventory, newest history.
#: The applied revision stays the old one in all of them but the first.
SITUATIONS = [
    pytest.param(
        lambda s: statuses.succeeded(_checking(s), NEW, "8s"),
        ("True", "ReconciliationSucceeded"), None, KEEP, NEW, NEW, "ReconciliationSucceeded", id="success",
    ),
    pytest.param(
        lambda s: statuses.fetching(s, NEW),
        RUNNING, ("Progressing", "Fetching manifests"), KEEP, OLD, OLD, None, id="fetching",
    ),
    pytest.param(
        _building,
        RUNNING, ("Progressing", "Building manifests"), KEEP, NEW, OLD, None, id="building",
    ),
    pytest.param(
        lambda s: statuses.detecting(_building(s), NEW),
        RUNNING, ("Progressing", "Detecting drift"), KEEP, NEW, OLD, None, id="detecting drift",
    ),
    pytest.param(
        _checking,
        RUNNING, ("Progressing", "Running health checks"), RUNNING, NEW, NEW, None,
        id="checking health",
    ),
    pytest.param(
        lambda s: statuses.source_missing(s, NEW, "Source artifact not found, retrying in 30s"),
        ("False", "ArtifactFailed"), None, KEEP, OLD, OLD, None, id="no artifact",
    ),
    pytest.param(
        lambda s: statuses.fetch_failed(statuses.fetching(s, NEW), NEW, "kustomization path not found: stat /tmp/x"),
        ("False", "ArtifactFailed"), ("ProgressingWithRetry", "Fetching manifests"), KEEP, OLD, OLD, None,
        id="path missing",
    ),
    pytest.param(
        lambda s: statuses.build_failed(_building(s), NEW, "kustomize build failed: x"),
        ("False", "BuildFailed"), ("ProgressingWithRetry", "Building manifests"), KEEP, NEW, OLD, None,
        id="build failed",
    ),
    pytest.param(
        lambda s: statuses.apply_failed(_building(s), NEW, "Service/x/new dry-run failed", "1s"),
        ("False", "ReconciliationFailed"), ("ProgressingWithRetry", "Detecting drift"), KEEP, NEW, OLD,
        "ReconciliationFailed", id="apply failed",
    ),
    pytest.param(
        lambda s: statuses.health_failed(_checking(s), NEW, "1m0s", WAIT),
        FAILED, ("ProgressingWithRetry", "Running health checks"), FAILED, NEW, NEW, "HealthCheckFailed",
        id="health failed",
    ),
    pytest.param(
        lambda s: statuses.health_canceled(_checking(s), NEW, "GitRepository/flux-system/fleet"),
        ("False", "HealthCheckCanceled"), ("ProgressingWithRetry", "Running health checks"), RUNNING,
        NEW, NEW, None, id="health check cancelled",
    ),
    pytest.param(
        lambda s: statuses.dependency_not_ready(s, NEW, "flux-system/infra"),
        ("False", "DependencyNotReady"), None, KEEP, OLD, OLD, None, id="dependency",
    ),
    pytest.param(
        lambda s: statuses.stalled(s, NEW, "AccessDenied", "can't access"),
        ("False", "AccessDenied"), None, KEEP, OLD, OLD, None, id="access denied",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("do", "ready", "reconciling", "healthy", "attempted", "inventory", "history"), SITUATIONS)
def test_each_situation_leaves_what_flux_leaves(
    do: Callable[[State], State],
    ready: tuple[str, str],
    reconciling: tuple[str, str] | None,
    healthy: tuple[str, str],
    attempted: Run,
    inventory: Run,
    history: str | None,
) -> None:
    before = _applied(OLD)
    status = do(before)
    assert _short(status, "Ready") == ready
    assert _short(status, "Healthy") == healthy
    assert _progress(status) == (reconciling and (reconciling[0], f"{reconciling[1]} {MESSAGE}"))
    assert status["lastAttemptedRevision"] == attempted.revision
    assert [entry["id"] for entry in status["inventory"]["entries"]] == list(inventory.inventory)
    succeeded = ready[0] == "True"
    assert status["lastAppliedRevision"] == (NEW if succeeded else OLD).revision
    if history is None:
        assert status["history"] == before["history"]
    else:
        assert status["history"][0]["lastReconciledStatus"] == history
        assert status["history"][0]["metadata"] == {"revision": NEW.revision}
        assert status["history"][1:] == before["history"]


def _short(status: State, type_: str) -> tuple[str, str] | None:
    found = _condition(status, type_)
    return (found["status"], found["reason"]) if found else None


def _progress(status: State) -> tuple[str, str] | None:
    found = _condition(status, "Reconciling")
    return (found["reason"], found["message"]) if found else None


def _condition(status: State, type_: str) -> Any:
    return next((entry for entry in status["conditions"] if entry["type"] == type_), None)


def test_observed_generation_moves_with_success_only() -> None:
    edited = structs.replace(NEW, generation=4)
    failed = statuses.health_failed(_health(edited, _applied(OLD)), edited, "1m0s", WAIT)
    assert failed["observedGeneration"] == 3
    assert _condition(failed, "Ready")["observedGeneration"] == 4, "a condition's own generation always moves"
    assert statuses.succeeded(failed, edited, "1s")["observedGeneration"] == 4


def test_a_mistake_in_an_expression_counts_as_observed() -> None:
    edited = structs.replace(NEW, generation=4)
    stalled = statuses.stalled(_applied(OLD), edited, "InvalidCELExpression", "no such field")
    assert stalled["observedGeneration"] == 4
    assert _short(stalled, "Stalled") == ("True", "InvalidCELExpression")
    assert _short(stalled, "Ready") == ("False", "InvalidCELExpression")


def test_a_run_that_changes_nothing_still_goes_through_all_phases() -> None:
    again = structs.replace(OLD, at="2026-08-20T09:10:00Z")
    running = statuses.fetching(_applied(OLD), again)
    assert _short(running, "Ready") == RUNNING
    assert running["lastAttemptedRevision"] == running["lastAppliedRevision"] == OLD.revision
    done = statuses.succeeded(_health(again, running), again, "7.2s")
    (entry,) = done["history"]
    assert (entry["totalReconciliations"], entry["firstReconciled"], entry["lastReconciled"]) == (2, OLD.at, again.at)


def test_the_time_of_a_condition_moves_only_when_it_says_something_else() -> None:
    waiting = statuses.dependency_not_ready(_applied(OLD), NEW, "flux-system/infra")
    later = structs.replace(NEW, at="2026-08-20T10:00:00Z")
    assert _condition(statuses.dependency_not_ready(waiting, later, "flux-system/infra"), "Ready") == _condition(
        waiting, "Ready"
    )
    other = statuses.dependency_not_ready(waiting, later, "flux-system/data")
    assert _condition(other, "Ready")["lastTransitionTime"] == later.at


def test_a_wait_after_a_failure_leaves_the_old_progress_standing() -> None:
    failed = statuses.health_failed(_checking(_applied(OLD)), NEW, "1m0s", WAIT)
    waiting = statuses.dependency_not_ready(failed, NEW, "flux-system/infra")
    assert _progress(waiting) == ("ProgressingWithRetry", f"Running health checks {MESSAGE}")


def test_conditions_are_in_flux_order() -> None:
    status = statuses.stalled(_applied(OLD), NEW, "AccessDenied", "no")
    assert [entry["type"] for entry in status["conditions"]] == ["Stalled", "Ready", "Healthy"]
    assert [entry["type"] for entry in _checking(_applied(OLD))["conditions"]] == ["Reconciling", "Ready", "Healthy"]


def test_an_origin_revision_is_kept_and_forgotten_with_its_artifact() -> None:
    built = structs.replace(NEW, origin_revision="main@sha1:" + "c" * 40)
    applied = statuses.succeeded(_applied(OLD), built, "1s")
    assert applied["lastAppliedOriginRevision"] == built.origin_revision
    assert applied["history"][0]["metadata"]["originRevision"] == built.origin_revision
    assert "lastAppliedOriginRevision" not in statuses.succeeded(applied, OLD, "1s")


def test_history_holds_five() -> None:
    status = _applied(OLD)
    for number in range(7):
        run = structs.replace(NEW, revision=f"main@sha1:{number:040}")
        status = statuses.succeeded(status, run, "1s")
    assert [entry["metadata"]["revision"][-1] for entry in status["history"]] == ["6", "5", "4", "3", "2"]


def test_a_source_that_cannot_fetch_keeps_its_artifact() -> None:
    artifact = {"revision": OLD.revision}
    stored = statuses.stored({}, OLD, "stored artifact", artifact)
    failed = statuses.source_failed(stored, NEW, "GitOperationFailed", "authentication required")
    assert failed["artifact"] == artifact
    assert _short(failed, "FetchFailed") == ("True", "GitOperationFailed")
    assert _short(failed, "ArtifactInStorage") == ("True", "Succeeded")
    healed = statuses.stored(failed, NEW, "stored artifact", {"revision": NEW.revision})
    assert [entry["type"] for entry in healed["conditions"]] == ["Ready", "ArtifactInStorage"]


def test_a_release_is_done_when_its_generation_is_observed() -> None:
    running = statuses.releasing({"observedGeneration": 1}, structs.replace(NEW, revision="1.5.0", generation=2))
    assert (running["observedGeneration"], _short(running, "Ready")) == (1, RUNNING)
    done = statuses.released(running, structs.replace(NEW, revision="1.5.0", generation=2), "Helm upgrade succeeded")
    assert (done["observedGeneration"], _short(done, "Ready")) == (2, ("True", "UpgradeSucceeded"))
    assert _progress(done) is None
