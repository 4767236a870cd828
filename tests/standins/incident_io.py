"""incident.io's HTTP alert source: events that fire alerts and resolve them.

How it behaves is ours, from https://docs.incident.io/alerts/deduplication and
https://api-docs.incident.io/tag/Alert-Events-V2 ; what an event may have is asked of incident.io's own SDK.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from contract.way import Way
from incident_io.models import AlertEventsCreateHTTPPayloadV2
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

SOURCE = "01GW2G3V0S59R238FAHPDS1R66"


class IncidentIo:
    """One alert source."""

    token = "tok-of-the-alert-source-4Kd81mZ"

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/v2/alert_events/http/{SOURCE}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []
        self.firing: dict[str, dict[str, Any]] = {}
        """Key → what fired it first."""
        self.paged: list[str] = []
        """The title of each alert that was made: everybody on call hears of it."""

    def __enter__(self) -> IncidentIo:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.path != f"/v2/alert_events/http/{SOURCE}":
            return _no(404, "not_found", "The requested resource was not found")
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _no(401, "authentication_error", "No authorization material provided in request")
        body = json.loads(asked.body)
        problems = problems_of(body)
        if problems:
            self.violations += problems
            return _no(422, "validation_error", problems[0])
        self.taken.append(body)
        key = body["deduplication_key"]
        if body["status"] == "resolved":
            self.firing.pop(key, None)
        elif key not in self.firing:
            self.firing[key] = body
            self.paged.append(body["title"])
        return _said(202, {"deduplication_key": key, "message": "Event accepted for processing", "status": "success"})


def problems_of(body: dict[str, Any]) -> list[str]:
    """Why incident.io would refuse ``body``, or not show all of it."""
    try:
        read = AlertEventsCreateHTTPPayloadV2.from_dict(body)
    except (KeyError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    problems = [f"unknown {name}" for name in read.additional_properties]
    if read.to_dict() != body:
        problems.append("the SDK reads it otherwise")
    if not body["title"] or not body.get("deduplication_key"):
        problems.append("title and deduplication_key are required")
    texts = [value for name, value in body.items() if name != "metadata"]
    if not all(isinstance(text, str) for text in [*texts, *body.get("metadata", {}).values()]):
        problems.append("a member that is no text")
    if not re.fullmatch(r"https?://[!-~]+", body.get("source_url", "https://x")):
        problems.append("source_url is no URL")
    if not _is_code(body.get("description", "")):
        problems.append("Markdown of a stranger's")
    return problems


def _is_code(description: str) -> bool:
    """Whether a description is one block of code, and nothing in it ends that."""
    block = re.fullmatch("(`{3,})text\n(.*)\n(`{3,})", description, re.DOTALL)
    return not description or (block is not None and block[1] == block[3] and block[1] not in block[2])


def _no(status: int, type_: str, message: str) -> Answer:
    errors = [{"code": type_, "message": message}]
    return _said(status, {"type": type_, "status": status, "request_id": "8e3cc412", "errors": errors})


def _said(status: int, value: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


WAYS = {
    "incident.io": Way(
        "incident.io", "standins.incident_io", "IncidentIo", idempotent=True,
        content=(202, b'{"deduplication_key":"k","message":"Event accepted for processing","status":"success"}'),
        no=(b'{"status":"error","message":"no","deduplication_key":"k"}', b'{"status":"success"}'),
        example="https://api.incident.io/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66",
    ),
}  # fmt: skip
