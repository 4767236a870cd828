"""Alertmanager as far as alerts are posted: what it takes, what fires, and what is resolved.

The rules are ours, from https://prometheus.io/docs/alerting/latest/alerts_api/ and the OpenAPI document of its second
API; the real one is asked in ``tests/integration/test_channel_alertmanager.py``.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Alertmanager:
    """One that wants a user's name and password. Its clock is that of the newest time it was told."""

    username = "landed"
    password = "pass-of-the-alertmanager-7Yq"
    headers = ()

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []
        self.firing: dict[str, dict[str, Any]] = {}
        """Labels as JSON → the alert."""

    def __enter__(self) -> Alertmanager:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.target != "/api/v2/alerts":
            return Answer(404, b"404 page not found")
        known = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {known}":
            return Answer(401, b"Unauthorized")
        alerts = json.loads(asked.body)
        problems = problems_of(alerts)
        if problems:
            self.violations += problems
            return Answer(400, json.dumps(problems[0]).encode())
        self.taken.append(alerts)
        for alert in alerts:
            self._keep(alert)
        return Answer(200)

    def _keep(self, alert: dict[str, Any]) -> None:
        """What ends a year ahead fires; the rest is over."""
        key = json.dumps(alert["labels"], sort_keys=True)
        began, ended = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
        if (ended - began).days > 300:
            self.firing[key] = alert
        else:
            self.firing.pop(key, None)


def problems_of(alerts: Any) -> list[str]:
    """Why Alertmanager would refuse ``alerts``, or leave out a part of them."""
    if not isinstance(alerts, list) or not alerts:
        return ["no list of alerts"]
    return [problem for alert in alerts for problem in _problems(alert)]


def _problems(alert: dict[str, Any]) -> list[str]:
    problems = [f"unknown {name}" for name in alert.keys() - {"labels", "annotations", "startsAt", "endsAt"}]
    problems = [problem for problem in problems if problem != "unknown generatorURL"]
    if not alert.get("labels") or not alert["labels"].get("alertname"):
        problems.append("at least one label pair required")
    for name, value in [*alert.get("labels", {}).items(), *alert.get("annotations", {}).items()]:
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) or name.startswith("__"):
            problems.append(f"invalid label name {name!r}")
        if not isinstance(value, str) or not value:
            problems.append(f"{name} has no text")
    if not all(re.fullmatch(_TIME, alert.get(name, "")) for name in ("startsAt", "endsAt")):
        problems.append("a time that is none")
    elif alert["endsAt"] < alert["startsAt"]:
        problems.append("start time must be before end time")
    if not re.fullmatch(r"https?://[!-~]+", alert.get("generatorURL", "https://x")):
        problems.append("generatorURL is no URI")
    return problems


WAYS = {
    "alertmanager": Way(
        "alertmanager", "standins.alertmanager", "Alertmanager", idempotent=True, wordless=True,
        example="https://alerts.example.com/api/v2/alerts/", no=(b'{"status":"error","errorType":"bad_data"}',),
    ),
}  # fmt: skip
