"""Runs of the command from a Provider manifest, over a cluster that is a file: what happened to one Kustomization."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import objects as o
import yaml
from integration.guide import App
from objects import MAIN_A, MAIN_B, MAIN_C, MAIN_D

from landed.cli import enter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

APP = App()


class Rollout:
    """A folder with a Provider, an Alert and a Secret; each state is reported once."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, secret: dict[str, str], **spec: Any) -> None:
        self._cluster = folder / "cluster.json"
        self._folder = folder / "flux"
        self._ledger = folder / "ledger.json"
        self._folder.mkdir()
        named = {"secretRef": {"name": "access"}} if secret else {}
        provider = {
            "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
            "kind": "Provider",
            "metadata": {"name": "bus", "namespace": "flux-system"},
            "spec": {**spec, **named},
        }
        alert = o.alert("bus", providerRef={"name": "bus"}, eventSources=[{"kind": "Kustomization", "name": "*"}])
        held = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "access", "namespace": "flux-system"}}
        documents = [provider, alert, *([{**held, "stringData": secret}] if secret else [])]
        (self._folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
        # A run must hear nothing of what a developer's machine says.
        monkeypatch.delenv("KUBECONFIG", raising=False)

    def report(self, *objects: Any) -> int:
        """Report the cluster as it stands. Gives the exit code."""
        self._cluster.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": list(objects)}))
        arguments = ["--config", str(self._folder), "--from-file", str(self._cluster), "--ledger", str(self._ledger)]
        return enter(["report", *arguments])

    def all_situations(self) -> list[tuple[str, str]]:
        """A success, a failure, its recovery, and a wait for a dependency: severity and reason, as a receiver must
        have heard them.
        """
        old = APP.live(MAIN_A, since=300)
        assert self.report(APP.fetched(MAIN_A), old) == 0  # what was before the first look is not told
        for source, kustomization in (
            (APP.fetched(MAIN_B), APP.live(MAIN_B, since=20)),
            (APP.fetched(MAIN_B), APP.unhealthy(MAIN_B, MAIN_B, since=15)),
            (APP.fetched(MAIN_C), APP.live(MAIN_C, since=10)),
            (APP.fetched(MAIN_D), APP.waiting("infra", MAIN_D, MAIN_C)),
        ):
            assert self.report(source, kustomization) == 0
        return [
            ("info", "ReconciliationSucceeded"),
            ("error", "HealthCheckFailed"),
            ("info", "ReconciliationSucceeded"),
            ("info", "DependencyNotReady"),
        ]


__all__ = ["APP", "Rollout"]
