"""Opsgenie's alerts: opened under an alias, and closed by it. All of it is answered with 202 and done later.

Limits and answers are ours, from https://docs.opsgenie.com/docs/alert-api and https://docs.opsgenie.com/docs/response ;
Opsgenie's own client is asked in ``tests/providers/test_opsgenie.py``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
#: Characters of each text that an alert may have.
_LIMITS = {
    "message": 130,
    "alias": 512,
    "description": 15_000,
    "entity": 512,
    "source": 100,
    "user": 100,
    "note": 25_000,
}
_ALERT = {*_LIMITS, "tags", "details", "priority", "responders", "visibleTo", "actions"}


class Opsgenie:
    """The API, for one key."""

    token = KEY

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/v2/alerts"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """What was told; what is closed in a row, with the same words, is told once."""
        self.closed: list[str] = []
        """Aliases that were to be closed."""
        self.violations: list[str] = []
        self.open: dict[str, dict[str, Any]] = {}
        """Alias → the alert as it was opened; ``count`` says how often."""

    def __enter__(self) -> Opsgenie:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"GenieKey {self.token}":
            return _said(401, {"message": "Could not authenticate"})
        body = json.loads(asked.body)
        close = re.fullmatch(r"/v2/alerts/([A-Za-z0-9_.-]{1,512})/close\?identifierType=alias", asked.target)
        if not close and asked.target != "/v2/alerts":
            return _said(404, {"message": "Resource not found"})
        problems = problems_of(body, {"user", "note", "source"} if close else _ALERT)
        if problems:
            self.violations += problems
            return _said(422, {"message": "Request body is not processable.", "errors": {"alert": problems[0]}})
        return self._close(close[1], body) if close else self._open(body)

    def _open(self, body: dict[str, Any]) -> Answer:
        self.taken.append(body)
        # An open alert with the same alias is counted up, and nothing of it changes.
        known = self.open.setdefault(body["alias"], {**body, "count": 0})
        known["count"] += 1
        return _accepted()

    def _close(self, alias: str, body: dict[str, Any]) -> Answer:
        if not (self.taken and self.taken[-1].get("closes") == body):
            self.taken.append({"closes": body})
        self.closed.append(alias)
        self.open.pop(alias, None)
        return _accepted()


def problems_of(body: dict[str, Any], known: set[str]) -> list[str]:
    """Why Opsgenie would refuse ``body``, or not show all of it."""
    problems = [f"unknown {name}" for name in body.keys() - known]
    if "message" in known and not body.get("message"):
        problems.append("Message can not be empty.")
    problems += [f"{name} is too long" for name, limit in _LIMITS.items() if len(body.get(name, "")) > limit]
    tags = body.get("tags", [])
    if len(tags) > 20 or not all(0 < len(tag) <= 50 and "," not in tag for tag in tags):
        problems.append("tags that are none")
    details = body.get("details", {})
    if sum(len(name) + len(value) for name, value in details.items()) > 8000:
        problems.append("details are too long")
    if body.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
        problems.append("Priority should be one of [ P1, P2, P3, P4, P5 ]")
    shown = " ".join([body.get("message", ""), body.get("description", ""), body.get("note", ""), *details.values()])
    if re.search(r"<[A-Za-z/!?]|&[#A-Za-z0-9]+;", shown):
        problems.append("HTML of a stranger's")
    return problems


def _accepted() -> Answer:
    return _said(202, {"result": "Request will be processed", "took": 0.302, "requestId": "43a29c5c-3dbf-4fa4-9c26"})


def _said(status: int, value: dict[str, Any]) -> Answer:
    whole = {"took": 0.001, "requestId": "8a88410f-3129-483d-87b7", **value}
    return Answer(status, json.dumps(whole).encode(), {"Content-Type": "application/json"})


WAYS = {
    "opsgenie": Way(
        "opsgenie", "standins.opsgenie", "Opsgenie", idempotent=True,
        content=(202, b'{"result":"Request will be processed","took":0.3,"requestId":"43a29c5c"}'),
        no=(b'{"result":"Request will be processed"}', b'{"requestId":7}'),
        example="https://api.eu.opsgenie.com/v2/alerts",
    ),
}  # fmt: skip
