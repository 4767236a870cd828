"""One cluster, one file of manifests with a Provider and an Alert of every type there is: each is told of a dependency
wait, a failure, its recovery and a success, each time once, in a way that its judge has nothing against.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from contract.ways import WAYS
from integration import fork
from integration.command import PATIENCE
from integration.conftest import sandbox
from integration.guide import App, put
from objects import MAIN_A, MAIN_B, MAIN_C

from landed.registry import CHAT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

    from contract.way import Way

#: All but what is known by its public name alone.
NAMES = sorted(name for name, way in WAYS.items() if not way.host)
STEPS = ("wait", "failure", "recovery", "success")
WEB, INFRA = App(name="web"), App(name="infra")


def states() -> Mapping[str, tuple[Any, ...]]:
    """What stands in the cluster at each step, as Flux writes it just then."""
    return {
        "before": (WEB.fetched(), WEB.live(since=200), INFRA.live(since=200)),
        "wait": (WEB.fetched(MAIN_B), WEB.waiting("infra", MAIN_B), INFRA.reconciling(MAIN_B, MAIN_A)),
        "failure": (INFRA.live(MAIN_B), WEB.unhealthy(MAIN_B)),
        "recovery": (WEB.live(MAIN_B, since=1),),
        "success": (WEB.fetched(MAIN_C), WEB.live(MAIN_C, since=0), INFRA.live(MAIN_C, since=0)),
    }


def documents(name: str, way: Way, standin: Any) -> list[Any]:
    """Its Provider, Secret and Alert."""
    called = "".join(c if c.isalnum() else "-" for c in name)
    meta = {"name": called, "namespace": "flux-system"}
    given = {key: str(getattr(standin, key, "")) for key in ("token", "username", "password")}
    spec = {
        "type": way.type,
        "address": standin.address,
        "channel": str(getattr(standin, "channel", "")),
    }
    secret = {key: value for key, value in given.items() if value}
    if secret:
        spec["secretRef"] = {"name": called}
    api = "notification.toolkit.fluxcd.io/v1beta3"
    return [
        {"apiVersion": api, "kind": "Provider", "metadata": meta, "spec": {k: v for k, v in spec.items() if v}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": secret},
        {
            "apiVersion": api,
            "kind": "Alert",
            "metadata": meta,
            "spec": {
                "providerRef": {"name": called},
                "eventSources": [{"kind": "Kustomization", "name": "*"}],
                "eventMetadata": {"env": "prod", "summary": "Call the Aurora team"},
            },
        },
    ]


class Told(NamedTuple):
    """What became of it."""

    taken: Mapping[str, Mapping[str, list[Any]]]
    """Step → way → what was taken."""
    again: Mapping[str, Mapping[str, int]]
    """Step → way → how much was asked in a second run."""
    runs: Mapping[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("channels")
    with ExitStack() as stack:
        cluster = stack.enter_context(sandbox())
        standins = {name: stack.enter_context(WAYS[name].make()) for name in NAMES}
        written = [document for name in NAMES for document in documents(name, WAYS[name], standins[name])]
        (folder / "manifests.yaml").write_text(yaml.safe_dump_all(written))
        (folder / "kubeconfig").write_text(cluster.kubeconfig())
        taken: dict[str, dict[str, list[Any]]] = {}
        again: dict[str, dict[str, int]] = {}
        runs: dict[str, subprocess.CompletedProcess[str]] = {}
        for step, objects in states().items():
            put(cluster, *objects)
            before = {name: len(standin.taken) for name, standin in standins.items()}
            runs[step] = _report(folder)
            taken[step] = {name: copy.deepcopy(standin.taken[before[name] :]) for name, standin in standins.items()}
            asked = {name: len(standin.asked) for name, standin in standins.items()}
            runs[f"{step} again"] = _report(folder)
            again[step] = {name: len(standin.asked) - asked[name] for name, standin in standins.items()}
        yield Told(taken, again, runs)
        assert {name: standin.violations for name, standin in standins.items() if standin.violations} == {}


def _report(folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = ["report", "--config", "manifests.yaml", "--cluster-name", "prod"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANDED_KUBECONFIG": str(folder / "kubeconfig")}
    return fork.landed(arguments, environment, folder, patience=PATIENCE)


def test_every_type_is_here() -> None:
    assert {WAYS[name].type for name in NAMES} == set(CHAT)


@pytest.mark.parametrize("step", ["before", *STEPS])
def test_all_that_is_news_is_delivered(told: Told, step: str) -> None:
    for run in (told.runs[step], told.runs[f"{step} again"]):
        assert (run.returncode, [line for line in run.stderr.splitlines() if "rror" in line]) == (0, [])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_it_is_told(told: Told, name: str, step: str) -> None:
    assert told.taken[step][name], told.runs[step].stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_was_so_before_is_nobodys_news(told: Told, name: str) -> None:
    assert told.taken["before"][name] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_it_is_told_once(told: Told, name: str, step: str) -> None:
    assert told.again[step][name] == 0
