"""What is Datadog's own: its tags, its limits, how old an event may be, its words for what went wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec import structs
from standins.datadog import API_KEY, Datadog, event_problems

from landed.errors import DeliveryError
from landed.http import Http
from landed.model import Channel, Event, InvolvedObject, Occurrence, Repository, Secret, State
from landed.providers.chat import datadog
from landed.render import rfc3339

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
AT = 1_790_000_000


def happened(state: State = State.FAILURE, text: str = "timed out", **changes: Any) -> Occurrence:
    metadata = {"cluster": "prod", "revision": f"main@sha1:{COMMIT}"} | changes.pop("metadata", {})
    about = changes.pop("about", InvolvedObject("Kustomization", "apps", "web", "uid-1"))
    event = Event(about, "error", "2026-09-21T14:13:20Z", text, "HealthCheckFailed", metadata, "kustomize-controller")
    settings: dict[str, Any] = {"repository": FLEET, "commit": COMMIT, "url": f"https://github.com/acme/fleet/{COMMIT}"}
    settings |= {"cluster": "prod", "key": "prod Kustomization/apps/web", "at": AT, "told": AT + 60}
    return Occurrence(event, state, **(settings | changes))


def channel(address: str = "https://api.datadoghq.eu", token: str = API_KEY) -> Channel:
    return Channel("datadog", "datadog", Secret(address), token=Secret(token))


def body(told: Occurrence) -> dict[str, Any]:
    (request,) = datadog.requests(channel(), told)
    read: dict[str, Any] = json.loads(request.body)
    assert event_problems(read, AT + 60) == []
    return read


def test_a_failure() -> None:
    assert body(happened(changes=("Deployment/apps/web created",))) == {
        "title": "Kustomization apps/web failed on prod",
        "text": "timed out\n\nDeployment/apps/web created\nReason: HealthCheckFailed\n"
        f"Commit: {COMMIT} of github.com/acme/fleet\nhttps://github.com/acme/fleet/{COMMIT}\n"
        "Cluster: prod\nSince: 2026-09-21T14:13:20Z",
        "tags": [
            "flux_reporting_controller:kustomize-controller",
            "flux_reason:healthcheckfailed",
            "kube_kind:kustomization",
            "kube_name:web",
            "kube_namespace:apps",
            "kube_cluster_name:prod",
            "env:prod",
            "service:web",
            f"version:{COMMIT}",
            "cluster:prod",
            f"revision:main_sha1:{COMMIT}",
        ],
        "aggregation_key": "prod Kustomization/apps/web",
        "alert_type": "error",
        "source_type_name": "fluxcd",
        "date_happened": AT,
    }


@pytest.mark.parametrize(
    ("state", "alert", "words"),
    [
        (State.SUCCESS, "success", "is live on prod"),
        (State.FAILURE, "error", "failed on prod"),
        (State.STALE, "warning", "is silent on prod"),
        (State.PENDING, "info", "waits on prod"),
    ],
)
def test_every_state(state: State, alert: str, words: str) -> None:
    told = body(happened(state))
    assert (told["alert_type"], told["title"]) == (alert, f"Kustomization apps/web {words}")
    assert told["aggregation_key"] == body(happened())["aggregation_key"]


def test_the_environment_and_the_service_are_what_the_alert_says_and_the_version_is_the_commit() -> None:
    tags = body(happened(metadata={"env": "Staging", "service": "shop", "version": "9", "kube_name": "forged"}))["tags"]

    assert {"env:staging", "service:shop", f"version:{COMMIT}", "kube_name:web"} <= set(tags)
    assert not {"env:prod", "version:9", "kube_name:forged"} & set(tags)


@pytest.mark.parametrize(
    ("metadata", "tag"),
    [
        ({"Team Name": "A & B"}, "team_name:a___b"),
        ({"1st": "x"}, "st:x"),
        ({"a:b": "c:d"}, "a_b:c:d"),
        ({"über": "straße"}, "ber:straße"),
        ({"k": "v" * 300}, "k:" + "v" * 198),
        ({"k": "v__::"}, "k:v"),
        ({"env": "", "service": " "}, "env:prod"),
    ],
)
def test_tags_are_as_datadog_would_make_them(metadata: dict[str, str], tag: str) -> None:
    assert tag in body(happened(metadata=metadata))["tags"]


@pytest.mark.parametrize("metadata", [{"": "x"}, {"42": "x"}, {"empty": ""}])
def test_what_would_be_no_tag_is_left_out(metadata: dict[str, str]) -> None:
    assert body(happened(metadata=metadata))["tags"] == body(happened())["tags"]


def test_no_commit_no_version() -> None:
    told = body(happened(repository=Repository("", ""), commit="", url=""))
    assert not [tag for tag in told["tags"] if tag.startswith("version:")]
    assert "Commit" not in told["text"]


@pytest.mark.parametrize(
    ("ago", "said"),
    [(0, True), (60, True), (17 * 3600, True), (18 * 3600 - 1, False), (18 * 3600 + 1, False), (-120, False)],
)
def test_datadog_is_not_told_when_it_happened_if_it_would_not_take_that(ago: int, said: bool) -> None:
    told = body(happened(at=AT + 60 - ago))
    assert told.get("date_happened") == (AT + 60 - ago if said else None)
    assert f"Since: {rfc3339(AT + 60 - ago)}" in told["text"]


def test_what_the_cluster_gives_no_time_of_did_not_happen_in_1970() -> None:
    told = happened()
    nowhen = structs.replace(told, event=structs.replace(told.event, timestamp=rfc3339(0)))
    assert body(nowhen) == body(told)


def test_the_summary_is_said_as_it_was_written() -> None:
    told = body(happened(metadata={"summary": "Call @Aurora: https://wiki.example/A?b=C"}))
    assert "\nSummary: Call @\u200bAurora: https://wiki.example/A?b=C\n" in told["text"]
    assert "summary:call__aurora:_https://wiki.example/a_b_c" in told["tags"]


def test_limits() -> None:
    about = InvolvedObject("Kustomization", "n" * 253, "w" * 253)
    changes = tuple(f"Deployment/apps/{number} created" for number in range(500))
    told = body(happened(text="x " * 30_000, about=about, key="k" * 101, cluster="c" * 300, changes=changes))

    assert len(told["text"]) <= 4000
    assert re.search("Deployment/apps/9 created\n(.*\n)*… and 4[0-9]{2} more\nReason: ", told["text"])
    assert told["text"].startswith("x x x")
    assert len(told["title"]) <= 100
    assert "failed on" in told["title"]
    assert len(told["aggregation_key"]) == 64


@pytest.mark.parametrize("line", ["D" * 500, "@" * 500, "Deployment/" + "a b " * 5000])
def test_long_lines_of_changes_leave_room_for_what_flux_says(line: str) -> None:
    metadata = {"revision": "r" * 900, "summary": "s" * 900}
    told = body(happened(text="broke " * 900, changes=(line,) * 20, url="https://x/" + "y" * 999, metadata=metadata))

    assert len(told["text"]) <= 4000
    assert told["text"].startswith("broke " * 100)
    assert "…\nReason: HealthCheckFailed\nCommit: " in told["text"]


def test_a_key_of_the_longest_kind_is_itself() -> None:
    assert body(happened(key="k" * 100))["aggregation_key"] == "k" * 100


@pytest.mark.parametrize(
    "text",
    [
        "@all",
        "see @slack-ops",
        "<@x>",
        "a@b.example",
        "@@all",
        "@\u200bhere",
        "%%% \n# x \n %%%",
        "%\n%%% x",
        "x " * 1999 + "@all",
    ],
)
def test_nobody_is_called_and_nothing_is_markdown(text: str) -> None:
    about = InvolvedObject("Kustomization", text, text)
    body(happened(text=text, about=about, cluster=text, changes=(text,)))
    body(happened(text="", changes=(text,)))
    for length in range(40):
        body(happened(text="", cluster="c" * (360 + length) + "@x"))


@pytest.mark.parametrize(
    "address",
    ["https://x.example", "https://x.example/", "https://x.example/api", "https://x.example/api/v1/",
     "https://x.example/api/v1/events?x=1", "https://x.example/api/v2", "https://x.example/api/v2/events/"],
)  # fmt: skip
def test_where_it_goes(address: str) -> None:
    (request,) = datadog.requests(channel(address), happened())
    assert request.url.reveal() == "https://x.example/api/v1/events"


def test_a_path_before_it_stays() -> None:
    (request,) = datadog.requests(channel("https://proxy.example/datadog"), happened())
    assert request.url.reveal() == "https://proxy.example/datadog/api/v1/events"


def test_a_wrong_key_says_what_to_do() -> None:
    with Datadog() as service, Http() as http:
        (request,) = datadog.requests(channel(service.address, "0" * 32), happened())
        with pytest.raises(DeliveryError) as caught:
            http.send(request)
    assert "Forbidden" in caught.value.message
    assert "application key" in caught.value.hint


@pytest.mark.parametrize(
    ("token", "complained"),
    [(API_KEY, False), ("a" * 40, True), ("a b", True), ("key\n", True), ("DDOG-new_key", False)],
)
def test_a_token_that_is_no_api_key_is_complained_of(token: str, complained: bool) -> None:
    found = datadog.complaints(channel(token=token))
    assert bool(found) is complained
    assert not [complaint for complaint in found if token in str(complaint)]


def test_the_same_bytes_whatever_the_order_of_the_metadata() -> None:
    one = happened(metadata={"a": "1", "b": "2"})
    other = structs.replace(
        one, event=structs.replace(one.event, metadata=dict(sorted(one.event.metadata.items(), reverse=True)))
    )
    assert datadog.requests(channel(), one) == datadog.requests(channel(), other)
