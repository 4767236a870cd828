"""Datadog's events, judged by Datadog's own client, and by what its documentation says beyond that (OURS).

https://docs.datadoghq.com/api/latest/events/#post-an-event , https://docs.datadoghq.com/getting_started/tagging/
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from contract.way import Way
from datadog_api_client.configuration import Configuration
from datadog_api_client.exceptions import ApiTypeError, ApiValueError
from datadog_api_client.model_utils import validate_and_convert_types
from datadog_api_client.v1.model.event_create_request import EventCreateRequest
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

API_KEY = "7f3b0a94c1d84e2f9a6b5c4d3e2f1a0b"
_AS_USUAL = Configuration()  # type: ignore[no-untyped-call]
_ALERTS = {"error", "warning", "info", "success", "user_update", "recommendation", "snapshot"}


class Datadog:
    """One site and one organization."""

    token = API_KEY

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        self.violations: list[str] = []

    def __enter__(self) -> Datadog:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.headers.get("dd-api-key") != self.token:
            return _say(403, {"errors": ["Forbidden"]})
        if (asked.method, asked.path) != ("POST", "/api/v1/events"):
            return _say(404, {"errors": ["Not found"]})
        body = json.loads(asked.body)
        problems = event_problems(body)
        if problems:
            self.violations += problems
            return _say(400, {"errors": problems})
        self.taken.append(body)
        number = 6518573200000000000 + len(self.taken)
        event = {"id": number, "title": body["title"], "text": body["text"], "url": f"https://app.example/{number}"}
        return _say(202, {"status": "ok", "event": event})


def _say(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def event_problems(body: dict[str, Any], now: float = 0.0) -> list[str]:
    """Why Datadog would refuse ``body`` or show it otherwise than was meant."""
    try:
        read = validate_and_convert_types(  # type: ignore[no-untyped-call]
            body, (EventCreateRequest,), ["body"], True, True, _AS_USUAL
        )
    except (ApiTypeError, ApiValueError, TypeError) as error:
        return [str(error)]
    problems = [f"the client does not know {name}" for name in body if name not in read.attribute_map]
    if read.get("alert_type") is not None and str(read["alert_type"]) not in _ALERTS:
        problems.append(f"no alert type: {read['alert_type']}")
    if len(body.get("aggregation_key", "x")) not in range(1, 101):
        problems.append("an aggregation key of no or more than 100 characters")
    now = now or time.time()
    if now - body.get("date_happened", now) > 18 * 3600:
        problems.append("older than 18 hours")
    if not body["text"] or not body["title"]:
        problems.append("no text or no title")
    if body["text"].startswith("%%%"):
        problems.append("it is in Markdown")
    if re.search(r"@(?=[^\s\u200b])", body["text"] + body["title"]):
        problems.append("somebody is called")
    return problems + [f"no tag: {tag}" for tag in body.get("tags", ()) if not _is_tag(tag)]


def _is_tag(tag: str) -> bool:
    """What Datadog leaves as it is."""
    return len(tag) <= 200 and tag == tag.lower() and bool(re.fullmatch(r"[^\W\d_][\w\-./:]*[^_:]", tag))


WAYS = {
    "datadog": Way(
        "datadog", "standins.datadog", "Datadog", content=(202, b'{"status":"ok","event":{"id":1}}'),
        no=(b'{"status":"error"}', b'{"errors":["Forbidden"]}', b'{"status":1}'),
        example="https://api.datadoghq.eu", calls=("@",),
    ),
}  # fmt: skip
