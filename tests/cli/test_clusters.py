"""Many clusters: which are asked for, what they are called, how they are read, and how they are shared out."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kube.server import FLUX, Reply, Server, discovery
from objects import LATER, MAIN_A, MAIN_B, condition, git_repository, kustomization
from standins.slack import SlackWebhook

from landed.cli import enter
from landed.cli.contexts import may_be_several, places
from landed.cli.options import Options
from landed.errors import ConfigurationError
from landed.model import Secret
from landed.shards import owner

SOURCES = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, no CI system, an empty folder."""
    for name in os.environ:
        if name.startswith(("CI", "GIT", "LANDED", "INPUT", "KUBE", "JOB_", "TF_BUILD", "FORGEJO")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def api() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with Server() as server:
        yield server


def kubeconfig(*contexts: str, current: str = "", url: str = "http://127.0.0.1:9", **urls: str) -> dict[str, Any]:
    """Each context with a cluster and a user of its own, all at one URL but for what is said otherwise."""
    names = [*contexts, *urls]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": f"cluster-{n}", "cluster": {"server": urls.get(n, url)}} for n in names],
        "users": [{"name": f"user-{n}", "user": {"token": "g00d"}} for n in names],
        "contexts": [{"name": n, "context": {"cluster": f"cluster-{n}", "user": f"user-{n}"}} for n in names],
        "current-context": current or names[0],
    }


def write(path: Path, document: Mapping[str, Any]) -> str:
    path.write_text(yaml.safe_dump(dict(document)))
    return str(path)


def broken(document: dict[str, Any], context: str, **user: Any) -> dict[str, Any]:
    """``document`` with another user for one context."""
    for entry in document["users"]:
        if entry["name"] == f"user-{context}":
            entry["user"] = user
    return document


def asked(*files: str, environ: Mapping[str, str] | None = None, **settings: Any) -> list[tuple[str, str]]:
    """Context and name of every cluster that the options ask for."""
    o = Options(kubeconfig=tuple(map(Secret, files)), **settings)
    return [(place.context, place.name) for place in places(o, environ or {"HOME": "/nowhere"})]


def refused(*files: str, **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        asked(*files, **settings)
    assert caught.value.exit_code == 2
    return f"{caught.value.message} {caught.value.hint}"


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    return write(tmp_path / "fleet", kubeconfig("prod-us", "prod-eu", "staging", "lab", current="staging"))


# ── patterns ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        pytest.param((), ["staging"], id="the current one"),
        pytest.param(("*",), ["prod-us", "prod-eu", "staging", "lab"], id="all, in their order"),
        pytest.param(("prod-*",), ["prod-us", "prod-eu"], id="a beginning"),
        pytest.param(("???",), ["lab"], id="single characters"),
        pytest.param(("lab", "prod-*"), ["lab", "prod-us", "prod-eu"], id="the order of the options"),
        pytest.param(("prod-eu", "*"), ["prod-eu", "prod-us", "staging", "lab"], id="each once"),
        pytest.param(("*-eu", "prod-*"), ["prod-eu", "prod-us"], id="patterns that overlap"),
    ],
)
def test_patterns_choose_contexts(fleet: str, patterns: tuple[str, ...], expected: list[str]) -> None:
    assert asked(fleet, context=patterns) == [(name, name) for name in expected]


def test_a_name_that_holds_a_star_is_that_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("prod-*", "prod-a", "[ab]", "a"))
    assert asked(path, context=("prod-*",)) == [("prod-*", "prod-*")]
    assert asked(path, context=("[ab]",)) == [("[ab]", "[ab]")]
    assert asked(path, context=("prod-?",)) == [("prod-*", "prod-*"), ("prod-a", "prod-a")]


def test_what_matches_nothing_lists_what_there_is(fleet: str) -> None:
    said = refused(fleet, context=("prd-*",))
    assert f'No context matches "prd-*" in {fleet}.' in said
    assert said.index("prod-us") < said.index("lab")
    assert f'There is no context "stagin" in {fleet}. Did you mean staging?' in refused(fleet, context=("stagin",))
    assert "Prod" in refused(fleet, context=("Prod-*",)), "case matters, as in Kubernetes"


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig(*(f"c{number}" for number in range(40))))
    assert "and 30 more" in refused(path, context=("zzz*",))


