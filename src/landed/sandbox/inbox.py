"""A chat inbox: takes Slack's incoming webhooks and plain ones, and remembers what came.

https://api.slack.com/messaging/webhooks
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from landed.sandbox.objects import now
from landed.sandbox.web import Request, Response, json_response, text_response

SLACK = "/services/T0DEMO/B0DEMO/landeddemolandeddemoland"
GENERIC = "/hooks/landed"
#: Limits that Slack's own server holds messages to.
MOST_BLOCKS = 50
MOST_ATTACHMENTS = 100


class Message(Struct, frozen=True):
    """One delivery."""

    via: str
    """``slack`` or ``generic``"""
    at: str
    """RFC 3339"""
    payload: Any
    body: bytes
    """The very bytes, for those who check signatures or sameness."""


class Inbox:
    """What was said, oldest first. Safe to use from many threads."""

    def __init__(self, now: Callable[[], str] = now) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._messages: list[Message] = []

    @property
    def messages(self) -> list[Message]:
        """Everything that came, oldest first."""
        with self._lock:
            return list(self._messages)

    def answer(self, request: Request) -> Response | None:
        """The answer to a webhook call; None if the address is none of the inbox's."""
        if request.path == SLACK:
            return self._slack(request)
        if request.path == GENERIC:
            return self._generic(request)
        if request.path.startswith("/services/"):
            return text_response("no_service", 404)
        return None

    def _slack(self, request: Request) -> Response:
        payload = _decoded(request)
        if request.method != "POST" or not isinstance(payload, dict):
            return text_response("invalid_payload", 400)
        blocks, attachments = payload.get("blocks") or [], payload.get("attachments") or []
        if not isinstance(blocks, list) or not isinstance(attachments, list) or len(blocks) > MOST_BLOCKS:
            return text_response("invalid_blocks", 400)
        if len(attachments) > MOST_ATTACHMENTS:
            return text_response("too_many_attachments", 400)
        if not (payload.get("text") or blocks or attachments):
            return text_response("no_text", 400)
        self._keep("slack", payload, request.body)
        return text_response("ok")

    def _generic(self, request: Request) -> Response:
        payload = _decoded(request)
        if request.method != "POST" or payload is None:
            return json_response({"error": "send JSON"}, 400)
        self._keep("generic", payload, request.body)
        return json_response({})

    def _keep(self, via: str, payload: object, body: bytes) -> None:
        at = self._now()
        with self._lock:
            self._messages.append(Message(via, at, payload, body))


def _decoded(request: Request) -> Any:
    try:
        return request.json()
    except msgspec.DecodeError:
        return None
