"""Discord's webhooks, as strict as its own description of them, with the messages as they stand."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from contract.way import Way
from jsonschema import Draft202012Validator
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
SECRET_PATH = "/api/webhooks/1280000000000000001/SxK9vQ3mR7tYwZ2pLd84NfGhTestHook_0123456789abcdefghijklmnopqrstuvw"
_SCHEMAS = Path(__file__).parent.parent / "data" / "chat" / "discord-webhook.json"
#: OURS. https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
UNKNOWN_MESSAGE = Answer(404, b'{"message": "Unknown Message", "code": 10008}', {"Content-Type": "application/json"})
UNKNOWN_WEBHOOK = Answer(404, b'{"message": "Unknown Webhook", "code": 10015}', {"Content-Type": "application/json"})


class Kept(NamedTuple):
    """A message as it stands."""

    body: dict[str, Any]
    edits: int = 0
    thread: str = ""


class Discord:
    """One webhook."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url + SECRET_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The payloads that were taken, in order, edits included."""
        self.violations: list[str] = []
        """Why Discord would have refused what was sent."""
        self.messages: dict[str, Kept] = {}
        self.removed = False
        """Whether somebody has removed the webhook."""

    def __enter__(self) -> Discord:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def delete(self, message: str) -> None:
        """Delete a message by hand."""
        del self.messages[message]

    def _act(self, asked: Asked) -> Answer:
        if self.removed or not asked.path.startswith(SECRET_PATH):
            return UNKNOWN_WEBHOOK
        rest = asked.path.removeprefix(SECRET_PATH)
        edited = re.fullmatch(r"/messages/(\d+)", rest)
        if asked.method == "PATCH" and edited:
            return self._edit(edited[1], asked)
        if asked.method == "POST" and not rest:
            return self._post(asked)
        return Answer(405, b'{"message": "405: Method Not Allowed", "code": 0}')

    def _post(self, asked: Asked) -> Answer:
        if refused := self._refused(asked, "post"):
            return refused
        id_ = str(1290000000000000000 + len(self.taken))
        self.messages[id_] = Kept(self.taken[-1], thread=asked.query.get("thread_id", ""))
        return self._said(id_) if asked.query.get("wait") == "true" else Answer(204)

    def _edit(self, id_: str, asked: Asked) -> Answer:
        kept = self.messages.get(id_)
        if kept is None or kept.thread != asked.query.get("thread_id", ""):
            return UNKNOWN_MESSAGE
        if refused := self._refused(asked, "patch"):
            return refused
        # What an edit leaves out stays as it was.
        self.messages[id_] = Kept({**kept.body, **self.taken[-1]}, kept.edits + 1, kept.thread)
        return self._said(id_)

    def _refused(self, asked: Asked, how: str) -> Answer | None:
        body = json.loads(asked.body)
        problems = discord_problems(body, how)
        if problems:
            self.violations += problems
            return Answer(400, b'{"message": "Invalid Form Body", "code": 50035}')
        self.taken.append(body)
        return None

    def _said(self, id_: str) -> Answer:
        said = {"id": id_, "type": 0, "channel_id": "1270000000000000001", **self.messages[id_].body}
        return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})


def discord_problems(body: dict[str, Any], how: str = "post") -> list[str]:
    """Why Discord would refuse ``body``; ``how`` is ``post`` or ``patch``."""
    problems = [f"{error.json_path}: {error.message[:200]}" for error in _schema(how).iter_errors(body)]
    return problems + _ours(body, how)


@cache
def _schema(how: str) -> Draft202012Validator:
    return Draft202012Validator(_described(how))


@cache
def _described(how: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(_SCHEMAS.read_text())[how]
    return described


def _ours(body: dict[str, Any], how: str) -> list[str]:
    """OURS: what the schema does not say."""
    embeds = body.get("embeds") or []
    problems = _unknown(body, how)
    if not (body.get("content") or embeds):
        problems.append("an empty message")
    if sum(map(embedded, embeds)) > 6000:
        problems.append("more than 6000 characters in all embeds")
    fields = [field for embed in embeds for field in embed.get("fields", ())]
    problems += [
        "an empty field" for field in fields if not all(field.get(part, "").strip() for part in ("name", "value"))
    ]
    mentioned = re.findall(r"<@!?(\d+)>", str(body.get("content")))
    allowed = (body.get("allowed_mentions") or {}).get("users") or []
    if sorted(mentioned) != sorted(allowed):
        problems.append(f"{allowed} may be called, {mentioned} are")
    problems += ["an empty embed" for embed in embeds if not embedded(embed)]
    problems += [
        f"no link: {embed['url']}"
        for embed in embeds
        if not re.match(r"https?://[^\s<>]+\Z", embed.get("url", "http://x"))
    ]
    links = [embed["url"] for embed in embeds if "url" in embed]
    if len(set(links)) < len(links):
        problems.append("an embed that is not shown, for one before it has the same link")
    if re.search(r"clyde|discord|\A(?:everyone|here)\Z", body.get("username", ""), re.IGNORECASE):
        problems.append("a user name that Discord refuses")
    return problems


def _unknown(body: dict[str, Any], how: str) -> list[str]:
    known = _described(how)["properties"]
    within = known["embeds"]["anyOf"][0]["items"]["properties"]
    unknown = [name for name in body if name not in known]
    return [
        f"unknown member {name}"
        for name in [*unknown, *(n for e in body.get("embeds", ()) for n in e if n not in within)]
    ]


def embedded(embed: dict[str, Any]) -> int:
    """What an embed counts for, in UTF-16 units, which are never fewer than characters."""
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [embed.get("author", {}).get("name", "")]
    texts += [text for field in embed.get("fields", ()) for text in (field.get("name", ""), field.get("value", ""))]
    return sum(len(text.encode("utf-16-le")) // 2 for text in texts)


WAYS = {
    "discord": Way(
        "discord", "standins.discord", "Discord", content=(200, b'{"id":"1290000000000000000"}'), edits=True,
        no=(b'{"message":"no","code":50035}', b'{"id":null}', b'{"id":"../1"}'), calls=("@everyone", "@here"),
        mention=("80351110224678912", "<@80351110224678912>"),
        misnamed=("ada", "@80351110224678912", "&80351110224678912", "123", "0" * 18, "1" * 21,
                  "８０３５１１１０２２４６７８９１２"),
    ),
}  # fmt: skip
