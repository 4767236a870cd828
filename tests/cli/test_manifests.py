"""``--config``: from manifests to what a run tells whom, and ``landed preview``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from landed.cli import enter
from landed.cli.manifests import Described, _merged
from landed.config.manifests.settings import Target
from landed.model import Alert, Channel, EventSource, GitHost, Repository, Secret

if TYPE_CHECKING:
    from pathlib import Path

DATA = "tests/data"

PROVIDERS = """
apiVersion: v1
kind: Secret
metadata: {name: tokens, namespace: apps}
stringData: {token: ghp_aaaabbbbccccdddd1111}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: gh, namespace: apps}
spec: {type: github, address: "https://github.com/example/fleet", secretRef: {name: tokens}}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: chat, namespace: apps}
spec: {type: slack, channel: general, secretRef: {name: chat}}
"""
ALERTS = """
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: to-git, namespace: apps}
spec: {providerRef: {name: gh}, eventSources: [{kind: Kustomization, name: "*"}]}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: to-chat, namespace: apps}
spec:
  providerRef: {name: chat}
  eventMetadata: {env: live}
  eventSources: [{kind: Kustomization, name: "*"}, {kind: GitRepository, name: "*", namespace: flux-system}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "providers.yaml").write_text(PROVIDERS)
    (tmp_path / "flux" / "alerts.yaml").write_text(ALERTS)
    monkeypatch.setenv("LANDED_SECRET_CHAT_ADDRESS", "https://hooks.slack.com/services/T0/B0/aaaabbbbccccdddd")
    data = (tmp_path.__class__(DATA) / "health-check-failed.json").resolve()
    (tmp_path / "cluster.json").write_text(data.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def preview(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    assert enter(["preview", "--config", "flux", "--from-file", "cluster.json", "-o", "json", *arguments]) == code
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "landed.preview/1"
    sent: list[dict[str, Any]] = shown["would_send"]
    return sent


def test_preview_shows_what_each_would_be_told_and_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat, status = preview(capsys)

    assert (chat["destination"], chat["verb"], chat["body"]["channel"]) == ("Alert apps/to-chat", "POST", "general")
    assert "Health check failed" in json.dumps(chat["body"])
    assert "live" in json.dumps(chat["body"])
    assert status["destination"] == "Provider apps/gh"
    assert (status["body"]["context"], status["body"]["state"]) == ("flux/cluster/apps/web", "failure")
    assert "aaaabbbb" not in json.dumps([chat, status])
    assert not (folder / ".landed").exists()


@pytest.mark.parametrize("situation", ["failure", "success", "recovery", "dependency"])
def test_preview_of_an_example_needs_nothing_to_have_happened(
    folder: Path, capsys: pytest.CaptureFixture[str], situation: str
) -> None:
    (folder / "cluster.json").write_text('{"kind": "List", "apiVersion": "v1", "items": []}')

    told = preview(capsys, "--situation", situation)

    assert {one["destination"] for one in told} == {"Alert apps/to-chat", "Provider apps/gh"}
    assert all("acme/fleet" in json.dumps(one["body"]) for one in told)
    assert any("*env*" in json.dumps(one["body"]) for one in told if one["destination"] == "Alert apps/to-chat")


def test_preview_for_people_says_who_gets_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["preview", "--config", "flux", "--from-file", "cluster.json"]) == 0
    printed = capsys.readouterr().out

    assert "── Alert apps/to-chat: POST to Slack (Alert apps/to-chat) (hooks.slack.com)" in printed
    assert "── Provider apps/gh: set to github.com" in printed


def test_every_problem_is_said_at_once_and_nothing_is_sent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flux" / "broken.yaml").write_text(
        ALERTS.replace("kind: Kustomization", "kind: Kustomisation").replace("to-", "at-")
        + "\n---\napiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\n"
        "metadata: {name: nowhere, namespace: apps}\nspec: {type: slakc}\n"
    )
    assert enter(["report", "--config", "flux", "--from-file", "cluster.json"]) == 2
    said = capsys.readouterr().err
    assert "problems in the manifests" in said
    for place in ("broken.yaml:5", "spec.eventSources[0].kind", "Provider apps/nowhere, spec.type"):
        assert place in said
    assert not (folder / ".landed").exists()


def test_a_cluster_is_needed_for_its_own_manifests(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["report", "--config", "cluster", "--from-file", "cluster.json"]) == 2
    assert "there is no cluster to read manifests from" in capsys.readouterr().err


def test_doctor_lists_what_manifests_describe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flux" / "providers.yaml").write_text(PROVIDERS.replace("github.com/example", "127.0.0.1:1/example"))
    enter(["doctor", "--config", "flux", "--from-file", "cluster.json", "-o", "json"])
    findings = json.loads(capsys.readouterr().out)
    said = [one["message"] for one in findings["findings"] if one["subject"] == "manifests"]
    assert "Alert apps/to-chat: slack, asked by apps/to-chat" in said


# ── the same destination on several clusters ────────────────────────────────────────────────────────────────────────


def target(cluster: str, address: str = "https://a.example", **alert: Any) -> Target:
    asks = Alert(
        "apps", "ops", "chat", sources=(EventSource("Kustomization", "*", "apps"),), clusters=(cluster,), **alert
    )
    return Target("slack", "Alert apps/ops", (asks,), channel=Channel("slack", "Alert apps/ops", Secret(address)))


def test_the_same_alert_on_two_clusters_is_one_destination() -> None:
    (both,) = _merged([target("eu", uid="1"), target("us", uid="2")])
    assert both.alerts[0].clusters == ("eu", "us")
    assert both.name == "Alert apps/ops"


def test_alerts_that_differ_are_told_apart_by_their_cluster() -> None:
    one, other = _merged([target("eu"), target("us", "https://b.example")])
    assert (one.name, other.name) == ("Alert apps/ops", "Alert apps/ops (us)")
    assert other.channel is not None
    assert other.channel.name == "Alert apps/ops (us)"


def test_what_manifests_tell_the_options_token_leaves_alone() -> None:
    host = GitHost("github", "github.com", "https://api.github.com")
    fleet = Repository("github.com", "example/fleet")
    mine = structs.replace(target("eu"), type="github", channel=None, host=host, within=fleet)
    assert Described((mine,)).beside(host, "statuses") == (fleet,)
    assert Described((mine,)).beside(host, "comments") == ()
    assert Described((mine,)).hosts == (host,)
    assert Described((mine,)).kinds == frozenset()


def test_an_alert_with_a_problem_is_also_told_that_its_provider_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = ALERTS.replace("{name: gh}", "{name: absent}").replace("kind: Kustomization", "kind: Kustomisation")
    (folder / "flux" / "alerts.yaml").write_text(broken)

    assert enter(["report", "--config", "flux", "--from-file", "cluster.json"]) == 2
    said = capsys.readouterr().err
    assert "Alert apps/to-git, spec.eventSources[0].kind" in said
    assert 'Alert apps/to-git, spec.providerRef.name: there is no Provider "absent" in the namespace apps' in said
    assert "Alert apps/to-chat, spec.providerRef.name" not in said
