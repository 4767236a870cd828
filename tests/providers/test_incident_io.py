"""What incident.io is sent, to the letter. incident.io's own SDK reads it, and sends the same to the stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from incident_io import AuthenticatedClient
from incident_io.api.alert_events_v2 import alert_events_v2_create_http
from incident_io.models import AlertEventsCreateHTTPPayloadV2, AlertEventsCreateHTTPResultV2
from msgspec import structs
from providers.test_alertmanager import COMMIT, it
from standins.incident_io import SOURCE, IncidentIo, problems_of
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http
from landed.model import Channel, Mark, Occurrence, Secret, State, Update
from landed.providers.chat.incident_io import complaints, requests
from landed.providers.outlet import ChannelOutlet

API = f"https://api.incident.io/v2/alert_events/http/{SOURCE}"
KEY = "prod Kustomization/apps/web-0"


def channel(address: str = API, token: str = IncidentIo.token) -> Channel:
    return Channel("incident.io", "incident.io", Secret(address), token=Secret(token))


def sent(what: Occurrence) -> dict[str, Any]:
    (request,) = requests(channel(), what)
    assert request.url.reveal() == API
    body: dict[str, Any] = json.loads(request.body)
    assert problems_of(body) == []
    return body


def test_a_failure_fires() -> None:
    assert sent(it(State.FAILURE, env="prod")) == {
        "title": "apps/web-0 failed on prod at 6dcd4ce2: Health check failed: timeout waiting",
        "status": "firing",
        "deduplication_key": KEY,
        "description": "```text\ntimeout waiting\n```",
        "metadata": {
            "cluster": "prod", "kind": "Kustomization", "namespace": "apps", "name": "web-0",
            "reason": "HealthCheckFailed", "severity": "error", "repository": "github.com/acme/fleet",
            "commit": COMMIT, "env": "prod", "revision": f"main@sha1:{COMMIT}",
        },
        "source_url": f"https://github.com/acme/fleet/commit/{COMMIT}",
    }  # fmt: skip


def test_a_success_resolves_by_the_same_key() -> None:
    body = sent(it(State.SUCCESS))
    assert (body["status"], body["deduplication_key"]) == ("resolved", KEY)
    assert body["title"] == "apps/web-0 is live on prod at 6dcd4ce2"


def test_a_wait_calls_nobody_and_closes_nothing() -> None:
    body = sent(it(State.PENDING))
    assert (body["status"], body["deduplication_key"]) == ("resolved", f"{KEY} waits")


def test_silence_fires() -> None:
    assert sent(structs.replace(it(State.FAILURE), state=State.STALE))["status"] == "firing"


def test_a_message_cannot_leave_its_block() -> None:
    event = structs.replace(it(State.FAILURE).event, message="x\n```\n# [y](http://evil.example)\n`````")
    assert sent(structs.replace(it(State.FAILURE), event=event))["description"].startswith("``````text\nx\n```\n")


def test_without_a_message_and_a_link_there_is_neither() -> None:
    event = structs.replace(it(State.FAILURE).event, message="")
    body = sent(structs.replace(it(State.FAILURE), event=event, url="javascript:alert(1)"))
    assert body.keys() == {"title", "status", "deduplication_key", "metadata"}


def deliver(outlet: ChannelOutlet, what: Occurrence) -> str:
    return outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), what))


def test_alerts_fire_and_resolve_and_each_is_made_once() -> None:
    with IncidentIo() as standin, Http() as http:
        outlet = ChannelOutlet(channel(standin.address), lambda: http)
        for state, fires, paged in [
            (State.SUCCESS, False, 0), (State.PENDING, False, 0), (State.FAILURE, True, 1), (State.PENDING, True, 1),
            (State.FAILURE, True, 1), (State.SUCCESS, False, 1), (State.FAILURE, True, 2), (State.SUCCESS, False, 2),
        ]:  # fmt: skip
            deliver(outlet, it(state))
            assert (KEY in standin.firing, len(standin.paged)) == (fires, paged)
        assert standin.violations == []


@pytest.mark.parametrize("given", ["https://api.incident.io", "https://api.incident.io/v2/alert_events/http/"])
def test_an_address_without_a_source_is_complained_about(given: str) -> None:
    (complaint,) = complaints(channel(given))
    assert complaint.field == "spec.address"
    assert complaints(channel()) == ()
    assert complaints(channel("https://proxy.example.com/")) == ()


def test_refusals_say_what_to_do() -> None:
    with IncidentIo() as standin, Http() as http:
        with pytest.raises(DeliveryError) as caught:
            deliver(ChannelOutlet(channel(standin.address, "wrong"), lambda: http), it(State.FAILURE))
        assert "the alert source shows it" in caught.value.hint
        standin.faults.append(answer(422, body='{"type":"validation_error"}'))
        with pytest.raises(DeliveryError) as caught:
            deliver(ChannelOutlet(channel(standin.address), lambda: http), it(State.FAILURE))
        assert "default payload" in caught.value.hint


def test_incident_io_s_own_sdk_sends_the_same() -> None:
    ours = sent(it(State.FAILURE))
    with IncidentIo() as standin:
        client = AuthenticatedClient(base_url=standin.server.url, token=IncidentIo.token)
        with client:
            result = alert_events_v2_create_http.sync(
                SOURCE, client=client, body=AlertEventsCreateHTTPPayloadV2.from_dict(ours)
            )
        assert isinstance(result, AlertEventsCreateHTTPResultV2)
        assert (result.status, result.deduplication_key) == ("success", KEY)
        assert standin.taken == [ours]
        assert standin.violations == []
