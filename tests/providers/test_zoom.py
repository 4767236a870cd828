"""What is Zoom's own: the head and the body, the format, the raw token, and answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standins.server import answer
from standins.zoom import TOKEN, Zoom, zoom_problems

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import (
    Channel,
    Digest,
    Event,
    ObjectRef,
    Observation,
    Outcome,
    Repository,
    Secret,
    State,
    Story,
    Update,
)
from landed.providers.chat import zoom
from landed.providers.outlet import ChannelOutlet

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
HOOK = "https://integrations.zoom.us/chat/webhooks/incomingwebhook/abc"
LINK = f"https://github.com/acme/fleet/commit/{COMMIT}"
RED = {"color": "#cf222e", "bold": True, "italic": False}
REASONS = {State.SUCCESS: "ReconciliationSucceeded", State.FAILURE: "HealthCheckFailed"}


def story(state: State = State.SUCCESS, text: str = "done", *, cluster: str = "prod", **settings: Any) -> Story:
    waits = ObjectRef("Kustomization", "apps", "infra") if state is State.PENDING else None
    told = Observation(
        ObjectRef("Kustomization", "apps", "web"), state, FLEET, COMMIT, REASONS.get(state, "DependencyNotReady"), text,
        revision=f"main@sha1:{COMMIT}", since=1_790_000_000, waits_for=waits,
    )  # fmt: skip
    return Story(Outcome(cluster, FLEET, COMMIT, (told,)), **settings)


@pytest.fixture
def service() -> Iterator[Zoom]:
    with Zoom() as service:
        yield service
        assert service.violations == []


def send(service: Zoom, digest: Digest, **changes: Any) -> None:
    settings: dict[str, Any] = {"address": Secret(service.address), "token": Secret(service.token)} | changes
    with Http(sleep=lambda seconds: None) as http:
        outlet = ChannelOutlet(Channel("zoom", "zoom", **settings), lambda: http)
        outlet.deliver(Update("zoom", (), digest))


def content(digest: Digest) -> dict[str, Any]:
    (request,) = zoom.requests(Channel("zoom", "zoom", Secret(HOOK), token=Secret(TOKEN)), digest)
    loaded: dict[str, Any] = json.loads(request.body)["content"]
    return loaded


def test_a_failure_has_a_head_and_a_red_bar() -> None:
    assert content(Digest((story(State.FAILURE, "timeout"),), facts=(("env", "prod"),))) == {
        "head": {
            "text": "❌ acme/fleet main@6dcd4ce2 failed on prod",
            "style": RED,
        },
        "body": [
            {
                "type": "section",
                "sidebar_color": "#cf222e",
                "sections": [
                    {
                        "type": "message",
                        "text": "apps/web: Health check failed: timeout\n"
                        "Look further: flux events -n apps --for Kustomization/web",
                    },
                    {"type": "message", "text": "prod · acme/fleet@6dcd4ce2", "link": LINK},
                ],
            },
            {"type": "fields", "items": [{"key": "env", "value": "prod", "short": True}]},
        ],
    }


def test_a_success_a_recovery_and_a_wait() -> None:
    live, recovered, waits = (
        content(Digest((told,)))
        for told in (story(), story(broken_for=130), story(State.PENDING, "dependency 'apps/infra' is not ready"))
    )

    assert live["head"]["text"] == "✅ acme/fleet main@6dcd4ce2 is live on prod"
    assert recovered["body"][0]["sections"][0]["text"].startswith("Recovered: it was broken for 2m.\n")
    assert waits["body"][0]["sections"][0]["text"].startswith("1 waits for apps/infra")
    assert [told["body"][0]["sidebar_color"] for told in (live, waits)] == ["#2da44e", "#bf8700"]


def test_several_stories_have_a_section_and_a_title_each() -> None:
    said = content(Digest((story(), story(State.FAILURE, cluster="stage")), unread=("dev",)))

    assert said["head"] == {"text": "2 rollouts: 1 failed, 1 live", "style": RED}
    first = said["body"][0]["sections"][0]
    assert (first["text"], first["style"]) == ("❌ acme/fleet main@6dcd4ce2 failed on stage", RED)
    assert said["body"][2] == {"type": "message", "text": "Not seen at present: dev"}


def test_the_token_is_sent_as_it_is_and_the_format_is_full(service: Zoom) -> None:
    send(service, Digest((story(),)))

    (asked,) = service.asked
    assert asked.headers["authorization"] == TOKEN
    assert asked.query == {"format": "full"}


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        (HOOK, f"{HOOK}?format=full"),
        (f"{HOOK}?format=full", f"{HOOK}?format=full"),
        (f"{HOOK}?format=fields&x=1", f"{HOOK}?x=1&format=full"),
        (f"{HOOK}?format=message&format=", f"{HOOK}?format=full"),
        (f" {HOOK}?x=a%20b\n", f"{HOOK}?x=a%20b&format=full"),
        ("https://[x", "https://[x"),
    ],
)
def test_the_format_is_that_of_our_messages_whatever_the_address_says(address: str, sent: str) -> None:
    (request,) = zoom.requests(Channel("zoom", "z", Secret(address), token=Secret("t")), Digest((story(),)))

    assert request.url.reveal() == sent


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (401, '{"code":7010,"message":"Invalid authorization token.","result":false}', "verification token"),
        (400, '{"code":7001,"message":"Invalid request body format."}', "could not read the message"),
        (400, "Failed to send bot message", "/inc connect"),
        (404, "", "/inc connect"),
    ],
)
def test_zooms_words_are_explained(service: Zoom, status: int, said: str, hint: str) -> None:
    service.faults.append(answer(status, body=said))
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)))

    assert hint in caught.value.hint


def test_a_wrong_token(service: Zoom) -> None:
    with pytest.raises(DeliveryError) as caught:
        send(service, Digest((story(),)), token=Secret("wrong-token-0123456789"))

    assert "verification token" in caught.value.hint
    assert "wrong-token" not in f"{caught.value} {caught.value.hint}"


def test_what_zoom_calls_a_refusal_is_one_and_everything_else_will_do() -> None:
    for no in (b'{"code":7010,"result":false}', b'{"code":7010}', b'{"code":"7010"}', b'{"result":true,"code":7010}'):
        with pytest.raises(DeliveryError, match="without taking the message") as caught:
            zoom.acknowledged(Response(200, {}, no, "Zoom (h)", no.decode()))
        assert "verification token" in caught.value.hint
    with pytest.raises(DeliveryError):
        zoom.acknowledged(Response(200, {}, b'{"result":false}'))
    for yes in (b"", b"ok", b'{"result":true}', b"{}", b'{"result":"false"}', b'{"code":200}', b"\xff", b"[" * 9000):
        assert zoom.acknowledged(Response(200, {}, yes)) == ""


@pytest.mark.parametrize("text", ["x" * 5000, "😀" * 3000, "語" * 4000])
@pytest.mark.parametrize("number", [1, 8, 60])
def test_whatever_is_said_fits(text: str, number: int) -> None:
    told = tuple(story(State.FAILURE, text, cluster=f"c{n}{text}", subject=text) for n in range(number))
    digest = Digest(told, summary=text, facts=tuple((text, text) for _ in range(40)), unread=(text,) * 20)
    (request,) = zoom.requests(Channel("zoom", "z", Secret(HOOK), token=Secret("t")), digest)

    assert len(request.body) <= zoom.LIMIT
    assert zoom_problems(json.loads(request.body)) == []
    assert "failed on c0" in request.body.decode()


def test_nothing_to_say_is_not_sent_and_an_event_is_not_for_it() -> None:
    channel = Channel("zoom", "z", Secret(HOOK))
    assert zoom.requests(channel, Digest(())) == ()
    with pytest.raises(TypeError, match="takes digests"):
        zoom.requests(channel, Event(None, "", "", "", "", {}, ""))  # type: ignore[arg-type]


def test_the_standin_refuses_what_is_not_documented() -> None:
    head = {"text": "x"}
    good = {"type": "message", "text": "x"}
    assert zoom_problems({"content": {"head": head, "body": [good]}}) == []
    for wrong in (
        {}, {"head": head}, {"content": {"head": head, "body": []}}, {"content": {"head": {}, "body": [good]}},
        {"content": {"head": head, "body": [{"type": "text"}]}},
        {"content": {"head": head, "body": [{**good, "x": 1}]}},
        {"content": {"head": head, "body": [{"type": "section", "sidebar_color": "red", "sections": [good]}]}},
        {"content": {"head": head, "body": [{"type": "fields", "items": [{"key": 1, "value": "x"}]}]}},
    ):  # fmt: skip
        assert zoom_problems(wrong), wrong
