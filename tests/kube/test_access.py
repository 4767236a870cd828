"""What ``landed doctor`` says about a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kube.server import Reply, discovery, status

from landed import kube
from landed.errors import ClusterError
from landed.kube.access import REVIEW, WHO, examine
from landed.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client
    from landed.model import Finding

SOURCES = ["gitrepositories", "ocirepositories", "buckets"]


@pytest.fixture
def server(world: World) -> Server:
    """Everything there is of Flux, and every right."""
    world.api.documents |= {
        **discovery("kustomize.toolkit.fluxcd.io", ["v1"], ["kustomizations"]),
        **discovery("source.toolkit.fluxcd.io", ["v1", "v1beta2"], SOURCES),
        **discovery("helm.toolkit.fluxcd.io", ["v2"], ["helmreleases"]),
    }
    world.api.posts = {WHO: lambda _: {"status": {"userInfo": {"username": "alice"}}}, REVIEW: allow("")}
    return world.api


def allow(*refused: str) -> Any:
    """Reviews that refuse these (``verb resource``)."""

    def review(body: dict[str, Any]) -> dict[str, Any]:
        asked = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": f"{asked['verb']} {asked['resource']}" not in refused}}

    return review


@pytest.fixture
def client(world: World, server: Server) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


def short(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.level, finding.message) for finding in findings]


def test_all_is_well(client: Client) -> None:
    findings = examine(client)
    assert {finding.level for finding in findings} == {"ok"}
    messages = [finding.message for finding in findings]
    assert messages[0] == (f'The cluster of context "x" ({client.endpoint.netloc}) answers: Kubernetes v1.32.4.')
    assert messages[1] == "We are alice."
    assert "Kustomization is served as v1." in messages
    assert "GitRepository is served as v1, v1beta2." in messages
    assert "list and watch kustomizations.kustomize.toolkit.fluxcd.io in all namespaces: allowed." in messages
    assert not any("ExternalArtifact" in message for message in messages)


def test_reviews_ask_per_namespace(client: Client, server: Server) -> None:
    findings = examine(client, Selection(namespaces=("apps", "infra")))
    assert "list and watch buckets.source.toolkit.fluxcd.io in namespace infra: allowed." in [
        finding.message for finding in findings
    ]
    assert sum(seen.path == REVIEW for seen in server.seen) == 2 * 2 * 5


@pytest.mark.parametrize(
    ("refused", "level", "message"),
    [
        (
            "list kustomizations",
            "problem",
            "list kustomizations.kustomize.toolkit.fluxcd.io in all namespaces: not allowed.",
        ),
        (
            "list gitrepositories",
            "problem",
            "list gitrepositories.source.toolkit.fluxcd.io in all namespaces: not allowed.",
        ),
        ("list helmreleases", "warning", "list helmreleases.helm.toolkit.fluxcd.io in all namespaces: not allowed."),
        (
            "watch kustomizations",
            "warning",
            (
                "watch kustomizations.kustomize.toolkit.fluxcd.io in all namespaces: not allowed."
                " Only landed watch needs it."
            ),
        ),
    ],
)
def test_a_right_that_is_missing(refused: str, level: str, message: str, client: Client, server: Server) -> None:
    server.posts[REVIEW] = allow(refused)
    wrong = [finding for finding in examine(client) if finding.level != "ok"]
    assert short(tuple(wrong)) == [(level, message)]
    assert wrong[0].subject == "RBAC"
    resource = message.split()[1]
    assert f"kubectl create clusterrole landed --verb=get,list,watch --resource={resource}" in wrong[0].hint
    assert "--user='alice'" in wrong[0].hint


def test_flux_is_not_there(client: Client, server: Server) -> None:
    server.documents = {"/version": {"gitVersion": "v1.20.2"}}
    wrong = [finding for finding in examine(client) if finding.level == "problem"]
    assert len(wrong) == 1
    assert wrong[0].message.startswith("Flux is not installed: ")


def test_a_server_without_reviews(client: Client, server: Server) -> None:
    server.posts = {}
    findings = examine(client)
    assert [level for level, _ in short(findings)].count("warning") == 1
    assert "has no SelfSubjectAccessReview" in findings[-1].message


def test_a_server_that_takes_us_for_nobody(client: Client, server: Server) -> None:
    server.posts[WHO] = lambda _: {"status": {"userInfo": {"username": "system:anonymous"}}}
    server.faults["/version"] = [status(403, "no")]
    findings = examine(client)
    assert "Kubernetes a version it does not tell" in findings[0].message
    assert findings[1].level == "problem"


def test_no_right_to_discover(client: Client, server: Server) -> None:
    for path in list(server.documents):
        if path.startswith("/apis/"):
            server.faults[path] = [status(403, "no")]
    assert any(finding.message.startswith("Flux is not installed") for finding in examine(client))


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b"no"])
def test_a_server_that_is_none(body: bytes, client: Client, server: Server) -> None:
    server.faults["/version"] = [Reply(200, body)]
    with pytest.raises(ClusterError, match="not Kubernetes' JSON"):
        examine(client)
