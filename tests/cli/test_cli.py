"""The command line, from arguments to exit code, with real servers on the other side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from objects import LATER, MAIN_B, B, condition, git_repository, kustomization, listing, progress
from standins.github import WRITER, GitHub
from standins.server import answer
from standins.slack import SlackWebhook

from landed import __version__
from landed.cli import COMMANDS, enter

GOOD = WRITER


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, no CI system, an empty folder."""
    for name in (
        "KUBECONFIG",
        "GITHUB_ACTIONS",
        "GITEA_ACTIONS",
        "FORGEJO_ACTIONS",
        "GITLAB_CI",
        "CI_JOB_TOKEN",
        "TF_BUILD",
        "GITHUB_API_URL",
        "GITHUB_SERVER_URL",
        "KUBERNETES_SERVICE_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as it:
        yield it
    assert it.violations == []


@pytest.fixture
def slack() -> Iterator[SlackWebhook]:
    with SlackWebhook() as it:
        yield it
    assert it.violations == []


def failing() -> dict[str, Any]:
    return kustomization(
        "api",
        attempted=MAIN_B,
        conditions=[
            progress("Running health checks", MAIN_B, retrying=True),
            condition("Ready", "False", "HealthCheckFailed", "health check failed after 2m0s: timeout", since=LATER),
        ],
    )


def live() -> dict[str, Any]:
    return kustomization("web", applied=MAIN_B, attempted=MAIN_B)


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """What the cluster holds, as kubectl prints it."""
    path = tmp_path / "cluster.json"
    write(path, live(), failing())
    return path


def write(path: Path, *objects: dict[str, Any]) -> None:
    path.write_text(json.dumps(listing("List", [*objects, git_repository(revision=MAIN_B)])))


def report(seen: Path, github: GitHub, *more: str) -> int:
    return enter(
        [
            "report",
            "--from-file",
            str(seen),
            "--cluster-name",
            "prod",
            "--github-token",
            GOOD,
            "--github-api-url",
            github.url,
            *more,
        ]
    )


def test_the_whole_line(seen: Path, github: GitHub, slack: SlackWebhook, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(seen, github, "--slack-webhook", slack.address) == 0
    assert {context: state for context, (state, _) in github.contexts("example/fleet", B).items()} == {
        "flux/prod": "failure",
        "flux/prod/apps/api": "failure",
        "flux/prod/apps/web": "success",
    }
    assert len(slack.taken) == 1
    assert "3 statuses and 1 message delivered" in capsys.readouterr().out
    asked = len(github.asked)
    assert report(seen, github, "--slack-webhook", slack.address) == 0
    assert (len(github.asked), len(slack.taken)) == (asked, 1)
    write(seen, live(), kustomization("api", applied=MAIN_B, attempted=MAIN_B))
    assert report(seen, github, "--slack-webhook", slack.address) == 0
    assert {state for state, _ in github.contexts("example/fleet", B).values()} == {"success"}
    assert "Recovered" in json.dumps(slack.taken[1])


def test_a_dry_run_sends_nothing(
    seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert report(seen, github, "--dry-run") == 0
    assert github.asked == []
    assert not (tmp_path / ".landed").exists()
    assert "flux/prod/apps/api" in capsys.readouterr().out


def test_a_git_host_that_is_down_is_told_apart_from_a_failed_rollout(
    seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults += [answer(401, body='{"message": "Bad credentials"}')] * 20
    assert report(seen, github) == 6
    said = capsys.readouterr().err
    assert "does not accept the token" in said
    assert GOOD not in said
    assert "Traceback" not in said
    github.faults.clear()
    assert report(seen, github, "--fail-on", "failure") == 1


def test_a_token_that_may_only_read_fails_a_strict_run_alone(
    seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.faults += [answer(403, body='{"message": "Resource not accessible by integration"}')] * 40
    assert report(seen, github) == 0
    assert "statuses: write" in capsys.readouterr().err
    assert report(seen, github, "--strict") == 6
    assert "statuses: write" in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["lines", "table", "json", "markdown"])
def test_every_format_of_report(seen: Path, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["report", "--from-file", str(seen), "-o", format_]) == 0
    out = capsys.readouterr().out
    assert out.strip()
    assert format_ != "json" or json.loads(out)["schema"] == "landed.report/1"


@pytest.mark.parametrize("format_", ["table", "json", "markdown"])
def test_status(seen: Path, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["status", "--from-file", str(seen), "-o", format_]) == 0
    assert "api" in capsys.readouterr().out
    assert enter(["status", "--from-file", str(seen), "--fail-on", "failure"]) == 1


def test_quiet_prints_nothing_but_trouble(seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(seen, github, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_the_ledger_can_be_looked_into(seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    report(seen, github)
    capsys.readouterr()
    assert enter(["ledger", "show"]) == 0
    assert "flux/prod/apps/api" in capsys.readouterr().out
    assert enter(["ledger", "show", "-o", "json", "--repository", "https://github.com/example/fleet"]) == 0
    assert "HealthCheckFailed" in capsys.readouterr().out


def test_what_github_gets(
    seen: Path, github: GitHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    (tmp_path / "output").touch()
    (tmp_path / "summary").touch()
    assert report(seen, github) == 0
    said = capsys.readouterr()
    assert f"::add-mask::{GOOD}" in said.err
    assert "::error" in said.err + said.out
    assert "failure" in (tmp_path / "output").read_text()
    assert "apps/api" in (tmp_path / "summary").read_text()


# ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_doctor_looks_at_everything(
    seen: Path, github: GitHub, slack: SlackWebhook, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--from-file", str(seen), "--github-token", GOOD, "--github-api-url", github.url]
    assert enter(["doctor", *options, "--slack-webhook", slack.address]) == 0
    assert slack.taken == []
    assert github.writes == []
    assert enter(["doctor", *options, "--slack-webhook", slack.address, "--send-test", "-o", "json"]) == 0
    assert len(slack.taken) == 1
    assert slack.address not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param([], 5, id="no-kubeconfig"),
        pytest.param(["--kubeconfig", "/nowhere"], 5, id="kubeconfig-missing"),
        pytest.param(["--from-file", "cluster.json", "--github-token", "ghp_wrong"], 6, id="wrong-token"),
        pytest.param(["--from-file", "cluster.json", "--slack-webhook", "nonsense"], 6, id="bad-webhook"),
        pytest.param(["--from-file", "cluster.json", "--git-host", "x"], 6, id="bad-git-host"),
        pytest.param(["--from-file", "cluster.json", "--ledger", "."], 2, id="ledger-is-a-folder"),
    ],
)
def test_doctor_finds_the_trouble(
    seen: Path, github: GitHub, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enter(["doctor", "--github-api-url", github.url, *arguments]) == code
    assert capsys.readouterr().out.strip()


def test_doctor_says_which_commits_get_no_status(seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["doctor", "--from-file", str(seen)]) == 0
    assert "no token for github.com" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("github.com", "Set --github-token."),
        ("gitlab.com", "Set --gitlab-token."),
        ("codeberg.org", "Set --gitea-token, and declare it with --git-host codeberg.org=gitea."),
        ("gitlab.example.com", "Set --gitlab-token, and declare it with --git-host gitlab.example.com=gitlab."),
        ("git.example.com", "--git-host git.example.com=TYPE and --git-token git.example.com=TOKEN"),
    ],
)
def test_doctor_says_how_a_host_is_served(
    host: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cluster.json"
    source = git_repository(revision=MAIN_B)
    source["spec"]["url"] = f"https://{host}/example/fleet"
    path.write_text(json.dumps(listing("List", [live(), source])))
    assert enter(["doctor", "--from-file", str(path), "-o", "json"]) == 0
    found = [finding for finding in json.loads(capsys.readouterr().out)["findings"] if finding["subject"] == host]
    assert [finding["level"] for finding in found] == ["warning"]
    assert hint in found[0]["hint"]


# ── what is refused, and how ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["frobnicate"], "no command 'frobnicate'", id="unknown-command"),
        pytest.param(["reprot"], "Did you mean 'report'?", id="misspelt-command"),
        pytest.param(["report", "--frobnicate"], "No such option", id="unknown-option"),
        pytest.param(["report", "--fail-on", "x"], "'x' is not one of", id="bad-choice"),
        pytest.param(["report", "--lock-timeout", "x"], "'x' is not a valid float", id="no-number"),
        pytest.param(["report", "extra"], "unexpected extra argument", id="extra-argument"),
        pytest.param(["report", "--from-file", "-", "--context", "a"], "contradict", id="file-and-context"),
        pytest.param(["report", "--from-file", "nowhere.json"], "nowhere.json", id="no-such-file"),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--label-selector", "a in"], "selector", id="bad-selector"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--repository", "::"], "--repository", id="bad-repository"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--status-context", "flux"], "one name", id="context-not-unique"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--status-context-commit", "flux/{cluster}/{namespace}/{name}"],
            "must differ",
            id="contexts-alike",
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--ledger", "s4://x"], "unknown scheme", id="unknown-ledger"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--git-host", "git.example.com=svn"],
            "Known types: ",
            id="unknown-type-of-git-host",
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--gitea-token", "t0ken"], "which host", id="token-without-host"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--git-token", "t0ken"], "HOST=TOKEN", id="no-token-of-a-host"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--github-app-id", "12"],
            "--github-app-private-key",
            id="half-an-app",
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--github-as", "check-run"],
            "no GitHub",
            id="check-runs-for-nobody",
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--github-dispatch"], "no GitHub", id="dispatches-for-nobody"
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--rate-limit", "github.com=80"],
            "no such Git host",
            id="limit-for-nobody",
        ),
        pytest.param(["report", "--max-contexts", "0"], "0 is not in the range", id="no-contexts"),
        pytest.param(["report", "--max-wait", "3601"], "3601.0 is not in the range", id="too-long-a-wait"),
        pytest.param(
            [
                "report",
                "--from-file",
                "cluster.json",
                "--commit-status-expr",
                "1",
                "--status-context",
                "x/{namespace}/{name}",
            ],
            "contradict",
            id="two-ways-to-name",
        ),
        pytest.param(
            ["report", "--from-file", "cluster.json", "--commit-status-expr", "event."],
            "--commit-status-expr",
            id="bad-cel",
        ),
        pytest.param(["report"], "no kubeconfig", id="no-kubeconfig"),
        pytest.param(["report", "--cluster-name", "\udcff"], "not UTF-8", id="not-utf-8"),
    ],
)
def test_a_clear_message_and_exit_code_2(
    arguments: list[str], said: str, seen: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert enter(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 4
    assert not (tmp_path / ".landed" / "ledger.json").exists()


def test_empty_strings_count_as_unset(
    seen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from landed.cli.report import command

    for parameter in command.params:
        monkeypatch.setenv(f"INPUT_{(parameter.name or '').upper()}", "")
    assert (
        enter(["report", "--from-file", str(seen), "--slack-webhook", "", "--context", "", "--lock-timeout", "30"]) == 0
    )
    assert "nobody to tell" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["LANDED", "INPUT"])
def test_options_come_from_the_environment(
    prefix: str, seen: Path, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{prefix}_FROM_FILE", str(seen))
    monkeypatch.setenv(f"{prefix}_GITHUB_TOKEN", f"{GOOD}\n")
    monkeypatch.setenv(f"{prefix}_GITHUB_API_URL", github.url)
    monkeypatch.setenv(f"{prefix}_KUSTOMIZATION", "apps/w*\n\n  other/x ")
    monkeypatch.setenv(f"{prefix}_CLUSTER_NAME", "my cluster")
    assert enter(["report"]) == 0
    assert set(github.contexts("example/fleet", B)) == {"flux/my cluster", "flux/my cluster/apps/web"}


def test_secrets_are_in_no_help_and_in_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from landed.cli.report import command

    for parameter in command.params:
        if parameter.type.name == "secret" and parameter.name != "kubeconfig":
            monkeypatch.setenv(f"LANDED_{(parameter.name or '').upper()}", "s3cr3t-token")
    assert enter(["report", "--help"]) == 0
    assert enter(["report", "--from-file", "nowhere"]) == 2
    assert enter(["doctor", "--from-file", "nowhere"]) == 5
    said = capsys.readouterr()
    assert "s3cr3t" not in said.out + said.err


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_helps(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter([command, "--help"]) == 0
    assert f"Usage: landed {command}" in capsys.readouterr().out


def test_alone_it_helps_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert enter([]) == 2
    assert "Commands:" in capsys.readouterr().out


def test_version() -> None:
    said = subprocess.run([sys.executable, "-m", "landed", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"landed {__version__}\n"


def test_interrupted_it_says_so(
    seen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("landed.run.once", interrupted)
    assert enter(["report", "--from-file", str(seen)]) == 130
    assert "Interrupted" in capsys.readouterr().err
