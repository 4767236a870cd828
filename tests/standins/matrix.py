"""A Matrix homeserver as far as one room goes: sending events, and reading one.

OURS, all of it, after https://spec.matrix.org/latest/client-server-api/ ; tests/integration/test_channel_matrix.py asks
Synapse the same.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TOKEN = "syt_bGFuZGVk_vRtYwQzXpLmKjHgFdSaN_1aB2cD"
LIMIT = 65_536
#: What an event has besides its content: ids, signatures and hashes of the servers.
FRAME = 2_000
#: https://spec.matrix.org/latest/client-server-api/#mroommessage-msgtypes : some of what HTML may have, and all of what
#: we write.
_TAGS = {"strong": set(), "br": set(), "a": {"href"}, "span": {"data-mx-color"}}
_CONTENT = {"msgtype", "body", "format", "formatted_body", "m.mentions"}


class Matrix:
    """The server, for one user and one room."""

    token = TOKEN
    channel = "!qTfQdYzVbKpLsWnRxC:matrix.example.com"

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/synapse"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The contents that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Event → the message as it stands; ``edits`` counts its edits, ``thread`` is the event it answers."""
        self.redacted: dict[str, dict[str, Any]] = {}
        self._sent: dict[str, str] = {}

    def __enter__(self) -> Matrix:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, event: str) -> None:
        """Taken back: the event stays, and says nothing any more."""
        self.redacted[event] = self.messages.pop(event)

    def _act(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _no(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        rooms = "/synapse/_matrix/client/v3/rooms/"
        room, _, what = asked.target.removeprefix(rooms).partition("/")
        if not asked.target.startswith(rooms):
            return _no(404, "M_UNRECOGNIZED", "Unrecognized request")
        if room != quote(self.channel, safe=""):
            return _no(403, "M_FORBIDDEN", "User @landed:matrix.example.com not in room")
        if asked.method == "PUT" and re.fullmatch(r"send/m\.room\.message/[0-9a-f]{32}", what):
            return self._put(what, json.loads(asked.body))
        if asked.method == "GET" and re.fullmatch(r"event/[^/?#]+", what):
            return self._get(what.removeprefix("event/"))
        return _no(404, "M_UNRECOGNIZED", "Unrecognized request")

    def _put(self, transaction: str, content: dict[str, Any]) -> Answer:
        problems = matrix_problems(content)
        if problems:
            self.violations += problems
            return _no(400, "M_BAD_JSON", problems[0])
        if transaction not in self._sent:
            event = f"${len(self._sent) + 1:042}A"
            relation = content.get("m.relates_to", {})
            known = {**self.messages, **self.redacted}
            if relation and relation["event_id"] not in known:
                return _no(400, "M_UNKNOWN", "Can't send relation to unknown event")
            self._sent[transaction] = event
            self.taken.append(content)
            self._do(event, content, relation)
        return _yes(event_id=self._sent[transaction])

    def _do(self, event: str, content: dict[str, Any], relation: dict[str, Any]) -> None:
        if relation.get("rel_type") != "m.replace":
            thread = relation.get("event_id", "")
            self.messages[event] = {**content, "edits": 0, "thread": thread}
        elif relation["event_id"] in self.messages:
            kept = self.messages[relation["event_id"]]
            self.messages[relation["event_id"]] = {
                **content["m.new_content"], "edits": kept["edits"] + 1, "thread": kept["thread"],
            }  # fmt: skip

    def _get(self, event: str) -> Answer:
        whole = {quote(known, safe=""): known for known in (*self.messages, *self.redacted)}
        if event not in whole:
            return _no(404, "M_NOT_FOUND", "Event not found.")
        id_ = whole[event]
        shown: dict[str, Any] = {"event_id": id_, "type": "m.room.message", "sender": "@landed:matrix.example.com"}
        if id_ in self.redacted:
            return _yes(**shown, content={}, unsigned={"redacted_because": {"type": "m.room.redaction"}})
        kept = {name: value for name, value in self.messages[id_].items() if name in _CONTENT}
        return _yes(**shown, content=kept, unsigned={"age": 1})


def matrix_problems(content: dict[str, Any]) -> list[str]:
    """Why an event is none, or would be shown or heard otherwise than meant."""
    problems = []
    if len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()) > LIMIT - FRAME:
        problems.append("the event is too large")
    relation = content.get("m.relates_to", {})
    edits = relation.get("rel_type") == "m.replace"
    known = {"msgtype", "body", "m.mentions", "m.new_content", "m.relates_to"} if edits else {*_CONTENT, "m.relates_to"}
    problems += [f"unknown member {name}" for name in sorted(set(content) - known)]
    if relation and not re.fullmatch(r"\$.+", str(relation.get("event_id", ""))):
        problems.append("a relation to nothing")
    if edits and set(content.get("m.new_content", ())) != _CONTENT:
        problems.append("an edit without all of the new content")
    return [*problems, *_said(content), *(_said(content["m.new_content"]) if edits else ())]


def _said(content: dict[str, Any]) -> list[str]:
    problems = []
    if content.get("msgtype") not in ("m.text", "m.notice"):
        problems.append(f"the type {content.get('msgtype')}")
    if not str(content.get("body", "")).strip():
        problems.append("no text")
    if not isinstance(content.get("m.mentions"), dict) or set(content["m.mentions"]) - {"user_ids"}:
        problems.append("it does not say who is called, or calls the room")
    if "formatted_body" in content:
        if content.get("format") != "org.matrix.custom.html":
            problems.append(f"the format {content.get('format')}")
        problems += Markup(content["formatted_body"]).problems
    return problems


class Markup(HTMLParser):
    """HTML as a browser reads it: ``text`` and ``links`` of it, and ``problems`` of what does not belong there."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        if self._open:
            self.problems.append(f"not closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS or {name for name, _ in attrs} - _TAGS[tag]:
            self.problems.append(f"the tag {tag} with {attrs}")
        self.text += "\n" if tag == "br" else ""
        self._open += [] if tag == "br" else [tag]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"the end of {tag}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.problems.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("a declaration")

    def unknown_decl(self, data: str) -> None:
        self.problems.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("an instruction")


def _yes(**said: object) -> Answer:
    return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})


def _no(status: int, code: str, error: str, **more: object) -> Answer:
    body = {"errcode": code, "error": error, **more}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


WAYS = {
    "matrix": Way(
        "matrix", "standins.matrix", "Matrix", edits=True, idempotent=True, method="PUT", plain=frozenset({"body"}),
        example="https://matrix.example.com",
        content=(200, b'{"event_id":"$YUwRidLecu:example.com"}'),
        no=(b'{"errcode":"M_FORBIDDEN","error":"no"}', b'{"event_id":""}', b'{"event_id":"x y"}'),
        calls=("@room", "<script", "<a href='", 'href="http://evil', "<at", "<b>", "<img", "<!", "<@"),
        mention=("@ada:example.com", '<a href="https://matrix.to/#/@ada:example.com">@ada:example.com</a>'),
        misnamed=("ada", "@ada", "@room", "@a b:example.com", "#ops:example.com", "@ädä:example.com"),
    ),
}  # fmt: skip
