"""Rocket.Chat as far as messages go: an incoming webhook, and ``chat.postMessage`` and ``chat.update`` of its API.

Bodies of the API are judged by Rocket.Chat's own schemas (tests/data/chat/rocket-chat.md). What is marked OURS is not:
it follows https://docs.rocket.chat and https://developer.rocket.chat .
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.way import Way
from jsonschema import Draft202012Validator
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
WEBHOOK_PATH = "/hooks/64f0c2d9e7a1b35c48d2f6a0/Rk8sVw3nQz7LbX5tYc2HgJ9dMfPe4uAi"
TOKEN = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f"
USER_ID = "rbAXPnMktTFbNpwtJ"
#: The setting ``Message_MaxAllowedSize``, in UTF-16 units.
LIMIT = 5000
#: OURS: what the webhook reads of a body, and of an attachment.
_WEBHOOK = {"text", "channel", "alias", "username", "attachments"}
_ATTACHMENT = {"color", "fallback", "title", "title_link", "text", "fields"}

SCHEMAS = Path(__file__).parent.parent / "data/chat/rocket-chat.json"


class RocketWebhook:
    """An incoming webhook. ``channels`` are those that it may be told to post to."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + WEBHOOK_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.channels: set[str] = set()
        self.taken: list[Any] = []
        """The payloads that were taken, in order."""
        self.violations: list[str] = []

    def __enter__(self) -> RocketWebhook:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        payload = json.loads(asked.body)
        problems = webhook_problems(payload)
        if problems:
            self.violations += problems
            return _failure("unknown-error")
        if "channel" in payload and payload["channel"] not in self.channels:
            return _failure("overriding destination channel is disabled for this integration")
        self.taken.append(payload)
        return _success()


class Rocket:
    """The API, for one user and one room."""

    token = TOKEN
    username = USER_ID
    channel = "#deploys"
    room = "GENERAL"

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The bodies that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Id → the message as it stands; ``edits`` counts its edits, ``thread`` is the id of what it answers."""
        self.refuse_edits = ""
        """The type of the error that an edit ends with."""
        self.keeps_deleted = False

    def __enter__(self) -> Rocket:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, id_: str) -> None:
        """Deleted by hand: gone, or, where the workspace shows that, kept as removed."""
        if self.keeps_deleted:
            self.messages[id_] |= {"t": "rm", "text": ""}
        else:
            del self.messages[id_]

    def _act(self, asked: Asked) -> Answer:
        if (asked.headers.get("x-auth-token"), asked.headers.get("x-user-id")) != (self.token, self.username):
            return _answer(401, {"status": "error", "message": "You must be logged in to do this."})
        calls = {"chat.postMessage": self._post, "chat.update": self._update, "chat.getMessage": self._get}
        folder, _, method = asked.path.rpartition("/")
        if (
            folder != "/api/v1"
            or method not in calls
            or asked.method != ("GET" if method == "chat.getMessage" else "POST")
        ):
            return _answer(404, {"success": False, "error": "Not found"})
        body = asked.query if asked.method == "GET" else json.loads(asked.body)
        problems = api_problems(method, body)
        if problems:
            self.violations += problems
            return _failure("Invalid body", errorType="invalid-params")
        return calls[method](body)

    def _post(self, body: dict[str, Any]) -> Answer:
        room = body.get("roomId", body.get("channel"))
        if room not in (self.room, self.channel):
            return _failure("The required “channel” does not exist [invalid-channel]", errorType="invalid-channel")
        id_ = f"m{len(self.taken) + 1:016}"
        self.taken.append(body)
        self.messages[id_] = {**body, "edits": 0, "thread": body.get("tmid", "")}
        return _success(ts=1, channel=room, message=self._shown(id_))

    def _update(self, body: dict[str, Any]) -> Answer:
        id_ = body["msgId"]
        if id_ not in self.messages:
            return _failure(f'No message found with the id of "{id_}".')
        if body["roomId"] != self.room:
            return _failure("The room id provided does not match where the message is from.")
        if self.refuse_edits:
            return _failure(f"Message editing not allowed [{self.refuse_edits}]", errorType=self.refuse_edits)
        self.taken.append(body)
        kept = self.messages[id_]
        self.messages[id_] = {**kept, "text": body["text"], "edits": kept["edits"] + 1}
        return _success(message=self._shown(id_))

    def _get(self, query: dict[str, Any]) -> Answer:
        id_ = query["msgId"]
        return _success(message=self._shown(id_)) if id_ in self.messages else _answer(400, {"success": False})

    def _shown(self, id_: str) -> dict[str, Any]:
        kept = self.messages[id_]
        said = {
            "_id": id_,
            "rid": self.room,
            "msg": kept["text"],
            "ts": "2026-10-01T00:00:00.000Z",
            "u": {"_id": USER_ID},
        }
        return said | ({"tmid": kept["thread"]} if kept["thread"] else {}) | ({"t": kept["t"]} if "t" in kept else {})


def api_problems(method: str, body: dict[str, Any]) -> list[str]:
    """Why Rocket.Chat would refuse a body: its own schema, and the size of a message (OURS)."""
    problems = [error.message for error in _schema(method).iter_errors(body)]
    if units(str(body.get("text", ""))) > LIMIT:
        problems.append("error-message-size-exceeded")
    return problems


def webhook_problems(body: dict[str, Any]) -> list[str]:
    """OURS, all of it: nobody publishes a schema of what a webhook takes."""
    problems = [f"unknown member {name}" for name in sorted(set(body) - _WEBHOOK)]
    for attachment in body.get("attachments", ()):
        problems += [f"unknown member {name} of an attachment" for name in sorted(set(attachment) - _ATTACHMENT)]
        for field in attachment.get("fields", ()):
            if set(field) != {"title", "value", "short"} or not (field["title"] and field["value"]):
                problems.append("a field that says nothing")
    texts = [body.get("text", ""), *(attachment.get("text", "") for attachment in body.get("attachments", ()))]
    problems += ["error-message-size-exceeded" for text in texts if units(text) > LIMIT]
    return problems if body.get("text", "").strip() else [*problems, "no text"]


def units(text: str) -> int:
    """The length of a string in JavaScript."""
    return sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@cache
def _schema(method: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMAS.read_text())[method])


def _answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


def _success(**more: object) -> Answer:
    return _answer(200, {**more, "success": True})


def _failure(error: str, **more: object) -> Answer:
    return _answer(400, {"success": False, "error": error, **more})


_CALLS = ("@all", "@here", "@channel")
_MENTION = ("ada.l", "@ada.l")
_MISNAMED = ("all", "here", "@ada", "ada lovelace", "ada@home", "a" * 101)

WAYS = {
    "rocket api": Way(
        "rocket", "standins.rocket", "Rocket", edits=True, calls=_CALLS, mention=_MENTION, misnamed=_MISNAMED,
        content=(200, b'{"success":true,"channel":"x","message":{"_id":"jC9chsFddTvsbFQG7","rid":"GENERAL"}}'),
        no=(b'{"success":false,"error":"error-not-allowed"}', b'{"success":"true"}'),
    ),
    "rocket webhook": Way(
        "rocket", "standins.rocket", "RocketWebhook", plain=frozenset({"title"}), calls=_CALLS,
        mention=_MENTION, misnamed=_MISNAMED,
        content=(200, b'{"success":true}'),
        no=(b'{"success":false}', b'{"success":false,"error":"Invalid channel"}'),
    ),
}  # fmt: skip
