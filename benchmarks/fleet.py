"""A fleet of Flux objects as large and as varied as real ones, the same at every run.

The shape: 5.4 kB a Kustomization (managed fields, an inventory of 14 entries in the median and 200 at most, three
entries of history), one GitRepository of 2.2 kB per ten of them, 2 % failing, 1 % at work.
"""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from typing import Any

from msgspec import Struct

Object = dict[str, Any]

#: The host of the fleet's repositories.
HOST = "git.example.com"
PER_REPOSITORY = 10
#: What a watch says first in every line of it.
_MODIFIED = b'{"type":"MODIFIED","object":'
_START = datetime(2026, 8, 20, 9, 0, tzinfo=UTC)
_INTERVAL = timedelta(minutes=10)
_TEAMS = ("payments", "search", "identity", "web-frontend", "data-platform", "logistics")
_LEAVES = ("interval", "path", "postBuild", "prune", "retryInterval", "sourceRef", "timeout", "wait")
_KINDS = ("_apps_Deployment", "__Service", "__ConfigMap", "_networking.k8s.io_Ingress", "_batch_CronJob")


class Shape(Struct, frozen=True):
    """What a fleet is made up of."""

    per_repository: int = PER_REPOSITORY
    healthy: bool = False
    """Whether everything has applied what its repository holds; else some fail, and some are at work."""


MIXED = Shape()


def kustomizations(count: int, *, rounds: int = 0, shape: Shape = MIXED) -> list[bytes]:
    """``count`` Kustomizations as JSON, after Flux has looked at each of them ``rounds`` more times."""
    return [_encoded(_kustomization(number, rounds, shape)) for number in range(count)]


def git_repositories(count: int, *, shape: Shape = MIXED) -> list[bytes]:
    """The GitRepositories that ``count`` Kustomizations follow."""
    return [_encoded(_git_repository(number, shape)) for number in range(math.ceil(count / shape.per_repository))]


def reconciliation(number: int, version: int, shape: Shape, *, failing: bool = False) -> list[bytes]:
    """What a watch says while Flux reconciles one Kustomization again, on the commit that it has applied: five lines,
    the last with the result. ``version`` is the resourceVersion of the first.
    """
    made = _kustomization(number, 1, shape)  # as after one look, which is where a measurement begins
    status = made["status"]
    at, revision = _START + timedelta(seconds=version % 10**6), status["lastAttemptedRevision"]
    phases = ("Fetching manifests", "Building manifests", "Detecting drift", "Running health checks")
    steps = [_working(f"{phase} for revision {revision} with a timeout of 5m0s", at) for phase in phases]
    lines = []
    for place, conditions in enumerate([*steps, _conditions("failing" if failing else "applied", revision, at)]):
        status["conditions"] = conditions
        made["metadata"]["resourceVersion"] = str(version + place)
        lines.append(_MODIFIED + _encoded(made) + b"}\n")
    return lines


def name(number: int) -> str:
    """Namespace and name of a Kustomization."""
    return f"{_team(number)}/app-{number:05d}"


def url(repository: int, shape: Shape = MIXED) -> str:
    """The URL of a repository of the fleet."""
    first = repository * shape.per_repository
    return f"ssh://git@{HOST}/{_team(repository)}/{_source_name(first, shape)}.git"


def _kustomization(number: int, rounds: int, shape: Shape) -> Object:
    dice = random.Random(number)
    namespace, _, called = name(number).partition("/")
    at = _START + timedelta(seconds=dice.randrange(600)) + rounds * _INTERVAL
    state = "failing" if number % 50 == 7 else "working" if number % 100 == 23 else "applied"
    state = "applied" if shape.healthy else state
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": _metadata(dice, "kustomize-controller", called, namespace),
        "spec": {
            "force": False,
            "interval": "10m0s",
            "path": f"./clusters/production/{namespace}/{called}/overlays/eu-central-1",
            "postBuild": {"substitute": {"cluster_name": "production", "replicas": str(dice.randrange(1, 9))}},
            "prune": True,
            "retryInterval": "2m0s",
            "sourceRef": {"kind": "GitRepository", "name": _source_name(number, shape), "namespace": "flux-system"},
            "targetNamespace": namespace,
            "timeout": "5m0s",
            "wait": True,
        },
        "status": _status(dice, number, number // shape.per_repository, state, at, rounds),
    }


def _status(dice: random.Random, number: int, repository: int, state: str, at: datetime, rounds: int) -> Object:
    new, old = f"main@sha1:{commit(repository)}", f"main@sha1:{commit(repository, age=1)}"
    applied = old if state == "failing" else new
    return {
        "conditions": _conditions(state, new, at),
        "history": [
            _snapshot(dice, revision, result, at - age * timedelta(hours=7), dice.randrange(3, 400) + rounds)
            for age, (revision, result) in enumerate(
                [
                    (new, "HealthCheckFailed" if state == "failing" else "ReconciliationSucceeded"),
                    (old, "ReconciliationSucceeded"),
                    (f"main@sha1:{commit(repository, age=2)}", "ReconciliationSucceeded"),
                ]
            )
        ],
        "inventory": {"entries": _inventory(dice, _team(number))},
        "lastAppliedRevision": applied,
        "lastAttemptedRevision": new,
        "lastHandledReconcileAt": "2026-08-20T08:12:05.192837465Z",
        "observedGeneration": 1,
    }


