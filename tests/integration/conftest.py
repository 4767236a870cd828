"""The API servers, one of each at most per test process, started when the first test asks for one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
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


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("crdserver", marks=pytest.mark.envtest),
        pytest.param("kube-apiserver", marks=pytest.mark.envtest),
        "sandbox",
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """An API server with Flux's kinds, empty at first."""
    with SERVERS[request.param]() as cluster:
        if request.param != "sandbox":
            cluster.install(*definitions())
        for name in NAMESPACES:
            cluster.namespace(name)
        yield cluster


@pytest.fixture
def cluster(server: Cluster) -> Iterator[Cluster]:
    """The API server, emptied afterwards."""
    yield server
    server.clear()
