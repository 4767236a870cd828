"""Following real API servers: changes within a second, restarts, compaction, rights, and kubectl in between."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from integration import apiserver
from integration.cluster import USERS, Cluster, Refused
from kube.watching import eventually

from landed import kube
from landed.errors import ClusterError
from landed.kube import client, kubectl
from landed.kube.follow import Follower
from landed.kube.read import Reading, read
from landed.kube.watch import Times
from landed.model import ObjectRef
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLEET = ObjectRef("GitRepository", "flux-system", "fleet")


class Followed:
    """A cluster that is read once and followed from there."""

    def __init__(self, client: Any, selection: Selection = Selection()) -> None:  # noqa: B008
        self.client = client
        self.wakes = 0
        self.reading = Reading(client, "production", selection, Wants(), lambda _: None)
        self.first = self.reading.read(0)
        self.reading.follow(self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    @property
    def applied(self) -> dict[str, str]:
        return {k.ref.name: k.applied for k in self.reading.read(0).kustomizations}

    @property
    def follower(self) -> Follower:
        assert self.reading._follower is not None
        return self.reading._follower


def soon(true: Callable[[], Any]) -> None:
    eventually(true, 3)


@contextmanager
def following(cluster: Cluster, user: str = "reader") -> Iterator[Followed]:
    with kube.connect(cluster.kubeconfig(user), "", {}) as client:
        yield Followed(client)


def test_what_is_made_changed_and_removed_is_seen_within_a_second(cluster: Cluster) -> None:
    cluster.put(o.git_repository())
    cluster.put(o.kustomization())
    with following(cluster) as followed:
        requests = followed.client.requests
        assert followed.applied == {"web": o.MAIN_A}
        cluster.put(o.git_repository(revision=o.MAIN_B))
        cluster.put(o.kustomization("next", applied=o.MAIN_B))
        began = time.monotonic()
        soon(lambda: followed.applied == {"web": o.MAIN_A, "next": o.MAIN_B})
        assert followed.reading.read(0).sources[FLEET].revision == o.MAIN_B
        assert time.monotonic() - began < 1
        cluster.delete(o.kustomization())
        soon(lambda: followed.applied == {"next": o.MAIN_B})
        assert followed.client.requests == requests
        assert followed.wakes >= 3
        with kube.connect(cluster.kubeconfig("reader"), "", {}) as client:
            assert read(client, "production") == followed.reading.read(0)


class Running:
    """An API server that can be killed and started again on what it has stored."""

    def __init__(self, name: str, flags: Callable[[Path], list[str]], folder: Path, stack: ExitStack) -> None:
        self.server, self.folder = apiserver.program(name), folder
        self.etcd, peer, self.port = apiserver._free_ports(3)
        command = [apiserver.program("etcd"), *apiserver._etcd_flags(folder, self.etcd, peer)]
        stack.enter_context(apiserver._running(command, folder / "etcd.log"))
        tokens = [f'{u}token,{u},{n},"{g}"' for n, (u, g) in enumerate(USERS.items())]
        (folder / "tokens.csv").write_text("\n".join(tokens))
        self.flags = flags(folder)
        self._stack = ExitStack()
        stack.callback(self.kill)

    def start(self) -> Cluster:
        common = [
            f"--etcd-servers=http://127.0.0.1:{self.etcd}",
            f"--cert-dir={self.folder / 'pki'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
        ]
        log = self.folder / "server.log"
        process = self._stack.enter_context(apiserver._running([self.server, *common, *self.flags], log))
        return apiserver._ready(self.port, self.folder / "pki" / "apiserver.crt", log, process)

    def kill(self) -> None:
        self._stack.close()

    def compact(self, version: int) -> None:
        """Have etcd forget everything before."""
        body = f'{{"revision": "{version}", "physical": true}}'.encode()
        url = f"http://127.0.0.1:{self.etcd}/v3/kv/compaction"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
            answer.read()


@pytest.fixture(params=["crdserver", "kube-apiserver"])
def own(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server of the test's own."""
    flags = {"crdserver": apiserver._crdserver_flags, "kube-apiserver": apiserver._kube_apiserver_flags}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="own-")))
        yield Running(request.param, flags[request.param], folder, stack)


