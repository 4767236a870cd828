"""The chat inbox answers as Slack, Discord and Teams do, and keeps what it took as it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sandbox.client import Answer, ask
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from standins.discord import discord_problems

from landed.sandbox import discordinbox, slackinbox, teamsinbox

if TYPE_CHECKING:
    from landed.sandbox.world import Sandbox


def test_slack_takes_a_message(sandbox: Sandbox) -> None:
    answer = ask(sandbox.url, "POST", sandbox.slack_webhook.removeprefix(sandbox.url), {"text": "hello"})
    assert (answer.status, answer.body) == (200, b"ok")
    (message,) = sandbox.chat.messages
    assert (message.via, message.payload) == ("slack", {"text": "hello"})


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, b"no_text"),
        ({"text": ""}, 400, b"no_text"),
        ([], 400, b"invalid_payload"),
        (b"text=hello", 400, b"invalid_payload"),
        ({"blocks": "x"}, 400, b"invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, 400, b"invalid_blocks"),
        ({"text": "x", "attachments": [{}] * 101}, 400, b"too_many_attachments"),
    ],
)
def test_slack_refuses_what_is_no_message(sandbox: Sandbox, body: object, status: int, said: bytes) -> None:
    answer = ask(sandbox.url, "POST", sandbox.slack_webhook.removeprefix(sandbox.url), body)
    assert (answer.status, answer.body) == (status, said)
    assert sandbox.chat.messages == []


def test_a_webhook_that_is_not_there_says_so(sandbox: Sandbox) -> None:
    answer = ask(sandbox.url, "POST", "/services/T0/B0/gone", {"text": "hello"})
    assert (answer.status, answer.body) == (404, b"no_service")


def test_a_generic_webhook_keeps_the_very_bytes(sandbox: Sandbox) -> None:
    body = b'{"reason":  "Progressing"}'
    assert ask(sandbox.url, "POST", "/hooks/landed", body).status == 200
    assert ask(sandbox.url, "POST", "/hooks/landed", b"{").status == 400
    (message,) = sandbox.chat.messages
    assert (message.via, message.body) == ("generic", body)
    assert message.payload == json.loads(body)


# ── Slack's Web API, asked by Slack's own client ────────────────────────────────────────────────────────────────────


def _client(sandbox: Sandbox, token: str = slackinbox.TOKEN) -> WebClient:
    return WebClient(token, base_url=f"{sandbox.url}/api/", timeout=10)


def test_a_bot_posts_edits_and_answers(sandbox: Sandbox) -> None:
    client = _client(sandbox)
    posted = client.chat_postMessage(channel="#deployments", text="on its way", attachments=[{"color": "#bf8700"}])
    channel, ts = posted["channel"], posted["ts"]
    client.chat_postMessage(channel=channel, text="it failed", thread_ts=ts)
    edited = client.chat_update(channel=channel, ts=ts, text="is live")
    assert (edited["ts"], edited["text"]) == (ts, "is live")
    first, reply = sandbox.chat.messages
    assert (first.via, first.id, first.edits, first.thread) == ("slack", ts, 1, "")
    assert first.payload["text"] == "is live"
    assert first.payload["attachments"] == [{"color": "#bf8700"}], "what is not sent again stays as it was"
    assert (reply.thread, reply.edits, reply.payload["text"]) == (ts, 0, "it failed")
    assert (sandbox.chat.posted, sandbox.chat.edits) == (2, 1)


def test_an_answer_names_the_message_that_its_thread_began_with(sandbox: Sandbox) -> None:
    client = _client(sandbox)
    first = client.chat_postMessage(channel="deployments", text="one")
    second = client.chat_postMessage(channel="deployments", text="two", thread_ts=first["ts"])
    third = client.chat_postMessage(channel="deployments", text="three", thread_ts=second["ts"])
    assert second["message"]["thread_ts"] == third["message"]["thread_ts"] == first["ts"]
    assert len({first["ts"], second["ts"], third["ts"]}) == 3
    lost = client.chat_postMessage(channel="deployments", text="four", thread_ts="1.000001")
    assert "thread_ts" not in lost["message"], "to a message that is not there it is a message of its own"


@pytest.mark.parametrize(
    ("method", "sent", "error"),
    [
        ("postMessage", {"channel": "C0ELSEWHERE", "text": "x"}, "channel_not_found"),
        ("postMessage", {"channel": "deployments", "text": ""}, "no_text"),
        ("postMessage", {"channel": "deployments", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ("postMessage", {"channel": "deployments", "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ("update", {"channel": slackinbox.CHANNEL_ID, "ts": "1.000001", "text": "x"}, "message_not_found"),
        ("update", {"channel": "deployments", "ts": "1.000001", "text": "x"}, "channel_not_found"),
        ("meMessage", {"channel": "deployments", "text": "x"}, "unknown_method"),
    ],
)
def test_what_slack_refuses_is_refused_in_its_words(
    sandbox: Sandbox, method: str, sent: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        _client(sandbox).api_call(f"chat.{method}", json=sent)
    assert refused.value.response["error"] == error
    assert (sandbox.chat.posted, sandbox.chat.edits) == (0, 0)


def test_only_the_bots_token_opens_the_api(sandbox: Sandbox) -> None:
    with pytest.raises(SlackApiError) as refused:
        _client(sandbox, "xoxb-another").chat_postMessage(channel="deployments", text="x")
    assert refused.value.response["error"] == "invalid_auth"
    assert ask(sandbox.url, "POST", slackinbox.POST, {"text": "x"}).json == {"ok": False, "error": "not_authed"}
    assert sandbox.chat.posted == 0


def test_a_form_is_taken_as_well_as_json(sandbox: Sandbox) -> None:
    fields = {"channel": "deployments", "text": "x", "blocks": json.dumps([{"type": "divider"}])}
    _client(sandbox).api_call("chat.postMessage", params=fields)
    (message,) = sandbox.chat.messages
    assert message.payload["blocks"] == [{"type": "divider"}]


# ── Discord, judged by its own description ──────────────────────────────────────────────────────────────────────────


def _discord(sandbox: Sandbox, method: str, below: str, body: object) -> Answer:
    return ask(sandbox.url, method, discordinbox.WEBHOOK + below, body)


def test_a_webhook_posts_and_edits_in_discord(sandbox: Sandbox) -> None:
    posted = _discord(sandbox, "POST", "?wait=true", {"username": "Flux", "content": "on its way"})
    assert (posted.status, posted.json["edited_timestamp"]) == (200, None)
    id_ = posted.json["id"]
    edited = _discord(sandbox, "PATCH", f"/messages/{id_}", {"content": "", "embeds": [{"title": "is live"}]})
    assert (edited.status, edited.json["id"]) == (200, id_)
    assert edited.json["edited_timestamp"]
    (message,) = sandbox.chat.messages
    assert message.payload == {"username": "Flux", "content": "", "embeds": [{"title": "is live"}]}
    assert (message.via, message.id, message.edits) == ("discord", id_, 1)


def test_who_does_not_wait_is_told_nothing_by_discord(sandbox: Sandbox) -> None:
    answer = _discord(sandbox, "POST", "", {"content": "x"})
    assert (answer.status, answer.body) == (204, b"")
    assert sandbox.chat.posted == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PATCH", f"{discordinbox.WEBHOOK}/messages/1", 404, 10008),
        ("POST", f"{discordinbox.WEBHOOK}x", 401, 50027),
        ("POST", "/api/webhooks/1/x", 404, 10015),
        ("GET", discordinbox.WEBHOOK, 405, 0),
    ],
)
def test_discord_says_what_is_not_there(sandbox: Sandbox, method: str, path: str, status: int, code: int) -> None:
    answer = ask(sandbox.url, method, path, {"content": "x"})
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": "", "embeds": []},
        {"content": "x" * 2001},
        {"content": 1},
        {"embeds": [{"title": "x"}] * 11},
        {"embeds": [{"title": "x" * 257}]},
        {"embeds": [{"description": "x" * 4097}]},
        {"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]},
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_discords_description_refuses_is_refused(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert discord_problems(body)
    assert _discord(sandbox, "POST", "?wait=true", body).status == 400
    id_ = _discord(sandbox, "POST", "?wait=true", {"content": "x", "embeds": []}).json["id"]
    if body:  # an edit of nothing changes nothing
        assert _discord(sandbox, "PATCH", f"/messages/{id_}", {"content": "", **body}).status == 400
    assert sandbox.chat.edits == 0


def test_what_is_as_large_as_discord_allows_is_taken(sandbox: Sandbox) -> None:
    body = {"content": "x" * 2000, "embeds": [{"title": "x" * 256, "description": "x" * 4096}, *[{"title": "x"}] * 9]}
    assert not discord_problems(body)
    assert _discord(sandbox, "POST", "?wait=true", body).status == 200


# ── Teams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _card(*body: object) -> dict[str, Any]:
    return {"type": "message", "attachments": [{"contentType": teamsinbox.CARD, "content": {"body": body}}]}


def test_a_flow_takes_a_card_without_a_word(sandbox: Sandbox) -> None:
    answer = ask(sandbox.url, "POST", teamsinbox.WEBHOOK, _card())
    assert (answer.status, answer.body) == (202, b"")
    (message,) = sandbox.chat.messages
    assert (message.via, message.payload) == ("msteams", json.loads(json.dumps(_card())))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (teamsinbox.WEBHOOK.partition("&sig")[0], _card(), 401),
        (teamsinbox.WEBHOOK, {"text": "x"}, 400),
        (teamsinbox.WEBHOOK, {"attachments": [{"contentType": "text/html", "content": {}}]}, 400),
        (teamsinbox.WEBHOOK, _card("x" * 29_000), 413),
    ],
)
def test_a_flow_refuses_what_it_could_not_post(sandbox: Sandbox, path: str, body: object, status: int) -> None:
    assert ask(sandbox.url, "POST", path, body).status == status
    assert sandbox.chat.posted == 0
