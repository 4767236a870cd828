"""Corners of the sandbox's API that clients seldom turn, and must not stumble over."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sandbox.client import IN_FLUX_SYSTEM, KUSTOMIZATIONS, MERGE, ask, kustomization

from landed.sandbox import store as store_module
from landed.sandbox.kinds import KINDS
from landed.sandbox.problem import Problem
from landed.sandbox.store import Store
from landed.sandbox.table import age

if TYPE_CHECKING:
    from landed.sandbox.world import Sandbox

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (2 * MINUTE, "2m"),
        (3 * MINUTE + 10, "3m10s"),
        (10 * MINUTE, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR + 5 * MINUTE, "8h"),
        (2 * DAY, "2d"),
        (2 * DAY + 3 * HOUR, "2d3h"),
        (8 * DAY + 3 * HOUR, "8d"),
        (729 * DAY, "729d"),
        (2 * 365 * DAY + 5 * DAY, "2y5d"),
        (9 * 365 * DAY, "9y"),
    ],
)
def test_an_age_is_said_as_kubectl_says_it(seconds: int, said: str) -> None:
    since = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(since, NOW) == said


def test_a_body_may_come_in_chunks(sandbox: Sandbox) -> None:
    host, port = sandbox.api_url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    text = json.dumps(kustomization()).encode()
    try:
        headers = {"Content-Type": "application/json"}
        pieces = iter([text[:20], text[20:]])
        connection.request("POST", IN_FLUX_SYSTEM, pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 201
    finally:
        connection.close()


@pytest.mark.parametrize("length", ["-1", "many", str(2**40)])
def test_a_length_that_makes_no_sense_ends_the_connection(sandbox: Sandbox, length: str) -> None:
    host, port = sandbox.api_url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.putrequest("POST", IN_FLUX_SYSTEM)
        connection.putheader("Content-Length", length)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        response.read()
    finally:
        connection.close()


def test_a_name_is_made_up_where_a_client_asks_for_that(sandbox: Sandbox) -> None:
    sent = {**kustomization(), "metadata": {"generateName": "apps-"}}
    first, second = (ask(sandbox.api_url, "POST", IN_FLUX_SYSTEM, sent).json for _ in range(2))
    assert first["metadata"]["name"].startswith("apps-")
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["namespace"] == "flux-system"


@pytest.mark.parametrize(
    "metadata",
    [[], {"name": "x", "labels": {"a": 1}}, {"name": "x", "annotations": ["a"]}],
    ids=["no object", "label that is a number", "annotations that are a list"],
)
def test_metadata_that_makes_no_sense_is_refused(sandbox: Sandbox, metadata: Any) -> None:
    answer = ask(sandbox.api_url, "POST", IN_FLUX_SYSTEM, {**kustomization(), "metadata": metadata})
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")


def test_a_list_of_one_exact_moment(sandbox: Sandbox) -> None:
    version = ask(sandbox.api_url, "POST", IN_FLUX_SYSTEM, kustomization("a")).json["metadata"]["resourceVersion"]
    ask(sandbox.api_url, "POST", IN_FLUX_SYSTEM, kustomization("b"))
    ask(sandbox.api_url, "PATCH", f"{IN_FLUX_SYSTEM}/a", {"spec": {"path": "./new"}}, Content_Type=MERGE)
    then = ask(sandbox.api_url, "GET", f"{KUSTOMIZATIONS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert then.names == ["a"]
    assert then.json["items"][0]["spec"]["path"] == "./a"


def test_a_token_and_a_version_exclude_each_other(sandbox: Sandbox) -> None:
    for name in "ab":
        ask(sandbox.api_url, "POST", IN_FLUX_SYSTEM, kustomization(name))
    token = ask(sandbox.api_url, "GET", f"{KUSTOMIZATIONS}?limit=1").json["metadata"]["continue"]
    answer = ask(sandbox.api_url, "GET", f"{KUSTOMIZATIONS}?continue={token}&resourceVersion=1001")
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")


def test_the_log_of_changes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOG_LENGTH", 20)
    store, kind = Store(), next(kind for kind in KINDS if kind.kind == "Kustomization")
    begin = store.version
    for number in range(30):
        store.write(kind, ("x", str(number)), lambda _: {"metadata": {}})
    assert len(store.snapshot(kind)[0]) == 30
    with pytest.raises(Problem) as refusal:
        store.changes(kind, begin)
    assert refusal.value.code == 410
    recent = store.changes(kind, store.version - 5)
    assert [change.key[1] for change in recent] == ["25", "26", "27", "28", "29"]
