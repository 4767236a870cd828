"""What the cluster's own Events say, and that they can spoil nothing."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

import objects as o
import pytest
from kube.server import Reply, status

from landed import kube
from landed.kube.events import PAGES, happened
from landed.model import Happened, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.server import Server
    from kube.world import World

    from landed.kube.client import Client

WEB, GIT = o.kustomization(), o.git_repository()
ABOUT_WEB = ObjectRef("Kustomization", "apps", "web")
ABOUT_GIT = ObjectRef("GitRepository", "flux-system", "fleet")
ALL = "/api/v1/events"
IN_APPS, IN_FLUX = (f"/api/v1/namespaces/{namespace}/events" for namespace in ("apps", "flux-system"))
CHANGED, PASSED = "Service/apps/web configured", "Health check passed in 12s"
STORED = "stored artifact for commit 'Serve it'"


def seconds(text: str) -> int:
    return calendar.timegm((*map(int, text[:-1].replace("T", "-").replace(":", "-").split("-")), 0, 0, 0))


@pytest.fixture
def server(world: World) -> Server:
    world.api.lists = {
        IN_APPS: [
            o.kubernetes_event(WEB, "Progressing", PASSED, revision=o.MAIN_A, at=o.LATER, number=1),
            o.kubernetes_event(WEB, "Progressing", CHANGED, revision=o.MAIN_A, number=2),
        ],
        IN_FLUX: [o.kubernetes_event(GIT, "NewArtifact", STORED, revision=o.MAIN_A)],
    }
    return world.api


@pytest.fixture
def client(world: World, server: Server) -> Iterator[Client]:
    with kube.connect(world.config().text(), "", world.environ()) as made:
        made._pause = lambda _: None
        yield made


def asked(server: Server) -> list[tuple[str, str]]:
    return [(seen.path, seen.query["fieldSelector"]) for seen in server.seen]


def test_what_was_said_oldest_first(client: Client, server: Server) -> None:
    found, note = happened(client, [ABOUT_WEB, ABOUT_GIT])
    assert found == {
        ABOUT_WEB: (
            Happened("Progressing", CHANGED, o.MAIN_A, at=seconds(o.THEN)),
            Happened("Progressing", PASSED, o.MAIN_A, at=seconds(o.LATER)),
        ),
        ABOUT_GIT: (Happened("NewArtifact", STORED, o.MAIN_A, at=seconds(o.THEN)),),
    }
    assert note == ""
    assert asked(server) == [(IN_APPS, "reason=Progressing"), (IN_FLUX, "reason=NewArtifact")]


def test_nothing_is_asked_for_nobody(client: Client, server: Server) -> None:
    assert happened(client, []) == ({}, "")
    assert happened(client, [ObjectRef("Novelty", "apps", "x")]) == ({}, "")
    assert server.seen == []


def test_many_namespaces_are_asked_at_once(client: Client, server: Server) -> None:
    server.lists = {ALL: [o.kubernetes_event(o.kustomization("x", f"n{n}"), "Progressing", CHANGED) for n in range(5)]}
    found, _ = happened(client, [ObjectRef("Kustomization", f"n{n}", "x") for n in range(4)])
    assert sorted(ref.namespace for ref in found) == ["n0", "n1", "n2", "n3"]
    assert asked(server) == [(ALL, "reason=Progressing")]


def test_only_of_what_is_wanted(client: Client, server: Server) -> None:
    plain = o.kustomization() | {"apiVersion": "kustomize.config.k8s.io/v1beta1"}
    server.lists[IN_APPS] = [
        o.kubernetes_event(o.kustomization("other"), "Progressing", CHANGED),
        o.kubernetes_event(plain, "Progressing", CHANGED),
        o.kubernetes_event(WEB | {"kind": "Pod"}, "Progressing", CHANGED),
    ]
    assert happened(client, [ABOUT_WEB]) == ({}, "")


def test_how_bad_and_when_and_of_which_origin(client: Client, server: Server) -> None:
    notes = {"kustomize.toolkit.fluxcd.io/originRevision": o.MAIN_B, "kustomize.toolkit.fluxcd.io/revision": None}
    head = {"name": "x", "namespace": "apps", "annotations": notes, "creationTimestamp": o.CREATED}
    server.lists[IN_APPS] = [
        o.kubernetes_event(WEB, "Progressing", "a", type="Warning", metadata=head),
        o.kubernetes_event(WEB, "Progressing", "b", lastTimestamp=None, eventTime="2026-08-20T09:14:00.123456Z"),
        o.kubernetes_event(WEB, "Progressing", "c", lastTimestamp=None, eventTime=None, metadata=head),
        o.kubernetes_event(WEB, "Progressing", "d", series={"count": 2, "lastObservedTime": o.LATER}),
        o.kubernetes_event(WEB, "Progressing", "e", at="", metadata={"name": "x", "annotations": None}),
    ]
    said = {h.message: h for h in happened(client, [ABOUT_WEB])[0][ABOUT_WEB]}
    assert said["a"] == Happened("Progressing", "a", "", o.MAIN_B, seconds(o.THEN), "error")
    assert (said["b"].severity, said["b"].at) == ("info", seconds("2026-08-20T09:14:00Z"))
    assert [said[name].at for name in "cde"] == [seconds(o.CREATED), seconds(o.LATER), 0]


def test_what_was_said_twice_is_told_once(client: Client, server: Server) -> None:
    server.lists[IN_APPS] = [o.kubernetes_event(WEB, "Progressing", CHANGED, number=number) for number in (1, 2)]
    assert len(happened(client, [ABOUT_WEB])[0][ABOUT_WEB]) == 1


def test_pages_have_an_end(client: Client, server: Server) -> None:
    more = o.kubernetes_event(o.kustomization("other"), "Progressing", CHANGED)
    server.lists[IN_APPS] = [o.kubernetes_event(WEB, "Progressing", CHANGED), *[more] * (500 * PAGES - 1)]
    assert happened(client, [ABOUT_WEB])[1] == ""
    server.seen.clear()
    server.lists[IN_APPS].append(o.kubernetes_event(WEB, "Progressing", PASSED))
    found, note = happened(client, [ABOUT_WEB])
    assert len(server.seen) == PAGES
    assert [said.message for said in found[ABOUT_WEB]] == [CHANGED]
    assert note == "There are too many Events in the cluster to read all of them: some messages say less."


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (
            status(403, "no"),
            "The cluster's Events may not be read (deploy/rbac-alerts.yaml grants it): messages say less.",
        ),
        (status(500, "no"), "answered 500: no."),
        (Reply(404, b"no"), "does not serve"),
        (Reply(200, b"<html>"), "web page"),
        (Reply(200, b"[]"), "not Kubernetes' JSON"),
        (Reply(200, b'{"items":[{}]}'), "not Kubernetes' JSON"),
        (Reply(200, b'{"items":[{"involvedObject":{"kind":5}}]}'), "not Kubernetes' JSON"),
        (Reply(200, b"\xff"), "not Kubernetes' JSON"),
    ],
)
def test_nothing_can_fail_a_run(reply: Reply, note: str, client: Client, server: Server) -> None:
    server.faults[IN_FLUX] = [reply] * 4
    found, said = happened(client, [ABOUT_WEB, ABOUT_GIT])
    assert found == {}
    assert note in said


def test_an_empty_list(client: Client, server: Server) -> None:
    server.faults[IN_FLUX] = [Reply(200, b'{"items":null,"metadata":null}')]
    assert happened(client, [ABOUT_GIT]) == ({}, "")
