"""Telegram's Bot API as far as messages go: ``sendMessage`` and ``editMessageText`` of one bot in one group.

Bodies are judged by a client library's schemas (tests/data/chat/telegram/bot-api.md). What is marked OURS is not: it
follows https://core.telegram.org/bots/api .
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.way import Way
from jsonschema import Draft202012Validator
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TOKEN = "6104273958:AAHq7Xv2Zk9bWn4mRtYc8sLdPf3gJu6eKoE"
#: OURS: in UTF-16 units, and as many entities as are not dropped.
LIMIT, ENTITIES = 4096, 100

SCHEMAS = Path(__file__).parent.parent / "data/chat/telegram/bot-api.json"


class Telegram:
    """The API, for one bot and one group with topics."""

    token = TOKEN
    chat = -1001846293057
    channel = str(chat)
    topics = frozenset({7})

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The bodies that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Number → the message as it stands; ``edits`` counts its edits, ``thread`` is the number it answers."""
        self.refuse = ""
        """What to answer a message with instead of taking it; ``refuse_edits`` an edit."""
        self.refuse_edits = ""

    def __enter__(self) -> Telegram:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, number: str) -> None:
        """Deleted by hand."""
        del self.messages[number]

    def _act(self, asked: Asked) -> Answer:
        found = re.fullmatch(r"(?:/prefix)?/bot([^/]*)/([A-Za-z]+)", asked.path)
        if found is None:
            return _no(404, "Not Found")
        if found[1] != self.token:
            return _no(401, "Unauthorized")
        calls = {"sendMessage": self._send, "editMessageText": self._edit}
        if found[2] not in calls or asked.method != "POST":
            return _no(404, "Not Found: method not found")
        body = json.loads(asked.body)
        problems = telegram_problems(found[2], body)
        if problems:
            self.violations += problems
            return _no(400, f"Bad Request: {problems[0][:60]}")
        return calls[found[2]](body)

    def _send(self, body: dict[str, Any]) -> Answer:
        if self.refuse:
            return _no(403 if self.refuse.startswith("Forbidden") else 400, self.refuse)
        if body["chat_id"] not in (self.chat, "@deploys"):
            return _no(400, "Bad Request: chat not found")
        topic = body.get("message_thread_id", 0)
        if topic and topic not in self.topics:
            return _no(400, "Bad Request: message thread not found")
        number = str(100 + len(self.taken))
        answered = body.get("reply_parameters", {})
        root = str(answered.get("message_id", ""))
        if root and root not in self.messages:
            if not answered.get("allow_sending_without_reply"):
                return _no(400, "Bad Request: message to be replied not found")
            root = ""
        if root and self.messages[root]["topic"] != topic:  # "always False for replies in another … forum topic"
            return _no(400, "Bad Request: message to be replied not found")
        self.taken.append(body)
        self.messages[number] = {**body, "edits": 0, "thread": root, "topic": topic}
        return _yes(self._shown(number))

    def _edit(self, body: dict[str, Any]) -> Answer:
        number = str(body["message_id"])
        if self.refuse_edits:
            return _no(400, self.refuse_edits)
        if body["chat_id"] != self.chat:
            return _no(400, "Bad Request: chat not found")
        if number not in self.messages:
            return _no(400, "Bad Request: message to edit not found")
        kept = self.messages[number]
        if (kept["text"], kept["entities"]) == (body["text"], body["entities"]):
            return _no(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the"
                " same as a current content and reply markup of the message",
            )
        self.taken.append(body)
        self.messages[number] = {**kept, **body, "edits": kept["edits"] + 1}
        return _yes(self._shown(number))

    def _shown(self, number: str) -> dict[str, Any]:
        kept = self.messages[number]
        shown: dict[str, Any] = {"message_id": int(number), "date": 1, "chat": {"id": self.chat, "type": "supergroup"}}
        if kept["topic"]:
            opened = {"message_id": kept["topic"], "forum_topic_created": {}}
            shown |= {"message_thread_id": kept["topic"], "is_topic_message": True, "reply_to_message": opened}
        if kept["thread"]:
            shown["reply_to_message"] = {"message_id": int(kept["thread"])}
        return {**shown, "text": kept["text"]}


def telegram_problems(method: str, body: dict[str, Any]) -> list[str]:
    """Why Telegram would refuse a body, or show it otherwise: the schema, then limits and the places of entities."""
    problems = [error.message for error in _schema(method).iter_errors(body)]
    text = str(body.get("text", ""))
    length = units(text)
    if not text.strip() or length > LIMIT:
        problems.append("message text is empty or too long")
    if text != text.strip():
        problems.append("blanks at the ends are cut off, and entities move")
    entities = body.get("entities", [])
    if len(entities) > ENTITIES:
        problems.append("too many entities")
    for entity in entities:
        covered = part(text, entity)
        if not covered.strip() or entity["offset"] + entity["length"] > length or "\ufffd" in covered:
            problems.append(f"an entity in no place: {entity}")
        wanted = {"text_link": {"url"}, "text_mention": {"user"}}.get(entity["type"], set())
        if set(entity) != {"type", "offset", "length"} | wanted:
            problems.append(f"an entity of {sorted(entity)}")
    return problems


def part(text: str, entity: dict[str, Any]) -> str:
    """What of ``text`` an entity covers; half a pair is a replacement character."""
    begin = 2 * entity["offset"]
    return text.encode("utf-16-le")[begin : begin + 2 * entity["length"]].decode("utf-16-le", "replace")


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@cache
def _schema(method: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMAS.read_text())[method])


def _yes(result: object) -> Answer:
    return Answer(200, json.dumps({"ok": True, "result": result}).encode(), {"Content-Type": "application/json"})


def _no(code: int, description: str, **parameters: object) -> Answer:
    said = {"ok": False, "error_code": code, "description": description}
    body = {**said, "parameters": parameters} if parameters else said
    return Answer(code, json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


WAYS = {
    "telegram": Way(
        "telegram", "standins.telegram", "Telegram", edits=True,
        example="https://api.telegram.org",
        content=(200, b'{"ok":true,"result":{"message_id":4,"chat":{"id":-1001846293057,"type":"supergroup"}}}'),
        no=(
            b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}',
            b'{"ok":true,"result":true}',
            b'{"ok":true}',
        ),
        calls=("@here", "@channel", "@everyone", "@all", "@u123"),
        mention=("80351110", "Please look at this"),
        misnamed=("ada", "@ada", "0351110", "-80351110", "8035 1110", "８０３５", "1" * 17),
    ),
}  # fmt: skip
