"""``landed wait`` as people and pipelines call it: wrong input, pipes that break, and what is never lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from objects import MAIN_A, URL, A, B, git_repository, kustomization, listing

from landed.cli import enter

LANDED = [sys.executable, "-I", "-m", "landed"]
ASKED = ["wait", "--repository", URL, "--timeout", "1s"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, no CI system, an empty folder."""
    for name in os.environ:
        if name.startswith(("CI", "GIT", "LANDED", "INPUT", "KUBE", "JOB_", "TF_BUILD", "FORGEJO", "BITBUCKET")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def seen(tmp_path: Path) -> str:
    """A is live."""
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(listing("List", [kustomization(), git_repository(revision=MAIN_A)])))
    return str(path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and what was said of an error; never a traceback."""
    code = enter(arguments)
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return code, err


# ── wrong input ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("timeout", ["abc", "-5", "1h 30m", "1e3", "inf", "nan", "10y", " "])
def test_a_timeout_that_is_none(seen: str, timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = said(capsys, "wait", "--repository", URL, "--from-file", seen, "--commit", A, "--timeout", timeout)
    assert code == 2
    assert "is not a length of time. Write 90, 90s, 15m or 1h30m." in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--commit", A[:7]], "is not the full hash of a commit", id="abbreviated"),
        pytest.param(["--commit", "HEAD"], "is not the full hash of a commit", id="a name and no checkout"),
        pytest.param([], "Nobody says which commit to wait for", id="no commit"),
        pytest.param(["--commit", A, "--repository", "https://github.com/a/b"], "there are 2 --repository", id="two"),
        pytest.param(["--commit", A, "--repository-path", "nowhere"], "nowhere cannot be read", id="no checkout"),
        pytest.param(["--commit", A, "--repository-path", "."], "is not in a Git checkout", id="a folder alone"),
        pytest.param(["--commit", A, "--kustomization", "nope"], "no Kustomization that is meant", id="nothing meant"),
        pytest.param(["--commit", A, "--write", "html"], "--write", id="a report without a file"),
        pytest.param(["--commit", A, "--write", "html=cluster.json/x"], "cluster.json is no folder", id="no folder"),
        pytest.param(["--commit", A, "--reconcile"], "--reconcile contradict each other", id="a file cannot be asked"),
    ],
)
def test_wrong_input(
    seen: str, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, err = said(capsys, *ASKED, "--from-file", seen, *arguments)
    assert code == 2
    assert expected in err
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 2, "one clear message, and what to do"
    assert not (tmp_path / ".landed" / "ledger.json").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused_at_once(
    seen: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    code, err = said(capsys, *ASKED, "--from-file", seen, "--commit", B, "--write", "html=closed/x.html")
    assert code == 2
    assert "closed may not be written to" in err


def test_without_a_kubeconfig(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = said(capsys, *ASKED, "--commit", A)
    assert code == 2
    assert err.startswith("error: There is no kubeconfig")


# ── files, and standard input ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("commit", "code"), [(A, 0), (B, 3)])
def test_standard_input_is_judged_once(seen: str, commit: str, code: int) -> None:
    began = time.monotonic()
    done = run("--commit", commit, "--from-file", "-", "--timeout", "5m", stdin=Path(seen).read_text())
    assert done.returncode == code, done
    assert time.monotonic() - began < 30
    assert "Standard input can be read only once" in done.stderr
    assert "empty" not in done.stderr


def test_what_a_file_does_not_hold_is_said(seen: str) -> None:
    done = run("--commit", A, "--from-file", seen, "--fail-early")
    assert done.returncode == 0
    assert "warning: What stands below an object is in no file" in done.stderr


def test_a_shard_without_clusters_has_nothing_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(json.dumps(kubeconfig("http://127.0.0.1:9")))
    outputs = set()
    for number in (1, 2):
        shard = ("--kubeconfig", "config", "--shard", f"{number}/2", "--commit", A, "--failure-grace", "0s")
        done = run(*shard, "--write", "json=report.json")
        report = json.loads((tmp_path / "report.json").read_text())
        outputs.add((done.returncode, report["answer"]["verdict"]))
    assert outputs == {(0, "live"), (5, "waiting")}


# ── pipes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("commit", "code"), [(A, 0), (B, 3)])
@pytest.mark.parametrize("format_", ["lines", "json"])
def test_a_reader_that_has_gone_changes_no_answer(seen: str, commit: str, code: int, format_: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        done = subprocess.run(
            [*LANDED, *ASKED, "--from-file", seen, "--commit", commit, "-o", format_, "--write", "json=report.json"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert json.loads(Path("report.json").read_text())["exit_code"] == code


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize(("commit", "code"), [(A, 0), (B, 3)])
def test_streams_that_were_closed_change_no_answer(seen: str, closed: str, commit: str, code: int) -> None:
    command = " ".join([*LANDED, *ASKED, "--from-file", seen, "--commit", commit, closed])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(("commit", "code"), [(A, 2), (B, 3)])
def test_a_full_disk_loses_no_other_report(seen: str, commit: str, code: int) -> None:
    command = " ".join([*LANDED, *ASKED, "--from-file", seen, "--commit", commit, "--write json=r.json >/dev/full"])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done
    assert done.stderr.count("error: The report could not be printed: No space left on device.") == 1
    assert json.loads(Path("r.json").read_text())["answer"]


def test_a_report_that_cannot_be_written_does_not_hide_the_answer(seen: str) -> None:
    """The answer, where it is no good one, counts for more than the file."""
    for commit, code in ((A, 2), (B, 3)):
        done = run("--commit", commit, "--from-file", seen, "--write", "json=/proc/nowhere/x")
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_cancelled_it_ends_at_once_and_says_so_once(seen: str, numbers: tuple[signal.Signals, ...]) -> None:
    arguments = ["wait", "--repository", URL, "--from-file", seen, "--commit", B, "--timeout", "5m", "-o", "json"]
    with subprocess.Popen([*LANDED, *arguments], stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        time.sleep(1.2)  # so that it can be seen whether it is counted
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.02)
        out, err = process.communicate(timeout=30)
    assert "waiting for" in first
    assert process.returncode == (143 if numbers == (signal.SIGTERM,) else 130), (out, err)
    assert "Traceback" not in out + err
    assert err.count("Interrupted.") + err.count("Terminated.") == 1
    if len(numbers) == 1:
        answer = json.loads(out)["answer"]
        assert (answer["verdict"], answer["timed_out"]) == ("waiting", False)
        assert answer["ended"] > answer["began"], "it says how long it has waited, not when it looked last"


def kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": {"token": "g00d"}}],
        "contexts": [{"name": "production", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "production",
    }


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LANDED, *ASKED, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
