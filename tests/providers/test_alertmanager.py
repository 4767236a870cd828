"""What Alertmanager is sent, to the letter; what it makes of that, in the integration tests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from contract.test_chat_providers import FLEET, observation
from msgspec import structs
from standins.alertmanager import Alertmanager, problems_of
from standins.server import answer

from landed import render
from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Mark, Occurrence, Secret, State, Update
from landed.outcomes import SOURCE_KINDS, helmreleases, kustomizations
from landed.providers.chat.alertmanager import FIRES, acknowledged, requests
from landed.providers.outlet import ChannelOutlet

AT = 1_790_000_000
COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FAILED = {
    "alertname": "FluxKustomizationHealthCheckFailed",
    "severity": "error",
    "reason": "HealthCheckFailed",
    "kind": "Kustomization",
    "name": "web-0",
    "namespace": "apps",
    "reportingcontroller": "kustomize-controller",
    "cluster": "prod",
}
WAITS = {
    **FAILED,
    "alertname": "FluxKustomizationDependencyNotReady",
    "severity": "info",
    "reason": "DependencyNotReady",
}


def it(state: State, *, reason: str = "", at: int = AT, handle: str = "", **metadata: str) -> Occurrence:
    said = observation(state, "timeout waiting")
    usual = {State.PENDING: "DependencyNotReady"}.get(state, said.reason)
    said = structs.replace(said, reason=reason or usual, metadata=metadata, since=at)
    key = f"prod {said.about}"
    link = f"https://github.com/acme/fleet/commit/{COMMIT}"
    return Occurrence(render.event("prod", said), state, key, "prod", at, FLEET, COMMIT, link, handle=handle)


def channel(address: str = "https://am.example.com/api/v2/alerts/", **settings: Any) -> Channel:
    return Channel("alertmanager", "alertmanager", Secret(address), **settings)


def sent(what: Occurrence) -> list[dict[str, Any]]:
    (request,) = requests(channel(), what)
    alerts = json.loads(request.body)
    assert problems_of(alerts) == []
    return list(alerts)


def handle(what: Occurrence) -> str:
    (request,) = requests(channel(), what)
    return request.handle


def fires(alert: dict[str, Any]) -> bool:
    return bool(alert["endsAt"] > render.rfc3339(AT + FIRES // 2))


# ── what fires ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_fires_with_flux_s_labels() -> None:
    alert, *others = sent(it(State.FAILURE, summary="Call Aurora", env="prod"))
    assert alert == {
        "labels": {**FAILED, "env": "prod"},
        "annotations": {
            "message": "timeout waiting",
            "summary": "Call Aurora",
            "commit": COMMIT,
            "revision": f"main@sha1:{COMMIT}",
            "headline": "apps/web-0 failed on prod at 6dcd4ce2: Health check failed: timeout waiting",
        },
        "startsAt": "2026-09-21T14:13:20Z",
        "endsAt": "2036-09-18T14:13:20Z",
        "generatorURL": f"https://github.com/acme/fleet/commit/{COMMIT}",
    }
    assert not any(map(fires, others))


def test_a_long_message_stands_once_in_full() -> None:
    what = it(State.FAILURE)
    long = structs.replace(what, event=structs.replace(what.event, message="x" * 50_000))
    alert, *others = sent(long)
    assert len(alert["annotations"]["message"]) == 10_000
    assert {len(other["annotations"]["message"]) for other in others} == {1000}


def test_what_changes_with_each_commit_is_no_label() -> None:
    passing: dict[str, Any] = {"revision": "x", "originRevision": "y", "commit": "z", "change_request": "7"}
    passing["commit_status"] = "update"
    (alert, *_) = sent(it(State.FAILURE, **passing))
    assert alert["labels"] == FAILED
    assert "commit_status" not in alert["annotations"]


def test_a_wait_is_an_alert_of_its_own() -> None:
    (alert,) = sent(it(State.PENDING))
    assert alert["labels"] == WAITS
    assert fires(alert)


def test_another_reason_resolves_what_fired_before() -> None:
    first = handle(it(State.FAILURE))
    new, old, *_ = sent(it(State.FAILURE, reason="BuildFailed", at=AT + 900, handle=first))
    assert new["labels"]["reason"] == "BuildFailed"
    assert fires(new)
    assert (old["labels"], old["startsAt"], old["endsAt"]) == (FAILED, "2026-09-21T14:13:20Z", "2026-09-21T14:27:20Z")


def test_the_same_failure_of_another_commit_goes_on() -> None:
    first = handle(it(State.FAILURE))
    alert, *others = sent(it(State.FAILURE, at=AT + 900, handle=first))
    assert not any(map(fires, others))
    assert alert["startsAt"] == "2026-09-21T14:13:20Z"
    assert handle(it(State.FAILURE, at=AT + 900, handle=first)) == first


def test_a_wait_leaves_an_open_failure_open_and_the_next_result_ends_both() -> None:
    first = handle(it(State.FAILURE))
    second = it(State.PENDING, at=AT + 60, handle=first)
    assert [alert["labels"] for alert in sent(second)] == [WAITS]
    ended = sent(it(State.SUCCESS, at=AT + 600, handle=handle(second)))
    assert [alert["labels"] for alert in ended[:2]] == [WAITS, FAILED]
    assert not any(map(fires, ended))
    again = sent(it(State.FAILURE, at=AT + 600, handle=handle(second)))
    assert [(alert["labels"], fires(alert)) for alert in again[:2]] == [(FAILED, True), (WAITS, False)]
    assert not any(map(fires, again[2:]))


def test_a_failure_ends_what_fired_for_another_reason_and_was_not_taken_down() -> None:
    """As in a look that tells of two failures, one after the other, or where the ledger was lost."""
    alerts = sent(it(State.FAILURE, reason="BuildFailed"))
    assert [alert["labels"]["reason"] for alert in alerts if fires(alert)] == ["BuildFailed"]
    assert FAILED in [alert["labels"] for alert in alerts if not fires(alert)]


def test_clusters_that_share_the_metadata_of_an_alert_have_alerts_of_their_own() -> None:
    """Or the success of one would end the failure of another."""
    eu, us = (structs.replace(it(State.FAILURE, cluster="fleet"), cluster=name) for name in ("eu", "us"))
    fired = sent(eu)[0]["labels"]
    assert (fired["cluster"], fired["observed_cluster"]) == ("fleet", "eu")
    over = structs.replace(it(State.SUCCESS, cluster="fleet"), cluster=us.cluster)
    assert fired not in [alert["labels"] for alert in sent(over)]
    assert "observed_cluster" not in sent(it(State.FAILURE, cluster="prod"))[0]["labels"]


# ── what is over ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_success_resolves_by_the_very_labels_that_fired() -> None:
    fired = it(State.FAILURE, team="web")
    over = it(State.SUCCESS, at=AT + 3600, handle=handle(fired), team="platform")
    first, *others = sent(over)
    assert first["labels"] == {**FAILED, "team": "web"}
    assert (first["startsAt"], first["endsAt"]) == ("2026-09-21T14:13:20Z", "2026-09-21T15:12:20Z")
    assert not any(map(fires, others))
    assert handle(over) == ""


@pytest.mark.parametrize(("at", "told"), [(AT - 500, 0), (AT + 900, AT - 440), (AT - 440, AT + 900)])
def test_an_end_is_over_by_either_clock_and_never_before_its_beginning(at: int, told: int) -> None:
    """What ends in the future does not end for Alertmanager, and the alert would fire for years."""
    over = structs.replace(it(State.SUCCESS, at=at, handle=handle(it(State.FAILURE))), told=told)
    for alert in sent(over):
        assert alert["startsAt"] == alert["endsAt"] == render.rfc3339(min(at, told or at) - 60)


def test_where_nothing_is_known_what_is_likely_is_resolved() -> None:
    alerts = sent(it(State.SUCCESS))
    assert {alert["labels"]["reason"] for alert in alerts} >= {"HealthCheckFailed", "BuildFailed", "DependencyNotReady"}
    assert [alert["labels"] for alert in alerts if alert["labels"]["reason"] == "HealthCheckFailed"] == [FAILED]
    assert [alert["labels"] for alert in alerts if alert["labels"]["reason"] == "DependencyNotReady"] == [WAITS]
    assert not any(map(fires, alerts))


def of(kind: str, reason: str, state: State) -> Occurrence:
    what = it(state, reason=reason)
    event = structs.replace(what.event, involvedObject=structs.replace(what.event.involvedObject, kind=kind))
    return structs.replace(what, event=event)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        *(("Kustomization", reason) for reason in (*sorted(kustomizations._AT_SOURCE), "ArtifactFailed")),
        ("Kustomization", "PruneFailed"),
        *(("HelmRelease", reason) for reason in (*sorted(helmreleases._PASSES), "ValuesError", "AccessDenied")),
        # What was remediated is not ready: https://fluxcd.io/flux/components/helm/helmreleases/#conditions
        *(("HelmRelease", reason) for reason in ("RollbackSucceeded", "UninstallSucceeded", "UninstallFailed")),
        *((kind, reason) for kind in sorted(SOURCE_KINDS) for reason in ("AuthenticationFailed", "VerificationError")),
        ("HelmRepository", "Failed"), ("HelmRepository", "IndexationFailed"), ("HelmChart", "ChartPullError"),
        ("GitRepository", "GitOperationFailed"), ("GitRepository", "URLInvalid"), ("Bucket", "BucketOperationFailed"),
        ("OCIRepository", "OCIArtifactLayerOperationFailed"), ("OCIRepository", "ReadOperationFailed"),
    ],
)  # fmt: skip
def test_what_fires_is_resolved_by_a_success_that_knows_nothing_of_it(kind: str, reason: str) -> None:
    fired = sent(of(kind, reason, State.FAILURE))[0]
    over = sent(of(kind, "ReconciliationSucceeded", State.SUCCESS))
    assert fires(fired)
    assert fired["labels"] in [alert["labels"] for alert in over]
    assert not any(map(fires, over))


def test_a_kind_of_which_no_failure_is_likely_is_not_told_of() -> None:
    assert requests(channel(), of("ImagePolicy", "", State.SUCCESS)) == ()


@pytest.mark.parametrize(
    "given",
    [
        "x", "[]", "{}", "[[1,2]]", "[[{},5]]", '[[{"alertname":"FluxX"},-1]]',
        '[[{"alertname":"FluxX","kind":"Kustomization","name":"web-0","namespace":"apps"},99999999999999]]',
        '[[{"alertname":"Watchdog","kind":"Kustomization","name":"web-0","namespace":"apps"},5]]',
        '[[{"alertname":"FluxX","kind":"Kustomization","name":"other","namespace":"apps"},5]]',
        '[[{"alertname":"FluxX","kind":"Kustomization","name":"web-0","namespace":"apps","a b":"x"},5]]',
        '[[{"alertname":"FluxX","kind":"Kustomization","name":"web-0","namespace":"apps","a":"x\\u0000"},5]]',
        "[" * 100_000, "\ud800",
    ],
)  # fmt: skip
def test_a_handle_that_is_none_is_nothing_known(given: str) -> None:
    for state in (State.FAILURE, State.PENDING, State.SUCCESS):
        assert sent(it(state, handle=given)) == sent(it(state))


# ── names and values ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_are_made_valid_and_ours_stand() -> None:
    metadata: dict[str, Any] = {
        "app.kubernetes.io/name": "shop",
        "1st": "x",
        "__name__": "y",
        "severity": "critical",
        "größe": "z",
    }
    (alert, *_) = sent(it(State.FAILURE, **metadata, empty=""))
    added = {name: value for name, value in alert["labels"].items() if name not in FAILED}
    assert added == {"app_kubernetes_io_name": "shop", "_1st": "x", "_name__": "y", "gr__e": "z"}
    assert alert["labels"]["severity"] == "error"


def test_values_are_on_one_line_and_not_endless() -> None:
    (alert, *_) = sent(it(State.FAILURE, note="a\nb\x00\u202e" + "x" * 2000))
    assert alert["labels"]["note"].startswith("a b")
    assert len(alert["labels"]["note"]) <= 1000


# ── the way there ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://am.example.com/api/v2/alerts/", "https://am.example.com/api/v2/alerts"),
        ("https://am.example.com/api/v2/alerts", "https://am.example.com/api/v2/alerts"),
        ("https://am.example.com", "https://am.example.com/api/v2/alerts"),
        ("https://am.example.com:9093/", "https://am.example.com:9093/api/v2/alerts"),
        ("https://am.example.com/api/v2/", "https://am.example.com/api/v2/alerts"),
        ("https://h/alertmanager", "https://h/alertmanager/api/v2/alerts"),
        ("https://h/alertmanager/api/v2/alerts?tenant=a", "https://h/alertmanager/api/v2/alerts?tenant=a"),
        ("https://u:p@h/api/v2/alerts/", "https://h/api/v2/alerts"),
    ],
)
def test_the_address_may_be_written_in_many_ways(given: str, expected: str) -> None:
    (request,) = requests(channel(given), it(State.FAILURE))
    assert request.url.reveal() == expected


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"token": Secret("t0k")}, "Bearer t0k"),
        ({"username": "u", "password": Secret("p")}, basic("u:p")),
        ({"username": "u", "password": Secret("p"), "token": Secret("t")}, basic("u:p")),
        ({"username": "u", "token": Secret("t")}, "Bearer t"),
        ({"address": "https://a%40b:c%3Ad@h/"}, basic("a@b:c:d")),
        ({"address": "https://a:b@h/", "token": Secret("t0k")}, "Bearer t0k"),
        ({"address": "https://a:b@h/", "username": "u", "password": Secret("p")}, basic("u:p")),
        ({"address": "https://a@h/"}, basic("a:")),
    ],
)
def test_who_we_are(settings: dict[str, Any], expected: str | None) -> None:
    (request,) = requests(channel(**settings), it(State.FAILURE))
    given = request.headers.get("Authorization")
    assert (given.reveal() if isinstance(given, Secret) else given) == expected


@pytest.mark.parametrize("body", [b"", b"\n", b'{"status":"success"}'])
def test_an_answer_without_words_will_do(body: bytes) -> None:
    assert acknowledged(Response(200, {}, body)) == ""


def test_a_refusal_says_what_to_do() -> None:
    with Alertmanager() as standin, Http() as http:
        given = Secret(standin.address)
        outlet = ChannelOutlet(structs.replace(channel(), address=given, token=Secret("wrong-token")), lambda: http)
        with pytest.raises(DeliveryError) as caught:
            outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), it(State.FAILURE)))
        assert "token, of the Provider's Secret" in caught.value.hint
        standin.faults.append(answer(404))
        with pytest.raises(DeliveryError) as caught:
            outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), it(State.FAILURE)))
        assert "route prefix" in caught.value.hint


def test_what_this_run_has_fired_of_an_object_is_what_it_ends() -> None:
    """Both are planned in one look: the second cannot know how the first was called."""
    with Alertmanager() as standin, Http() as http:
        there = channel(
            f"{standin.address}/api/v2/alerts", username=standin.username, password=Secret(standin.password)
        )
        outlet = ChannelOutlet(there, lambda: http)
        outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), it(State.FAILURE, env="before")))
        assert standin.firing
        outlet.deliver(Update("it", (Mark("l", COMMIT, "s"),), it(State.SUCCESS, at=AT + 90, env="after")))
        assert standin.firing == {}
