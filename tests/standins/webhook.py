"""Receivers of Flux's events: one that takes anything, and one that wants them signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn
from standins.slack import WEBHOOK_PATH

if TYPE_CHECKING:
    import ssl

#: The part of a webhook's address that is its password.
SECRET_PATH = WEBHOOK_PATH


class Receiver:
    """A webhook that takes anything with 204."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._anything, context=context)
        self.address = self.server.url + SECRET_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The payloads that were taken, in order."""
        self.violations: list[str] = []
        """What would have been refused."""

    def __enter__(self) -> Receiver:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _anything(self, asked: Asked) -> Answer:
        self.taken.append(json.loads(asked.body))
        return Answer(204)


class Signed:
    """A webhook that takes what is signed with ``token`` as notification-controller's guide has it, no more."""

    token = "k3y-of-the-signature-Zx81"

    def __init__(self) -> None:
        self.server = StandIn(self._verified)
        self.address = self.server.url + SECRET_PATH
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []

    def __enter__(self) -> Signed:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _verified(self, asked: Asked) -> Answer:
        kind, _, digits = asked.headers.get("x-signature", "").partition("=")
        good = hmac.new(self.token.encode(), asked.body, hashlib.sha256).hexdigest()
        if kind != "sha256" or not hmac.compare_digest(digits, good):
            self.violations.append("not signed")
            return Answer(401)
        self.taken.append(json.loads(asked.body))
        return Answer(204)


WAYS = {
    "generic": Way("generic", "standins.webhook", "Receiver", content=(204, b""), strict=False),
    "generic-hmac": Way("generic-hmac", "standins.webhook", "Signed", content=(204, b""), strict=False),
}  # fmt: skip
