"""The chat inbox answers as Slack does, and keeps what it took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sandbox.client import ask

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
