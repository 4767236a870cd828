"""Mattermost as far as messages go: an incoming webhook, and creating and patching posts by its API.

Paths and members of the API are those of its driver (tests/data/chat/mattermost/api.md). What is marked OURS is not: it
follows https://developers.mattermost.com .
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
WEBHOOK_PATH = "/hooks/9kcw5qjw86jgeum77o1uw8197j"
TOKEN = "p8x1mw3zqtgk7d9rybn4s6fhcu"
CHANNEL = "4xp9fdt77pncbef59f4k1qe83o"
#: OURS: characters of a message, and of all props as JSON.
LIMIT, PROPS_LIMIT = 16_383, 760_000
#: OURS: what the webhook reads of a body, and of an attachment.
_WEBHOOK = {"text", "channel", "username", "attachments", "icon_url", "icon_emoji", "type", "props", "priority"}
_ATTACHMENT = {"fallback", "color", "pretext", "text", "title", "title_link", "fields", "footer"}

API = Path(__file__).parent.parent / "data/chat/mattermost/api.json"


class MattermostWebhook:
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

    def __enter__(self) -> MattermostWebhook:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.path != WEBHOOK_PATH:
            return _no(400, "web.incoming_webhook.invalid.app_error", "Invalid webhook.")
        payload = json.loads(asked.body)
        problems = webhook_problems(payload)
        if problems:
            self.violations += problems
            return _no(400, "web.incoming_webhook.decode.app_error", problems[0])
        if "channel" in payload and payload["channel"].lstrip("#") not in self.channels:
            return _no(404, "web.incoming_webhook.channel.app_error", "Couldn't find the channel.")
        self.taken.append(payload)
        return Answer(200, b"ok", {"Content-Type": "text/plain"})


class Mattermost:
    """The API, for one bot and one channel."""

    token = TOKEN
    channel = CHANNEL

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/chat"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The bodies that were taken, edits included, in order."""
        self.violations: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Id → the post as it stands; ``edits`` counts its edits, ``thread`` is the id of what it answers."""
        self.refuse_edits = ""
        """The id of the error that an edit ends with."""
        self._pending: dict[str, str] = {}

    def __enter__(self) -> Mattermost:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, id_: str) -> None:
        """Deleted by hand."""
        del self.messages[id_]

    def _act(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _no(401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.")
        found = re.fullmatch(r"/chat/api/v4/posts(?:/([a-z0-9]{26})/patch)?", asked.path)
        if found is None or asked.method != ("PUT" if found[1] else "POST"):
            return _no(404, "api.context.404.app_error", "Sorry, we could not find the page.")
        body = json.loads(asked.body)
        problems = api_problems("patch_post" if found[1] else "create_post", body)
        if problems:
            self.violations += problems
            return _no(400, "api.context.invalid_body_param.app_error", problems[0])
        return self._patch(found[1], body) if found[1] else self._create(body)

    def _create(self, body: dict[str, Any]) -> Answer:
        if body["channel_id"] != self.channel:
            return _forbidden()
        pending, root = body.get("pending_post_id", ""), body.get("root_id", "")
        if pending in self._pending:
            return self._shown(201, self._pending[pending])
        if root and root not in self.messages:
            return _no(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
        id_ = f"post{len(self.taken) + 1:022}"
        self.taken.append(body)
        self.messages[id_] = {**body, "edits": 0, "thread": root}
        self._pending |= {pending: id_} if pending else {}
        return self._shown(201, id_)

    def _patch(self, id_: str, body: dict[str, Any]) -> Answer:
        if id_ not in self.messages:
            return _forbidden()
        if self.refuse_edits:
            return _no(400, self.refuse_edits, "Post edit is only allowed for 300 seconds.")
        self.taken.append(body)
        kept = self.messages[id_]
        self.messages[id_] = {**kept, **body, "edits": kept["edits"] + 1}
        return self._shown(200, id_)

    def _shown(self, status: int, id_: str) -> Answer:
        kept = self.messages[id_]
        said = {"id": id_, "create_at": 1, "delete_at": 0, "channel_id": self.channel, "root_id": kept["thread"]}
        return _answer(status, {**said, "message": kept["message"], "props": kept["props"]})


def api_problems(method: str, body: dict[str, Any]) -> list[str]:
    """Why Mattermost would refuse a body or not read all of it: its driver's members, then limits (OURS)."""
    members = _members()[method]
    problems = [f"unknown member {name}" for name in sorted(set(body) - set(members["all"]) - {"pending_post_id"})]
    problems += [f"no {name}" for name in members["required"] if not body.get(name)]
    if len(body.get("message", "")) > LIMIT:
        problems.append("model.post.is_valid.msg.app_error")
    if len(json.dumps(body.get("props", {}), ensure_ascii=False)) > PROPS_LIMIT:
        problems.append("model.post.is_valid.props.app_error")
    return [*problems, *_attached(body.get("props", {}).get("attachments", ()))]


