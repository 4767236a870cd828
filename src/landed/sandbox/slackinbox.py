"""Slack as far as messages go: an incoming webhook, and a bot's ``chat.postMessage`` and ``chat.update``.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ,
https://docs.slack.dev/reference/methods/chat.postMessage , https://docs.slack.dev/reference/methods/chat.update
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from landed.sandbox.kept import Kept, Message, decoded
from landed.sandbox.web import Request, Response, json_response, text_response

WEBHOOK = "/services/T0DEMO/B0DEMO/landeddemolandeddemoland"
API = "/api/chat."
POST = f"{API}postMessage"
#: No secret: it opens nothing but a server on this machine that holds a story.
TOKEN = "xoxb-sandbox-bot-token"  # noqa: S105
CHANNEL, CHANNEL_ID = "deployments", "C0DEPLOYMENT"
#: Limits that Slack's own server holds messages to.
MOST_BLOCKS = 50
MOST_ATTACHMENTS = 100
_VIA = "slack"
#: What of a message an edit may change.
_SHOWN = ("text", "blocks", "attachments")


def answer(kept: Kept, request: Request) -> Response | None:
    """The answer to a request; None if the address is none of Slack's."""
    if request.path == WEBHOOK:
        return _webhook(kept, request)
    if request.path.startswith("/services/"):
        return text_response("no_service", 404)
    if request.path.startswith(API):
        return json_response(_called(kept, request))
    return None


def _webhook(kept: Kept, request: Request) -> Response:
    payload = decoded(request)
    if request.method != "POST" or not isinstance(payload, dict):
        return text_response("invalid_payload", 400)
    if refused := _refused(payload):
        return text_response(refused, 400)
    kept.post(_VIA, payload, request.body)
    return text_response("ok")


def _called(kept: Kept, request: Request) -> dict[str, Any]:
    """What a method answers, with 200 whatever becomes of it."""
    sent = request.headers.get("authorization", "")
    if not sent:
        return _no("not_authed")
    if not hmac.compare_digest(sent.encode(), f"Bearer {TOKEN}".encode()):
        return _no("invalid_auth")
    method = {POST: _post, f"{API}update": _update}.get(request.path)
    if method is None:
        return _no("unknown_method")
    body = _arguments(request)
    if request.method != "POST" or body is None:
        return _no("invalid_json")
    return _no(refused) if (refused := _refused(body)) else method(kept, body, request.body)


def _post(kept: Kept, body: dict[str, Any], raw: bytes) -> dict[str, Any]:
    if body.get("channel") not in (CHANNEL, f"#{CHANNEL}", CHANNEL_ID):
        return _no("channel_not_found")
    since = int(datetime.fromisoformat(kept.now()).timestamp())

    def name(number: int) -> str:
        return f"{since}.{number:06}"

    thread = str(body.get("thread_ts") or "")
    if thread:
        return _said(kept.answer(thread, _VIA, body, raw, name))
    return _said(kept.post(_VIA, body, raw, name))


def _update(kept: Kept, body: dict[str, Any], raw: bytes) -> dict[str, Any]:
    if body.get("channel") != CHANNEL_ID:
        return _no("channel_not_found")
    message = kept.find(_VIA, str(body.get("ts") or ""))
    if message is None:
        return _no("message_not_found")
    return _said(kept.edit(message, {name: body[name] for name in _SHOWN if name in body}, raw))


def _said(message: Message) -> dict[str, Any]:
    text = message.payload.get("text", "")
    shown = {"type": "message", "text": text, "ts": message.id}
    thread = {"thread_ts": message.thread} if message.thread else {}
    return {"ok": True, "channel": CHANNEL_ID, "ts": message.id, "text": text, "message": shown | thread}


def _refused(payload: Mapping[str, Any]) -> str:
    """Slack's word for what is wrong with a message; empty where nothing is."""
    blocks, attachments = payload.get("blocks") or [], payload.get("attachments") or []
    if not isinstance(blocks, list) or not isinstance(attachments, list) or len(blocks) > MOST_BLOCKS:
        return "invalid_blocks"
    if len(attachments) > MOST_ATTACHMENTS:
        return "too_many_attachments"
    return "" if payload.get("text") or blocks or attachments else "no_text"


def _arguments(request: Request) -> dict[str, Any] | None:
    """JSON, or a form whose structured members are JSON; None where it is neither."""
    if "json" in request.headers.get("content-type", ""):
        sent = decoded(request)
        return sent if isinstance(sent, dict) else None
    try:
        form = dict(parse_qsl(request.body.decode()))
        return {k: msgspec.json.decode(v) if k in ("blocks", "attachments") else v for k, v in form.items()}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}
