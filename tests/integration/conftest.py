"""The API servers, one of each at most per test process, started when the first test asks for one."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration import guide
from integration.apiserver import crdserver, kube_apiserver
from integration.cluster import Cluster
from objects import DATA

from landed.sandbox.api import KubernetesApi
from landed.sandbox.store import Store
from landed.sandbox.web import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

#: The namespaces that tests may use.
NAMESPACES = ("flux-system", "apps", "infra")


def definitions() -> list[Path]:
    """Flux's own CustomResourceDefinitions where ``LANDED_FLUX_CRDS`` names a folder of them; the short ones
    for what is missing there."""
    real = os.environ.get("LANDED_FLUX_CRDS", "")
    return [*([Path(real)] if real else []), DATA / "crds" / "current.yaml"]


@contextmanager
def sandbox() -> Iterator[Cluster]:
    """The sandbox's API, held to what the real servers are held to."""
    api = Server(KubernetesApi(Store()).answer)
    api.start()
    cluster = Cluster(api.url)
    try:
        yield cluster
    finally:
        cluster.close()
        api.stop()


SERVERS: dict[str, Callable[[], AbstractContextManager[Cluster]]] = {
    "crdserver": crdserver,
    "kube-apiserver": kube_apiserver,
    "sandbox": sandbox,
}


class Servers:
    """The servers that are up, and stay so: pytest ends a fixture with parameters when another one is asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._up: dict[str, Cluster] = {}

    def get(self, name: str) -> Cluster:
        """The server, started where nobody has asked for it yet."""
        if name not in self._up:
            self._up[name] = self._start(name)
        return self._up[name]

    def _start(self, name: str) -> Cluster:
        with ExitStack() as stack:
            cluster = stack.enter_context(SERVERS[name]())
            if name != "sandbox":
                cluster.install(*definitions())
            for namespace in NAMESPACES:
                cluster.namespace(namespace)
            self._stack.push(stack.pop_all().__exit__)
        return cluster


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("crdserver", marks=pytest.mark.envtest),
        pytest.param("kube-apiserver", marks=pytest.mark.envtest),
        "sandbox",
    ],
)
def server(request: pytest.FixtureRequest, servers: Servers) -> Cluster:
    """An API server with Flux's kinds, empty at first."""
    return servers.get(request.param)


@pytest.fixture(scope="session")
def flux_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A whole one with Flux's kinds in all their versions; ``reader`` may read what ``deploy/`` allows."""
    with guide.flux_cluster(tmp_path_factory.mktemp("definitions")) as cluster:
        yield cluster


@pytest.fixture
def cluster(server: Cluster) -> Iterator[Cluster]:
    """The API server, emptied afterwards."""
    yield server
    server.clear()
