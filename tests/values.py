"""Model values for tests of the core, with realistic defaults."""

from __future__ import annotations

from typing import Any

from objects import LATEST_A, LATEST_B, MAIN_A, MAIN_B, MAIN_C, MAIN_D, A, B, C, D

from landed.model import Cluster, Condition, HelmRelease, Kustomization, ObjectRef, Repository, Source

__all__ = ["LATEST_A", "LATEST_B", "MAIN_A", "MAIN_B", "MAIN_C", "MAIN_D", "A", "B", "C", "D"]

FLEET = Repository("github.com", "example/fleet")
SOURCE = ObjectRef("GitRepository", "flux-system", "fleet")
NOW = 1_790_000_000


def ready(
    status: str = "True", reason: str = "", message: str = "", *, generation: int = 1, since: int = NOW - 600
) -> Condition:
    """The Ready condition."""
    usual = {"True": "ReconciliationSucceeded", "Unknown": "Progressing"}
    return Condition(status, reason or usual.get(status, ""), message, generation, since)


def phase(start: str, revision: str) -> Condition:
    """The Reconciling condition in one of its phases."""
    return Condition("True", "Progressing", f"{start} for revision {revision} with a timeout of 2m0s", 1, NOW - 10)


def k(name: str = "web", **changes: Any) -> Kustomization:
    """A Kustomization that has applied A, unless said otherwise."""
    settings: dict[str, Any] = {
        "ref": ObjectRef("Kustomization", "apps", name),
        "source": SOURCE,
        "uid": f"uid-{name}",
        "generation": 1,
        "observed_generation": 1,
        "ready": ready(),
        "applied": MAIN_A,
        "attempted": MAIN_A,
    }
    return Kustomization(**(settings | changes))


def git(revision: str = MAIN_A, **changes: Any) -> Source:
    """A GitRepository that holds A, unless said otherwise."""
    settings: dict[str, Any] = {
        "ref": SOURCE,
        "url": "https://github.com/example/fleet.git",
        "pointer": "branch=main",
        "revision": revision,
        "updated": NOW - 700,
        "ready": ready(reason="Succeeded"),
    }
    return Source(**(settings | changes))


def cluster(*objects: Kustomization | Source | HelmRelease, name: str = "prod", seen: int = 0) -> Cluster:
    """A cluster that holds these."""
    sources = {o.ref: o for o in objects if isinstance(o, Source)}
    return Cluster(
        name,
        tuple(o for o in objects if isinstance(o, Kustomization)),
        sources or {SOURCE: git()},
        tuple(o for o in objects if isinstance(o, HelmRelease)),
        seen=seen,
    )
