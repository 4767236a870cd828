"""PagerDuty's Events API v2: alert events and change events, and the alerts that come of them.

Limits, required members and answers are ours, from https://developer.pagerduty.com/docs/events-api-v2-overview and
https://developer.pagerduty.com/docs/send-alert-event ; PagerDuty's own client is asked in
``tests/providers/test_pagerduty.py``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
_TOP = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


class PagerDuty:
    """The two endpoints, for one integration."""

    channel = ROUTING_KEY

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """What was told; a change event right after what resolves is a part of that, under ``change``."""
        self.changes: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.open: dict[str, dict[str, Any]] = {}
        """``dedup_key`` → what triggered the alert last."""

    def __enter__(self) -> PagerDuty:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        act = {"/v2/enqueue": self._alert, "/v2/change/enqueue": self._change}.get(asked.target)
        if act is None or asked.method != "POST":
            return Answer(404, b"Not Found")
        body = json.loads(asked.body)
        problems = _key_problems(body.get("routing_key")) or problems_of(body, change=act == self._change)
        if len(asked.body) > 512_000:
            problems = ["larger than 512 kB"]
        if problems:
            self.violations += problems
            return _said(400, {"status": "invalid event", "message": "Event object is invalid", "errors": problems})
        if body["routing_key"] != self.channel:
            return _said(400, {"status": "invalid event", "message": "Invalid routing key", "errors": []})
        return act(body)

    def _alert(self, body: dict[str, Any]) -> Answer:
        self.taken.append(body)
        if body["event_action"] == "trigger":
            self.open[body["dedup_key"]] = body
        elif body["event_action"] == "resolve":
            self.open.pop(body["dedup_key"], None)
        return _said(202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]})

    def _change(self, body: dict[str, Any]) -> Answer:
        self.changes.append(body)
        last = self.taken[-1] if self.taken else {}
        if last.get("event_action") == "resolve" and "change" not in last:
            last["change"] = body
        else:
            self.taken.append(body)
        return _said(202, {"status": "success", "message": "Change event processed"})


def _key_problems(key: Any) -> list[str]:
    if not isinstance(key, str) or len(key) != 32:
        return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    return [] if key.isalnum() else ["'routing_key' cannot contain non-alphanumeric characters."]


def problems_of(body: dict[str, Any], *, change: bool) -> list[str]:
    """Why PagerDuty would refuse ``body``, or not show all of it."""
    known = {"routing_key", "payload", "links"} if change else _TOP
    problems = [f"unknown {name}" for name in body.keys() - known]
    if not change and body.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        problems.append("'event_action' is invalid")
    if not change and not 0 < len(body.get("dedup_key", "")) <= 255:
        problems.append("'dedup_key' is missing or too long")
    if change or body.get("event_action") == "trigger":
        problems += _payload_problems(body.get("payload") or {}, change=change)
    for link in body.get("links", ()):
        if not re.fullmatch(r"https?://[!-~]+", link.get("href", "")) or link.keys() - {"href", "text"}:
            problems.append("a link that is none")
    return problems


def _payload_problems(payload: dict[str, Any], *, change: bool) -> list[str]:
    known = {"summary", "source", "timestamp", "custom_details"} if change else _PAYLOAD
    problems = [f"unknown payload.{name}" for name in payload.keys() - known]
    if not 0 < len(payload.get("summary", "")) <= 1024:
        problems.append("'payload.summary' is missing or blank, or too long")
    if not payload.get("source"):
        problems.append("'payload.source' is missing or blank")
    if not change and payload.get("severity") not in ("critical", "error", "warning", "info"):
        problems.append("'payload.severity' is invalid (must be one of the following: critical, error, warning, info)")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", payload.get("timestamp", "")):
        problems.append("'payload.timestamp' is no time")
    texts = [value for name, value in payload.items() if name != "custom_details"]
    if not all(isinstance(text, str) and text for text in texts):
        problems.append("a member that is no text")
    return problems


def _said(status: int, value: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


WAYS = {
    "pagerduty": Way(
        "pagerduty", "standins.pagerduty", "PagerDuty", idempotent=True,
        content=(202, b'{"status":"success","message":"Event processed","dedup_key":"prod"}'),
        no=(b'{"status":"invalid event","message":"Event object is invalid"}', b'{"status":1}'),
        example="https://events.pagerduty.com",
    ),
}  # fmt: skip
