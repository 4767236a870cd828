"""A cluster in every situation there is, and what a first look at it must tell.

Names say what is seen. Everything follows ``fleet`` unless it says otherwise: that source is at B, and what was
applied before was A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import objects as o
from objects import LATER, LATEST_A, LATEST_B, MAIN_A, MAIN_B, MAIN_C, MAIN_D, A, B, C, D

if TYPE_CHECKING:
    from collections.abc import Sequence

Object = dict[str, Any]

_AT_WORK = o.condition("Ready", "Unknown", "Progressing", "Reconciliation in progress", since=LATER)
_CEL = "Reconciliation failed terminally due to configuration error: failed to create custom status evaluator"
_HEALTH = "timeout waiting for: [Deployment/apps/web status: 'InProgress']"
_DENIED = "can't access 'GitRepository/flux-system/fleet', cross-namespace references have been blocked"
_FETCH = "failed to checkout and determine revision: unable to list remote: authentication required"
#: Revisions that are digests and no commits.
_INDEX = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_GENERATED = "latest@sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"


def _failed(reason: str, message: str, *others: Object) -> list[Object]:
    return [*others, o.condition("Ready", "False", reason, message, since=LATER)]


def _trying(phase: str, revision: str = MAIN_B) -> Object:
    return o.progress(phase, revision, retrying=True)


def _before(reason: str = "") -> list[Object]:
    """The history of something that applied A, and then failed with B."""
    failed = [o.snapshot(MAIN_B, reason, at=LATER, total=2)] if reason else []
    return [*failed, o.snapshot(MAIN_A)]


SOURCES: tuple[Object, ...] = (
    o.git_repository("fleet", url="https://github.com/example/fleet.git", revision=MAIN_B, updated=LATER),
    o.git_repository("infra", url="ssh://git@github.com/example/infra", revision=MAIN_D),
    o.git_repository(
        "unreachable",
        url="https://github.com/example/unreachable",
        revision=MAIN_A,
        conditions=[
            o.condition("Reconciling", "True", "ProgressingWithRetry", "reconciliation in progress"),
            o.condition("Ready", "False", "GitOperationFailed", _FETCH),
            o.condition("FetchFailed", "True", "GitOperationFailed", _FETCH),
        ],
    ),
    o.git_repository("empty", url="https://github.com/example/empty", revision="", conditions=[]),
    o.oci_repository("shop", revision=LATEST_B, origin_revision=MAIN_B, origin_url="https://github.com/example/shop"),
    o.oci_repository("vendor", revision=LATEST_A, origin_revision="", origin_url=""),
    {
        **o.git_repository("files", revision=_INDEX),
        "kind": "Bucket",
        "spec": {"bucketName": "files", "endpoint": "minio.example.com", "interval": "5m0s"},
    },
    {
        **o.oci_repository(
            "generated", revision=_GENERATED, origin_revision=MAIN_C, origin_url="https://github.com/example/generated"
        ),
        "kind": "ExternalArtifact",
        "spec": {"sourceRef": {"kind": "ArtifactGenerator", "name": "generated"}},
    },
)

KUSTOMIZATIONS: tuple[Object, ...] = (
    {key: value for key, value in o.kustomization("new").items() if key != "status"},
    o.kustomization(
        "applied",
        applied=MAIN_B,
        history=[o.snapshot(MAIN_B, at=LATER), o.snapshot(MAIN_A)],
        inventory=["apps_podinfo_helm.toolkit.fluxcd.io_HelmRelease", "apps_web__Service"],
    ),
    o.kustomization("behind", applied=MAIN_A),
    o.kustomization("fetching", conditions=[o.progress("Fetching manifests", MAIN_B), _AT_WORK]),
    o.kustomization("building", attempted=MAIN_B, conditions=[o.progress("Building manifests", MAIN_B), _AT_WORK]),
    o.kustomization("checking", attempted=MAIN_B, conditions=[o.progress("Running health checks", MAIN_B), _AT_WORK]),
    o.kustomization("again", applied=MAIN_B, conditions=[o.progress("Detecting drift", MAIN_B), _AT_WORK]),
    o.kustomization(
        "source-missing",
        applied="",
        source="nowhere",
        conditions=_failed("ArtifactFailed", 'gitrepositories.source.toolkit.fluxcd.io "nowhere" not found'),
        observed_generation=-1,
    ),
    o.kustomization(
        "source-empty",
        applied="",
        source="empty",
        conditions=_failed("ArtifactFailed", "Source artifact not found, retrying in 30s"),
        observed_generation=-1,
    ),
    o.kustomization(
        "path-missing",
        conditions=_failed(
            "ArtifactFailed",
            "kustomization path not found: stat /tmp/kustomization-1464362706/deploy/web: no such file or directory",
            _trying("Fetching manifests"),
        ),
    ),
    o.kustomization(
        "build-failed",
        attempted=MAIN_B,
        conditions=_failed("BuildFailed", "kustomize build failed: no such file", _trying("Building manifests")),
    ),
    o.kustomization(
        "apply-failed",
        attempted=MAIN_B,
        history=_before("ReconciliationFailed"),
        conditions=_failed(
            "ReconciliationFailed",
            'Service/apps/web dry-run failed (Invalid): Service "web" is invalid\nNamespace/apps configured\n',
            _trying("Detecting drift"),
        ),
    ),
    o.kustomization(
        "prune-failed",
        attempted=MAIN_B,
        history=_before("PruneFailed"),
        conditions=_failed(
            "PruneFailed", "delete failed, errors: ConfigMap/apps/old delete failed;", _trying("Detecting drift")
        ),
    ),
    o.kustomization(
        "unhealthy",
        attempted=MAIN_B,
        history=_before("HealthCheckFailed"),
        conditions=_failed(
            "HealthCheckFailed", f"health check failed after 2m0.004s: {_HEALTH}", _trying("Running health checks")
        ),
    ),
    o.kustomization(
        "cancelled",
        attempted=MAIN_B,
        conditions=_failed(
            "HealthCheckCanceled",
            "New reconciliation triggered by GitRepository/flux-system/fleet",
            _trying("Running health checks"),
        ),
    ),
    o.kustomization(
        "waiting",
        depends_on=[{"name": "unhealthy"}],
        conditions=_failed("DependencyNotReady", "dependency 'apps/unhealthy' is not ready"),
    ),
    o.kustomization(
        "bad-expression",
        conditions=[
            o.condition("Stalled", "True", "InvalidCELExpression", _CEL),
            *_failed("InvalidCELExpression", _CEL),
        ],
    ),
    o.kustomization(
        "denied",
        conditions=[o.condition("Stalled", "True", "AccessDenied", _DENIED), *_failed("AccessDenied", _DENIED)],
    ),
    o.kustomization("suspended", suspend=True),
    o.kustomization("leaving", metadata={"deletionTimestamp": LATER}),
    o.kustomization(
        "edited",
        applied=MAIN_B,
        generation=2,
        observed_generation=1,
        conditions=[o.condition(generation=1, message=f"Applied revision: {MAIN_B}")],
    ),
    # C came and went before anybody looked: what happened before the first look is no news.
    o.kustomization(
        "passed-by",
        applied=MAIN_B,
        history=[
            o.snapshot(MAIN_B, at=LATER),
            o.snapshot(MAIN_C, "HealthCheckFailed", at="2026-08-20T09:05:00Z"),
            o.snapshot(MAIN_A),
        ],
    ),
    o.kustomization(
        "base",
        "infra",
        applied=MAIN_D,
        source="infra",
        inventory=["infra_database_helm.toolkit.fluxcd.io_HelmRelease"],
    ),
    o.kustomization("cut-off", source="unreachable"),
    o.kustomization(
        "shop", applied=LATEST_B, applied_origin=MAIN_B, source="shop", source_kind="OCIRepository", history=[]
    ),
    o.kustomization("vendor", applied=LATEST_A, source="vendor", source_kind="OCIRepository", history=[]),
    o.kustomization("files", applied=_INDEX, source="files", source_kind="Bucket", history=[]),
    o.kustomization(
        "generated",
        applied=_GENERATED,
        applied_origin=MAIN_C,
        source="generated",
        source_kind="ExternalArtifact",
        history=[],
    ),
)

HELM_RELEASES: tuple[Object, ...] = (
    o.helm_release("podinfo", owner=("apps", "applied")),
    o.helm_release(
        "database",
        "infra",
        owner=("infra", "base"),
        conditions=[o.condition("Ready", "False", "UpgradeFailed", "Helm upgrade failed for release infra/database")],
    ),
    o.helm_release("nobodys", owner=None),
)

#: What makes no sense. A server with Flux's own definitions refuses it.
RUBBISH = o.kustomization("rubbish", status={"conditions": "none", "history": 7})

ALL: Sequence[Object] = (*SOURCES, *KUSTOMIZATIONS, *HELM_RELEASES)


def _apps(state: str, *names: str) -> dict[str, str]:
    return {f"flux/production/apps/{name}": state for name in names}


#: (repository, commit) → context → state: every status a first run must set, and no other.
STATUSES: dict[tuple[str, str], dict[str, str]] = {
    ("example/fleet", B): {
        "flux/production": "failure",
        **_apps("success", "applied", "passed-by"),
        "flux/production/helmrelease/apps/podinfo": "success",
        **_apps("pending", "behind", "fetching", "building", "checking", "cancelled", "waiting"),
        **_apps("failure", "path-missing", "build-failed", "apply-failed", "prune-failed", "unhealthy"),
        **_apps("failure", "bad-expression", "denied"),
    },
    ("example/fleet", A): _apps("success", "behind"),
    ("example/infra", D): {
        "flux/production": "failure",
        "flux/production/infra/base": "success",
        "flux/production/helmrelease/infra/database": "failure",
    },
    ("example/unreachable", A): {"flux/production": "success", **_apps("success", "cut-off")},
    ("example/shop", B): {"flux/production": "success", **_apps("success", "shop")},
    ("example/generated", C): {"flux/production": "success", **_apps("success", "generated")},
}

#: Kind, namespace and name → reason: every event a receiver gets that was never told anything before.
EVENTS: dict[tuple[str, str], str] = {
    ("Kustomization", "apps/path-missing"): "ArtifactFailed",
    ("Kustomization", "apps/build-failed"): "BuildFailed",
    ("Kustomization", "apps/apply-failed"): "ReconciliationFailed",
    ("Kustomization", "apps/prune-failed"): "PruneFailed",
    ("Kustomization", "apps/unhealthy"): "HealthCheckFailed",
    ("Kustomization", "apps/bad-expression"): "InvalidCELExpression",
    ("Kustomization", "apps/denied"): "AccessDenied",
    ("Kustomization", "apps/source-missing"): "ArtifactFailed",
    ("Kustomization", "apps/source-empty"): "ArtifactFailed",
    ("HelmRelease", "infra/database"): "UpgradeFailed",
    ("GitRepository", "flux-system/unreachable"): "GitOperationFailed",
}
