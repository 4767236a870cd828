"""A cluster with a Flux of long ago: other versions, other revisions, no history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from integration.apiserver import crdserver
from integration.command import Workplace, workplace
from objects import DATA, A, B

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.envtest

#: What revisions looked like before Flux 2.0.
OLD_A, OLD_B = f"main/{A}", f"main/{B}"


def _old(document: dict[str, Any], version: str) -> dict[str, Any]:
    group = document["apiVersion"].partition("/")[0]
    return {**document, "apiVersion": f"{group}/{version}"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with crdserver() as cluster, workplace(tmp_path) as place:
        cluster.install(DATA / "crds" / "old.yaml")
        cluster.put(_old(o.git_repository(revision=OLD_B), "v1beta2"))
        cluster.put(_old(o.kustomization("live", applied=OLD_B, history=[]), "v1beta2"))
        failed = o.kustomization(
            "torn",
            applied=OLD_A,
            attempted=OLD_B,
            history=[],
            conditions=[o.condition("Ready", "False", "HealthCheckFailed", "Health check failed after 30s")],
        )
        cluster.put(_old(failed, "v1beta2"))
        place.configure(cluster.kubeconfig())
        yield place


def test_an_old_cluster_is_read_without_complaint(place: Workplace) -> None:
    done = place.report()

    assert (done.code, done.err) == (0, "")
    assert place.statuses() == {
        ("example/fleet", B): {
            "flux/production": "failure",
            "flux/production/apps/live": "success",
            "flux/production/apps/torn": "failure",
        }
    }
    place.forget()
    assert place.report().code == 0
    assert place.silent()
