"""Whether objects are still there: asked for by name, now and then, and taken to be there where nobody knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import objects as o
import pytest
from kube.server import Reply, status

from landed import kube
from landed.kube.exists import LASTS, MOST, Exists
from landed.model import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client

WEB, API = ObjectRef("Kustomization", "apps", "web"), ObjectRef("Kustomization", "apps", "api")
NONE = Reply(body=json.dumps({"kind": "KustomizationList", "items": []}).encode())
THERE = Reply(body=json.dumps({"kind": "KustomizationList", "items": [o.kustomization()]}).encode())
PATH = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/apps/kustomizations"


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


@pytest.fixture
def server(world: World) -> Server:
    return world.api


def test_it_asks_by_name(client: Client, server: Server) -> None:
    server.faults[PATH] = [NONE, THERE]
    assert list(Exists(client).gone({WEB, API})) == [API]
    assert [(s.path, s.query) for s in server.seen] == [
        (PATH, {"fieldSelector": "metadata.name=api"}),
        (PATH, {"fieldSelector": "metadata.name=web"}),
    ]


def test_what_was_there_is_not_asked_about_for_a_while(client: Client, server: Server) -> None:
    now = [0.0]
    exists = Exists(client, lambda: now[0])
    server.faults[PATH] = [THERE, NONE]
    assert not exists.gone([WEB])
    now[0] = LASTS - 1
    assert not exists.gone([WEB])
    assert len(server.seen) == 1
    now[0] = LASTS + 1
    assert list(exists.gone([WEB])) == [WEB]


@pytest.mark.parametrize(
    "reply",
    [
        status(403, "no", reason="Forbidden"),
        Reply(404, b"404 page not found"),
        Reply(500, body=b""),
        Reply(body=b"<html>"),
        Reply(body=b"{}"),
        Reply(body=b'{"items": null}'),
        Reply(body=b'{"items": 7}'),
        Reply(body=b"\xff"),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:12]!r}",
)
def test_whoever_cannot_be_asked_is_taken_to_be_there(client: Client, server: Server, reply: Reply) -> None:
    server.faults[PATH] = [reply] * 8
    assert not Exists(client).gone([WEB])
    assert server.seen


@pytest.mark.parametrize(
    "about",
    [
        ObjectRef("Deployment", "flux-system", "kustomize-controller"),
        ObjectRef("Kustomization", "apps", "web,metadata.namespace=x"),
        ObjectRef("Kustomization", "apps/../x", "web"),
        ObjectRef("Kustomization", "", "web"),
    ],
)
def test_what_is_nothing_of_flux_s_is_not_asked_about(client: Client, server: Server, about: ObjectRef) -> None:
    assert not Exists(client).gone([about])
    assert not server.seen


def test_of_many_some_are_asked_about_at_a_time(client: Client, server: Server) -> None:
    many = [ObjectRef("Kustomization", "apps", f"web-{n:03}") for n in range(MOST + 5)]
    server.faults[PATH] = [*[THERE] * MOST, *[NONE] * 5]
    exists = Exists(client)
    assert not exists.gone(many)
    assert len(server.seen) == MOST
    assert list(exists.gone(many)) == many[MOST:]
