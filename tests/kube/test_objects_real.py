"""Providers, Alerts, Secrets and Events on a real API server, with the rights of ``deploy/rbac-alerts.yaml``."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
import yaml
from integration.apiserver import kube_apiserver

from landed import kube
from landed.kube.access import examine_alerts
from landed.kube.errors import Forbidden, NotInstalled
from landed.kube.events import happened
from landed.kube.objects import manifests, secret
from landed.kube.read import read
from landed.model import Happened, ObjectRef
from landed.selection import Wants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.cluster import Cluster

    from landed.kube.client import Client

pytestmark = pytest.mark.envtest

RULES = (Path(__file__).parents[2] / "deploy" / "rbac-alerts.yaml").read_text()
KINDS = frozenset({"GitRepository", "HelmRepository", "HelmChart", "HelmRelease"})
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NOTIFICATION = "/apis/notification.toolkit.fluxcd.io/v1beta3/namespaces/flux-system"


def commented() -> list[Any]:
    """The Role and its binding that the file's comment holds, with the ``# `` taken away as it says."""
    block = RULES[RULES.index("\n# ---\n") :]
    return list(filter(None, yaml.safe_load_all(re.sub(r"(?m)^# ?", "", block))))


def grant(cluster: Cluster, documents: list[Any], user: str) -> None:
    """Give ``user`` what the documents give to landed's service account."""
    for document in documents:
        plural = f"{document['kind'].lower()}s"
        namespace = document["metadata"].get("namespace")
        if "subjects" in document:
            document["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
        cluster.call("POST", f"{RBAC}{f'/namespaces/{namespace}' if namespace else ''}/{plural}", document)


def create(cluster: Cluster, collection: str, wanted: o.Object) -> o.Object:
    """Make an object, without what the server alone may say of it."""
    head = {key: value for key, value in wanted["metadata"].items() if key in ("name", "namespace", "labels")}
    made: o.Object = cluster.call("POST", collection, {**wanted, "metadata": head})
    return made


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    """A cluster without notification-controller, on which ``reader`` may do what both files allow."""
    with kube_apiserver() as cluster:
        for namespace in ("flux-system", "apps"):
            cluster.namespace(namespace)
        cluster.install(o.DATA / "crds" / "current.yaml")
        grant(cluster, list(yaml.safe_load_all(RULES)), "reader")
        grant(cluster, commented(), "reader")
        yield cluster


@pytest.fixture(scope="module")
def whole(bare: Cluster) -> Cluster:
    """The same with everything; the test of the bare one comes first."""
    bare.install(o.DATA / "crds" / "alerts.yaml")
    create(bare, f"{NOTIFICATION}/providers", o.provider())
    create(bare, f"{NOTIFICATION}/alerts", o.alert())
    value = base64.b64encode(b"https://example.com/hook\n").decode()
    for name in ("slack-url", "other"):
        body = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "data": {"address": value}}
        bare.call("POST", "/api/v1/namespaces/flux-system/secrets", body)
    return bare


def connected(cluster: Cluster, user: str = "reader") -> Client:
    return kube.connect(cluster.kubeconfig(user), "", {})


def test_notification_controller_is_not_there(bare: Cluster) -> None:
    with connected(bare) as client, pytest.raises(NotInstalled, match="notification-controller"):
        manifests(client)
    with connected(bare) as client:
        cluster = read(client, "prod", wants=Wants(kinds=KINDS))
    assert [re.findall(r"has no (\w+)", warning) for warning in cluster.warnings] == [
        ["helmcharts"],
        ["helmrepositories"],
    ]


def test_manifests_come_whole(whole: Cluster) -> None:
    with connected(whole) as client:
        found, notes = manifests(client)
    wanted = o.provider(), o.alert()
    assert [(each["apiVersion"], each["kind"], each["spec"]) for each in found] == [
        (each["apiVersion"], each["kind"], each["spec"]) for each in wanted
    ]
    assert notes == ()


