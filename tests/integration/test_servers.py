"""What a reader of Flux objects relies on, asked of every API server alike: the sandbox must not be kinder than the
real ones, nor different."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import objects as o
import pytest
from integration.cluster import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from integration.cluster import Cluster

LIST = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
WEB = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/apps/kustomizations/web"


class Answer(NamedTuple):
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(cluster: Cluster, path: str, user: str = "admin", **headers: str) -> Answer:
    """One GET on a connection of its own."""
    address = urlsplit(cluster.url)
    connection = (
        http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=30, context=ssl.create_default_context(cadata=cluster.ca)
        )
        if cluster.ca
        else http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    )
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {user}token", **headers})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def names(answer: Any) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


def test_a_list_names_its_kind_and_its_version(cluster: Cluster) -> None:
    cluster.put(o.kustomization())

    answer = cluster.call("GET", LIST)

    assert (answer["kind"], answer["apiVersion"]) == ("KustomizationList", "kustomize.toolkit.fluxcd.io/v1")
    assert answer["metadata"]["resourceVersion"].isdigit()
    assert answer["items"][0]["kind"] == "Kustomization"


def test_a_long_list_comes_in_pages_that_add_up(cluster: Cluster) -> None:
    for number in range(7):
        cluster.put(o.kustomization(f"app-{number}"))

    pages, token = [], ""
    while True:
        answer = cluster.call("GET", f"{LIST}?limit=3&continue={quote(token)}")
        pages.append(names(answer))
        token = answer["metadata"].get("continue", "")
        if not token:
            break
        assert answer["metadata"]["remainingItemCount"] > 0

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [name for page in pages for name in page] == [f"app-{number}" for number in range(7)]


def test_a_continue_token_that_makes_no_sense_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Refused) as refused:
        cluster.call("GET", f"{LIST}?limit=3&continue=nonsense")

    assert refused.value.status == 400


def test_only_long_lists_are_compressed_and_only_for_who_can_take_it(cluster: Cluster) -> None:
    cluster.put(o.kustomization("short"))
    assert "content-encoding" not in ask(cluster, LIST, **{"Accept-Encoding": "gzip"}).headers

    for number in range(3):
        inventory = [f"apps_component-{entry}_apps_Deployment" for entry in range(1500)]
        cluster.put(o.kustomization(f"long-{number}", inventory=inventory))
    packed = ask(cluster, LIST, **{"Accept-Encoding": "gzip"})
    plain = ask(cluster, LIST)

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert names(json.loads(gzip.decompress(packed.body))) == names(json.loads(plain.body))


def test_a_label_selector_selects(cluster: Cluster) -> None:
    cluster.put(o.kustomization("web", labels={"team": "shop"}))
    cluster.put(o.kustomization("db", labels={"team": "data"}))
    cluster.put(o.kustomization("plain"))

    assert names(cluster.call("GET", f"{LIST}?labelSelector={quote('team=shop')}")) == ["web"]
    assert names(cluster.call("GET", f"{LIST}?labelSelector={quote('team in (shop,data)')}")) == ["db", "web"]
    assert names(cluster.call("GET", f"{LIST}?labelSelector={quote('!team')}")) == ["plain"]


def test_a_kind_that_is_not_served_is_answered_in_plain_text(cluster: Cluster) -> None:
    answer = ask(cluster, "/apis/kustomize.toolkit.fluxcd.io/v1beta9/kustomizations")

    assert answer.status == 404
    assert answer.body == b"404 page not found\n"


def test_an_object_that_is_not_there_is_answered_with_a_status(cluster: Cluster) -> None:
    answer = ask(cluster, WEB)

    assert answer.status == 404
    assert json.loads(answer.body)["reason"] == "NotFound"
    assert json.loads(answer.body)["kind"] == "Status"


def test_only_an_edit_of_the_spec_makes_a_new_generation(cluster: Cluster) -> None:
    cluster.put(o.kustomization())
    before = cluster.call("GET", WEB)["metadata"]

    cluster.put_status(o.kustomization(applied=o.MAIN_B))
    after_status = cluster.call("GET", WEB)["metadata"]
    cluster.call("PATCH", WEB, {"spec": {"suspend": True}}, "application/merge-patch+json")
    after_spec = cluster.call("GET", WEB)["metadata"]

    assert [each["generation"] for each in (before, after_status, after_spec)] == [1, 1, 2]
    assert before["uid"] == after_spec["uid"]
    versions = [int(each["resourceVersion"]) for each in (before, after_status, after_spec)]
    assert versions == sorted(set(versions))


def test_the_status_and_the_rest_are_written_apart(cluster: Cluster) -> None:
    cluster.put({key: value for key, value in o.kustomization().items() if key != "status"})
    live = cluster.call("GET", WEB)

    live["status"] = o.kustomization()["status"]
    cluster.call("PUT", WEB, live)
    assert "lastAppliedRevision" not in cluster.call("GET", WEB).get("status", {})

    live = cluster.call("GET", WEB)
    live["status"] = o.kustomization()["status"]
    live["spec"]["path"] = "./elsewhere"
    cluster.call("PUT", f"{WEB}/status", live)
    written = cluster.call("GET", WEB)
    assert written["status"]["lastAppliedRevision"] == o.MAIN_A
    assert written["spec"]["path"] == "./deploy/web"


def test_a_stale_write_is_refused(cluster: Cluster) -> None:
    cluster.put(o.kustomization())
    stale = cluster.call("GET", WEB)
    cluster.put_status(o.kustomization(applied=o.MAIN_B))

    with pytest.raises(Refused) as refused:
        cluster.call("PUT", f"{WEB}/status", stale)

    assert refused.value.status == 409


def test_a_finalizer_keeps_what_is_deleted(cluster: Cluster) -> None:
    cluster.put(o.kustomization(metadata={"deletionTimestamp": o.LATER}))

    assert cluster.call("GET", WEB)["metadata"]["deletionTimestamp"]

    cluster.call("PATCH", WEB, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert ask(cluster, WEB).status == 404


def test_who_may_not_is_told_in_a_status(cluster: Cluster) -> None:
    if cluster.open:
        pytest.skip("the sandbox lets everybody in")

    nobody, stranger = ask(cluster, LIST, "nobody"), ask(cluster, LIST, "stranger")

    assert (nobody.status, json.loads(nobody.body)["reason"]) == (403, "Forbidden")
    assert 'User "nobody" cannot list resource "kustomizations"' in json.loads(nobody.body)["message"]
    assert stranger.status == 401
