"""Receivers of chat messages: one that takes anything, and one as strict as Slack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
SECRET_PATH = "/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh"


class Receiver:
    """A webhook. ``slack=True`` answers and refuses as Slack does, else anything is taken with 204."""

    def __init__(self, *, slack: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._slack if slack else self._anything, context=context)
        self.address = self.server.url + SECRET_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The payloads that were taken, in order."""
        self.violations: list[str] = []
        """What Slack would have refused."""

    def __enter__(self) -> Receiver:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _anything(self, asked: Asked) -> Answer:
        self.taken.append(json.loads(asked.body))
        return Answer(204)

    def _slack(self, asked: Asked) -> Answer:
        payload = json.loads(asked.body)
        problems = slack_problems(payload)
        if problems:
            self.violations += problems
            return Answer(400, b"invalid_payload")
        self.taken.append(payload)
        return Answer(200, b"ok", {"Content-Type": "text/html"})


def slack_problems(payload: dict[str, Any]) -> list[str]:
    """Why Slack would refuse ``payload``: its SDK's own rules, and four that the SDK does not have."""
    holders = [payload, *payload.get("attachments", ())]
    blocks = [block for holder in holders for block in holder.get("blocks", ())]
    problems = [problem for block in blocks if (problem := _block_problem(block))]
    if len(blocks) > 50:
        problems.append("more than 50 blocks")
    if not 0 < len(payload.get("text", "")) <= 40_000:
        problems.append("no text, or more than 40,000 characters")
    for block in blocks:
        problems += [
            "a field of more than 2000 characters" for field in block.get("fields", ()) if len(field["text"]) > 2000
        ]
        if block["type"] == "image" and not block.get("alt_text"):
            problems.append("an image without alternative text")
    return problems


def _block_problem(block: dict[str, Any]) -> str:
    """What Slack's SDK says against a block."""
    try:
        parsed = Block.parse(block)
        if parsed is None:
            return f"unknown block type {block.get('type')}"
        parsed.to_dict()
    except SlackObjectFormationError as error:
        return str(error)
    texts = [block["text"]] if "text" in block else block.get("elements", ())
    return "an empty text" if any(text.get("text") == "" for text in texts) else ""