def test_a_kubeconfig_without_contexts_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "config", {"kind": "Config", "users": []})
    assert "none at all" in refused(path, context=("*",))
    assert "no current-context" in refused(path)


def test_the_same_context_twice_is_a_mistake(fleet: str) -> None:
    assert "--context lab is given 2 times" in refused(fleet, context=("lab", "lab"))


# ── several kubeconfigs ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    return (
        write(tmp_path / "one", kubeconfig("default", "eu", current="eu")),
        write(tmp_path / "two", kubeconfig("us", "default")),
    )


def test_each_kubeconfig_stands_for_itself(two: tuple[str, str]) -> None:
    assert asked(*two) == [("eu", "eu"), ("us", "us")]
    assert asked(*two, context=("us", "eu")) == [("us", "us"), ("eu", "eu")]


def test_the_same_context_of_two_is_two_clusters(two: tuple[str, str]) -> None:
    said = refused(*two, context=("default",))
    assert f"called default: context default of {two[0]} and context default of {two[1]}" in said
    assert "--cluster-name default=NAME once for each kubeconfig, in their order" in said
    assert asked(*two, context=("default",), cluster_name=("a", "b")) == [("default", "a"), ("default", "b")]
    named = asked(*two, context=("*",), cluster_name=("default=a", "default=b"))
    assert named == [("default", "a"), ("eu", "eu"), ("us", "us"), ("default", "b")]


def test_a_name_for_one_of_two_that_are_called_alike_is_nobody_s(two: tuple[str, str]) -> None:
    said = refused(*two, context=("*",), cluster_name=("default=a",))
    assert "1 --cluster-name for the context default, which 2 of the kubeconfigs have" in said


def test_a_list_of_paths_is_merged_as_kubectl_does(two: tuple[str, str]) -> None:
    merged = os.pathsep.join(two)
    assert asked(merged) == [("eu", "eu")]
    assert asked(merged, context=("*",)) == [("default", "default"), ("eu", "eu"), ("us", "us")]


def test_the_same_kubeconfig_twice_is_the_same_name_twice(fleet: str) -> None:
    assert "Two clusters would be called staging" in refused(fleet, fleet)


