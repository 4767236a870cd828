"""A service that the library Apprise knows, which takes JSON: https://appriseit.com/services/json/"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

#: The part of the address that is its password.
PATH = "/hooks/SxK9vQ3mR7tYwZ2pLd84NfGh"
_MEMBERS = {"version", "title", "message", "attachments", "type"}


class Json:
    """Takes what the library's own JSON service sends."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"json{'s' if context else ''}://127.0.0.1:{self.server.port}{PATH}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []

    def __enter__(self) -> Json:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        payload = json.loads(asked.body)
        if asked.path.rstrip("/") != PATH:
            return Answer(404, b"no such hook")
        if set(payload) != _MEMBERS:
            self.violations.append(f"members {sorted(payload)}")
        if payload["type"] not in ("info", "success", "warning", "failure"):
            self.violations.append(f"the type {payload['type']}")
        if not payload["title"] or not payload["message"] or len(payload["message"]) > 3500:
            self.violations.append("no title or text, or too much of it")
        self.taken.append(payload)
        return Answer(200, b"")


_CALLS = ("@here", "@channel", "@everyone", "@all", "<!", "<@", "<#", "](http", "<at>", "<a href", "<script", "<http")

WAYS = {
    "apprise": Way(
        "apprise", "standins.apprise", "Json", content=(200, b"true"), strict=False, calls=_CALLS,
        example="json://hooks.example.com/hooks/SxK9vQ3mR7tYwZ2pLd84NfGh",
    ),
}  # fmt: skip
