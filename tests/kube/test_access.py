"""What ``landed doctor`` says about a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kube.server import Reply, discovery, status

from landed import kube
from landed.errors import ClusterError
from landed.kube.access import REVIEW, WHO, examine, examine_alerts
from landed.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client
    from landed.model import Finding

SOURCES = ["gitrepositories", "ocirepositories", "buckets", "helmrepositories", "helmcharts"]


@pytest.fixture
def server(world: World) -> Server:
    """Everything there is of Flux, and every right."""
    world.api.documents |= {
        **discovery("kustomize.toolkit.fluxcd.io", ["v1"], ["kustomizations"]),
        **discovery("source.toolkit.fluxcd.io", ["v1", "v1beta2"], SOURCES),
        **discovery("helm.toolkit.fluxcd.io", ["v2"], ["helmreleases"]),
        **discovery("notification.toolkit.fluxcd.io", ["v1beta3"], ["providers", "alerts"]),
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
    assert not any(kind in message for message in messages for kind in ("ExternalArtifact", "Helmr", "helmc", "Chart"))


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


class TestAlerts:
    SECRETS = (("flux-system", "slack-url"), ("apps", "token"))

    def test_all_is_well(self, client: Client) -> None:
        findings = examine_alerts(client, secrets=self.SECRETS)
        assert {finding.level for finding in findings} == {"ok"}
        assert [finding.message for finding in findings] == [
            "Provider is served as v1beta3.",
            "Alert is served as v1beta3.",
            "list providers.notification.toolkit.fluxcd.io in all namespaces: allowed.",
            "list alerts.notification.toolkit.fluxcd.io in all namespaces: allowed.",
            "list helmrepositories.source.toolkit.fluxcd.io in all namespaces: allowed.",
            "list helmcharts.source.toolkit.fluxcd.io in all namespaces: allowed.",
            "list events in all namespaces: allowed.",
            "get the Secret apps/token: allowed.",
            "get the Secret flux-system/slack-url: allowed.",
        ]

    @pytest.mark.parametrize(
        ("refused", "level", "message"),
        [
            (
                "list alerts",
                "problem",
                "list alerts.notification.toolkit.fluxcd.io in all namespaces: not allowed.",
            ),
            (
                "list events",
                "warning",
                "list events in all namespaces: not allowed. Messages then say less of what changed.",
            ),
            (
                "list helmcharts",
                "warning",
                (
                    "list helmcharts.source.toolkit.fluxcd.io in all namespaces: not allowed. "
                    "Alerts about them then say nothing."
                ),
            ),
        ],
    )
    def test_a_right_that_is_missing(
        self, refused: str, level: str, message: str, client: Client, server: Server
    ) -> None:
        server.posts[REVIEW] = allow(refused)
        (wrong,) = [finding for finding in examine_alerts(client) if finding.level != "ok"]
        assert (wrong.level, wrong.message) == (level, message)
        assert f"--verb=get,list --resource={message.split()[1]}" in wrong.hint
        assert "deploy/rbac-alerts.yaml has all the rules" in wrong.hint

    def test_a_secret_that_may_not_be_read(self, client: Client, server: Server) -> None:
        server.posts[REVIEW] = allow("get secrets")
        (wrong,) = [f for f in examine_alerts(client, secrets=self.SECRETS[:1]) if f.level != "ok"]
        assert (wrong.level, wrong.message) == ("problem", "get the Secret flux-system/slack-url: not allowed.")
        assert "--resource=secrets --resource-name=slack-url --namespace=flux-system" in wrong.hint
        assert "--secret-dir" in wrong.hint

    def test_reviews_name_what_is_asked_for(self, client: Client, server: Server) -> None:
        asked = []

        def review(body: dict[str, Any]) -> dict[str, Any]:
            asked.append(body["spec"]["resourceAttributes"])
            return {"status": {"allowed": True}}

        server.posts[REVIEW] = review
        examine_alerts(client, Selection(namespaces=("apps", "infra")), self.SECRETS[:1])
        assert len(asked) == 2 * 5 + 1
        assert {each["namespace"] for each in asked[:-1]} == {"apps", "infra"}
        secret = {"group": "", "resource": "secrets", "verb": "get", "namespace": "flux-system", "name": "slack-url"}
        assert asked[-1] == secret

    def test_notification_controller_is_not_there(self, client: Client, server: Server) -> None:
        del server.documents["/apis/notification.toolkit.fluxcd.io"]
        (finding,) = examine_alerts(client)
        assert finding.level == "problem"
        assert "serves no providers.notification.toolkit.fluxcd.io" in finding.message

    def test_a_server_without_reviews(self, client: Client, server: Server) -> None:
        server.posts = {}
        findings = examine_alerts(client)
        assert [finding.level for finding in findings] == ["ok", "ok", "warning"]
        assert "has no SelfSubjectAccessReview" in findings[-1].message