@pytest.mark.envtest
def test_a_server_that_is_killed_and_comes_back(own: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower.__init__, "__defaults__", (Times(patience=0.5, longest=1.0),))
    asked = client._retry_after
    # Until a server of 1.20 has started as a whole, it asks for pauses that are longer than that takes.
    monkeypatch.setattr(client, "_retry_after", lambda headers: min(1.0, asked(headers)))
    cluster = own.start()
    cluster.install(o.DATA / "crds" / "current.yaml")
    for name in ("flux-system", "apps"):
        cluster.namespace(name)
    cluster.put(o.git_repository())
    cluster.put(o.kustomization())
    with following(cluster, "admin") as followed:
        cluster.put(o.kustomization("next"))
        soon(lambda: "next" in followed.applied)
        versions = [stream._version for stream in followed.follower._streams]
        own.kill()
        wakes = followed.wakes
        eventually(lambda: followed.wakes > wakes, 10)
        with pytest.raises(ClusterError, match="Nothing new is known of it since"):
            followed.reading.read(0)
        cluster.close()
        cluster = own.start()
        cluster.put(o.kustomization("after", applied=o.MAIN_A))
        cluster.delete(o.kustomization())

        def caught_up() -> bool:
            return caught_up_to(followed, {"next", "after"})

        eventually(caught_up, 30)

        own.kill()  # and the version that was seen last is forgotten while it is down
        cluster.close()
        own.compact(max(int(stream._version or "1") for stream in followed.follower._streams))
        cluster = own.start()
        cluster.put(o.kustomization("late"))
        last = cluster.call("GET", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations")["metadata"]["resourceVersion"]
        own.compact(int(last))
        cluster.delete(o.kustomization("next"))
        eventually(lambda: caught_up_to(followed, {"after", "late"}), 40)
        assert versions
        cluster.close()


def caught_up_to(followed: Followed, names: set[str]) -> bool:
    try:
        return set(followed.applied) == names
    except ClusterError:
        return False


@pytest.mark.envtest
@pytest.mark.parametrize("server", ["kube-apiserver"], indirect=True)
def test_where_a_watch_is_forbidden_it_is_listed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower.__init__, "__defaults__", (Times(poll=0.2),))
    groups = ["kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "lister"},
        "rules": [{"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "lister"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lister"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}],
    }
    base = "/apis/rbac.authorization.k8s.io/v1"
    cluster.call("POST", f"{base}/clusterroles", role)
    cluster.call("POST", f"{base}/clusterrolebindings", binding)
    try:
        cluster.put(o.git_repository())
        cluster.put(o.kustomization())
        eventually(lambda: _may_list(cluster))
        with following(cluster, "nobody") as followed:
            soon(lambda: len(followed.reading.read(0).warnings) == 2)
            said = followed.reading.read(0).warnings[0]
            assert "does not let us watch kustomizations.kustomize.toolkit.fluxcd.io" in said
            assert "--verb=get,list,watch" in said
            assert "--user='nobody'" in said
            cluster.put(o.git_repository(revision=o.MAIN_B))
            cluster.put(o.kustomization(applied=o.MAIN_B))
            soon(lambda: followed.applied == {"web": o.MAIN_B})
            assert followed.reading.read(0).sources[FLEET].revision == o.MAIN_B
    finally:
        cluster.call("DELETE", f"{base}/clusterrolebindings/lister")
        cluster.call("DELETE", f"{base}/clusterroles/lister")


def _may_list(cluster: Cluster) -> bool:
    other = Cluster(cluster.url, cluster.ca, "nobodytoken")
    try:
        return bool(other.call("GET", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"))
    except Refused:
        return False
    finally:
        other.close()


@pytest.mark.envtest
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
@pytest.mark.parametrize("server", ["crdserver", "kube-apiserver"], indirect=True)
def test_through_kubectl(cluster: Cluster) -> None:
    cluster.put(o.git_repository())
    cluster.put(o.kustomization())
    with kubectl.connect(cluster.kubeconfig("reader"), "", dict(os.environ)) as client:
        followed = Followed(client)
        cluster.put(o.kustomization("next"))
        soon(lambda: set(followed.applied) == {"web", "next"})
        cluster.delete(o.kustomization())
        soon(lambda: set(followed.applied) == {"next"})
