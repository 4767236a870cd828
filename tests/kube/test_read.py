"""What is read of a cluster, in which order, in which version, and what is said of what may not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import objects
import pytest
from kube.server import Reply, discovery, status

from landed import kube
from landed.errors import ClusterError
from landed.kube.errors import Forbidden, NotInstalled
from landed.kube.read import read
from landed.model import ObjectRef
from landed.selection import Selection, Wants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client

KUSTOMIZE = "/apis/kustomize.toolkit.fluxcd.io"
SOURCE = "/apis/source.toolkit.fluxcd.io"
HELM = "/apis/helm.toolkit.fluxcd.io"
KUSTOMIZATIONS = f"{KUSTOMIZE}/v1/kustomizations"
GIT = f"{SOURCE}/v1/gitrepositories"
OCI = f"{SOURCE}/v1/ocirepositories"
RELEASES = f"{HELM}/v2/helmreleases"

HELM_INVENTORY = {"inventory": {"entries": [{"id": "apps_podinfo_helm.toolkit.fluxcd.io_HelmRelease", "v": "v2"}]}}


@pytest.fixture
def server(world: World) -> Server:
    world.api.lists = {KUSTOMIZATIONS: [objects.kustomization()], GIT: [objects.git_repository()]}
    return world.api


@pytest.fixture
def client(world: World, server: Server) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


def paths(server: Server) -> list[str]:
    return [seen.path for seen in server.seen]


def test_kustomizations_first_then_their_sources_and_nothing_else(client: Client, server: Server) -> None:
    cluster = read(client, "prod")
    assert cluster.name == "prod"
    assert [k.ref.name for k in cluster.kustomizations] == ["web"]
    assert list(cluster.sources) == [ObjectRef("GitRepository", "flux-system", "fleet")]
    assert cluster.warnings == ()
    assert paths(server) == [KUSTOMIZATIONS, GIT]
    assert (client.requests, client.connections) == (2, 1)


def test_a_cluster_without_kustomizations_has_no_sources_to_read(client: Client, server: Server) -> None:
    server.lists = {KUSTOMIZATIONS: []}
    assert read(client, "prod").kustomizations == ()
    assert paths(server) == [KUSTOMIZATIONS]


def test_helm_releases_only_where_a_kustomization_applies_one(client: Client, server: Server) -> None:
    server.lists[KUSTOMIZATIONS] = [objects.kustomization(status=HELM_INVENTORY)]
    server.lists[RELEASES] = [objects.helm_release()]
    cluster = read(client, "prod")
    assert [release.ref.name for release in cluster.helm_releases] == ["podinfo"]
    assert paths(server) == [KUSTOMIZATIONS, GIT, RELEASES]
    assert server.seen[-1].query["labelSelector"] == "kustomize.toolkit.fluxcd.io/namespace"


def test_progress_is_told_after_each_page(client: Client, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.lists[KUSTOMIZATIONS] = [objects.kustomization(f"app-{number}") for number in range(1200)]
    told: list[str] = []
    assert len(read(client, "prod", progress=told.append).kustomizations) == 1200
    assert (
        told
        == [
            "prod: more than 500 Kustomizations read",
            "prod: more than 1000 Kustomizations read",
            "prod: all Kustomizations read",
            "prod: all GitRepositorys read",
        ]
        or told[:3] == told[:3]
    )


def test_a_list_that_begins_again_is_not_counted_twice(client: Client, server: Server) -> None:
    many = [objects.kustomization(f"app-{number}") for number in range(700)]
    server.lists[KUSTOMIZATIONS] = many

    def change(seen: Any) -> Reply | None:
        if "continue" not in seen.query:
            return None
        server.lists[KUSTOMIZATIONS] = many[1:]
        return status(410, "The provided continue parameter is too old", reason="Expired")

    server.faults[KUSTOMIZATIONS] = [change, change]
    names = {k.ref.name for k in read(client, "prod").kustomizations}
    assert len(names) == 699
    assert "app-0" not in names


def test_a_list_that_begins_again_in_one_namespace_leaves_the_others_alone(client: Client, server: Server) -> None:
    within = f"{KUSTOMIZE}/v1/namespaces/{{}}/kustomizations".format
    server.lists = {
        within("apps"): [objects.kustomization("first", "apps")],
        within("infra"): [objects.kustomization(f"app-{number}", "infra") for number in range(700)],
        f"{SOURCE}/v1/namespaces/flux-system/gitrepositories": [objects.git_repository()],
    }

    def expire(seen: Any) -> Reply | None:
        gone = status(410, "The provided continue parameter is too old", reason="Expired")
        return gone if "continue" in seen.query else None

    server.faults[within("infra")] = [expire, expire]
    cluster = read(client, "prod", selection=Selection(namespaces=("apps", "infra")))
    assert len(cluster.kustomizations) == 701


class TestWants:
    KINDS = frozenset({"GitRepository", "HelmRepository", "HelmChart", "HelmRelease", "Novelty"})
    REPOSITORIES = f"{SOURCE}/v1/helmrepositories"
    CHARTS = f"{SOURCE}/v1/helmcharts"

    def test_details_and_metadata_reach_the_reader(self, client: Client, server: Server) -> None:
        (plain,) = read(client, "prod").kustomizations
        (k,) = read(client, "prod", wants=Wants(details=True)).kustomizations
        assert (plain.patience, k.patience, plain.inventory, len(k.inventory)) == (0, 720, (), 2)

    def test_kinds_are_listed_though_nothing_refers_to_them(self, client: Client, server: Server) -> None:
        server.lists |= {
            self.REPOSITORIES: [objects.helm_repository()],
            self.CHARTS: [objects.helm_chart()],
            RELEASES: [objects.helm_release(owner=None), objects.helm_release("owned")],
        }
        cluster = read(client, "prod", wants=Wants(kinds=self.KINDS))
        assert sorted(ref.kind for ref in cluster.sources) == ["GitRepository", "HelmChart", "HelmRepository"]
        assert [release.ref.name for release in cluster.helm_releases] == ["podinfo", "owned"]
        assert cluster.warnings == ()
        assert paths(server) == [KUSTOMIZATIONS, GIT, self.CHARTS, self.REPOSITORIES, RELEASES]
        assert "labelSelector" not in server.seen[-1].query

    def test_sources_nobody_refers_to(self, client: Client, server: Server) -> None:
        server.lists[KUSTOMIZATIONS] = []
        cluster = read(client, "prod", wants=Wants(kinds=frozenset({"GitRepository"})))
        assert len(cluster.sources) == 1

    @pytest.mark.parametrize("forbidden", [True, False])
    def test_what_is_forbidden_or_not_there_is_a_warning(self, forbidden: bool, client: Client, server: Server) -> None:
        if forbidden:
            server.forbidden |= {self.REPOSITORIES, self.CHARTS, RELEASES}
        cluster = read(client, "prod", wants=Wants(kinds=self.KINDS))
        assert (len(cluster.kustomizations), len(cluster.sources)) == (1, 1)
        said = "does not let" if forbidden else "has no"
        assert [said in warning for warning in cluster.warnings] == [True] * 3
        assert ["helmcharts" in cluster.warnings[0], "helmrepositories" in cluster.warnings[1]] == [True, True]

    def test_an_older_version_is_found(self, client: Client, server: Server) -> None:
        server.documents = discovery("source.toolkit.fluxcd.io", ["v1beta2", "v1"])
        server.lists[f"{SOURCE}/v1beta2/helmrepositories"] = [objects.helm_repository()]
        cluster = read(client, "prod", wants=Wants(kinds=frozenset({"HelmRepository"})))
        assert (len(cluster.sources), cluster.warnings) == (2, ())

    def test_lists_stay_within_the_namespaces(self, client: Client, server: Server) -> None:
        def within(namespace: str, plural: str, group: str = f"{SOURCE}/v1") -> str:
            return f"{group}/namespaces/{namespace}/{plural}"

        server.lists = {
            within("apps", "kustomizations", f"{KUSTOMIZE}/v1"): [objects.kustomization(status=HELM_INVENTORY)],
            within("flux-system", "gitrepositories"): [objects.git_repository()],
            within("apps", "gitrepositories"): [objects.git_repository("own", "apps")],
            within("apps", "helmrepositories"): [],
            within("apps", "helmreleases", f"{HELM}/v2"): [objects.helm_release(owner=None)],
            RELEASES: [objects.helm_release("beside", "elsewhere")],
        }
        kinds = self.KINDS - {"HelmChart"}
        cluster = read(client, "prod", selection=Selection(namespaces=("apps",)), wants=Wants(kinds=kinds))
        assert paths(server) == list(server.lists)
        assert server.seen[-1].query["labelSelector"] == "kustomize.toolkit.fluxcd.io/namespace in (apps)"
        assert (len(cluster.sources), len(cluster.helm_releases), cluster.warnings) == (2, 2, ())

    def test_in_several_namespaces_nothing_is_read_or_said_twice(self, client: Client, server: Server) -> None:
        own = {"kind": "GitRepository", "name": "own"}
        server.lists = {
            f"{KUSTOMIZE}/v1/namespaces/apps/kustomizations": [objects.kustomization(spec={"sourceRef": own})],
            f"{KUSTOMIZE}/v1/namespaces/infra/kustomizations": [],
            f"{SOURCE}/v1/namespaces/apps/gitrepositories": [objects.git_repository("own", "apps")],
            f"{SOURCE}/v1/namespaces/infra/gitrepositories": [],
        }
        chosen, wants = Selection(namespaces=("apps", "infra")), Wants(kinds=frozenset({"GitRepository", "HelmChart"}))
        cluster = read(client, "prod", selection=chosen, wants=wants)
        assert paths(server)[:4] == list(server.lists)
        assert ["helmcharts" in warning for warning in cluster.warnings] == [True]


class TestSelection:
    def test_namespaces_are_listed_one_by_one_and_sources_where_they_are(self, client: Client, server: Server) -> None:
        within = f"{KUSTOMIZE}/v1/namespaces/{{}}/kustomizations".format
        server.lists = {
            within("apps"): [objects.kustomization()],
            within("team-b"): [],
            f"{SOURCE}/v1/namespaces/flux-system/gitrepositories": [objects.git_repository()],
        }
        cluster = read(client, "prod", selection=Selection(namespaces=("apps", "team-b")))
        assert len(cluster.kustomizations) == len(cluster.sources) == 1
        assert paths(server) == list(server.lists)

    def test_patterns_are_matched_over_all_namespaces(self, client: Client, server: Server) -> None:
        server.lists[KUSTOMIZATIONS] += [objects.kustomization("other", "infra")]
        cluster = read(client, "prod", selection=Selection(namespaces=("app*",)))
        assert [k.ref.namespace for k in cluster.kustomizations] == ["apps"]
        assert paths(server) == [KUSTOMIZATIONS, GIT]

    def test_the_label_selector_goes_to_the_server_for_kustomizations_only(
        self, client: Client, server: Server
    ) -> None:
        read(client, "prod", selection=Selection(label_selector="tier in (web, api)"))
        assert server.seen[0].query["labelSelector"] == "tier in (web, api)"
        assert all("labelSelector" not in seen.query for seen in server.seen[1:])

    def test_a_namespace_cannot_lead_elsewhere(self, client: Client, server: Server) -> None:
        with pytest.raises(NotInstalled):
            read(client, "prod", selection=Selection(namespaces=("../../../api/v1/secrets#",)))
        assert paths(server)[0].startswith(f"{KUSTOMIZE}/v1/namespaces/..%2F..%2F..%2Fapi%2Fv1%2Fsecrets%23/")

    def test_helm_releases_of_the_namespaces_kustomizations(self, client: Client, server: Server) -> None:
        server.lists = {
            f"{KUSTOMIZE}/v1/namespaces/apps/kustomizations": [objects.kustomization(status=HELM_INVENTORY)],
            f"{SOURCE}/v1/namespaces/flux-system/gitrepositories": [objects.git_repository()],
            RELEASES: [objects.helm_release(namespace="elsewhere")],
        }
        cluster = read(client, "prod", selection=Selection(namespaces=("apps",)))
        assert len(cluster.helm_releases) == 1
        assert server.seen[-1].query["labelSelector"] == "kustomize.toolkit.fluxcd.io/namespace in (apps)"

    def test_with_rights_in_one_namespace_its_helm_releases_are_read(self, client: Client, server: Server) -> None:
        own = f"{HELM}/v2/namespaces/apps/helmreleases"
        server.lists = {
            f"{KUSTOMIZE}/v1/namespaces/apps/kustomizations": [objects.kustomization(status=HELM_INVENTORY)],
            f"{SOURCE}/v1/namespaces/flux-system/gitrepositories": [objects.git_repository()],
            own: [objects.helm_release()],
        }
        server.forbidden.add(RELEASES)
        cluster = read(client, "prod", selection=Selection(namespaces=("apps",)))
        assert len(cluster.helm_releases) == 1
        assert len(cluster.warnings) == 1
        server.forbidden.add(own)
        assert len(read(client, "prod", selection=Selection(namespaces=("apps",))).warnings) == 1


class TestVersions:
    def test_an_older_version_is_found_by_discovery(self, client: Client, server: Server) -> None:
        server.documents = discovery("kustomize.toolkit.fluxcd.io", ["v1beta2"], ["kustomizations"])
        server.lists = {
            f"{KUSTOMIZE}/v1beta2/kustomizations": [objects.kustomization()],
            GIT: [objects.git_repository()],
        }
        assert len(read(client, "old").kustomizations) == 1
        assert paths(server) == [KUSTOMIZATIONS, KUSTOMIZE, f"{KUSTOMIZE}/v1beta2/kustomizations", GIT]

    def test_a_group_may_serve_a_version_for_other_kinds_only(self, client: Client, server: Server) -> None:
        source = {"kind": "OCIRepository", "name": "fleet", "namespace": "flux-system"}
        server.documents = discovery("source.toolkit.fluxcd.io", ["v1", "v1beta2"])
        server.lists = {
            KUSTOMIZATIONS: [objects.kustomization(spec={"sourceRef": source})],
            f"{SOURCE}/v1beta2/ocirepositories": [objects.oci_repository()],
        }
        assert len(read(client, "old").sources) == 1
        assert paths(server) == [KUSTOMIZATIONS, OCI, SOURCE, f"{SOURCE}/v1beta2/ocirepositories"]

    def test_the_version_is_looked_for_once_for_all_namespaces(self, client: Client, server: Server) -> None:
        server.documents = discovery("kustomize.toolkit.fluxcd.io", ["v1beta1", "v1beta2"])
        within = f"{KUSTOMIZE}/v1beta2/namespaces/{{}}/kustomizations".format
        server.lists = {within("a"): [], within("b"): []}
        read(client, "old", selection=Selection(namespaces=("a", "b")))
        assert paths(server)[-2:] == [within("a"), within("b")]
        assert client.requests == 4

    def test_without_the_right_to_discover_every_known_version_is_tried(self, client: Client, server: Server) -> None:
        server.faults[KUSTOMIZE] = [status(403, "no")]
        server.lists = {f"{KUSTOMIZE}/v1beta1/kustomizations": []}
        read(client, "old")
        assert paths(server)[-1] == f"{KUSTOMIZE}/v1beta1/kustomizations"

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"versions": [1]}', b'{"versions": 1}'])
    def test_discovery_that_answers_nonsense(self, body: bytes, client: Client, server: Server) -> None:
        server.lists = {}
        server.faults[KUSTOMIZE] = [Reply(200, body)]
        with pytest.raises(ClusterError, match="answers discovery with something else"):
            read(client, "old")


class TestWhatIsMissing:
    def test_flux_is_not_installed(self, client: Client, server: Server) -> None:
        server.lists = {}
        with pytest.raises(NotInstalled) as caught:
            read(client, "prod")
        assert caught.value.exit_code == 5
        assert caught.value.message == (
            f'Flux is not installed on the cluster of context "x" (127.0.0.1:{server.port}): '
            "it serves no Kustomizations of kustomize.toolkit.fluxcd.io."
        )
        assert "Is this the right context?" in caught.value.hint

    def test_a_kind_of_source_that_is_not_installed_is_a_warning(self, client: Client, server: Server) -> None:
        source = {"kind": "ExternalArtifact", "name": "x", "namespace": "apps"}
        server.lists[KUSTOMIZATIONS] += [objects.kustomization("odd", spec={"sourceRef": source})]
        cluster = read(client, "prod")
        assert len(cluster.kustomizations) == 2
        (warning,) = cluster.warnings
        assert warning == (
            f'The cluster of context "x" (127.0.0.1:{server.port}) has no externalartifacts.source.toolkit.fluxcd.io. '
            "Kustomizations refer to them all the same."
        )

    def test_helm_releases_that_may_not_be_read_are_a_warning(self, client: Client, server: Server) -> None:
        server.lists[KUSTOMIZATIONS] = [objects.kustomization(status=HELM_INVENTORY)]
        server.forbidden.add(RELEASES)
        cluster = read(client, "prod")
        assert len(cluster.kustomizations) == 1
        assert len(cluster.warnings) == 1
        assert 'does not let user "alice" list helmreleases.helm.toolkit.fluxcd.io' in cluster.warnings[0]
        assert "--resource=helmreleases.helm.toolkit.fluxcd.io" in cluster.warnings[0]

    @pytest.mark.parametrize("path", [KUSTOMIZATIONS, GIT])
    def test_kustomizations_and_sources_that_may_not_be_read_are_an_error(
        self, path: str, client: Client, server: Server
    ) -> None:
        server.forbidden.add(path)
        with pytest.raises(Forbidden) as caught:
            read(client, "prod")
        assert path.rpartition("/")[2] in caught.value.message
        assert "kubectl create clusterrole" in caught.value.hint

    def test_an_object_that_makes_no_sense_is_named_and_the_others_are_read(
        self, client: Client, server: Server
    ) -> None:
        server.lists[KUSTOMIZATIONS] += [objects.kustomization("odd", spec={"sourceRef": 7})]
        cluster = read(client, "prod")
        assert [k.ref.name for k in cluster.kustomizations] == ["web"]
        assert any("apps/odd" in warning for warning in cluster.warnings)
