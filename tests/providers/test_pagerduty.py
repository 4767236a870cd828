"""What PagerDuty is sent, to the letter. PagerDuty's own client sends the same to the stand-in."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
import trustme
from msgspec import structs
from pagerduty import EventsApiV2Client
from providers.test_alertmanager import COMMIT, it
from standins.pagerduty import ROUTING_KEY, PagerDuty, problems_of
from standins.server import answer

from landed.errors import DeliveryError
from landed.http import Http
from landed.model import Channel, Mark, Occurrence, Secret, State, Update
from landed.providers.chat.pagerduty import complaints, requests
from landed.providers.outlet import ChannelOutlet

KEY = "prod Kustomization/apps/web-0"
LINK = {"href": f"https://github.com/acme/fleet/commit/{COMMIT}", "text": "Commit 6dcd4ce2"}
DETAILS = {
    "message": "timeout waiting",
    "cluster": "prod",
    "kind": "Kustomization",
    "namespace": "apps",
    "name": "web-0",
    "reason": "HealthCheckFailed",
    "severity": "error",
    "repository": "github.com/acme/fleet",
    "commit": COMMIT,
    "revision": f"main@sha1:{COMMIT}",
}


def channel(address: str = "https://events.pagerduty.com", key: str = ROUTING_KEY) -> Channel:
    return Channel("pagerduty", "pagerduty", Secret(address), key)


def sent(what: Occurrence, key: str = ROUTING_KEY) -> list[tuple[str, dict[str, Any]]]:
    """Where to, and what."""
    made = requests(channel(key=key), what)
    bodies = [(request.url.reveal().removeprefix("https://events.pagerduty.com"), request) for request in made]
    found = [(path, json.loads(request.body)) for path, request in bodies]
    assert [problems_of(body, change="change" in path) for path, body in found] == [[]] * len(found)
    return found


def test_a_failure_triggers() -> None:
    ((path, body),) = sent(it(State.FAILURE))
    assert path == "/v2/enqueue"
    assert body == {
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": KEY,
        "payload": {
            "summary": "apps/web-0 failed on prod at 6dcd4ce2: Health check failed: timeout waiting",
            "source": "prod",
            "severity": "error",
            "timestamp": "2026-09-21T14:13:20Z",
            "component": "apps/web-0",
            "group": "apps",
            "class": "HealthCheckFailed",
            "custom_details": DETAILS,
        },
        "client": "landed",
        "links": [LINK],
    }


def test_silence_is_a_warning() -> None:
    ((_, body),) = sent(structs.replace(it(State.FAILURE), state=State.STALE))
    assert (body["event_action"], body["payload"]["severity"]) == ("trigger", "warning")


def test_a_success_resolves_and_is_a_change() -> None:
    (first, (path, change)) = sent(it(State.SUCCESS))
    assert first == (
        "/v2/enqueue",
        {"routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": KEY},
    )
    assert path == "/v2/change/enqueue"
    assert change["payload"]["summary"] == "apps/web-0 is live on prod at 6dcd4ce2"
    assert change["payload"]["custom_details"]["commit"] == COMMIT
    assert change["links"] == [LINK]


def test_what_no_commit_is_known_of_is_no_change() -> None:
    ((path, body),) = sent(structs.replace(it(State.SUCCESS), commit=""))
    assert (path, body["event_action"]) == ("/v2/enqueue", "resolve")


def test_a_wait_is_a_change_and_neither_opens_nor_closes() -> None:
    ((path, body),) = sent(it(State.PENDING))
    assert path == "/v2/change/enqueue"
    assert body["payload"]["summary"] == "apps/web-0 waits on prod at 6dcd4ce2: timeout waiting"
    (request,) = requests(channel(), it(State.PENDING))
    assert not request.repeatable


def test_a_key_of_an_orchestration_takes_no_changes() -> None:
    key = "R" + ROUTING_KEY[1:]
    assert sent(it(State.PENDING), key) == []
    assert [path for path, _ in sent(it(State.SUCCESS), key)] == ["/v2/enqueue"]
    assert [path for path, _ in sent(it(State.FAILURE), key)] == ["/v2/enqueue"]
    assert len(requests(channel("https://events.example.com", key), it(State.PENDING))) == 1


def test_limits_at_their_edges() -> None:
    event = it(State.FAILURE).event
    long = structs.replace(it(State.FAILURE), event=structs.replace(event, message="x " * 100_000))
    ((_, body),) = sent(long)
    assert 1000 < len(body["payload"]["summary"]) <= 1024
    assert len(body["payload"]["custom_details"]["message"]) <= 10_000
    many = structs.replace(event, metadata={f"fact {n}": "y" * 2000 for n in range(1000)})
    (request,) = requests(channel(), structs.replace(long, event=many))
    assert len(request.body) < 512_000


@pytest.mark.parametrize("length", [100, 254, 255, 256, 5000])
def test_keys_are_stable_short_and_distinct(length: int) -> None:
    keys = []
    for last in "ab":
        whole = f"prod Kustomization/apps/{'w' * length}"[: length - 1] + last
        ((_, body),) = sent(structs.replace(it(State.FAILURE), key=whole))
        keys.append(body["dedup_key"])
        assert (body["dedup_key"] == whole) is (length <= 255)
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://events.pagerduty.com", "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.pagerduty.com/", "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.pagerduty.com/integration/abc/enqueue", "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.pagerduty.com/whatever?x=1", "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.example.com:8443/whatever?x=1", "https://events.example.com:8443/v2/enqueue"),
    ],
)
def test_the_address_may_be_written_in_many_ways(given: str, expected: str) -> None:
    (request,) = requests(channel(given), it(State.FAILURE))
    assert request.url.reveal() == expected


@pytest.mark.parametrize("key", ["", "short", "u+abcdefghijklmnopqr", ROUTING_KEY + "x", ROUTING_KEY[:-1] + "-"])
def test_a_key_that_is_none_is_complained_about(key: str) -> None:
    (complaint,) = complaints(channel(key=key))
    assert complaint.field == "spec.channel"
    assert not key or key not in f"{complaint.what} {complaint.instead}"
    assert complaints(channel()) == ()
    assert complaints(channel("https://events.example.com", "another's own")) == ()


def deliver(outlet: ChannelOutlet, what: Occurrence) -> str:
    return outlet.deliver(Update("it", (Mark("l", COMMIT, "f"),), what))


def test_alerts_open_and_close_and_waits_leave_them() -> None:
    with PagerDuty() as standin, Http() as http:
        outlet = ChannelOutlet(channel(standin.address), lambda: http)
        for state, is_open in [
            (State.SUCCESS, False), (State.FAILURE, True), (State.PENDING, True), (State.FAILURE, True),
            (State.SUCCESS, False), (State.SUCCESS, False),
        ]:  # fmt: skip
            assert deliver(outlet, it(state)) == ""
            assert (KEY in standin.open) is is_open
        assert standin.violations == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            400,
            '{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect (should be 32 characters)"]}',
        ),
        (400, '{"status":"invalid event","message":"Invalid routing key","errors":[]}'),
    ],
)
def test_refusals_say_what_to_do_and_not_the_key(code: int, said: str) -> None:
    with PagerDuty() as standin, Http() as http:
        standin.faults.append(answer(code, body=said.replace("Invalid", f"{ROUTING_KEY} Invalid")))
        with pytest.raises(DeliveryError) as caught:
            deliver(ChannelOutlet(channel(standin.address), lambda: http), it(State.FAILURE))
        assert "integration key of an Events API v2" in caught.value.hint
        assert ROUTING_KEY not in caught.value.message


def test_pagerduty_s_own_client_sends_the_same() -> None:
    """Its events are taken by the stand-in, and its answers by the client; where both speak, they say the same."""
    ours = dict(sent(it(State.FAILURE)))["/v2/enqueue"]
    change = dict(sent(it(State.SUCCESS)))["/v2/change/enqueue"]
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trusting)
    with PagerDuty(context=context) as standin:
        with EventsApiV2Client(ROUTING_KEY, base_url=standin.address, verify=trusting) as client:
            payload = dict(ours["payload"])
            key = client.trigger(
                payload.pop("summary"), payload.pop("source"), KEY, payload.pop("severity"), payload,
                links=ours["links"],
            )  # fmt: skip
            assert key == KEY
            assert client.resolve(KEY) == KEY
            client.send_change_event(change["payload"], change["links"])
        triggered, resolved = standin.taken
        assert {**triggered, "client": "landed"} == ours
        assert resolved == {**dict(sent(it(State.SUCCESS)))["/v2/enqueue"], "change": change}
        assert [asked.target for asked in standin.asked] == ["/v2/enqueue", "/v2/enqueue", "/v2/change/enqueue"]
        assert standin.violations == []
