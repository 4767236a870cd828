"""The Incoming Webhook app of Zoom Team Chat. No part of it is judged by others: all of it is OURS.

It follows https://developers.zoom.us/docs/team-chat/customizing-messages/ for messages,
https://developers.zoom.us/docs/api/chatbot/ for refusals, and for the rest
https://support.zoom.com/hc/en/article?id=zm_kb&sysparm_article=KB0067640 .
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password, and the token that goes with it.
HOOK = "/chat/webhooks/incomingwebhook/Wk3mXo9YbR5nDhAqVwL0T"
TOKEN = "vT7kQ2xN9bL4mR8wZ5cH"
#: Which members there are, and of what type.
_HEAD: dict[str, type] = {"text": str, "style": dict, "sub_head": dict}
_PARTS: dict[str, dict[str, type]] = {
    "section": {"type": str, "sidebar_color": str, "sections": list, "footer": str},
    "message": {"type": str, "text": str, "style": dict, "link": str},
    "fields": {"type": str, "items": list},
}
_ITEM: dict[str, type] = {"key": str, "value": str, "short": bool}


class Zoom:
    """One webhook, which takes whole messages."""

    token = TOKEN

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + HOOK
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The messages that were taken, in order."""
        self.violations: list[str] = []

    def __enter__(self) -> Zoom:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.method != "POST" or asked.path != HOOK:
            return _refusal(404, 7002, "Not found.")
        if asked.headers.get("authorization") != self.token:
            return _refusal(401, 7010, "Invalid authorization token.")
        body = json.loads(asked.body)
        problems = zoom_problems(body)
        if asked.query.get("format") != "full":
            problems.append("another format")
        if problems:
            self.violations += problems
            return _refusal(400, 7001, "Invalid request body format.")
        self.taken.append(body)
        return Answer(200)


def zoom_problems(body: dict[str, Any]) -> list[str]:
    """Why Zoom would refuse ``body``, or not show it as it is meant."""
    content = body.get("content", {})
    if set(body) != {"content"} or set(content) - {"head", "body", "settings"}:
        return ["unknown members"]
    head = content.get("head", {})
    problems = _members(head, _HEAD) + [p for part in content.get("body", ()) for p in _part_problems(part)]
    texts = [head.get("text"), head.get("sub_head", {"text": "–"}).get("text")]
    return problems + (["an empty head"] if not all(texts) else []) + ([] if content.get("body") else ["no body"])


def _part_problems(part: dict[str, Any]) -> list[str]:
    known = _PARTS.get(part.get("type", ""))
    if known is None:
        return [f"the type {part.get('type')}"]
    problems = _members(part, known)
    if not re.fullmatch("#[0-9a-f]{6}", part.get("sidebar_color", "#ffffff")):
        problems.append("a colour")
    if "text" in part and not part["text"]:
        problems.append("an empty text")
    problems += [p for item in part.get("items", ()) for p in _members(item, _ITEM)]
    return problems + [p for inner in part.get("sections", ()) for p in _part_problems(inner)]


def _members(value: dict[str, Any], known: dict[str, type]) -> list[str]:
    unknown = [f"the member {name}" for name in sorted(set(value) - set(known))]
    return unknown + [f"{name} is a {type(held).__name__}" for name, held in value.items()
                      if name in known and not isinstance(held, known[name])]  # fmt: skip


def _refusal(status: int, code: int, message: str) -> Answer:
    said = {"code": code, "message": message, "result": False}
    return Answer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})


WAYS = {
    "zoom": Way(
        "zoom", "standins.zoom", "Zoom", strict=False,
        no=(b'{"code":7010,"message":"Invalid authorization token.","result":false}', b'{"result": false}',
            b'{"code":7010}'),
        example="https://integrations.zoom.us/chat/webhooks/incomingwebhook/Wk3mXo9YbR5nDhAqVwL0T?format=full",
        plain=frozenset({"key", "value"}),
        calls=("<!", "<@", "<#", "@here", "@channel", "@everyone", "@all"),
    )
}  # fmt: skip