def webhook_problems(body: dict[str, Any]) -> list[str]:
    """OURS, all of it: nobody publishes a schema of what a webhook takes."""
    problems = [f"unknown member {name}" for name in sorted(set(body) - _WEBHOOK)]
    problems += ["no text"] if not body.get("text", "").strip() else []
    problems += ["the text is too long: it is split"] if len(body.get("text", "")) > LIMIT else []
    return [*problems, *_attached(body.get("attachments", ()))]


def _attached(attachments: Any) -> list[str]:
    problems = []
    for attachment in attachments:
        problems += [f"unknown member {name} of an attachment" for name in sorted(set(attachment) - _ATTACHMENT)]
        if "color" in attachment and not re.fullmatch("#[0-9a-f]{6}", attachment["color"]):
            problems.append(f"the colour {attachment['color']}")
        if not attachment.get("fallback"):
            problems.append("nothing for where attachments are not shown")
        for field in attachment.get("fields", ()):
            if set(field) != {"title", "value", "short"} or not (field["title"] and field["value"]):
                problems.append("a field that says nothing")
    return problems


@cache
def _members() -> dict[str, dict[str, list[str]]]:
    loaded: dict[str, dict[str, list[str]]] = json.loads(API.read_text())
    return loaded


def _answer(status: int, said: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(said, separators=(",", ":")).encode(), {"Content-Type": "application/json"})


def _no(status: int, id_: str, message: str) -> Answer:
    return _answer(status, {"id": id_, "message": message, "detailed_error": "", "status_code": status})


def _forbidden() -> Answer:
    return _no(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")


_MENTION = ("ada.lovelace", "@ada.lovelace")
_MISNAMED = ("all", "@here", "channel", "Ada", "ada lovelace", "@@ada", "ada!", "_ada", "x" * 65, "ädä")
_CALLS = ("@all", "@here", "@channel", "@everyone", "<!", "<@", "<#", "](http://evil", "![")

WAYS = {
    "mattermost bot": Way(
        "mattermost", "standins.mattermost", "Mattermost", edits=True, idempotent=True, calls=_CALLS,
        mention=_MENTION, misnamed=_MISNAMED,
        example="https://mattermost.example.com",
        content=(201, b'{"id":"post0000000000000000000001","channel_id":"4xp9fdt77pncbef59f4k1qe83o","root_id":""}'),
        no=(b'{"id":"api.context.permissions.app_error","status_code":403}', b'{"id":""}', b'{"id":7}'),
    ),
    "mattermost webhook": Way(
        "mattermost", "standins.mattermost", "MattermostWebhook", content=(200, b"ok"), calls=_CALLS,
        mention=_MENTION, misnamed=_MISNAMED,
        no=(b'{"id":"web.incoming_webhook.invalid.app_error","status_code":400}', b"OK?"),
    ),
}  # fmt: skip
