"""Real Kubernetes API servers, started from ``KUBEBUILDER_ASSETS`` on free ports of the loopback interface.

The folder is what ``setup-envtest use -p path`` prints (https://book.kubebuilder.io/reference/envtest.html): it
holds ``etcd``, ``kube-apiserver`` and, where somebody built it, ``crdserver``, which serves custom resources only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.cluster import USERS, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds a server may take to come up, on a machine that has other things to do.
_PATIENCE = 90
_PR_SET_PDEATHSIG = 1


def program(name: str) -> str:
    """The path of one of the servers, or a skip that says how to get it."""
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not folder:
        pytest.skip("set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and crdserver")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"KUBEBUILDER_ASSETS has no {name}")
    return str(path)


@contextmanager
def crdserver() -> Iterator[Cluster]:
    """A current API server for custom resources alone: it has no namespaces, no RBAC, no core objects."""
    with _started("crdserver", _crdserver_flags) as cluster:
        yield cluster


@contextmanager
def kube_apiserver() -> Iterator[Cluster]:
    """A whole API server, with RBAC: ``reader`` may read what Flux keeps, ``nobody`` may do nothing."""
    with _started("kube-apiserver", _kube_apiserver_flags) as cluster:
        cluster.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", _READER)
        cluster.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _READER_BINDING)
        yield cluster


_READER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "flux-reader"},
    "rules": [
        {
            "apiGroups": ["kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"],
            "resources": ["*"],
            "verbs": ["get", "list", "watch"],
        }
    ],
}
_READER_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "flux-reader"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flux-reader"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
}


def _crdserver_flags(folder: Path) -> list[str]:
    return [f"--token-file={folder / 'tokens.csv'}", "--etcd-prefix=/test"]


def _kube_apiserver_flags(folder: Path) -> list[str]:
    """Beta versions, which nobody asks for but one, are off, and so is what needs them: a server of 1.20 spends a
    third of its start on them."""
    key = folder / "service-account.key"
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return [
        "--runtime-config=api/beta=false,batch/v1beta1=true",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--advertise-address=127.0.0.1",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]


@contextmanager
def _started(name: str, flags: Callable[[Path], list[str]]) -> Iterator[Cluster]:
    server, etcd = program(name), program("etcd")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-")))
        client, peer, port = _free_ports(3)
        stack.enter_context(_running([etcd, *_etcd_flags(folder, client, peer)], folder / "etcd.log"))
        tokens = [f'{user}token,{user},{number},"{group}"' for number, (user, group) in enumerate(USERS.items())]
        (folder / "tokens.csv").write_text("\n".join(tokens))
        common = [
            f"--etcd-servers=http://127.0.0.1:{client}",
            f"--cert-dir={folder / 'pki'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
        ]
        log = folder / "server.log"
        process = stack.enter_context(_running([server, *common, *flags(folder)], log))
        cluster = _ready(port, folder / "pki" / "apiserver.crt", log, process)
        stack.callback(cluster.close)
        yield cluster


def _etcd_flags(folder: Path, client: int, peer: int) -> list[str]:
    here, there = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls={there}",
        f"--initial-advertise-peer-urls={there}",
        f"--initial-cluster=default={there}",
    ]


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, or of this process, however it ends."""
    library = ctypes.CDLL(None)
    environment = {"GOGC": "300", **os.environ}  # memory for time: they live for a short while

    def die_with_us() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output, preexec_fn=die_with_us) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _ready(port: int, certificate: Path, log: Path, process: subprocess.Popen[bytes]) -> Cluster:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if certificate.exists():
            cluster = Cluster(f"https://127.0.0.1:{port}", certificate.read_text(), "admintoken")
            if cluster.is_ready():
                return cluster
            cluster.close()
        time.sleep(0.1)
    pytest.fail(f"the API server did not come up:\n{log.read_text()[-3000:]}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
