"""``landed watch`` as people call it: wrong input, what it says of itself, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cluster import Cluster
from objects import MAIN_A, git_repository, kustomization

from landed.cli import enter
from landed.sandbox.api import KubernetesApi
from landed.sandbox.store import Store
from landed.sandbox.web import Server

LANDED = [sys.executable, "-I", "-m", "landed"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, no CI system, an empty folder."""
    for name in os.environ:
        if name.startswith(("CI", "GIT", "LANDED", "INPUT", "KUBE", "JOB_", "TF_BUILD", "FORGEJO", "BITBUCKET")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One with a Kustomization that is live; ``config`` is its kubeconfig."""
    api = Server(KubernetesApi(Store()).answer)
    api.start()
    made = Cluster(api.url)
    made.put(git_repository(revision=MAIN_A))
    made.put(kustomization())
    (tmp_path / "config").write_text(made.kubeconfig())
    yield made
    made.clear()  # its watches end when they have something to say
    made.close()
    api.stop()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--from-file", "x.json"], "A file does not change by itself", id="a file"),
        pytest.param(["--from-file", "-"], "A file does not change by itself", id="standard input"),
        pytest.param(["--listen", "nonsense"], "'nonsense' is no address to listen on", id="no address"),
        pytest.param(["--listen", "127.0.0.1:99999"], "is no address to listen on", id="no port"),
        pytest.param(["--leader-elect", "nonsense"], "'nonsense' does not name a Lease", id="no Lease"),
        pytest.param(["--leader-elect", "a/b/c"], "'a/b/c' does not name a Lease", id="too many names"),
        pytest.param(["--config", "nowhere"], "nowhere: there is no such file or folder", id="no manifests"),
        pytest.param(["--context", "nope"], 'There is no context "nope"', id="no context"),
        pytest.param(["--timeout", "5"], "No such option '--timeout'", id="an option of another command"),
    ],
)
def test_wrong_input(cluster: Cluster, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["watch", "--kubeconfig", "config", *arguments]) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_a_port_in_use(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert enter(["watch", "--kubeconfig", "config", "--listen", f"127.0.0.1:{port}"]) == 2
    err = capsys.readouterr().err
    assert f"--listen: 127.0.0.1:{port} cannot be listened on: Address already in use" in err


def test_a_server_without_leases(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["watch", "--kubeconfig", "config", "--leader-elect", "flux-system/landed"]) == 5
    err = capsys.readouterr().err
    assert "Lease flux-system/landed cannot be made." in err
    assert "nobody leads" not in err, "nobody knows who does"


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
def test_it_says_that_it_tells_nobody_and_how_it_ends(cluster: Cluster, numbers: tuple[signal.Signals, ...]) -> None:
    command = [*LANDED, "watch", "--kubeconfig", "config", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        time.sleep(1.5)  # so long takes what is worth a word about what is done
        for number in numbers:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert "Serving /healthz, /readyz and /metrics on 127.0.0.1:" in said[0]
    assert "There is nobody to tell" in said[1]
    assert process.returncode == 0
    assert err == "Stopped. What was delivered is in the ledger.\n"
    assert out == ""
