"""Google Chat as far as incoming webhooks go: messages, and the threads that they are in.

Messages are judged by Google's own description of the API (tests/data/chat/googlechat/message.md). What is marked
OURS is not: it follows https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create and
https://developers.google.com/workspace/chat/format-messages .
"""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.way import Way
from jsonschema import Draft202012Validator
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

SPACE = "/v1/spaces/AAAAk3yTest/messages"
#: The parts of a webhook's address that are its password.
KEY, TOKEN = "AIzaSyDTestKeyOfEveryWebhook-0123456789", "kT9vR2mQ7xL4bN8wZ5cH1jG6fD3sP0aY-test_token="
SCHEMA = Path(__file__).parent.parent / "data/chat/googlechat/message.json"
#: OURS.
LIMIT, TEXT_LIMIT, WIDGETS = 32_000, 4096, 100
_SETTINGS = {"key", "token", "requestId", "messageReplyOption", "threadKey", "messageId"}
_REPLIES = {"REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", "REPLY_MESSAGE_OR_FAIL", "MESSAGE_REPLY_OPTION_UNSPECIFIED"}
_TAGS = {"b", "i", "u", "s", "strike", "font", "a", "br", "time"}


class GoogleChat:
    """One webhook of one space."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        # In an address that is copied, the sign at the token's end is percent-encoded.
        self.address = f"{self.server.url}{SPACE}?key={KEY}&token={TOKEN.replace('=', '%3D')}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The messages that were created, in order."""
        self.violations: list[str] = []
        self.threads: dict[str, list[Any]] = {}
        """The thread's name → its messages, in order."""
        self.removed = False
        """Whether somebody has removed the webhook."""
        self._by_request: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> GoogleChat:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        query = asked.query
        if asked.method != "POST" or asked.path != SPACE:
            return _refusal(404, "NOT_FOUND", "Requested entity was not found.")
        if query.get("key") != KEY or "token" not in query:
            return _refusal(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
        if query["token"] != TOKEN or self.removed:
            return _refusal(403, "PERMISSION_DENIED", "The caller does not have permission")
        body = json.loads(asked.body)
        problems = googlechat_problems(body, len(asked.body)) + _query_problems(query)
        if problems:
            self.violations += problems
            return _refusal(400, "INVALID_ARGUMENT", f"Invalid JSON payload received: {problems[0][:80]}")
        known = self._by_request.get(query.get("requestId", ""))
        return _said(known or self._create(body, query))

    def _create(self, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """Without a reply option, the key of a thread is not looked at."""
        self.taken.append(body)
        key = body.get("thread", {}).get("threadKey") if query.get("messageReplyOption") else None
        thread = f"spaces/AAAAk3yTest/threads/{key or f'own-{len(self.taken)}'}"
        self.threads.setdefault(thread, []).append(body)
        message = {**body, "name": f"spaces/AAAAk3yTest/messages/m{len(self.taken)}.m{len(self.taken)}"}
        message["thread"] = {"name": thread}
        if "requestId" in query:
            self._by_request[query["requestId"]] = message
        return message


def googlechat_problems(body: dict[str, Any], size: int = 0) -> list[str]:
    """Why Google Chat would refuse ``body``, or not show it as it is meant."""
    problems = [f"{error.json_path}: {error.message[:200]}" for error in _schema().iter_errors(body)]
    if problems:
        return problems
    cards = [held["card"] for held in body.get("cardsV2", ())]
    sections = [section for card in cards for section in card.get("sections", ())]
    widgets = [widget for section in sections for widget in section.get("widgets", ())]
    texts = [widget["textParagraph"]["text"] for widget in widgets if "textParagraph" in widget]
    found = {
        "more than 32,000 bytes": size > LIMIT,
        "a text of more than 4096 characters": len(body.get("text", "")) > TEXT_LIMIT,
        "neither text nor card": not body.get("text") and not cards,
        "a section without widgets": any(not section.get("widgets") for section in sections),
        "more than 100 widgets": len(widgets) > WIDGETS,
        "an empty text": any(not text for text in texts),
    }
    return [what for what, is_so in found.items() if is_so] + [p for text in texts for p in html_problems(text)]


def html_problems(text: str) -> list[str]:
    """OURS: what of ``text`` is HTML that a card does not show, or that does not end where it began."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.problems + [f"<{tag}> has no end" for tag in reader.open]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.problems.append(f"<{tag}> is not shown")
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "br":
            self.text += "\n"
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> ends nothing")

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(text: str) -> tuple[str, list[str]]:
    """What people read of a card's text, and the links in it."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.text, reader.links


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def _query_problems(query: dict[str, str]) -> list[str]:
    problems = [f"the setting {name}" for name in sorted(set(query) - _SETTINGS)]
    if query.get("messageReplyOption", "REPLY_MESSAGE_OR_FAIL") not in _REPLIES:
        problems.append("messageReplyOption")
    return problems


def _said(message: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(message).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def _refusal(status: int, word: str, message: str) -> Answer:
    said = {"error": {"code": status, "message": message, "status": word}}
    return Answer(status, json.dumps(said, indent=2).encode(), {"Content-Type": "application/json; charset=UTF-8"})


WAYS = {
    "googlechat": Way(
        "googlechat", "standins.googlechat", "GoogleChat", idempotent=True,
        content=(200, b'{"name":"spaces/AAAA/messages/x.x","thread":{"name":"spaces/AAAA/threads/x"},"text":"x"}'),
        no=(b'{"error":{"code":403,"status":"PERMISSION_DENIED"}}', b'{"name":"spaces/AAAA"}', b'{"name":7}'),
        example=f"https://chat.googleapis.com{SPACE}?key={KEY}&token=kT9vR2mQ7xL4bN8wZ5cH1jG6fD3sP0aY-test_token%3D",
        calls=("<users/", "<!channel", "<http://evil", "<a href='http://evil", "<script", "<at>", "<#c1"),
        mention=("112345678901234567890", "<users/112345678901234567890>"),
        misnamed=("all", "users/all", "1234", "ada@example.com", "users/users/112345678901234567890", "１２３４５６"),
    )
}  # fmt: skip
