"""Whoever keeps alerts is told when what failed is deleted, and of nothing that is only out of sight."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from contract.ways import WAYS
from integration import fork
from integration.command import PATIENCE
from integration.guide import App, put
from integration.test_every_channel import documents
from objects import MAIN_B

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from integration.cluster import Cluster

WEB, API = App(name="web"), App(name="api")
KEEPERS = ("alertmanager", "incident.io", "opsgenie", "pagerduty")


class Here(NamedTuple):
    """A user of every service that keeps alerts."""

    folder: Path
    cluster: Cluster
    services: Mapping[str, Any]

    def report(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        environment["LANDED_KUBECONFIG"] = str(self.folder / "kubeconfig")
        arguments = ("report", "--config", "manifests.yaml", *arguments)
        done = fork.landed(arguments, environment, self.folder, patience=PATIENCE)
        assert done.returncode == 0, done
        return done

    def open(self) -> dict[str, int]:
        return {name: len(it.open if hasattr(it, "open") else it.firing) for name, it in self.services.items()}

    def asked(self) -> int:
        return sum(len(service.asked) for service in self.services.values())


@pytest.fixture
def here(cluster: Cluster, tmp_path: Path) -> Iterator[Here]:
    with ExitStack() as stack:
        services = {name: stack.enter_context(WAYS[name].make()) for name in KEEPERS}
        written = [document for name in KEEPERS for document in documents(name, WAYS[name], services[name])]
        (tmp_path / "manifests.yaml").write_text(yaml.safe_dump_all(written))
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig("admin"))
        put(cluster, WEB.fetched(), WEB.live(), API.live())
        yield Here(tmp_path, cluster, services)
        assert {name: it.violations for name, it in services.items() if it.violations} == {}


def test_what_is_deleted_is_resolved_and_what_is_out_of_sight_is_not(here: Here) -> None:
    here.report()
    put(here.cluster, WEB.fetched(MAIN_B), WEB.unhealthy(MAIN_B), API.live(MAIN_B))
    here.report()
    assert here.open() == dict.fromkeys(KEEPERS, 1)

    here.report("--kustomization", "api")
    assert here.open() == dict.fromkeys(KEEPERS, 1), "it is there, and nobody looked at it"

    here.cluster.delete(WEB.unhealthy(MAIN_B))
    said = here.report("--dry-run")
    assert "was deleted" in said.stdout + said.stderr
    assert here.open() == dict.fromkeys(KEEPERS, 1)
    here.report()
    assert here.open() == dict.fromkeys(KEEPERS, 0)

    asked = here.asked()
    here.report()
    assert here.asked() == asked

    put(here.cluster, WEB.unhealthy(MAIN_B))
    here.report()
    assert here.open() == dict.fromkeys(KEEPERS, 1), "it is back, and fails as before"
