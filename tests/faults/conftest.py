"""A small cluster, and everybody who is told about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.world import WORLD
from integration.cluster import Cluster
from integration.command import Workplace, workplace

from landed.sandbox.api import KubernetesApi
from landed.sandbox.store import Store
from landed.sandbox.web import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """An API server that holds it."""
    server = Server(KubernetesApi(Store()).answer)
    server.start()
    cluster = Cluster(server.url)
    for each in WORLD:
        cluster.put(each)
    yield cluster
    cluster.close()
    server.stop()


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Iterator[Workplace]:
    """A folder from which the cluster can be read, and everybody who can be told."""
    with workplace(tmp_path) as place:
        place.configure(cluster.kubeconfig())
        yield place
