"""The sandbox's Kubernetes API by plain HTTP. Answers were compared with those of a Kubernetes 1.36 API server."""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sandbox.client import (
    APPLY,
    IN_FLUX_SYSTEM,
    JSON_PATCH,
    KUSTOMIZATIONS,
    MERGE,
    STRATEGIC,
    TABLE,
    Answer,
    ask,
    kustomization,
)

from landed.sandbox.world import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def api(sandbox: Sandbox) -> Callable[..., Answer]:
    def request(method: str, path: str, body: object = None, **headers: str) -> Answer:
        return ask(sandbox.api_url, method, path, body, **headers)

    return request


@pytest.fixture
def three(api: Callable[..., Answer]) -> list[Any]:
    """Three Kustomizations, a, b and c, as they were created."""
    return [api("POST", IN_FLUX_SYSTEM, kustomization(name, labels={"letter": name})).json for name in "abc"]


def test_what_is_created_gets_what_a_server_fills_in(api: Callable[..., Answer]) -> None:
    sent = {**kustomization(), "status": {"observedGeneration": 7}}
    answer = api("POST", IN_FLUX_SYSTEM, sent)
    assert answer.status == 201
    metadata = answer.json["metadata"]
    assert metadata["generation"] == 1
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert answer.json["spec"]["force"] is False, "the default of the resource's definition"
    assert answer.json["status"] == {"observedGeneration": -1}, "status is written on its own"
    assert api("GET", f"{IN_FLUX_SYSTEM}/apps").json == answer.json


def test_only_a_change_of_spec_moves_the_generation(api: Callable[..., Answer]) -> None:
    api("POST", IN_FLUX_SYSTEM, kustomization())
    path = f"{IN_FLUX_SYSTEM}/apps"
    steps = [
        (path, {"metadata": {"labels": {"a": "b"}}}, 1),
        (f"{path}/status", {"status": {"observedGeneration": 1}}, 1),
        (path, {"status": {"observedGeneration": 9}}, 1),
        (path, {"spec": {"interval": "5m"}}, 2),
        (path, {"spec": {"interval": "5m"}}, 2),
        (f"{path}/status", {"spec": {"interval": "1m"}}, 2),
    ]
    generations = [
        api("PATCH", target, patch, Content_Type=MERGE).json["metadata"]["generation"] for target, patch, _ in steps
    ]
    assert generations == [expected for _, _, expected in steps]
    final = api("GET", path).json
    assert final["status"] == {"observedGeneration": 1}
    assert final["spec"]["interval"] == "5m"


def test_a_write_that_changes_nothing_is_none(api: Callable[..., Answer]) -> None:
    before = api("POST", IN_FLUX_SYSTEM, kustomization()).json["metadata"]["resourceVersion"]
    patch = {"spec": {"interval": "10m"}}
    after = api("PATCH", f"{IN_FLUX_SYSTEM}/apps", patch, Content_Type=MERGE).json["metadata"]["resourceVersion"]
    assert after == before


def test_a_dry_run_writes_nothing(api: Callable[..., Answer], three: list[Any]) -> None:
    assert api("POST", f"{IN_FLUX_SYSTEM}?dryRun=All", kustomization("d")).status == 201
    assert api("PATCH", f"{IN_FLUX_SYSTEM}/a?dryRun=All", {"spec": {"path": "x"}}, Content_Type=MERGE).status == 200
    assert api("DELETE", f"{IN_FLUX_SYSTEM}/b?dryRun=All").status == 200
    assert api("GET", KUSTOMIZATIONS).json["items"] == three


