"""What Opsgenie is sent, to the letter. Opsgenie's own client sends the same to the stand-in."""

from __future__ import annotations

import json
import re
from typing import Any

import opsgenie_sdk  # type: ignore[import-untyped]
import pytest
from msgspec import structs
from providers.test_alertmanager import COMMIT, it
from standins.opsgenie import KEY, Opsgenie
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http
from landed.messages import units
from landed.model import Channel, Mark, Occurrence, Secret, State, Update
from landed.providers.chat.opsgenie import complaints, requests
from landed.providers.outlet import ChannelOutlet

API = "https://api.opsgenie.com/v2/alerts"


def channel(address: str = API) -> Channel:
    return Channel("opsgenie", "opsgenie", Secret(address), token=Secret(KEY))


def sent(what: Occurrence) -> list[tuple[str, dict[str, Any]]]:
    return [(r.url.reveal().removeprefix(API), json.loads(r.body)) for r in requests(channel(), what)]


def alias_of(what: Occurrence) -> str:
    return str(sent(what)[0][1]["alias"])


FAILED, WAITING = alias_of(it(State.FAILURE)), alias_of(it(State.PENDING))


def close(alias: str) -> str:
    return f"/{alias}/close?identifierType=alias"


def test_a_failure_opens_an_alert() -> None:
    ((path, body),) = sent(it(State.FAILURE, env="prod"))
    assert path == ""
    details = body.pop("details")
    assert re.fullmatch("landed-[0-9a-f]{64}", body.pop("alias"))
    assert body == {
        "message": "apps/web-0 failed on prod at 6dcd4ce2: Health check failed: timeout waiting",
        "description": f"timeout waiting\n\nCommit: https://github.com/acme/fleet/commit/{COMMIT}",
        "tags": ["landed", "prod", "apps", "Kustomization", "HealthCheckFailed"],
        "entity": "prod Kustomization/apps/web-0",
        "source": "landed",
        "priority": "P3",
    }
    assert details == {
        "cluster": "prod", "kind": "Kustomization", "namespace": "apps", "name": "web-0",
        "reason": "HealthCheckFailed", "severity": "error", "repository": "github.com/acme/fleet", "commit": COMMIT,
        "env": "prod", "revision": f"main@sha1:{COMMIT}",
    }  # fmt: skip


def test_a_success_closes_both_whether_or_not_they_are_known() -> None:
    for handle in ("", "failed", "waiting", "failed waiting", "x"):
        (first, second) = sent(it(State.SUCCESS, handle=handle))
        assert first == (close(FAILED), {"source": "landed", "note": "apps/web-0 is live on prod at 6dcd4ce2"})
        assert second == (close(WAITING), first[1])


def test_a_wait_has_an_alert_of_the_lowest_priority() -> None:
    ((_, body),) = sent(it(State.PENDING))
    assert (body["alias"], body["priority"]) == (WAITING, "P5")
    assert WAITING != FAILED


def test_a_failure_closes_a_wait_that_is_open() -> None:
    first, second = sent(it(State.FAILURE, handle="waiting"))
    assert (first[1]["alias"], second[0]) == (FAILED, close(WAITING))
    assert [path for path, _ in sent(it(State.FAILURE, handle="failed"))] == [""]


@pytest.mark.parametrize(("handle", "expected"), [("", "waiting"), ("failed", "failed waiting"), ("../x", "waiting")])
def test_a_wait_remembers_what_is_open(handle: str, expected: str) -> None:
    (request,) = requests(channel(), it(State.PENDING, handle=handle))
    assert request.handle == expected


def test_the_priority_may_be_the_user_s() -> None:
    assert sent(it(State.FAILURE, priority="P1"))[0][1]["priority"] == "P1"
    assert sent(it(State.FAILURE, priority="P9"))[0][1]["priority"] == "P3"
    assert sent(it(State.PENDING, priority="P1"))[0][1]["priority"] == "P5"


def test_other_objects_and_clusters_have_other_aliases() -> None:
    others = {alias_of(structs.replace(it(State.FAILURE), key=key)) for key in ("eu Kustomization/apps/web-0", "x")}
    assert len({FAILED, *others}) == 3


