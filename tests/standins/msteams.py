"""The webhook of a Teams Workflow, and of a connector: OURS, from what Microsoft writes of them."""

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

#: The part of a flow's address that is its password.
SECRET_PATH = (
    "/powerautomate/automations/direct/workflows/0b6d1f2c8e9a4d7fb3c5/triggers/manual/paths/invoke"
    "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=Zk3vQ9mR7tYwZ2pLd84NfGhTestSignature0123456"
)
_SCHEMA = Path(__file__).parent.parent / "data" / "chat" / "adaptive-card.json"


class Teams:
    """A flow. ``connector=True`` makes it a connector, which always says 200 and what became of it in words."""

    def __init__(self, *, connector: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._connector if connector else self._flow, context=context)
        self.address = self.server.url + SECRET_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The messages that were taken, in order."""
        self.violations: list[str] = []
        """Why a message would not have been shown."""

    def __enter__(self) -> Teams:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _flow(self, asked: Asked) -> Answer:
        if asked.target != SECRET_PATH:
            return Answer(401, b'{"error":{"code":"DirectApiAuthorizationRequired","message":"The request must be'
                               b' authenticated only by Shared Access scheme."}}')  # fmt: skip
        return (
            Answer(202) if self._took(asked, message_problems) else Answer(400, b'{"error":{"code":"InvalidRequest"}}')
        )

    def _connector(self, asked: Asked) -> Answer:
        if self._took(asked, card_problems):
            return Answer(200, b"1")
        return Answer(
            200, b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 400"
        )

    def _took(self, asked: Asked, judge: Any) -> bool:
        body = json.loads(asked.body)
        problems = judge(body)
        self.violations += problems
        if not problems:
            self.taken.append(body)
        return not problems


def message_problems(body: dict[str, Any]) -> list[str]:
    """OURS: why a message with a card would not be shown."""
    problems = [f"{error.json_path}: {error.message[:200]}" for error in _schema().iter_errors(body)]
    problems += _too_large(json.dumps(json.dumps(body)))
    return problems + (_nobody(body["attachments"][0]["content"]) if not problems else [])


def _nobody(card: dict[str, Any]) -> list[str]:
    """Mentions that call nobody: what stands between tags, and whom it means, must both be there."""
    texts = [item["text"] for part in card["body"] for item in part.get("items", ()) if item["type"] == "TextBlock"]
    meant = [entity["text"] for entity in card["msteams"].get("entities", ())]
    return [] if sorted(set(texts)) == sorted(meant) else [f"{texts} are called, {meant} are meant"]


def card_problems(body: dict[str, Any]) -> list[str]:
    """OURS: why a connector would not show ``body``.

    https://learn.microsoft.com/outlook/actionable-messages/message-card-reference
    """
    problems = _too_large(json.dumps(body)) + _too_large(json.dumps(body, ensure_ascii=False).encode("utf-16-le"))
    if (body.get("@type"), body.get("@context")) != ("MessageCard", "https://schema.org/extensions"):
        problems.append("no MessageCard")
    if not body.get("summary"):
        problems.append("neither summary nor text")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", body.get("themeColor", "")):
        problems.append("no colour")
    known = {"activityTitle", "activitySubtitle", "text", "facts", "potentialAction"}
    problems += [
        f"unknown member {name}" for section in body.get("sections", ()) for name in section if name not in known
    ]
    if len(body.get("sections", ())) > 16:
        problems.append("too many sections")
    return problems


def _too_large(written: str | bytes) -> list[str]:
    """About 28 KB, counted when whoever passes it on has written it again, all in ASCII, in a string or in UTF-16."""
    return ["more than 28 KB"] if len(written) > 28_000 else []


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(_SCHEMA.read_text()))


WAYS = {
    "teams connector": Way(
        "msteams", "standins.msteams", "Teams", {"connector": True}, content=(200, b"1"), wordless=True,
        calls=("<at>",),
        host="acme.webhook.office.com",
        no=(b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",),
    ),
    "teams workflow": Way(
        "msteams", "standins.msteams", "Teams", content=(202, b""), strict=False, calls=("<at>",),
        mention=("ada@example.com", "<at>ada@example.com</at>"),
        misnamed=("ada", "ada@", "@example.com", "ada@example.com, bob@example.com", "<at>ada@example.com</at>",
                  "29:1bSnHZ7Js2STWrgk6",
                  "49c4641c-ab91-4248-aebb-6a7de286397"),
    ),
}  # fmt: skip