REFUSALS = [
    pytest.param("POST", "", kustomization("a"), {}, 409, "AlreadyExists", id="created twice"),
    pytest.param("POST", "", {**kustomization("x"), "kind": "Bucket"}, {}, 422, "Invalid", id="another kind"),
    pytest.param("POST", "", {**kustomization("x"), "apiVersion": "v1"}, {}, 400, "BadRequest", id="another group"),
    pytest.param("POST", "", kustomization("x", namespace="y"), {}, 400, "BadRequest", id="another namespace"),
    pytest.param("POST", "", {**kustomization(), "metadata": {}}, {}, 422, "Invalid", id="no name"),
    pytest.param("POST", "", b"{junk", {}, 400, "BadRequest", id="no JSON"),
    pytest.param("POST", "", [], {}, 400, "BadRequest", id="no object"),
    pytest.param("POST", "", b"x", {"Content_Type": "text/plain"}, 415, "UnsupportedMediaType", id="plain text"),
    pytest.param("GET", "/nope", None, {}, 404, "NotFound", id="no such object"),
    pytest.param("GET", "/a/scale", None, {}, 404, "NotFound", id="no such subresource"),
    pytest.param("GET", "/a", None, {"Accept": "text/html"}, 406, "NotAcceptable", id="as HTML"),
    pytest.param("GET", "?labelSelector=%3D%3D", None, {}, 400, "BadRequest", id="bad label selector"),
    pytest.param("GET", "?fieldSelector=spec.path%3Dx", None, {}, 400, "BadRequest", id="field that is not served"),
    pytest.param("GET", "?limit=many", None, {}, 400, "BadRequest", id="limit that is no number"),
    pytest.param("GET", "?continue=xx", None, {}, 400, "BadRequest", id="continue token of another kind"),
    pytest.param("GET", "?resourceVersion=abc", None, {}, 400, "BadRequest", id="version that is no number"),
    pytest.param("GET", "?resourceVersion=99999999", None, {}, 504, "Timeout", id="version of the future"),
    pytest.param("PUT", "", kustomization("a"), {}, 400, "BadRequest", id="update without a name"),
    pytest.param("PUT", "/a", kustomization("a"), {}, 422, "Invalid", id="update without a version"),
    pytest.param("PUT", "/zz", kustomization("zz"), {}, 404, "NotFound", id="update of nothing"),
    pytest.param(
        "PUT", "/a", kustomization("a", resourceVersion="1"), {}, 409, "Conflict", id="update of an old version"
    ),
    pytest.param("PATCH", "/zz", {}, {"Content_Type": MERGE}, 404, "NotFound", id="patch of nothing"),
    pytest.param(
        "PATCH",
        "/a",
        {},
        {"Content_Type": STRATEGIC},
        415,
        "UnsupportedMediaType",
        id="strategic patch of a custom one",
    ),
    pytest.param(
        "PATCH",
        "/a",
        {"metadata": {"resourceVersion": "1"}},
        {"Content_Type": MERGE},
        409,
        "Conflict",
        id="stale patch",
    ),
    pytest.param("PATCH", "/a", {"spec": "x"}, {"Content_Type": MERGE}, 422, "Invalid", id="spec of the wrong type"),
    pytest.param("PATCH", "/a", {"a": 1}, {"Content_Type": JSON_PATCH}, 400, "BadRequest", id="JSON patch, no list"),
    pytest.param(
        "PATCH",
        "/a",
        [{"op": "test", "path": "/spec/interval", "value": "1h"}],
        {"Content_Type": JSON_PATCH},
        422,
        "Invalid",
        id="JSON patch whose test fails",
    ),
    pytest.param("PATCH", "/a", kustomization("a"), {"Content_Type": APPLY}, 422, "Invalid", id="apply by nobody"),
    pytest.param(
        "DELETE", "/a", {"preconditions": {"uid": "another"}}, {}, 409, "Conflict", id="deletion of another incarnation"
    ),
    pytest.param(
        "GET",
        "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true",
        None,
        {},
        422,
        "Invalid",
        id="streamed list without a match",
    ),
]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("method", "path", "body", "headers", "code", "reason"), REFUSALS)
def test_a_refusal_is_a_status_object(
    api: Callable[..., Answer],
    method: str,
    path: str,
    body: object,
    headers: dict[str, str],
    code: int,
    reason: str,
) -> None:
    answer = api(method, IN_FLUX_SYSTEM + path, body, **headers)
    assert answer.status == code
    status = answer.json
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert (status["code"], status["reason"]) == (code, reason)
    assert status["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/apis/nope.example.com",
        "/apis/nope.example.com/v1/foos",
        "/apis/kustomize.toolkit.fluxcd.io/v9/kustomizations",
        "/apis/kustomize.toolkit.fluxcd.io/v1/foos",
        "/nope",
    ],
)
def test_what_is_not_served_answers_in_plain_text(api: Callable[..., Answer], path: str) -> None:
    answer = api("GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["content-type"].startswith("text/plain")


def test_what_the_core_group_lacks_is_a_status(api: Callable[..., Answer]) -> None:
    answer = api("GET", "/api/v1/pods")
    assert (answer.status, answer.json["reason"]) == (404, "NotFound")


def test_a_token_is_asked_for_where_there_is_one() -> None:
    with Sandbox(cluster_token="opensesame") as sandbox:
        assert "opensesame" in sandbox.kubeconfig
        refused = ask(sandbox.api_url, "GET", KUSTOMIZATIONS, Authorization="Bearer wrong")
        assert (refused.status, refused.json["reason"]) == (401, "Unauthorized")
        assert ask(sandbox.api_url, "GET", KUSTOMIZATIONS).status == 401
        assert ask(sandbox.api_url, "GET", KUSTOMIZATIONS, Authorization="Bearer opensesame").status == 200
        assert ask(sandbox.api_url, "GET", "/readyz").body == b"ok"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("labelSelector=letter%3Da", ["a"]),
        ("labelSelector=letter!%3Da", ["b", "c"]),
        ("labelSelector=letter+in+(a,c)", ["a", "c"]),
        ("labelSelector=letter+notin+(a,c)", ["b"]),
        ("labelSelector=letter,letter!%3Db", ["a", "c"]),
        ("labelSelector=!letter", []),
        ("fieldSelector=metadata.name%3Db", ["b"]),
        ("fieldSelector=metadata.name!%3Db,metadata.namespace%3Dflux-system", ["a", "c"]),
        ("resourceVersion=0", ["a", "b", "c"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_a_list_holds_what_is_selected(api: Callable[..., Answer], query: str, names: list[str]) -> None:
    answer = api("GET", f"{KUSTOMIZATIONS}?{query}")
    assert (answer.json["kind"], answer.json["apiVersion"]) == (
        "KustomizationList",
        "kustomize.toolkit.fluxcd.io/v1",
    )
    assert answer.names == names
    assert int(answer.json["metadata"]["resourceVersion"]) > 0


def test_events_are_selected_by_what_they_are_about(api: Callable[..., Answer]) -> None:
    path = "/api/v1/namespaces/flux-system/events"
    for name, reason, about in (("a", "Progressing", "infra"), ("b", "Progressing", "data"), ("c", "NewArtifact", "x")):
        involved = {"kind": "Kustomization", "namespace": "flux-system", "name": about}
        head = {"name": name, "namespace": "flux-system"}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": head, "reason": reason, "involvedObject": involved}
        assert api("POST", path, event).status == 201
    assert api("GET", f"{path}?fieldSelector=reason%3DProgressing").names == ["a", "b"]
    assert api("GET", f"{path}?fieldSelector=reason!%3DProgressing").names == ["c"]
    assert api("GET", f"{path}?fieldSelector=involvedObject.name%3Ddata,reason%3DProgressing").names == ["b"]
    assert api("GET", f"{path}?fieldSelector=reason%3D").names == []
    assert api("GET", f"{KUSTOMIZATIONS}?fieldSelector=reason%3DProgressing").status == 400


def test_a_list_is_of_one_namespace_or_of_all(api: Callable[..., Answer], three: list[Any]) -> None:
    other = IN_FLUX_SYSTEM.replace("flux-system", "apps")
    api("POST", other, kustomization("a", namespace="apps"))
    assert api("GET", other).names == ["a"]
    assert api("GET", KUSTOMIZATIONS).names == ["a", "a", "b", "c"]
    assert "apps" in api("GET", "/api/v1/namespaces").names, "a namespace is made when it is named"


@pytest.mark.usefixtures("three")
def test_pages_show_one_moment(api: Callable[..., Answer]) -> None:
    first = api("GET", f"{KUSTOMIZATIONS}?limit=2")
    assert (first.names, first.json["metadata"]["remainingItemCount"]) == (["a", "b"], 1)
    api("DELETE", f"{IN_FLUX_SYSTEM}/c")
    api("POST", IN_FLUX_SYSTEM, kustomization("d"))
    token = first.json["metadata"]["continue"]
    second = api("GET", f"{KUSTOMIZATIONS}?limit=2&continue={token}")
    assert second.names == ["c"], "as of the first page"
    assert second.json["metadata"] == {
        "resourceVersion": first.json["metadata"]["resourceVersion"],
        "continue": "",
    }
    assert api("GET", KUSTOMIZATIONS).names == ["a", "b", "d"]


@pytest.mark.usefixtures("three")
def test_a_token_of_a_forgotten_moment_is_refused_with_one_that_goes_on(
    sandbox: Sandbox, api: Callable[..., Answer]
) -> None:
    token = api("GET", f"{KUSTOMIZATIONS}?limit=1").json["metadata"]["continue"]
    api("DELETE", f"{IN_FLUX_SYSTEM}/b")
    sandbox.store.forget()
    refused = api("GET", f"{KUSTOMIZATIONS}?limit=1&continue={token}")
    assert (refused.status, refused.json["reason"]) == (410, "Expired")
    assert api("GET", f"{KUSTOMIZATIONS}?continue={refused.json['metadata']['continue']}").names == ["c"]


def test_many_objects_come_compressed_to_those_who_ask(api: Callable[..., Answer]) -> None:
    for number in range(40):
        api("POST", IN_FLUX_SYSTEM, kustomization(f"k{number}", annotations={"long": "x" * 4000}))
    plain = api("GET", KUSTOMIZATIONS)
    packed = api("GET", KUSTOMIZATIONS, Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    small = api("GET", f"{KUSTOMIZATIONS}?limit=1", Accept_Encoding="gzip")
    assert "content-encoding" not in small.headers, "below 128 KiB it does not pay"


def test_deletion_waits_for_finalizers(api: Callable[..., Answer]) -> None:
    api("POST", IN_FLUX_SYSTEM, kustomization(finalizers=["finalizers.fluxcd.io"]))
    path = f"{IN_FLUX_SYSTEM}/apps"
    marked = api("DELETE", path).json
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["generation"] == 2
    assert api("DELETE", path).json == marked, "once is enough"
    api("PATCH", path, {"metadata": {"finalizers": None}}, Content_Type=MERGE)
    assert api("GET", path).status == 404


def test_deletion_without_finalizers_answers_with_a_status(api: Callable[..., Answer], three: list[Any]) -> None:
    answer = api("DELETE", f"{IN_FLUX_SYSTEM}/a").json
    assert (answer["kind"], answer["status"], answer["details"]["uid"]) == (
        "Status",
        "Success",
        three[0]["metadata"]["uid"],
    )
    assert api("DELETE", f"{IN_FLUX_SYSTEM}?labelSelector=letter%3Db").names == ["b"]
    assert api("GET", KUSTOMIZATIONS).names == ["c"]


def test_an_update_replaces_what_was_read(api: Callable[..., Answer], three: list[Any]) -> None:
    changed = {**three[0], "spec": {**three[0]["spec"], "path": "./elsewhere"}}
    answer = api("PUT", f"{IN_FLUX_SYSTEM}/a", changed)
    assert (answer.status, answer.json["metadata"]["generation"]) == (200, 2)
    assert api("PUT", f"{IN_FLUX_SYSTEM}/a", changed).status == 409


def test_server_side_apply_knows_who_owns_what(api: Callable[..., Answer]) -> None:
    path, mine = f"{IN_FLUX_SYSTEM}/apps", kustomization()
    other = {**mine, "spec": {**mine["spec"], "interval": "5m", "timeout": "1m"}}
    assert api("PATCH", f"{path}?fieldManager=me", mine, Content_Type=APPLY).status == 201
    conflict = api("PATCH", f"{path}?fieldManager=you", other, Content_Type=APPLY)
    assert conflict.status == 409
    assert conflict.json["message"] == 'Apply failed with 1 conflict: conflict with "me": .spec.interval'
    forced = api("PATCH", f"{path}?fieldManager=you&force=true", other, Content_Type=APPLY)
    assert forced.json["spec"]["interval"] == "5m"
    assert forced.json["metadata"]["generation"] == 2
    again = api("PATCH", f"{path}?fieldManager=you", other, Content_Type=APPLY)
    assert again.json["metadata"]["resourceVersion"] == forced.json["metadata"]["resourceVersion"], "nothing changed"
    del other["spec"]["timeout"]
    dropped = api("PATCH", f"{path}?fieldManager=you", other, Content_Type=APPLY).json
    assert "timeout" not in dropped["spec"], "what its owner leaves out goes away"
    assert dropped["spec"]["path"] == "./apps", "what others own stays"


def test_a_table_looks_as_flux_means_it(api: Callable[..., Answer]) -> None:
    api("POST", IN_FLUX_SYSTEM, kustomization())
    ready = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file"}
    api("PATCH", f"{IN_FLUX_SYSTEM}/apps/status", {"status": {"conditions": [ready]}}, Content_Type=MERGE)
    table = api("GET", KUSTOMIZATIONS, Accept=TABLE).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Age", "Ready", "Status"]
    name, age, *rest = table["rows"][0]["cells"]
    assert (name, rest) == ("apps", ["False", "no such file"])
    assert age.endswith("s")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_alone_can_be_asked_for(api: Callable[..., Answer], three: list[Any]) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    answer = api("GET", KUSTOMIZATIONS, Accept=accept).json
    assert answer["kind"] == "PartialObjectMetadataList"
    assert [item["metadata"] for item in answer["items"]] == [item["metadata"] for item in three]
    assert not any("spec" in item for item in answer["items"])


WATCH = f"{KUSTOMIZATIONS}?watch=true&timeoutSeconds=1"


def test_a_watch_begins_with_what_there_is(api: Callable[..., Answer], three: list[Any]) -> None:
    events = api("GET", WATCH).lines
    assert events == [{"type": "ADDED", "object": item} for item in three]


def _watched(api: Callable[..., Answer], query: str, *writes: tuple[Any, ...]) -> list[Any]:
    """The events of a watch of one second, during which the writes are made."""
    answers: list[Answer] = []
    watcher = threading.Thread(
        target=lambda: answers.append(api("GET", f"{KUSTOMIZATIONS}?watch=true&timeoutSeconds=1&{query}"))
    )
    watcher.start()
    time.sleep(0.1)
    for method, path, body in writes:
        api(method, IN_FLUX_SYSTEM + path, body, Content_Type=MERGE if method == "PATCH" else "application/json")
    watcher.join()
    return answers[0].lines


def test_a_watch_tells_each_change_as_it_happens(api: Callable[..., Answer], three: list[Any]) -> None:
    since = three[-1]["metadata"]["resourceVersion"]
    events = _watched(
        api,
        f"resourceVersion={since}",
        ("PATCH", "/a", {"spec": {"path": "x"}}),
        ("POST", "", kustomization("d")),
        ("DELETE", "/b", None),
    )
    told = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert told == [("MODIFIED", "a"), ("ADDED", "d"), ("DELETED", "b")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert versions[0] > int(since)


def test_to_a_selector_what_stops_matching_is_deleted(api: Callable[..., Answer], three: list[Any]) -> None:
    since = three[-1]["metadata"]["resourceVersion"]
    events = _watched(
        api,
        f"resourceVersion={since}&labelSelector=letter%3Da",
        ("PATCH", "/a", {"metadata": {"labels": {"letter": "z"}}}),
        ("PATCH", "/b", {"metadata": {"labels": {"letter": "a"}}}),
        ("PATCH", "/c", {"metadata": {"labels": {"letter": "y"}}}),
    )
    told = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert told == [("DELETED", "a"), ("ADDED", "b")]


def test_a_watch_with_bookmarks_ends_with_one(api: Callable[..., Answer], three: list[Any]) -> None:
    events = _watched(api, "resourceVersion=0&allowWatchBookmarks=true")
    assert [event["type"] for event in events] == ["ADDED"] * len(three) + ["BOOKMARK"]
    bookmark = events[-1]["object"]
    assert bookmark["kind"] == "Kustomization"
    assert int(bookmark["metadata"]["resourceVersion"]) >= int(three[-1]["metadata"]["resourceVersion"])


def test_a_streamed_list_says_when_it_is_complete(api: Callable[..., Answer], three: list[Any]) -> None:
    events = _watched(api, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
    assert [event["type"] for event in events[:4]] == ["ADDED"] * len(three) + ["BOOKMARK"]
    assert events[3]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.usefixtures("three")
def test_only_the_first_table_of_a_watch_describes_its_columns(api: Callable[..., Answer]) -> None:
    tables = [event["object"] for event in api("GET", WATCH, Accept=TABLE).lines]
    assert [table["kind"] for table in tables] == ["Table"] * 3
    assert [bool(table["columnDefinitions"]) for table in tables] == [True, False, False]


def test_a_watch_from_a_forgotten_version_is_told_so(sandbox: Sandbox, api: Callable[..., Answer]) -> None:
    api("POST", IN_FLUX_SYSTEM, kustomization())
    sandbox.store.forget()
    answer = api("GET", f"{KUSTOMIZATIONS}?watch=true&resourceVersion=1001&timeoutSeconds=5")
    assert answer.status == 200, "the refusal comes inside"
    (event,) = answer.lines
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_ends_when_the_sandbox_does() -> None:
    with Sandbox() as sandbox:
        connection = http.client.HTTPConnection(sandbox.api_url.removeprefix("http://"), timeout=10)
        connection.request("GET", f"{KUSTOMIZATIONS}?watch=true")
        watch = connection.getresponse()  # it has begun
    with closing(connection), watch, suppress(http.client.IncompleteRead):  # what is cut off has ended, too
        assert watch.read() == b""


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_discovery_is_aggregated_for_those_who_know_it(api: Callable[..., Answer]) -> None:
    answer = api("GET", "/apis", Accept=f"{AGGREGATED},application/json")
    assert answer.headers["content-type"] == AGGREGATED
    found = {
        (group["metadata"]["name"], version["version"], resource["resource"])
        for group in answer.json["items"]
        for version in group["versions"]
        for resource in version["resources"]
    }
    assert ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations") in found
    assert ("helm.toolkit.fluxcd.io", "v2", "helmreleases") in found
    assert {resource for group, _, resource in found if group == "source.toolkit.fluxcd.io"} == {
        "gitrepositories",
        "ocirepositories",
        "buckets",
        "externalartifacts",
    }
    core = api("GET", "/api", Accept=AGGREGATED).json
    assert core["items"][0]["versions"][0]["resources"][0]["resource"] == "namespaces"


def test_discovery_is_plain_for_the_others(api: Callable[..., Answer]) -> None:
    assert api("GET", "/api").json["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"]["version"] for group in api("GET", "/apis").json["groups"]}
    assert groups["source.toolkit.fluxcd.io"] == "v1"
    assert api("GET", "/apis/helm.toolkit.fluxcd.io").json["preferredVersion"]["version"] == "v2"
    resources = api("GET", "/apis/kustomize.toolkit.fluxcd.io/v1").json["resources"]
    assert [(entry["name"], entry["kind"]) for entry in resources] == [
        ("kustomizations", "Kustomization"),
        ("kustomizations/status", "Kustomization"),
    ]
    assert resources[0]["shortNames"] == ["ks"]


def test_the_server_says_what_it_is(api: Callable[..., Answer]) -> None:
    assert api("GET", "/version").json["minor"] == "32"
    assert api("GET", "/readyz").body == b"ok"
    paths = api("GET", "/openapi/v3").json["paths"]
    document = api("GET", paths["apis/kustomize.toolkit.fluxcd.io/v1"]["serverRelativeURL"]).json
    assert "io.fluxcd.toolkit.kustomize.v1.Kustomization" in document["components"]["schemas"]
    assert api("GET", "/openapi/v2").json["swagger"] == "2.0"


def test_everything_is_allowed(api: Callable[..., Answer]) -> None:
    attributes = {"verb": "list", "resource": "kustomizations", "group": "kustomize.toolkit.fluxcd.io"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = api("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (answer.status, answer.json["status"]["allowed"]) == (201, True)
    assert answer.json["spec"] == review["spec"]


def test_half_a_request_does_not_count(sandbox: Sandbox) -> None:
    import socket

    body = msgspec.json.encode(kustomization())
    head = f"POST {IN_FLUX_SYSTEM} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    address = sandbox.api_url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=5) as connection:
        connection.sendall(head + body[:-20])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""
    assert ask(sandbox.api_url, "GET", KUSTOMIZATIONS).names == []