def _conditions(state: str, revision: str, at: datetime) -> list[Object]:
    health = f"Running health checks for revision {revision} with a timeout of 5m0s"
    timeout = "timeout waiting for: [Deployment/payments/app status: 'InProgress']"
    if state == "failing":
        return [
            _condition("Reconciling", "True", "ProgressingWithRetry", health, at),
            _condition("Ready", "False", "HealthCheckFailed", f"health check failed after 5m0.004s: {timeout}", at),
            _condition("Healthy", "False", "HealthCheckFailed", timeout, at),
        ]
    if state == "working":
        return [*_working(health, at), _condition("Healthy", "Unknown", "Progressing", health, at)]
    return [
        _condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {revision}", at),
        _condition("Healthy", "True", "Succeeded", "Health check passed in 12.052412s", at),
    ]


def _working(message: str, at: datetime) -> list[Object]:
    return [
        _condition("Reconciling", "True", "Progressing", message, at),
        _condition("Ready", "Unknown", "Progressing", "Reconciliation in progress", at),
    ]


def _condition(kind: str, status: str, reason: str, message: str, at: datetime) -> Object:
    return {
        "lastTransitionTime": _text(at),
        "message": message,
        "observedGeneration": 1,
        "reason": reason,
        "status": status,
        "type": kind,
    }


def _snapshot(dice: random.Random, revision: str, result: str, at: datetime, total: int) -> Object:
    return {
        "digest": "sha256:" + sha256(dice.randbytes(8)).hexdigest(),
        "firstReconciled": _text(at - timedelta(hours=6)),
        "lastReconciled": _text(at),
        "lastReconciledDuration": f"{dice.uniform(0.4, 40):.9f}s",
        "lastReconciledStatus": result,
        "metadata": {"revision": revision},
        "totalReconciliations": total,
    }


def _inventory(dice: random.Random, namespace: str) -> list[Object]:
    length = min(200, max(1, round(dice.lognormvariate(math.log(14), 0.845))))
    return [
        {"id": f"{namespace}_component-{dice.randrange(16**10):010x}{dice.choice(_KINDS)}", "v": "v1"}
        for entry in range(length)
    ]


def _git_repository(number: int, shape: Shape) -> Object:
    dice = random.Random(-number - 1)
    called, revision = _source_name(number * shape.per_repository, shape), f"main@sha1:{commit(number)}"
    stored = f"stored artifact for revision '{revision}'"
    path = f"gitrepository/flux-system/{called}/{commit(number)}.tar.gz"
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": _metadata(dice, "source-controller", called, "flux-system"),
        "spec": {
            "interval": "1m0s",
            "ref": {"branch": "main"},
            "secretRef": {"name": f"{called}-deploy-key"},
            "timeout": "60s",
            "url": url(number, shape),
        },
        "status": {
            "artifact": {
                "digest": "sha256:" + sha256(path.encode()).hexdigest(),
                "lastUpdateTime": _text(_START - timedelta(minutes=dice.randrange(60))),
                "path": path,
                "revision": revision,
                "size": dice.randrange(5_000, 900_000),
                "url": f"http://source-controller.flux-system.svc.cluster.local./{path}",
            },
            "conditions": [
                _condition("Ready", "True", "Succeeded", stored, _START),
                _condition("ArtifactInStorage", "True", "Succeeded", stored, _START),
            ],
            "observedGeneration": 1,
        },
    }


def _metadata(dice: random.Random, controller: str, called: str, namespace: str) -> Object:
    numerous = controller == "kustomize-controller"
    return {
        "annotations": {"reconcile.fluxcd.io/requestedAt": "2026-08-20T08:12:05.192837465Z"},
        "creationTimestamp": "2026-03-02T11:07:31Z",
        "finalizers": ["finalizers.fluxcd.io"],
        "generation": 1,
        "labels": {
            "app.kubernetes.io/managed-by": "platform",
            "kustomize.toolkit.fluxcd.io/name": "tenants",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        },
        "managedFields": [
            _managed(dice, "kustomize-controller", ("f:labels", "f:spec"), "Apply", ""),
            *([_managed(dice, controller, ("f:finalizers",), "Update", "")] if numerous else []),
            _managed(dice, "gotk-" + controller, ("f:conditions", "f:history"), "Update", "status"),
        ],
        "name": called,
        "namespace": namespace,
        "resourceVersion": str(90_000_000 + dice.randrange(9_000_000)),
        "uid": f"{dice.randrange(16**8):08x}-5c1b-4d0e-8f6a-{dice.randrange(16**12):012x}",
    }


def _managed(dice: random.Random, manager: str, fields: tuple[str, ...], operation: str, subresource: str) -> Object:
    leaves: Object = {f"f:{leaf}": {} for leaf in _LEAVES}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {field: {".": {}, **leaves} for field in fields},
        "manager": manager,
        "operation": operation,
        **({"subresource": subresource} if subresource else {}),
        "time": _text(_START - timedelta(seconds=dice.randrange(10**7))),
    }


def commit(repository: int, *, age: int = 0) -> str:
    """The commit that a repository of the fleet was at, ``age`` commits ago."""
    return sha1(f"{repository} {age}".encode(), usedforsecurity=False).hexdigest()


def _team(number: int) -> str:
    return _TEAMS[number % len(_TEAMS)]


def _source_name(number: int, shape: Shape) -> str:
    return f"repository-{number // shape.per_repository:04d}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(document: Object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
