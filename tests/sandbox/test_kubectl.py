"""What kubectl asks, it gets: every command that people use on Flux's objects."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sandbox.client import IN_FLUX_SYSTEM, MERGE, ask, kustomization

if TYPE_CHECKING:
    from collections.abc import Callable

    from landed.sandbox.world import Sandbox

FULL = "kustomizations.kustomize.toolkit.fluxcd.io"


@pytest.fixture
def applied(kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> str:
    """Two Kustomizations, applied as people do; gives the manifest."""
    manifest = yaml.safe_dump_all([kustomization("apps", labels={"team": "shop"}), kustomization("infra")])
    done = kubectl("apply", "-f", "-", stdin=manifest)
    assert done.stdout.splitlines() == [
        "kustomization.kustomize.toolkit.fluxcd.io/apps created",
        "kustomization.kustomize.toolkit.fluxcd.io/infra created",
    ]
    return manifest


def _ready(sandbox: Sandbox, name: str, status: str = "True") -> None:
    ready = {
        "type": "Ready",
        "status": status,
        "reason": "X",
        "message": "Applied revision: main@sha1:ab",
        "observedGeneration": 1,
    }
    patch = {"status": {"conditions": [ready], "observedGeneration": 1}}
    assert ask(sandbox.api_url, "PATCH", f"{IN_FLUX_SYSTEM}/{name}/status", patch, Content_Type=MERGE).status == 200


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("resource", ["ks", "kustomizations", FULL, "kustomizations.v1.kustomize.toolkit.fluxcd.io"])
def test_get_finds_a_resource_by_all_its_names(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], resource: str
) -> None:
    lines = kubectl("get", resource, "-A").stdout.splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "AGE", "READY", "STATUS"]
    assert [line.split()[1] for line in lines[1:]] == ["apps", "infra"]


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), ["apps", "infra"]),
        (("-l", "team=shop"), ["apps"]),
        (("-l", "team notin (shop)"), ["infra"]),
        (("--field-selector", "metadata.name=infra"), ["infra"]),
        (("--chunk-size", "1"), ["apps", "infra"]),
    ],
)
def test_get_selects_and_pages(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], names: list[str]
) -> None:
    shown = kubectl("get", "ks", "-A", "-o", "name", *arguments).stdout.split()
    assert [name.rpartition("/")[2] for name in shown] == names
    listed = json.loads(kubectl("get", "ks", "-A", "-o", "json", *arguments).stdout)
    assert [item["metadata"]["name"] for item in listed["items"]] == names


def test_get_prints_every_format(
    sandbox: Sandbox, kubectl: Callable[..., subprocess.CompletedProcess[str]], applied: str
) -> None:
    _ready(sandbox, "apps")
    wide = kubectl("get", "ks", "apps", "-o", "wide").stdout.splitlines()
    assert wide[1].split(maxsplit=3)[2:] == ["True", "Applied revision: main@sha1:ab"]
    as_yaml: Any = yaml.safe_load(kubectl("get", "ks", "apps", "-o", "yaml").stdout)
    as_json: Any = json.loads(kubectl("get", "ks/apps", "-o", "json").stdout)
    assert as_json == as_yaml
    path = "{.status.conditions[?(@.type=='Ready')].status}"
    assert kubectl("get", "ks", "apps", "-o", f"jsonpath={path}").stdout == "True"


@pytest.mark.usefixtures("applied")
def test_get_of_several_kinds_at_once(kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    listed = json.loads(kubectl("get", "ks,gitrepo,ocirepo,hr", "-A", "-o", "json").stdout)
    assert [item["kind"] for item in listed["items"]] == ["Kustomization", "Kustomization"]
    assert kubectl("get", "all", "-A", "-o", "name").stdout.count("kustomization") == 2


def test_what_is_not_there_is_named(kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    missing = kubectl("get", "ks", "nope", ok=False).stderr
    assert missing == f'Error from server (NotFound): {FULL} "nope" not found\n'
    assert "the server doesn't have a resource type" in kubectl("get", "foos", ok=False).stderr
    assert "No resources found" in kubectl("get", "ks", "-A").stderr


def test_apply_changes_only_what_differs(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], applied: str
) -> None:
    again = kubectl("apply", "-f", "-", stdin=applied).stdout
    assert again.count("unchanged") == 2
    changed = kubectl("apply", "-f", "-", stdin=applied.replace("path: ./apps", "path: ./shop")).stdout
    assert [line.split()[1] for line in changed.splitlines()] == ["configured", "unchanged"]
    shown = json.loads(kubectl("get", "ks", "apps", "-o", "json").stdout)
    assert (shown["spec"]["path"], shown["metadata"]["generation"]) == ("./shop", 2)


def test_apply_on_the_server_says_who_is_in_the_way(
    kubectl: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    manifest = yaml.safe_dump(kustomization())
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    other = manifest.replace("10m", "5m")
    refused = kubectl("apply", "--server-side", "--field-manager=you", "-f", "-", stdin=other, ok=False)
    assert 'conflict with "kubectl": .spec.interval' in refused.stderr
    kubectl("apply", "--server-side", "--field-manager=you", "--force-conflicts", "-f", "-", stdin=other)
    assert kubectl("get", "ks", "apps", "-o", "jsonpath={.spec.interval}").stdout == "5m"


@pytest.mark.usefixtures("applied")
def test_annotate_label_and_patch(kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    kubectl("annotate", "ks/apps", "reconcile.fluxcd.io/requestedAt=now")
    kubectl("label", "ks", "apps", "team=search", "--overwrite")
    kubectl("patch", "ks", "apps", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    kubectl("patch", "ks", "apps", "--type=json", "-p", '[{"op":"replace","path":"/spec/interval","value":"1h"}]')
    status = '{"status":{"lastAppliedRevision":"main@sha1:ab"}}'
    kubectl("patch", "ks", "apps", "--subresource=status", "--type=merge", "-p", status)
    shown = json.loads(kubectl("get", "ks", "apps", "-o", "json").stdout)
    assert shown["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"] == "now"
    assert shown["metadata"]["labels"] == {"team": "search"}
    assert (shown["spec"]["suspend"], shown["spec"]["interval"]) == (True, "1h")
    assert shown["status"] == {"observedGeneration": -1, "lastAppliedRevision": "main@sha1:ab"}
    refused = kubectl("patch", "ks", "apps", "-p", '{"spec":{}}', ok=False)
    assert "application/strategic-merge-patch+json is not supported" in refused.stderr


@pytest.mark.usefixtures("applied")
def test_wait_returns_when_the_condition_holds(
    sandbox: Sandbox, kubectl: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    _ready(sandbox, "infra")
    done = kubectl("wait", "ks/infra", "--for=condition=Ready", "--timeout=10s").stdout
    assert done == f"{FULL.replace('kustomizations', 'kustomization')}/infra condition met\n"
    kubectl("wait", "ks/infra", "--for=jsonpath={.spec.prune}=true", "--timeout=10s")
    late = kubectl("wait", "ks/apps", "--for=condition=Ready", "--timeout=1s", ok=False).stderr
    assert "timed out waiting for the condition" in late


@pytest.mark.usefixtures("applied")
def test_delete_waits_until_it_is_gone(kubectl: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert "deleted" in kubectl("delete", "ks", "apps", "--timeout=10s").stdout
    assert "not found" in kubectl("delete", "ks", "apps", ok=False).stderr
    kubectl("delete", "ks", "--all", "--timeout=10s")
    assert kubectl("get", "ks", "-A", "-o", "name").stdout == ""


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("arguments", [("-A", "-o", "json"), ("infra", "-o", "json")], ids=["all", "one"])
def test_get_watches(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    binary = shutil.which("kubectl")
    assert binary
    command = [binary, "--kubeconfig=/dev/null", "-s", sandbox.api_url, "-n", "flux-system", "get", "ks", "-w"]
    seen: list[str] = []
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as watcher:
        reader = threading.Thread(target=lambda: seen.extend(watcher.stdout or ()))
        reader.start()
        try:
            # kubectl drops the first event of a single object, so one change may come too early to be shown.
            for status in itertools.islice(itertools.cycle(("Unknown", "True")), 200):
                _ready(sandbox, "infra", status)
                if _shows(seen, "Unknown") and _shows(seen, "True"):
                    break
                time.sleep(0.1)
        finally:
            watcher.kill()
            reader.join()
    assert _shows(seen, "Unknown")
    assert _shows(seen, "True")


def _shows(lines: list[str], status: str) -> bool:
    return any(f'"status": "{status}"' in line for line in tuple(lines))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("version",), "Server Version: v1.32.4+landed"),
        (("api-resources", "--no-headers"), "gitrepo"),
        (("api-versions",), "helm.toolkit.fluxcd.io/v2"),
        (("auth", "can-i", "list", FULL), "yes"),
        (("explain", "ks"), "KIND:       Kustomization"),
        (("get", "--raw", "/readyz"), "ok"),
        (("get", "events", "-A"), ""),
        (("get", "ns", "default"), "Active"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_questions_about_the_server_are_answered(
    kubectl: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], said: str
) -> None:
    assert said in kubectl(*arguments).stdout


def test_core_objects_can_be_applied_and_changed(
    kubectl: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note"}, "data": {"a": "1"}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    manifest["data"] = {"a": "2"}
    assert "configured" in kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest)).stdout
    assert kubectl("get", "cm", "note", "-o", "jsonpath={.data.a}").stdout == "2"
