"""The client on a real API server: its own words for what it refuses, its reviews, its discovery."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import objects
import pytest
from integration.apiserver import kube_apiserver

from landed import kube
from landed.errors import ClusterError
from landed.kube import kubectl
from landed.kube.access import examine
from landed.kube.errors import Forbidden, NotInstalled
from landed.kube.read import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.cluster import Cluster

pytestmark = pytest.mark.envtest


@pytest.fixture(scope="module")
def empty() -> Iterator[Cluster]:
    """A cluster without Flux."""
    with kube_apiserver() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def old(empty: Cluster) -> Cluster:
    """The same with an old Flux; the tests of the empty one come first."""
    empty.install(objects.DATA / "crds" / "old.yaml")
    return empty


def test_flux_is_not_installed(empty: Cluster) -> None:
    with kube.connect(empty.kubeconfig("admin"), "", {}) as client, pytest.raises(NotInstalled) as caught:
        read(client, "prod")
    assert "Flux is not installed" in caught.value.message


def test_a_token_that_is_refused(empty: Cluster) -> None:
    text = empty.kubeconfig("reader").replace("readertoken", "wrong")
    with kube.connect(text, "", {}) as client, pytest.raises(ClusterError, match="does not accept the credentials"):
        client.get("/version")


def test_a_right_that_is_missing_is_granted_by_the_hint(old: Cluster) -> None:
    with kube.connect(old.kubeconfig("nobody"), "", {}) as client, pytest.raises(Forbidden) as caught:
        read(client, "prod")
    assert 'does not let user "nobody" list kustomizations.kustomize.toolkit.fluxcd.io' in caught.value.message
    assert "--user='nobody'" in caught.value.hint


def test_an_old_flux_is_read_in_its_own_version(old: Cluster) -> None:
    with kube.connect(old.kubeconfig("reader"), "", {}) as client:
        cluster = read(client, "prod")
    assert cluster.warnings == ()


def test_what_a_reader_may_do(old: Cluster) -> None:
    with kube.connect(old.kubeconfig("reader"), "", {}) as client:
        levels = {finding.level for finding in examine(client)}
    assert levels == {"ok"}


def test_what_nobody_may_do(old: Cluster) -> None:
    with kube.connect(old.kubeconfig("nobody"), "", {}) as client:
        findings = examine(client)
    assert any(
        finding.level == "problem" and "kustomizations.kustomize.toolkit.fluxcd.io" in finding.message
        for finding in findings
    )


def test_kubectl_in_between(old: Cluster) -> None:
    with kubectl.connect(old.kubeconfig("reader"), "", dict(os.environ)) as client:
        assert read(client, "prod").warnings == ()
        assert {finding.level for finding in examine(client)} == {"ok"}
    with kubectl.connect(old.kubeconfig("nobody"), "", dict(os.environ)) as client, pytest.raises(Forbidden) as caught:
        read(client, "prod")
    assert '(through kubectl) does not let user "nobody" list kustomizations' in caught.value.message
