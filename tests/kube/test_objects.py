"""Providers, Alerts and Secrets, as the cluster has them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import objects
import pytest
from kube.server import Reply, discovery, status

from landed import kube
from landed.errors import ClusterError
from landed.kube.errors import Forbidden, NotInstalled
from landed.kube.objects import manifests, secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client

GROUP = "/apis/notification.toolkit.fluxcd.io"
PROVIDERS, ALERTS = f"{GROUP}/v1beta3/providers", f"{GROUP}/v1beta3/alerts"
TOKEN = "xoxb-very-secret"
SECRET = "/api/v1/namespaces/flux-system/secrets/slack-url"


@pytest.fixture
def server(world: World) -> Server:
    world.api.lists = {PROVIDERS: [objects.provider()], ALERTS: [objects.alert()]}
    return world.api


@pytest.fixture
def client(world: World, server: Server) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


def paths(server: Server) -> list[str]:
    return [seen.path for seen in server.seen]


def names(found: Any) -> list[str]:
    return [f"{each['kind']} {each['metadata']['name']}" for each in found]


def encoded(**data: bytes) -> dict[str, Any]:
    return {"kind": "Secret", "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


class TestManifests:
    def test_they_are_whole(self, client: Client, server: Server) -> None:
        found, notes = manifests(client)
        assert found == (objects.provider(), objects.alert())
        assert notes == ()
        assert paths(server) == [PROVIDERS, ALERTS]

    def test_items_need_not_say_what_they_are(self, client: Client, server: Server) -> None:
        bare = {key: value for key, value in objects.alert().items() if key not in ("kind", "apiVersion")}
        items = [bare, {**bare, "kind": "Alert", "apiVersion": "x/v1"}]
        server.faults[ALERTS] = [Reply(200, objects.encoded({"items": items}))]
        found, _ = manifests(client)
        assert [(each["kind"], each["apiVersion"]) for each in found[1:]] == [
            ("Alert", "notification.toolkit.fluxcd.io/v1beta3"),
            ("Alert", "x/v1"),
        ]

    def test_page_by_page(self, client: Client, server: Server) -> None:
        server.lists[PROVIDERS] = [objects.provider(f"p-{number}") for number in range(1100)]
        assert len(manifests(client)[0]) == 1101
        assert len(paths(server)) == 4

    def test_a_list_that_begins_again_is_not_counted_twice(self, client: Client, server: Server) -> None:
        server.lists[PROVIDERS] = [objects.provider(f"p-{number}") for number in range(700)]

        def expire(seen: Any) -> Reply | None:
            return status(410, "too old", reason="Expired") if "continue" in seen.query else None

        server.faults[PROVIDERS] = [expire, expire]
        found, _ = manifests(client)
        assert len(found) == len(set(names(found))) == 701

    @pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
    def test_an_older_version_is_found_by_discovery(self, version: str, client: Client, server: Server) -> None:
        server.documents = discovery("notification.toolkit.fluxcd.io", ["v1", version])
        old = objects.provider(version=version), objects.alert(version=version)
        server.lists = {f"{GROUP}/{version}/providers": [old[0]], f"{GROUP}/{version}/alerts": [old[1]]}
        assert manifests(client) == (old, ())

    def test_in_some_namespaces_only(self, client: Client, server: Server) -> None:
        server.lists = {f"{GROUP}/v1beta3/namespaces/{n}/{what}": [] for what in ("providers", "alerts") for n in "ab"}
        assert manifests(client, ("a", "b")) == ((), ())
        assert paths(server) == list(server.lists)

    def test_things_that_are_no_objects_are_counted_off(self, client: Client, server: Server) -> None:
        server.faults[ALERTS] = [Reply(200, b'{"items":[5,null,{"metadata":{"name":"x"}}]}')]
        found, notes = manifests(client)
        assert names(found) == ["Provider slack", "Alert x"]
        assert notes == (f"2 of the alerts of {client.endpoint} are no objects; left out.",)

    def test_notification_controller_is_not_there(self, client: Client, server: Server) -> None:
        server.lists = {}
        with pytest.raises(NotInstalled) as caught:
            manifests(client)
        assert "has no providers.notification.toolkit.fluxcd.io" in caught.value.message
        assert "notification-controller is not installed" in caught.value.message
        assert "--config" in caught.value.hint

    @pytest.mark.parametrize("path", [PROVIDERS, ALERTS])
    def test_a_right_that_is_missing(self, path: str, client: Client, server: Server) -> None:
        server.forbidden.add(path)
        with pytest.raises(Forbidden) as caught:
            manifests(client)
        resource = f"{path.rpartition('/')[2]}.notification.toolkit.fluxcd.io"
        assert f'does not let user "alice" list {resource} in all namespaces (403)' in caught.value.message
        assert f"--resource={resource}" in caught.value.hint
        assert "deploy/rbac-alerts.yaml has all the rules" in caught.value.hint

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"items":5}', b'{"items":[{"spec":"' + TOKEN.encode()])
    def test_nonsense_is_an_error_that_quotes_nothing(self, body: bytes, client: Client, server: Server) -> None:
        server.faults[PROVIDERS] = [Reply(200, body)]
        with pytest.raises(ClusterError) as caught:
            manifests(client)
        assert TOKEN not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"


class TestSecrets:
    def test_its_values(self, client: Client, server: Server) -> None:
        server.documents[SECRET] = encoded(address=b"https://example.com/hook\n", token=TOKEN.encode(), empty=b"")
        found = secret(client, "flux-system", "slack-url")
        assert found is not None
        assert {key: value.reveal() for key, value in found.items()} == {
            "address": "https://example.com/hook\n",
            "token": TOKEN,
            "empty": "",
        }
        assert TOKEN not in repr(found)

    def test_values_that_are_no_text_are_left_out(self, client: Client, server: Server) -> None:
        server.documents[SECRET] = encoded(token=b"t", key=b"\xff\xfe")
        server.documents[SECRET]["data"] |= {"odd": "dG9r*ZW4=", "none": None, "letters": "\u00e4"}
        found = secret(client, "flux-system", "slack-url")
        assert found is not None
        assert sorted(found) == ["none", "token"]

    @pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {}}])
    def test_a_secret_without_values(self, document: dict[str, Any], client: Client, server: Server) -> None:
        server.documents[SECRET] = document
        assert secret(client, "flux-system", "slack-url") == {}

    def test_there_is_no_such_secret(self, client: Client) -> None:
        assert secret(client, "flux-system", "slack-url") is None

    @pytest.mark.parametrize("name", ["", "..", "../configmaps/x", "x?watch=1", "A", "x" * 254, "x\ny", "a;b", "-x"])
    def test_a_name_that_cannot_be_is_not_asked_for(self, name: str, client: Client, server: Server) -> None:
        assert secret(client, "flux-system", name) is None
        assert secret(client, name, "slack-url") is None
        assert server.seen == []

    def test_a_right_that_is_missing(self, client: Client, server: Server) -> None:
        said = 'secrets "slack-url" is forbidden: User "alice" cannot get resource "secrets" in API group ""'
        server.faults[SECRET] = [status(403, said, reason="Forbidden")]
        with pytest.raises(Forbidden) as caught:
            secret(client, "flux-system", "slack-url")
        assert caught.value.message == (
            f'The cluster of context "x" (127.0.0.1:{server.port}) does not let user "alice" get the Secret '
            "flux-system/slack-url (403)."
        )
        assert (
            "kubectl create role landed --verb=get --resource=secrets --resource-name=slack-url --namespace=flux-system"
        ) in caught.value.hint
        assert "deploy/rbac-alerts.yaml" in caught.value.hint
        assert "LANDED_SECRET_" in caught.value.hint
        assert "--secret-dir" in caught.value.hint

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data":5}', b'{"data":{"token":"' + TOKEN.encode()])
    def test_nonsense_is_an_error_that_quotes_nothing(self, body: bytes, client: Client, server: Server) -> None:
        server.faults[SECRET] = [Reply(200, body)]
        with pytest.raises(ClusterError, match="no Secret") as caught:
            secret(client, "flux-system", "slack-url")
        assert TOKEN not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
        assert caught.value.__cause__ is None
