"""A Discord webhook: posts messages and edits them.

https://docs.discord.com/developers/resources/webhook
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from typing import Any

from landed.sandbox.kept import Kept, Message, decoded
from landed.sandbox.web import Request, Response, json_response

_ID = "1280000000000000001"
WEBHOOK = f"/api/webhooks/{_ID}/landed-demo-landed-demo"
_ADDRESS = re.compile(r"/api/webhooks/(\d+)/([\w-]+)(?:/messages/(\w+))?")
_VIA = "discord"
#: What of a message an edit may change.
_SHOWN = ("content", "embeds", "allowed_mentions")
#: https://docs.discord.com/developers/resources/message#embed-object-embed-limits
CONTENT, EMBEDS, EMBEDDED = 2000, 10, 6000
_LIMITS = {"title": 256, "description": 4096}


def answer(kept: Kept, request: Request) -> Response | None:
    """The answer to a request; None if the address is none of Discord's."""
    found = _ADDRESS.fullmatch(request.path)
    if found is None:
        return None
    webhook, token, message = found.groups()
    if webhook != _ID:
        return _no(404, "Unknown Webhook", 10015)
    if not hmac.compare_digest(token.encode(), WEBHOOK.rpartition("/")[2].encode()):
        return _no(401, "Invalid Webhook Token", 50027)
    if request.method == "POST" and not message:
        return _post(kept, request)
    if request.method == "PATCH" and message:
        return _edit(kept, request, message)
    return _no(405, "405: Method Not Allowed", 0)


def _post(kept: Kept, request: Request) -> Response:
    payload = decoded(request)
    if refused := _refused(payload):
        return refused
    message = kept.post(_VIA, payload, request.body, lambda number: str(1290000000000000000 + number))
    return json_response(_said(message)) if request.query.get("wait") == "true" else Response(204)


def _edit(kept: Kept, request: Request, id_: str) -> Response:
    message = kept.find(_VIA, id_)
    if message is None:
        return _no(404, "Unknown Message", 10008)
    payload = decoded(request)
    if not isinstance(payload, dict):
        return _no(400, "Invalid Form Body", 50035)
    changes = {name: payload[name] for name in _SHOWN if name in payload}
    if refused := _refused({**message.payload, **changes}):
        return refused
    return json_response(_said(kept.edit(message, changes, request.body)))


def _said(message: Message) -> dict[str, Any]:
    shown = {"content": message.payload.get("content") or "", "embeds": message.payload.get("embeds") or []}
    edited = {"edited_timestamp": message.at if message.edits else None}
    return {
        "id": message.id,
        "type": 0,
        "channel_id": "1270000000000000001",
        "timestamp": message.at,
        **edited,
        **shown,
    }


def _refused(payload: object) -> Response | None:
    """Why Discord would not take a message; None where it would."""
    if not isinstance(payload, dict):
        return _no(400, "Invalid Form Body", 50035)
    content, embeds = payload.get("content") or "", payload.get("embeds") or []
    if not content and not embeds:
        return _no(400, "Cannot send an empty message", 50006)
    if not isinstance(content, str) or not isinstance(embeds, list) or len(content) > CONTENT or len(embeds) > EMBEDS:
        return _no(400, "Invalid Form Body", 50035)
    if not all(isinstance(embed, dict) and _fits(embed) for embed in embeds):
        return _no(400, "Invalid Form Body", 50035)
    if sum(len(text) for embed in embeds for text in _texts(embed)) > EMBEDDED:
        return _no(400, "Invalid Form Body", 50035)
    return None


def _fits(embed: dict[str, Any]) -> bool:
    return all(len(str(embed.get(name) or "")) <= limit for name, limit in _LIMITS.items())


def _texts(embed: dict[str, Any]) -> Iterator[str]:
    yield from (str(embed.get(name) or "") for name in _LIMITS)
    for holder, name in (("footer", "text"), ("author", "name")):
        held = embed.get(holder)
        yield str(held.get(name) or "") if isinstance(held, dict) else ""
    fields = embed.get("fields")
    for field in fields if isinstance(fields, list) else ():
        yield from (str(field.get(name) or "") for name in ("name", "value") if isinstance(field, dict))


def _no(status: int, message: str, code: int) -> Response:
    return json_response({"message": message, "code": code}, status)
