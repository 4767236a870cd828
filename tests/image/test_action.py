"""The action, run in its image as the GitHub runner runs it: what it may rely on, and what it must never do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from image.action import load
from image.cluster import BEARER, cluster, kubeconfig
from image.runner import TOKEN, Job, Step
from objects import MAIN_B, A, B, condition, encoded, git_repository, kustomization, listing
from standins.github import READER, WRITER, GitHub
from standins.webhook import Receiver

from landed.reports.github import OUTPUTS

pytestmark = pytest.mark.image

MakeJob = Callable[..., Job]


def failing(reason: str, message: str, *more: Any) -> Any:
    """A cluster on which one Kustomization fails at commit B."""
    conditions = [condition(status="False", reason=reason, message=message)]
    failed = kustomization(attempted=MAIN_B, conditions=conditions)
    return listing("List", [git_repository(revision=MAIN_B), failed, *more])


HEALTHY = listing("List", [git_repository(), kustomization()])
BROKEN = failing("HealthCheckFailed", "Deployment/apps/web is not ready")
#: What somebody who may write to the cluster, or to the repository, could try.
HOSTILE = "\n".join(
    [
        "no such file",
        "::error title=forged::forged",
        "  ::set-output name=state::forged",
        "text ##[set-env name=PATH;]/tmp",
        "::add-mask::no",
        "::stop-commands::forever",
        "state=forged",
        "EOF",
        "ghadelimiter_forged",
        "</details><img src=x onerror=alert(1)> [link](javascript:alert(1)) @everyone | ``` | <!-- ",
    ]
)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        server.tokens[TOKEN] = server.tokens[WRITER]
        yield server
    assert server.violations == []


@pytest.fixture
def online(job: MakeJob, github: GitHub) -> Job:
    """A job whose github.com is a stand-in on loopback."""
    return job("--network", "host", server_url="https://github.com", api_url=github.url)


def put(job: Job, document: object, name: str = "list.json") -> str:
    """A file in the workspace, by its name as the step would give it."""
    job.workspace.mkdir(parents=True, exist_ok=True)
    (job.workspace / name).write_bytes(document if isinstance(document, bytes) else encoded(document))
    return name


def levels(step: Step) -> list[str]:
    return [command.name for command in step.log.annotations()]


def assert_calm(step: Step) -> None:
    """Whatever happened, nobody was shown a traceback, and no later step is touched."""
    assert "Traceback" not in step.raw
    assert step.environment == {}
    assert set(step.outputs) <= set(OUTPUTS)


def test_a_first_run_tells_the_news_and_the_second_has_none(online: Job, github: GitHub) -> None:
    given = {"from_file": put(online, HEALTHY), "cluster_name": "production"}
    first = online.step(given)
    assert_calm(first)
    assert (first.exit_code, first.outputs["state"], first.outputs["commit"]) == (0, "success", A), first.raw
    assert github.contexts("example/fleet", A).keys() == {"flux/production", "flux/production/apps/web"}
    assert first.outputs["delivered"] == "2"
    assert "production" in first.summary
    second = online.step(given)
    assert (second.exit_code, second.outputs["delivered"], len(github.writes)) == (0, "0", 2), second.raw


def test_every_output_is_written_and_declared(online: Job) -> None:
    step = online.step({"from_file": put(online, BROKEN)})
    assert set(step.outputs) == set(OUTPUTS) == set(online.action.outputs)
    assert (step.outputs["state"], step.outputs["failed"]) == ("failure", "1"), step.outputs
    assert json.loads(step.outputs["json"])
    assert step.outputs["exit_code"] == "0"


def test_the_ledger_can_be_cached_by_the_runner_and_taken_up_from_its_cache(online: Job, github: GitHub) -> None:
    given = {"from_file": put(online, HEALTHY)}
    online.step(given)
    assert online.can_be_cached(".landed")
    online.prepare()  # everything belongs to the runner again, as after a restored cache
    assert online.step(given).outputs["delivered"] == "0"
    assert len(github.writes) == 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99}', b"[]", b"\xff\xfe\x00"])
def test_a_ledger_that_cannot_be_read_costs_a_warning_and_no_repeated_status(
    online: Job, github: GitHub, content: bytes
) -> None:
    given = {"from_file": put(online, HEALTHY)}
    online.step(given)
    (online.workspace / ".landed" / "ledger.json").write_bytes(content)
    step = online.step(given)
    assert_calm(step)
    assert step.exit_code == 0, step.raw
    assert step.log.text.startswith("warning: The ledger .landed/ledger.json cannot be read")
    assert len(github.writes) == 2
    assert [path for path in (online.workspace / ".landed").iterdir() if path.read_bytes() == content]


def test_empty_inputs_are_left_out_ones(online: Job, github: GitHub) -> None:
    names = [name for name in online.action.inputs if name not in ("command", "github_token", "from_file")]
    step = online.step({**dict.fromkeys(names, ""), "from_file": put(online, HEALTHY)})
    assert (step.exit_code, step.outputs["state"]) == (0, "success"), step.raw
    assert github.contexts("example/fleet", A).keys() == {"flux/cluster", "flux/cluster/apps/web"}


def test_every_value_of_an_input_that_has_many_lines_counts(online: Job) -> None:
    many = [kustomization(name) for name in ("one", "two", "three", "four")]
    given = {"from_file": put(online, listing("List", [git_repository(), *many])), "dry_run": True}
    step = online.step({**given, "kustomization": "apps/one\n\n  two  \nt*ee\n"})
    told = step.raw
    assert all(name in told for name in ("apps/one", "apps/two", "apps/three"))
    assert "apps/four" not in told


def test_a_name_may_hold_blanks_and_quotation_marks(online: Job, github: GitHub) -> None:
    name = 'the "big" one'
    step = online.step({"from_file": put(online, HEALTHY, "a list.json"), "cluster_name": name})
    assert step.exit_code == 0, step.raw
    assert f"flux/{name}" in github.contexts("example/fleet", A)


@pytest.mark.parametrize(("value", "told"), [("true", 0), (True, 0), ("false", 2), (False, 2)], ids=repr)
def test_a_switch_is_read_from_text(online: Job, github: GitHub, value: object, told: int) -> None:
    step = online.step({"from_file": put(online, HEALTHY), "dry_run": value})
    assert (step.exit_code, len(github.writes)) == (0, told), step.raw
    assert (online.workspace / ".landed" / "ledger.json").exists() == bool(told)


def test_text_from_the_cluster_forges_nothing(online: Job) -> None:
    document = failing("BuildFailed", HOSTILE, {"kind": HOSTILE})
    step = online.step({"from_file": put(online, document), "fail_on": "failure"})
    assert_calm(step)
    assert step.exit_code == 1, step.raw
    assert set(step.outputs) == set(OUTPUTS)
    assert (step.outputs["state"], step.outputs["commit"]) == ("failure", B)
    assert "forged" not in {command.properties.get("title") for command in step.log.commands}
    assert not [command for command in step.log.commands if command.data.strip() == "forged"]
    assert all(mask not in ("no", "") for mask in step.log.masks)
    assert "<img" not in step.summary
    assert "](javascript:" not in step.summary


def test_hostile_text_reaches_the_commit_status_as_text(online: Job, github: GitHub) -> None:
    online.step({"from_file": put(online, failing("BuildFailed", HOSTILE))})
    state, description = github.contexts("example/fleet", B)["flux/cluster/apps/web"]
    assert state == "failure"
    assert "\n" not in description


def test_a_secret_is_masked_before_anything_else_and_shown_nowhere(job: MakeJob, github: GitHub) -> None:
    with Receiver() as channel:
        online = job("--network", "host", server_url="https://github.com", api_url=github.url)
        secret = WRITER
        given = {"from_file": put(online, BROKEN), "verbose": True, "log_format": "text", "github_token": secret}
        given |= {"generic_webhook": channel.address, "slack_webhook": "https://127.0.0.1:9/hooks/S3cr3tPath"}
        step = online.step(given)
    assert_calm(step)
    assert (len(channel.taken), step.outputs["undelivered"]) == (1, "1"), step.raw
    seen = [step.log.text, step.summary, *step.outputs.values(), *(command.data for command in step.log.commands)]
    for hidden in (secret, channel.address, "S3cr3tPath"):
        assert all(hidden not in text for text in seen), hidden
    assert {secret, channel.address} <= set(step.log.masks)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"fail_on": "failure"}, 1),
        ({"fail_on": "never"}, 0),
        ({"fail_on": "sometimes"}, 2),
        ({"command": "explode"}, 2),
        ({"from_file": "nothing.json"}, 2),
        ({"from_file": "", "kubeconfig": "nothing"}, 2),
        ({"github_token": READER}, 0),
        ({"github_token": READER, "strict": True}, 6),
        ({"github_token": "ghs_nobodyknows"}, 6),
        ({"strict": True, "label_selector": "a in ("}, 2),
    ],
    ids=[
        "fails",
        "does not fail",
        "bad choice",
        "bad command",
        "no file",
        "no kubeconfig",
        "may not write",
        "may not write and must",
        "unknown token",
        "bad selector",
    ],
)
def test_the_exit_code_says_what_happened(online: Job, given: dict[str, Any], code: int) -> None:
    step = online.step({"from_file": put(online, BROKEN), **given})
    assert_calm(step)
    assert step.exit_code == code, step.raw
    if code in (2, 6):
        assert "error" in levels(step), step.raw


@pytest.mark.parametrize("form", ["path", "text", "base64"])
def test_a_kubeconfig_may_be_a_path_or_its_content(online: Job, github: GitHub, form: str) -> None:
    with cluster(git_repository(), kustomization()) as text:
        put(online, text.encode(), "kubeconfig")
        value = {"path": "kubeconfig", "text": text, "base64": base64.b64encode(text.encode()).decode()}[form]
        step = online.step({"kubeconfig": value, "verbose": True})
    assert_calm(step)
    assert (step.exit_code, step.outputs["delivered"]) == (0, "2"), step.raw
    assert "flux/production/apps/web" in github.contexts("example/fleet", A)
    assert BEARER not in step.log.text + step.summary + str(step.outputs)


def test_a_cluster_that_cannot_be_read_is_no_failed_rollout(job: MakeJob) -> None:
    alone = job()
    step = alone.step({"kubeconfig": kubeconfig("http://127.0.0.1:9"), "fail_on": "failure"})
    assert_calm(step)
    assert (step.exit_code, step.outputs["state"]) == (5, "unknown"), step.raw
    assert "error" in levels(step)
    assert BEARER not in step.log.text + step.summary + str(step.outputs)
    assert not (alone.workspace / ".landed" / "ledger.json").exists()


def test_an_unknown_input_is_warned_of_by_the_runner(job: MakeJob) -> None:
    alone = job()
    step = alone.step({"from_file": put(alone, HEALTHY), "slack_webhok": "x", "dry_run": True})
    assert step.warnings == ("Unexpected input(s) 'slack_webhok'",)


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_other_commands_take_the_same_inputs(online: Job, command: str) -> None:
    step = online.step({"command": command, "from_file": put(online, HEALTHY)})
    assert_calm(step)
    assert step.exit_code == 0, step.raw


def test_it_needs_neither_root_nor_a_writable_file_system(job: MakeJob, github: GitHub) -> None:
    options = ("--network", "host", "--read-only", "--user", "1001:1001", "--cap-drop", "all")
    bare = job(*options, server_url="https://github.com", api_url=github.url)
    step = bare.step({"from_file": put(bare, HEALTHY)})
    assert (step.exit_code, step.outputs["delivered"]) == (0, "2"), step.raw


def test_code_in_the_workspace_is_never_run(job: MakeJob) -> None:
    alone = job()
    for module in ("click", "landed", "msgspec", "sitecustomize", "usercustomize", "json", "rich"):
        put(alone, b"print('hijacked'); raise SystemExit(66)", f"{module}.py")
    surroundings = {"PYTHONPATH": "/github/workspace", "PYTHONSTARTUP": "/github/workspace/click.py"}
    step = alone.step({"from_file": put(alone, HEALTHY), "dry_run": True}, env=surroundings)
    assert step.exit_code == 0, step.raw
    assert "hijacked" not in step.raw


def test_a_run_without_network_says_so_and_is_no_failed_rollout(job: MakeJob) -> None:
    alone = job(server_url="https://github.com", api_url="https://api.github.com")
    step = alone.step({"from_file": put(alone, HEALTHY), "fail_on": "failure"})
    assert_calm(step)
    assert (step.exit_code, step.outputs["state"], step.outputs["undelivered"]) == (6, "success", "2"), step.raw


def test_the_action_of_this_repository_is_the_one_under_test() -> None:
    root = Path(__file__).parents[2]
    assert load(root / "action.yml").image == "Dockerfile"