def test_a_variable_holds_one_kubeconfig_whatever_it_looks_like(
    api: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = yaml.safe_dump(kubeconfig("prod", url=api.url))
    assert text.count("\n") > 5
    ways = [text, base64.encodebytes(text.encode()).decode(), write(tmp_path / "config", kubeconfig(prod=api.url))]
    for name in ("LANDED_KUBECONFIG", "INPUT_KUBECONFIG"):
        for way in ways:
            monkeypatch.setenv(name, way)
            assert enter(["status", "-o", "json"]) == 0, way
            assert [one["name"] for one in json.loads(capsys.readouterr().out)["clusters"]] == ["prod"]
        monkeypatch.delenv(name)


def test_a_variable_that_is_empty_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LANDED_KUBECONFIG", " ")
    assert enter(["status"]) == 2
    assert "There is no kubeconfig, and this is no pod" in capsys.readouterr().err


def test_the_command_line_takes_several(
    api: Server, other: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "one", kubeconfig("default", url=api.url))
    two = write(tmp_path / "two", kubeconfig("default", url=other.url))
    arguments = ["status", "-o", "json", "--kubeconfig", one, "--kubeconfig", two]
    assert enter(arguments) == 2
    assert "Two clusters would be called default" in capsys.readouterr().err
    assert enter([*arguments, "--cluster-name", "eu", "--cluster-name", "us"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["clusters"]] == ["eu", "us"]
    assert len(api.users) == len(other.users) == 1


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("context", "names", "expected"),
    [
        pytest.param(("lab", "staging"), ("a", "b"), ["a", "b"], id="in the order of the contexts"),
        pytest.param(("lab", "staging"), ("a",), ["a", "staging"], id="fewer names"),
        pytest.param(("prod-*",), ("prod-eu=eu",), ["prod-us", "eu"], id="by context"),
        pytest.param(("prod-*",), ("prod-eu=eu", "lab=x"), ["prod-us", "eu"], id="of one that is not asked for"),
        pytest.param(("l*", "staging"), ("a", "b"), ["a", "b"], id="a pattern that matches one"),
        pytest.param(("lab",), ("lab=a=b",), ["a=b"], id="a name with an equals sign"),
        pytest.param((), ("a",), ["a"], id="the current one"),
    ],
)
def test_clusters_get_names(fleet: str, context: tuple[str, ...], names: tuple[str, ...], expected: list[str]) -> None:
    assert [name for _, name in asked(fleet, context=context, cluster_name=names)] == expected


def test_a_context_may_hold_an_equals_sign(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("a", "a=b"))
    assert asked(path, context=("*",), cluster_name=("a=b=x",)) == [("a", "a"), ("a=b", "x")]


@pytest.mark.parametrize(
    ("context", "names", "says"),
    [
        pytest.param(("prod-*",), ("a", "b"), "--context prod-* matches 2 contexts", id="plain names and a pattern"),
        pytest.param(("prod-*",), ("a", "b"), "CONTEXT=NAME: prod-us=a", id="what to write"),
        pytest.param(("lab", "staging"), ("lab=a", "b"), "b names no context, and others do", id="both ways"),
        pytest.param(("lab",), ("a", "b"), "There are 2 --cluster-name for 1 cluster.", id="too many"),
        pytest.param(("lab",), ("lab=a", "lab=b"), "There are 2 --cluster-name for the context lab", id="two of one"),
        pytest.param(("lab",), ("lob=a",), 'no context "lob". Did you mean lab?', id="a context that is none"),
        pytest.param(("lab",), ("lab=",), "gives no name", id="no name"),
        pytest.param(("lab", "staging"), ("x", "x"), "Two clusters would be called x: context lab of", id="one twice"),
        pytest.param(("lab", "staging"), ("x", "X"), "do not tell upper from lower case", id="but for the case"),
        pytest.param(("lab", "staging"), ("x", "x/y"), "called x/y beside one called x", id="one above the other"),
        pytest.param(("lab",), ("a\nb",), "a line break", id="a line break"),
        pytest.param(("lab",), ("a\u202eb",), "does not print", id="a character that turns text around"),
        pytest.param(("lab",), ("{namespace}",), "cannot hold { or }", id="a placeholder"),
    ],
)  # fmt: skip
def test_names_that_are_no_good_are_refused(
    fleet: str, context: tuple[str, ...], names: tuple[str, ...], says: str
) -> None:
    assert says in refused(fleet, context=context, cluster_name=names)


def test_a_context_that_cannot_be_a_name_needs_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("a{b}", "c"))
    assert "--cluster-name a{b}=NAME" in refused(path, context=("*",))
    assert asked(path, context=("*",), cluster_name=("a{b}=x",)) == [("a{b}", "x"), ("c", "c")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"context": ("a",)}, False),
        ({"context": ("a", "b")}, True),
        ({"context": ("a*",)}, True),
        ({"kubeconfig": (Secret("a"), Secret("b"))}, True),
        ({"shard": "1/2"}, True),
    ],
)
def test_whether_there_may_be_several_follows_from_the_options(settings: dict[str, Any], expected: bool) -> None:
    assert may_be_several(Options(**settings)) is expected