def test_limits_at_their_edges() -> None:
    event = it(State.FAILURE).event
    metadata = {f"fact{n}": "<b>y</b>" * 300 for n in range(50)}
    long = structs.replace(event, message="<b>no</b> " * 5000, metadata=metadata)
    ((_, body),) = sent(structs.replace(it(State.FAILURE), event=long, cluster="c,d" * 40, key="k" * 900))
    assert 100 < len(body["message"]) <= 130
    assert 10_000 < len(body["description"]) <= 15_000
    assert 5000 < sum(len(name) + len(value) for name, value in body["details"].items()) <= 8000
    assert len(body["entity"]) == 512
    assert all(len(tag) <= 50 and "," not in tag for tag in body["tags"])


@pytest.mark.parametrize("text", ["😀" * 9000, "😀 " * 9000, "a😀 <b>&lt; " * 4000])
def test_an_emoji_is_two_characters(text: str) -> None:
    event = structs.replace(it(State.FAILURE).event, message=text, metadata={f"fact{n}": text for n in range(20)})
    ((_, body),) = sent(structs.replace(it(State.FAILURE), event=event))
    assert 50 < units(body["message"]) <= 130
    assert 5000 < units(body["description"]) <= 15_000
    assert 4000 < sum(units(name) + units(value) for name, value in body["details"].items()) <= 8000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (API, API),
        (f"{API}/", API),
        ("https://api.eu.opsgenie.com", "https://api.eu.opsgenie.com/v2/alerts"),
        ("https://api.eu.opsgenie.com/v2/", "https://api.eu.opsgenie.com/v2/alerts"),
        ("https://proxy.example.com/og", "https://proxy.example.com/og/v2/alerts"),
        ("https://proxy.example.com/og/v2/alerts", "https://proxy.example.com/og/v2/alerts"),
    ],
)
def test_the_address_may_be_written_in_many_ways(given: str, expected: str) -> None:
    assert complaints(channel(given)) == ()
    assert {r.url.reveal().partition("/landed-")[0] for s in (State.FAILURE, State.SUCCESS)
            for r in requests(channel(given), it(s))} == {expected}  # fmt: skip


def test_another_part_of_the_api_is_complained_about() -> None:
    (complaint,) = complaints(channel("https://api.opsgenie.com/v2/heartbeats"))
    assert complaint.field == "spec.address"


def deliver(outlet: ChannelOutlet, what: Occurrence) -> str:
    return outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), what))


def test_alerts_open_and_close() -> None:
    with Opsgenie() as standin, Http() as http:
        outlet, handle = ChannelOutlet(channel(standin.address), lambda: http), ""
        for state, open_ in [
            (State.PENDING, {WAITING}), (State.FAILURE, {FAILED}), (State.PENDING, {FAILED, WAITING}),
            (State.SUCCESS, set()), (State.FAILURE, {FAILED}), (State.FAILURE, {FAILED}), (State.SUCCESS, set()),
        ]:  # fmt: skip
            handle = deliver(outlet, it(state, handle=handle))
            assert set(standin.open) == open_
        assert standin.violations == []


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (401, '{"message":"Could not authenticate"}', "region of the address"),
        (403, '{"code":40301,"message":"To perform this action, use an API key from an API integration."}',
         "key of an API integration"),
        (402, "{}", "plan"),
        (422, '{"message":"Request body is not processable."}', "not to be valid"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(code: int, said: str, hint: str) -> None:
    with Opsgenie() as standin, Http() as http:
        standin.faults.append(answer(code, body=said))
        with pytest.raises(DeliveryError) as caught:
            deliver(ChannelOutlet(channel(standin.address), lambda: http), it(State.FAILURE))
        assert hint in caught.value.hint


def test_opsgenie_s_own_client_sends_the_same() -> None:
    ((_, ours),) = sent(it(State.FAILURE))
    (closing, closed), _ = sent(it(State.SUCCESS))
    # Raises for a member that it does not know, and for a priority that is none.
    payload = opsgenie_sdk.CreateAlertPayload(**ours)
    with Opsgenie() as standin:
        settings = opsgenie_sdk.Configuration()
        settings.host = standin.server.url
        settings.api_key["Authorization"] = KEY
        settings.api_key_prefix["Authorization"] = "GenieKey"
        alerts = opsgenie_sdk.AlertApi(opsgenie_sdk.ApiClient(configuration=settings))
        assert alerts.create_alert(create_alert_payload=payload).request_id
        alerts.close_alert(
            identifier=FAILED, identifier_type="alias", close_alert_payload=opsgenie_sdk.CloseAlertPayload(**closed)
        )
        assert standin.taken == [ours, {"closes": closed}]
        assert [asked.target for asked in standin.asked] == ["/v2/alerts", f"/v2/alerts{closing}"]
        assert standin.open == {}
        assert standin.violations == []
