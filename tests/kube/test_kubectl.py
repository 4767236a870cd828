"""``--kube-via kubectl``: kubectl logs in, we ask through its socket."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import objects
import pytest
from kube.server import FLUX

from landed.errors import ClusterError, ConfigurationError
from landed.kube import kubectl
from landed.kube.read import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.world import World

GIT = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go, for a short path: a Unix socket's may have 107 bytes."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@needs_kubectl
@pytest.mark.parametrize("way", ["option", "KUBECONFIG", "text"])
def test_reading_through_kubectl(way: str, world: World, temporary: Path) -> None:
    world.api.lists[GIT] = [objects.git_repository()]
    world.api.lists[FLUX] = [objects.kustomization(f"app-{number}") for number in range(700)]
    text = world.config().text()
    path = world.write("config", text)
    option = {"option": str(path), "KUBECONFIG": "", "text": text}[way]
    environ = world.environ(path if way == "KUBECONFIG" else "")
    with kubectl.connect(option, "x", environ) as client:
        folder = next(temporary.iterdir())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        cluster = read(client, "prod")
    assert (len(cluster.kustomizations), len(cluster.sources)) == (700, 1)
    assert world.api.users == ["alice", "alice"]
    assert list(temporary.iterdir()) == []


@needs_kubectl
def test_nothing_else_is_passed_on(world: World) -> None:
    with kubectl.connect(world.config().text(), "", world.environ()) as client:
        for path in ("/api/v1/secrets", "/apis/networking.k8s.io/v1/ingresses", "/metrics", "/version/x"):
            with pytest.raises(ClusterError):
                client.get(path)
        assert client.get("/version")
    assert {seen.path for seen in world.api.seen} <= {"/version", "/api", "/apis"}


@needs_kubectl
def test_an_unknown_context(world: World) -> None:
    with pytest.raises(ClusterError) as caught, kubectl.connect(world.config().text(), "nope", world.environ()):
        pass
    assert "kubectl proxy failed with exit code 1. It says: " in caught.value.message
    assert "nope" in caught.value.message


@needs_kubectl
def test_a_refusal_by_the_cluster(world: World) -> None:
    text = world.config({"token": "stale"}).text()
    with kubectl.connect(text, "", world.environ()) as client, pytest.raises(ClusterError, match="401"):
        client.get(FLUX)


@needs_kubectl
def test_a_socket_that_is_gone(world: World, temporary: Path) -> None:
    with kubectl.connect(world.config().text(), "x", world.environ()) as client:
        (next(temporary.iterdir()) / "s").unlink()
        with pytest.raises(ClusterError) as caught:
            client.get(FLUX)
    assert caught.value.message.startswith('The cluster of context "x" (through kubectl) cannot be reached: ')


def fake(world: World, body: str) -> dict[str, str]:
    """An environment with another kubectl."""
    path = world.script("fake/kubectl", body)
    return world.environ() | {"PATH": f"{path.parent}:/usr/bin:/bin"}


def test_without_kubectl(world: World) -> None:
    environ = world.environ() | {"PATH": str(world.folder)}
    with (
        pytest.raises(ConfigurationError, match="needs kubectl, which is not in PATH"),
        kubectl.connect("", "", environ),
    ):
        pass


def test_a_kubectl_that_cannot_be_started(world: World) -> None:
    path = world.write("fake/kubectl", "#!/no/such/interpreter\n", 0o700)
    environ = world.environ() | {"PATH": str(path.parent)}
    with pytest.raises(ConfigurationError, match="cannot be started"), kubectl.connect("", "", environ):
        pass


def test_a_kubectl_that_fails(world: World) -> None:
    environ = fake(world, "echo 'error: bad things, token=abcdef123' >&2; exit 3")
    with pytest.raises(ClusterError) as caught, kubectl.connect("", "", environ):
        pass
    assert caught.value.message == ("kubectl proxy failed with exit code 3. It says: error: bad things, token=***")


def test_a_kubectl_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubectl, "STARTS_WITHIN", 0.2)
    environ = fake(world, f"echo $$ > {world.folder}/pid; exec sleep 60")
    with pytest.raises(ClusterError, match="did not begin to listen"), kubectl.connect("", "", environ):
        pass
    assert not _runs(world.folder / "pid")


def test_it_is_ended_whatever_happens(world: World) -> None:
    environ = fake(world, f"echo $$ > {world.folder}/pid; echo Starting to serve; exec sleep 60")

    def work() -> None:
        with kubectl.connect("", "", environ):
            assert _runs(world.folder / "pid")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        work()
    assert not _runs(world.folder / "pid")


def test_one_that_does_not_want_to_end_is_killed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = subprocess.Popen.wait

    def short(self: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        return wait(self, timeout and 0.2)

    monkeypatch.setattr(subprocess.Popen, "wait", short)
    body = f"trap '' TERM; echo $$ > {world.folder}/pid; echo Starting to serve; while :; do sleep 0.1; done"
    with kubectl.connect("", "", fake(world, body)):
        pass
    assert not _runs(world.folder / "pid")


def test_a_termination_that_is_turned_into_an_exit_ends_it_too(world: World, tmp_path: Path) -> None:
    environ = fake(world, f"echo $$ > {world.folder}/pid; echo Starting to serve; exec sleep 60")
    script = f"""
import signal, sys, time
from landed.kube import kubectl
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with kubectl.connect("", "", {environ!r}):
    print("ready", flush=True)
    time.sleep(30)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert not _runs(world.folder / "pid")
    assert [path for path in tmp_path.iterdir() if path.name.startswith("landed-")] == []


def _runs(path: Path) -> bool:
    deadline = time.monotonic() + 2
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return Path(f"/proc/{path.read_text().strip()}").exists()