def test_where_there_may_be_several_a_status_must_name_its_cluster(
    fleet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", "--kubeconfig", fleet, "--context", "la*", "--status-context", "{namespace}/{name}"]
    assert enter(arguments) == 2
    assert "It must hold {cluster}." in capsys.readouterr().err


# ── reading them ────────────────────────────────────────────────────────────────────────────────────────────────────


def looked(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> dict[str, str]:
    """What ``landed status`` says of each cluster: its error, or nothing."""
    assert enter(["status", "-o", "json", *arguments]) == code
    return {one["name"]: one["error"] for one in json.loads(capsys.readouterr().out)["clusters"]}


def test_fifty_clusters_are_read_at_once(api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = threading.Barrier(8)

    def together(_: object) -> None:
        gate.wait(10)

    api.faults[FLUX] = [together for _ in range(8)]
    path = write(tmp_path / "config", kubeconfig(*(f"c{number:02}" for number in range(50)), url=api.url))
    found = looked(capsys, 0, "--kubeconfig", path, "--context", "*")
    assert found == {f"c{number:02}": "" for number in range(50)}
    assert not gate.broken, "eight were asked at the same time"
    assert len(api.users) == 50


def test_one_that_hangs_holds_up_nobody_longer_than_its_own_timeout(
    api: Server, other: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other.faults[FLUX] = [Reply(hang=True)] * 9
    document = kubeconfig("hangs", *(f"c{number:02}" for number in range(49)), url=api.url)
    document["clusters"][0]["cluster"]["server"] = other.url
    begun = time.monotonic()
    path = write(tmp_path / "config", document)
    found = looked(capsys, 5, "--kubeconfig", path, "--context", "*", "--request-timeout", "4")
    assert time.monotonic() - begun < 25
    assert "did not answer" in found.pop("hangs")
    assert set(found.values()) == {""}
    assert len(found) == 49


BROKEN: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no-user": lambda d: d | {"users": d["users"][1:]},
    "no-cluster": lambda d: d | {"clusters": d["clusters"][1:]},
    "no-certificate": lambda d: broken(d, "bad", **{"client-certificate": "/nowhere/c", "client-key": "/nowhere/k"}),
    "no-token-file": lambda d: broken(d, "bad", tokenFile="/nowhere/token"),
    "two-ways-in": lambda d: broken(d, "bad", token="x", username="y"),
    "no-plugin": lambda d: broken(
        d, "bad", exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    ),
    "old-plugin": lambda d: broken(d, "bad", exec={"apiVersion": "client.authentication.k8s.io/v0", "command": "sh"}),
    "broken-data": lambda d: broken(d, "bad", **{"client-certificate-data": "?", "client-key-data": "?"}),
    "no-authority": lambda d: _with(d, {"server": "https://127.0.0.1:1", "certificate-authority": "/nowhere/ca"}),
    "bad-authority": lambda d: _with(d, {"server": "https://127.0.0.1:1", "certificate-authority-data": "eA=="}),
    "bad-server": lambda d: _with(d, {"server": "gopher://x"}),
    "down": lambda d: _with(d, {"server": "http://127.0.0.1:1"}),
}


def _with(document: dict[str, Any], cluster: dict[str, Any]) -> dict[str, Any]:
    document["clusters"][0]["cluster"] = cluster
    return document


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("arguments", [("--context", "*"), ("--context", "bad", "--context", "good")])
def test_one_that_is_broken_does_not_stop_the_others(
    api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, arguments: tuple[str, ...]
) -> None:
    path = write(tmp_path / "config", BROKEN[kind](kubeconfig("bad", "good", url=api.url)))
    found = looked(capsys, 5, "--kubeconfig", path, *arguments)
    assert found.keys() == {"bad", "good"}
    assert "bad" in found["bad"], "it says which cluster"
    assert found["good"] == ""
    assert enter(["report", "--kubeconfig", path, *arguments]) == 5
    shown = capsys.readouterr()
    assert found["bad"].partition(":")[0] in shown.err
    assert "good" in shown.out, "what the other says is told"


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind not in ("no-plugin", "down")])
def test_alone_it_is_a_matter_of_configuration(
    api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = write(tmp_path / "config", BROKEN[kind](kubeconfig("bad", "good", url=api.url)))
    assert enter(["status", "--kubeconfig", path, "--context", "bad"]) == 2
    assert capsys.readouterr().err


def test_without_kubectl_the_run_is_at_fault_and_no_cluster(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "config", kubeconfig("a", "b", url=api.url))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert enter(["status", "--kubeconfig", path, "--context", "*", "--kube-via", "kubectl"]) == 2
    assert capsys.readouterr().err.count("needs kubectl") == 1


def test_a_fault_of_ours_with_one_cluster_is_that_cluster_s(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from landed.kube.client import Client

    before = Client.pages

    def pages(self: Client, *arguments: Any, **settings: Any) -> None:
        if self.context == "bad":
            raise AttributeError("hidden")
        before(self, *arguments, **settings)

    monkeypatch.setattr(Client, "pages", pages)
    path = write(tmp_path / "config", kubeconfig("bad", "good", url=api.url))
    found = looked(capsys, 5, "--kubeconfig", path, "--context", "*")
    assert "an unexpected AttributeError; this is a fault of landed" in found["bad"]
    assert found["good"] == ""


def test_doctor_looks_at_each(api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "config", BROKEN["no-user"](kubeconfig("bad", "good", "gone", url=api.url)))
    assert enter(["doctor", "--kubeconfig", path, "--context", "*", "-o", "json"]) == 5
    findings = json.loads(capsys.readouterr().out)["findings"]
    problems = [one["message"] for one in findings if one["level"] == "problem"]
    assert len([text for text in problems if "bad" in text and "user" in text]) == 1
    answered = [one["message"] for one in findings if "answers: Kubernetes" in one["message"]]
    assert len(answered) == 2
    assert not [one for one in findings if one["subject"] == "kubeconfig" and one["message"].startswith("bad")]


def test_a_cluster_whose_manifests_cannot_be_read_does_not_stop_the_others(
    api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "config", BROKEN["no-user"](kubeconfig("bad", "good", url=api.url)))
    notification = "/apis/notification.toolkit.fluxcd.io"
    with SlackWebhook() as slack:
        meta = {"namespace": "apps"}
        provider = {"type": "slack", "address": slack.address}
        source = {"kind": "Kustomization", "name": "*"}
        alert = {"providerRef": {"name": "chat"}, "eventSources": [source]}
        version = "notification.toolkit.fluxcd.io/v1beta3"
        failing = condition("Ready", "False", "HealthCheckFailed", "timeout", since=LATER)
        api.documents |= discovery("notification.toolkit.fluxcd.io", ["v1beta3"], ["providers", "alerts"])
        api.lists |= {
            f"{notification}/v1beta3/providers": [
                {"apiVersion": version, "kind": "Provider", "metadata": meta | {"name": "chat"}, "spec": provider}
            ],
            f"{notification}/v1beta3/alerts": [
                {"apiVersion": version, "kind": "Alert", "metadata": meta | {"name": "ops"}, "spec": alert}
            ],
            FLUX: [kustomization("web", attempted=MAIN_B, conditions=[failing])],
            SOURCES: [git_repository(revision=MAIN_B)],
        }
        arguments = ["--kubeconfig", path, "--context", "*", "--config", "cluster"]
        assert enter(["report", *arguments]) == 5
        assert "user-bad" in capsys.readouterr().err
        assert len(slack.taken) == 1, "what is wrong on the other one is told"
        assert enter(["report", "--kubeconfig", path, "--context", "bad", "--config", "cluster"]) == 2


# ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_cluster_is_read_by_one_shard(api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"c{number:02}" for number in range(20)]
    path = write(tmp_path / "config", kubeconfig(*names, url=api.url))
    parts = [looked(capsys, 0, "--kubeconfig", path, "--context", "*", "--shard", f"{n}/3") for n in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == names
    for number, part in enumerate(parts, 1):
        assert {owner(name, 3) for name in part} == {number}


def test_a_shard_goes_by_the_name_and_not_by_the_context(api: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig("a", url=api.url))
    name = next(f"n{number}" for number in range(99) if owner(f"n{number}", 2) != owner("a", 2))
    arguments = ["status", "--kubeconfig", path, "--cluster-name", name, "--shard", f"{owner(name, 2)}/2"]
    assert enter(arguments) == 0
    assert len(api.users) == 1


def test_a_shard_without_a_cluster_is_no_error(api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "config", kubeconfig("a", url=api.url))
    empty = 3 - owner("a", 2)
    for command in (["status"], ["report"], ["report", "--config", "cluster"], ["doctor"], ["report", "--dry-run"]):
        assert enter([*command, "--kubeconfig", path, "--shard", f"{empty}/2"]) == 0, command
        assert f"Shard {empty}/2 has none of the 1 clusters" in capsys.readouterr().err
    assert api.users == []


def test_which_clusters_are_whose_is_told_to_who_looks_closely(
    api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    path = write(tmp_path / "config", kubeconfig(*names, url=api.url))
    assert enter(["status", "--kubeconfig", path, "--context", "*", "--shard", "1/2", "--verbose"]) == 0
    said = capsys.readouterr().err
    first = ", ".join(name for name in names if owner(name, 2) == 1)
    second = ", ".join(name for name in names if owner(name, 2) == 2)
    assert f"Shard 1/2 (this run): {first}" in said
    assert f"Shard 2/2: {second}" in said


def test_a_job_that_is_parallel_for_other_reasons_reads_everything(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI_NODE_INDEX", "1")
    monkeypatch.setenv("CI_NODE_TOTAL", "3")
    names = [f"c{number}" for number in range(9)]
    path = write(tmp_path / "config", kubeconfig(*names, url=api.url))
    assert looked(capsys, 0, "--kubeconfig", path, "--context", "*").keys() == set(names)
    mine = looked(capsys, 0, "--kubeconfig", path, "--context", "*", "--shard", "auto")
    assert mine.keys() == {name for name in names if owner(name, 3) == 1}


def test_shards_share_a_ledger_and_a_channel(api: Server, tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e"]
    assert {owner(name, 2) for name in names} == {1, 2}
    path = write(tmp_path / "config", kubeconfig(*names, url=api.url))
    api.lists |= {FLUX: [kustomization("web")], SOURCES: [git_repository(revision=MAIN_A)]}
    with SlackWebhook() as slack:

        def told(*parts: str) -> int:
            """How many messages the channel gets when these shards run one after the other."""
            before = len(slack.taken)
            for part in parts:
                more = ["--context", "*", "--slack-webhook", slack.address, "--shard", part]
                assert enter(["report", "--kubeconfig", path, *more]) == 0
            return len(slack.taken) - before

        assert told("1/2", "2/2") == 0, "what was so before is nobody's news, in no shard"
        assert told("1/2", "2/2") == 0
        api.lists |= {
            FLUX: [kustomization("web", applied=MAIN_B, attempted=MAIN_B)],
            SOURCES: [git_repository(revision=MAIN_B)],
        }
        assert told("2/2", "1/2") == 2, "one message for each shard"
        assert told("1/2", "2/2") == 0
        assert told("1/3", "2/3", "3/3") == 0, "a cluster that moves is not told anew"
    content = json.loads((tmp_path / ".landed" / "ledger.json").read_text())
    assert content["seen"].keys() == set(names)
    assert sorted(line.split(" ")[0] for line in content["destinations"]["slack"]) == names
    assert content["served"] == {"slack": names}


@pytest.mark.parametrize("text", ["0/2", "3/2", "x", "auto", "1/"])
def test_a_shard_that_is_none_is_refused(
    text: str, api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "config", kubeconfig("a", url=api.url))
    assert enter(["status", "--kubeconfig", path, "--shard", text]) == 2
    assert "--shard" in capsys.readouterr().err
    assert api.users == []


def test_a_file_is_no_fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["status", "--from-file", "x.json", "--shard", "1/2"]) == 2
    assert "--from-file and --shard contradict each other" in capsys.readouterr().err


def test_a_broken_cluster_in_a_shard_of_its_own_is_still_only_unreadable(
    api: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(f"n{number}" for number in range(99) if owner(f"n{number}", 2) != owner("bad", 2))
    path = write(tmp_path / "config", BROKEN["no-user"](kubeconfig("bad", name, url=api.url)))
    found = looked(capsys, 5, "--kubeconfig", path, "--context", "*", "--shard", f"{owner('bad', 2)}/2")
    assert found.keys() == {"bad"}