def test_manifests_in_an_older_version(whole: Cluster) -> None:
    """Served beside the current one, as Flux did for years; then alone."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/alerts.notification.toolkit.fluxcd.io"
    definition = whole.call("GET", path)
    (version,) = definition["spec"]["versions"]
    definition["spec"]["versions"] = [{**version, "name": "v1beta2", "storage": False}, {**version, "served": False}]
    whole.call("PUT", path, definition)
    try:
        whole._served("/apis/notification.toolkit.fluxcd.io/v1beta2/alerts")
        with connected(whole) as client:
            found, _ = manifests(client)
        assert [each["apiVersion"] for each in found] == [
            "notification.toolkit.fluxcd.io/v1beta3",
            "notification.toolkit.fluxcd.io/v1beta2",
        ]
    finally:
        definition = whole.call("GET", path)
        definition["spec"]["versions"] = [version]
        whole.call("PUT", path, definition)
        whole._served("/apis/notification.toolkit.fluxcd.io/v1beta3/alerts")


def test_secrets_that_are_named_and_no_others(whole: Cluster) -> None:
    with connected(whole) as client:
        found = secret(client, "flux-system", "slack-url")
        assert found is not None
        assert {key: value.reveal() for key, value in found.items()} == {"address": "https://example.com/hook\n"}
        with pytest.raises(Forbidden) as caught:
            secret(client, "flux-system", "other")
    assert 'does not let user "reader" get the Secret flux-system/other (403)' in caught.value.message
    with connected(whole, "admin") as client:
        assert secret(client, "flux-system", "missing") is None


def test_events_by_their_reason(whole: Cluster) -> None:
    web, fleet = o.kustomization(), o.git_repository()
    said = [
        o.kubernetes_event(web, "Progressing", "Deployment/apps/web configured", revision=o.MAIN_A, number=1),
        o.kubernetes_event(web, "ReconciliationSucceeded", "Reconciliation finished in 1s", number=2),
        o.kubernetes_event(fleet, "NewArtifact", "stored artifact for commit 'Serve it'", revision=o.MAIN_A, number=3),
        o.kubernetes_event(fleet, "GitOperationSucceeded", "no changes", number=4),
    ]
    for event in said:
        whole.call("POST", f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
    refs = [ObjectRef("Kustomization", "apps", "web"), ObjectRef("GitRepository", "flux-system", "fleet")]
    everywhere = [ObjectRef("Kustomization", f"n{number}", "x") for number in range(5)]
    with connected(whole) as client:
        found, note = happened(client, refs)
        assert happened(client, [*refs, *everywhere]) == (found, note)
    assert note == ""
    assert {ref: [(h.reason, h.message, h.revision) for h in each] for ref, each in found.items()} == {
        refs[0]: [("Progressing", "Deployment/apps/web configured", o.MAIN_A)],
        refs[1]: [("NewArtifact", "stored artifact for commit 'Serve it'", o.MAIN_A)],
    }
    assert all(isinstance(h, Happened) and h.at for each in found.values() for h in each)


def test_wanted_kinds_are_read(whole: Cluster) -> None:
    index = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    group = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system"
    for plural, each in (("helmrepositories", o.helm_repository(revision=index)), ("helmcharts", o.helm_chart())):
        live = create(whole, f"{group}/{plural}", each)
        whole.call("PUT", f"{group}/{plural}/{each['metadata']['name']}/status", {**live, "status": each["status"]})
    whole.put(o.git_repository())
    whole.put(o.helm_release(owner=None))
    with connected(whole) as client:
        cluster = read(client, "prod", wants=Wants(details=True, kinds=KINDS))
    assert cluster.warnings == ()
    assert {ref.kind: source.revision for ref, source in cluster.sources.items()} == {
        "GitRepository": o.MAIN_A,
        "HelmRepository": index,
        "HelmChart": "6.5.0",
    }
    assert all(source.uid for source in cluster.sources.values())
    assert [release.owner for release in cluster.helm_releases] == [None]


def test_what_a_reader_may_do(whole: Cluster) -> None:
    with connected(whole) as client:
        findings = examine_alerts(client, secrets=[("flux-system", "slack-url"), ("flux-system", "other")])
    wrong = [(finding.level, finding.message) for finding in findings if finding.level != "ok"]
    assert wrong == [("problem", "get the Secret flux-system/other: not allowed.")]


def test_what_nobody_may_do(whole: Cluster) -> None:
    with connected(whole, "nobody") as client:
        with pytest.raises(Forbidden) as caught:
            manifests(client)
        levels = [finding.level for finding in examine_alerts(client)]
        assert happened(client, [ObjectRef("Kustomization", "apps", "web")])[0] == {}
    assert 'does not let user "nobody" list providers.notification.toolkit.fluxcd.io' in caught.value.message
    assert levels == ["ok", "ok", "problem", "problem", "warning", "warning", "warning"]
