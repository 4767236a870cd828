"""Slack as far as messages go: an incoming webhook, and a bot's ``chat.postMessage`` and ``chat.update``.

Blocks are judged by Slack's SDK; what the SDK does not check, and how the two methods behave, is ours, from
https://docs.slack.dev/reference/block-kit and https://docs.slack.dev/reference/methods .
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from contract.way import Way
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
WEBHOOK_PATH = "/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh"
BOT_TOKEN = "xoxb-204124-204125-YqT7bN2kWv5cR8sJ"
#: Members of a request's body that each method knows.
_KNOWN = {
    "chat.postMessage": {"channel", "text", "blocks", "attachments", "thread_ts", "username", "unfurl_links"}
    | {"unfurl_media", "parse", "icon_url", "icon_emoji"},
    "chat.update": {"channel", "ts", "text", "blocks", "attachments", "parse"},
}


class SlackWebhook:
    """An incoming webhook, which answers and refuses as Slack's does."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + WEBHOOK_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The payloads that were taken, in order."""
        self.violations: list[str] = []
        """What Slack would have refused."""

    def __enter__(self) -> SlackWebhook:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        payload = json.loads(asked.body)
        problems = slack_problems(payload)
        if problems:
            self.violations += problems
            return Answer(400, b"invalid_payload")
        self.taken.append(payload)
        return Answer(200, b"ok", {"Content-Type": "text/html"})


class SlackBot:
    """The Web API, for one bot and one channel."""

    token = BOT_TOKEN
    channel = "#deploys"
    channel_id = "C024BE91L"

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/api/chat.postMessage"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The bodies that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """``ts`` → the message as it stands; ``edits`` counts its edits, ``thread`` is the ``ts`` that it answers."""
        self.refuse = ""
        """The error to answer everything with."""
        self.refuse_edits = ""

    def __enter__(self) -> SlackBot:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, ts: str) -> None:
        """Deleted by hand."""
        del self.messages[ts]

    def _act(self, asked: Asked) -> Answer:
        method = asked.path.rpartition("/")[2]
        answer = self._call(method, asked)
        return Answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json; charset=utf-8"})

    def _call(self, method: str, asked: Asked) -> dict[str, Any]:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _no("invalid_auth" if "authorization" in asked.headers else "not_authed")
        if method not in _KNOWN:
            return _no("unknown_method")
        if self.refuse:
            return _no(self.refuse)
        body = _body(asked)
        problems = slack_problems(body) + [
            f"{method} does not know {name}" for name in sorted(set(body) - _KNOWN[method])
        ]
        if problems:
            self.violations += problems
            return _no("invalid_blocks")
        answer = self._update(body) if method == "chat.update" else self._post(body)
        if answer["ok"]:
            self.taken.append(body)
        return answer

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("channel") not in (self.channel, self.channel_id):
            return _no("channel_not_found")
        ts = f"1700000000.{len(self.taken) + 1:06}"
        # An answer to a message that is not there becomes a message of its own.
        thread = body.get("thread_ts", "") if body.get("thread_ts") in self.messages else ""
        self.messages[ts] = {**body, "edits": 0, "thread": thread}
        shown = {"type": "message", "text": body["text"], "ts": ts} | ({"thread_ts": thread} if thread else {})
        return {"ok": True, "channel": self.channel_id, "ts": ts, "message": shown}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        ts = body.get("ts", "")
        if body.get("channel") != self.channel_id:
            return _no("channel_not_found")
        if ts not in self.messages:
            return _no("message_not_found")
        if self.refuse_edits:
            return _no(self.refuse_edits)
        kept = self.messages[ts]
        # What is not sent again stays as it was.
        self.messages[ts] = {**kept, **body, "edits": kept["edits"] + 1}
        return {
            "ok": True,
            "channel": self.channel_id,
            "ts": ts,
            "text": body["text"],
            "message": {"text": body["text"]},
        }


def slack_problems(payload: dict[str, Any]) -> list[str]:
    """Why Slack would refuse ``payload``: its SDK's own rules, and what the SDK does not have (OURS)."""
    holders = [payload, *payload.get("attachments", ())]
    blocks = [block for holder in holders for block in holder.get("blocks", ())]
    problems = [problem for block in blocks if (problem := _block_problem(block))]
    if len(blocks) > 50:
        problems.append("more than 50 blocks")
    if len(json.dumps([payload.get("blocks", ()), payload.get("attachments", ())], ensure_ascii=False)) > 13_200:
        problems.append("msg_blocks_too_long")
    if not 0 < len(payload.get("text", "")) <= 4000:
        problems.append("no text, or more than 4000 characters")
    for block in blocks:
        problems += [
            "a field of no or more than 2000 characters"
            for field in block.get("fields", ())
            if not 0 < len(field["text"]) <= 2000
        ]
        if block["type"] == "image" and not block.get("alt_text"):
            problems.append("an image without alternative text")
    colours = [holder["color"] for holder in holders if "color" in holder]
    problems += [f"the colour {colour}" for colour in colours if not re.fullmatch("#[0-9a-f]{6}", colour)]
    return problems


def _block_problem(block: dict[str, Any]) -> str:
    """What Slack's SDK says against a block."""
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return f"unknown block type {block.get('type')}"
        parsed.to_dict()
    except SlackObjectFormationError as error:
        return str(error)
    texts = [block["text"]] if "text" in block else block.get("elements", ())
    return "an empty text" if any(text.get("text") == "" for text in texts) else ""


def _body(asked: Asked) -> dict[str, Any]:
    """JSON, or a form whose structured members are JSON."""
    if asked.headers.get("content-type", "").startswith("application/json"):
        loaded: dict[str, Any] = json.loads(asked.body)
        return loaded
    form = dict(parse_qsl(asked.body.decode()))
    return {name: json.loads(value) if name in ("blocks", "attachments") else value for name, value in form.items()}


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


_CALLS = ("<!", "<@", "<#", "@here", "@channel", "@everyone")
_MENTION = ("U024BE7LH", "<@U024BE7LH>")
#: A group, a bot, a channel, a name.
_MISNAMED = ("S024BE7LH", "B024BE7LH", "C024BE7LH", "here", "@ada", "u024be7lh", "U024BE7LH|x", "U024BE7LH>")

#: At those who take Slack's messages, too.
_ELSEWHERE = (*_CALLS, "@all", "](http://evil", "![")

WAYS = {
    "slack bot": Way(
        "slack", "standins.slack", "SlackBot", edits=True, calls=_CALLS, mention=_MENTION, misnamed=_MISNAMED,
        content=(200, b'{"ok":true,"channel":"C024BE91L","ts":"1700000000.000001"}'),
        no=(b'{"ok":false,"error":"channel_not_found"}', b'{"ok":"true","channel":"C1","ts":"1.1"}'),
    ),
    "slack to mattermost": Way(
        "slack", "standins.mattermost", "MattermostWebhook", content=(200, b"ok"), no=(b"OK?",), calls=_ELSEWHERE,
    ),
    "slack to rocket": Way(
        "slack", "standins.rocket", "RocketWebhook", content=(200, b'{"success":true}'), calls=_ELSEWHERE,
        no=(b'{"success":false}', b'{"success":false,"error":"Invalid channel"}'),
    ),
    "slack webhook": Way(
        "slack", "standins.slack", "SlackWebhook", content=(200, b"ok"), no=(b"no_service", b"OK?"), calls=_CALLS,
        mention=_MENTION, misnamed=_MISNAMED,
    ),
}  # fmt: skip
