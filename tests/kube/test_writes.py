"""Writes: what may be sent twice and what not, and the sentences for what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kube.server import Handler, Reply, Seen, status

from landed import kube
from landed.errors import ClusterError
from landed.kube.errors import Conflict, Forbidden, NotServed, Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.world import World

    from landed.kube.client import Client

LEASES = "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases"
OBJECT = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/apps/kustomizations/web"
DONE = Reply(200, b'{"kind":"Kustomization"}', {"Content-Type": "application/json"})
MERGE = "application/merge-patch+json"
BODY = b'{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"now"}}}'


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in answers every method."""
    for method in ("do_PUT", "do_PATCH", "do_DELETE"):
        monkeypatch.setattr(Handler, method, Handler.do_GET, raising=False)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(world: World, pauses: list[float]) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ(), timeout=5) as made:
        made._pause = pauses.append
        yield made


def writes(world: World) -> list[Seen]:
    return [seen for seen in world.api.seen if seen.method != "GET"]


def test_a_patch_arrives_as_it_was_given(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [DONE]
    assert client.write("PATCH", OBJECT, BODY, MERGE) == DONE.body
    (seen,) = writes(world)
    assert (seen.method, seen.path, seen.body) == ("PATCH", OBJECT, BODY)
    assert seen.headers["content-type"] == MERGE
    assert seen.user == "alice"


@pytest.mark.parametrize("code", [200, 201, 202])
def test_what_counts_as_done(code: int, world: World, client: Client) -> None:
    world.api.faults[LEASES] = [Reply(code, b"{}")]
    assert client.write("POST", LEASES, b"{}") == b"{}"


LOST = [Reply(drop=True), Reply(200, b'{"kind":', {"Content-Length": "500"}, close=True)]


@pytest.mark.parametrize("fault", [*LOST, status(500, "etcd"), status(503, "busy"), status(504, "Timeout")])
def test_what_may_have_been_carried_out_is_not_sent_again(
    fault: Reply, world: World, client: Client, pauses: list[float]
) -> None:
    world.api.faults[OBJECT] = [fault, DONE]
    with pytest.raises(Unanswered) as caught:
        client.write("PATCH", OBJECT, BODY, MERGE)
    assert caught.value.hint == "It may have been carried out all the same."
    assert (len(writes(world)), pauses) == (1, [])


@pytest.mark.parametrize("fault", [*LOST, status(500, "etcd"), status(503, "busy"), status(429, "slow down")])
def test_unless_twice_is_as_good_as_once(fault: Reply, world: World, client: Client, pauses: list[float]) -> None:
    world.api.faults[OBJECT] = [fault, fault, DONE]
    assert client.write("PATCH", OBJECT, BODY, MERGE, again=True) == DONE.body
    assert (len(writes(world)), len(pauses)) == (3, 2)


def test_what_was_not_looked_at_is_sent_again(world: World, client: Client, pauses: list[float]) -> None:
    slow = Reply(429, b"too many", {"Retry-After": "7"})
    world.api.faults[OBJECT] = [slow, DONE, slow, slow, slow, slow]
    assert client.write("PATCH", OBJECT, BODY, MERGE) == DONE.body
    assert pauses == [7]
    with pytest.raises(ClusterError, match="answered 429"):
        client.write("PATCH", OBJECT, BODY, MERGE)
    assert len(writes(world)) == 6


def test_at_most_as_often_as_is_said(world: World, client: Client, pauses: list[float]) -> None:
    world.api.faults[OBJECT] = [status(429, "slow down"), DONE]
    with pytest.raises(ClusterError, match="answered 429"):
        client.write("PATCH", OBJECT, BODY, MERGE, tries=1)
    assert pauses == []


def test_again_and_again_to_no_avail(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [Reply(drop=True)] * 9
    with pytest.raises(Unanswered, match="closes the connection without an answer"):
        client.write("PATCH", OBJECT, BODY, MERGE, again=True)
    assert len(writes(world)) == 4


def test_a_connection_that_was_closed_meanwhile_is_not_written_to(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [DONE]
    client.get("/version")
    world.api.hang_up()
    import select

    assert client._connection is not None
    poll = select.poll()
    poll.register(client._connection.sock, select.POLLIN)
    assert poll.poll(5000)
    client.write("PATCH", OBJECT, BODY, MERGE)
    assert len(writes(world)) == 1
    assert client.connections == 2


def test_the_connection_is_kept(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [DONE, status(409, "changed"), DONE]
    client.write("PATCH", OBJECT, BODY, MERGE)
    with pytest.raises(Conflict):
        client.write("PATCH", OBJECT, BODY, MERGE)
    client.write("PATCH", OBJECT, BODY, MERGE)
    client.get("/version")
    assert client.connections == 1


def test_a_server_that_is_not_there_has_carried_out_nothing(world: World) -> None:
    config = world.config().text().replace(str(world.api.port), "1")
    with kube.connect(config, "", world.environ()) as client, pytest.raises(ClusterError) as caught:
        client.write("PATCH", OBJECT, BODY, MERGE)
    assert not isinstance(caught.value, Unanswered)


def forbidden(verb: str) -> Reply:
    user = "system:serviceaccount:flux-system:landed"
    return status(403, f'kustomizations "web" is forbidden: User "{user}" cannot {verb} resource', reason="Forbidden")


@pytest.mark.parametrize(
    ("method", "path", "verb", "what"),
    [
        ("PATCH", OBJECT, "patch", "kustomizations.kustomize.toolkit.fluxcd.io apps/web"),
        ("PUT", f"{LEASES}/landed", "update", "leases.coordination.k8s.io flux-system/landed"),
        ("POST", LEASES, "create", "leases.coordination.k8s.io in namespace flux-system"),
        ("GET", f"{LEASES}/landed", "get", "leases.coordination.k8s.io flux-system/landed"),
    ],
)
def test_a_right_that_is_missing(method: str, path: str, verb: str, what: str, world: World, client: Client) -> None:
    world.api.faults[path] = [forbidden(verb)]
    with pytest.raises(Forbidden) as caught:
        client.write(method, path, None if method == "GET" else BODY)
    user = "system:serviceaccount:flux-system:landed"
    assert caught.value.message.endswith(f'does not let user "{user}" {verb} {what} (403).')
    assert f"--verb={verb} --resource={what.split()[0]}" in caught.value.hint
    assert "--serviceaccount=flux-system:landed" in caught.value.hint


def test_nobody_is_told_to_show_credentials(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [status(403, 'User "system:anonymous" cannot patch resource')]
    with pytest.raises(Forbidden, match="takes us for system:anonymous"):
        client.write("PATCH", OBJECT, BODY, MERGE)


def test_what_is_not_there_or_has_changed(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [status(404, 'kustomizations "web" not found'), status(409, "the object has changed")]
    with pytest.raises(NotServed, match=r"has no kustomizations.kustomize.toolkit.fluxcd.io apps/web \(404\)."):
        client.write("PATCH", OBJECT, BODY, MERGE)
    with pytest.raises(Conflict) as caught:
        client.write("PATCH", OBJECT, BODY, MERGE)
    assert caught.value.hint == "the object has changed."


def test_what_the_server_finds_wrong_is_told(world: World, client: Client) -> None:
    world.api.faults[OBJECT] = [status(422, "metadata.annotations: Invalid value")]
    with pytest.raises(ClusterError, match=r"answered 422: metadata\.annotations: Invalid value"):
        client.write("PATCH", OBJECT, BODY, MERGE, again=True)
    assert len(writes(world)) == 1


def test_a_body_is_json_unless_it_is_said(world: World, client: Client) -> None:
    world.api.faults[LEASES] = [DONE]
    client.write("POST", LEASES, json.dumps({"kind": "Lease"}).encode())
    assert writes(world)[0].headers["content-type"] == "application/json"
