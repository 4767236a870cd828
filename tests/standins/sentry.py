"""Sentry's way in, judged by Relay, the program that takes envelopes for Sentry, and read by Sentry's own SDK.

What Relay's normalizer would change or could not read is a violation. How envelopes are refused is OURS, from
https://develop.sentry.dev/sdk/foundations/transport/envelopes/ and Relay's answers.
"""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contract.way import Way
from sentry_relay.processing import StoreNormalizer
from sentry_sdk.envelope import Envelope
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

KEY = "5f0c1c2d3e4f5a6b7c8d9e0f1a2b3c4d"
PROJECT = "4507"
#: Of an event: what is to be in Sentry as it was sent.
_KEPT = frozenset({"event_id", "level", "release", "environment", "transaction", "fingerprint", "timestamp"})
_KEPT |= {"start_timestamp", "platform", "logger"}


class Sentry:
    """One project."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url.replace("://", f"://{KEY}@") + f"/{PROJECT}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.taken: list[Any] = []
        """The items that were taken: what Relay made of them. One that was taken already is not taken again."""
        self.violations: list[str] = []

    def __enter__(self) -> Sentry:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        auth = dict(re.findall(r"(sentry_\w+)=([^,\s]+)", asked.headers.get("x-sentry-auth", "")))
        if asked.path != f"/api/{PROJECT}/envelope/" or asked.method != "POST":
            return _say(404, {"detail": "no such project"})
        if auth.get("sentry_key") != KEY or auth.get("sentry_version") != "7":
            return _say(401, {"detail": "bad sentry DSN public key"})
        if asked.headers.get("content-type") != "application/x-sentry-envelope":
            return _say(415, {"detail": "unsupported media type"})
        problems, read = envelope_problems(asked.body)
        if problems:
            self.violations += problems
            return _say(400, {"detail": "invalid event envelope", "causes": problems})
        if read["event_id"] not in {each["event_id"] for each in self.taken}:
            self.taken.append(read)
        return _say(200, {"id": read["event_id"]})


def _say(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def envelope_problems(body: bytes, now: int = 0) -> tuple[list[str], Any]:
    """Why Relay would refuse the envelope, or not keep all of it; and what it makes of its event.

    At ``now``, where that is given, it takes what is 30 days old; that transactions have 5 days is OURS, from Relay's
    own defaults.
    """
    envelope = envelope_of(body)
    if len(envelope.items) != 1 or envelope.items[0].type not in ("event", "transaction"):
        return ["not one event"], None
    (item,) = envelope.items
    _, _, written = body.split(b"\n", 2)
    sent = json.loads(written)
    if envelope.headers.get("event_id") != sent["event_id"] or item.headers.get("length") != len(written) - 1:
        return ["its headers are about something else"], None
    received = datetime.fromtimestamp(now, UTC).isoformat()
    clock = {"received_at": received, "max_secs_in_past": 30 * 86400, "max_secs_in_future": 60} if now else {}
    read = StoreNormalizer(project_id=int(PROJECT), **({"max_secs_in_past": 10**9} | clock)).normalize_event(
        json.loads(json.dumps(sent))
    )
    problems = [f"Relay: {error}" for error in read.get("errors", ())]
    if now and item.type == "transaction" and not now - 5 * 86400 < sent["timestamp"] < now + 60:
        problems.append("a transaction that is dropped for its time")
    problems += [f"Relay remarks on {name}" for name in read.get("_meta", {}) if name != "logentry"]
    problems += [
        f"{name} became {read.get(name)!r}" for name in sorted(_KEPT) if name in sent and read.get(name) != sent[name]
    ]
    wanted = "transaction" if item.type == "transaction" else "default"
    if read.get("type") != wanted:
        problems.append(f"it became {read.get('type')}")
    tags = dict(read.get("tags", ()))
    wanted_tags = {**sent["tags"], "server_name": sent["server_name"]}
    problems += [
        f"the tag {name} became {tags.get(name)!r}" for name, value in wanted_tags.items() if tags.get(name) != value
    ]
    return problems, read


def envelope_of(body: bytes) -> Envelope:
    """``body`` as Sentry's SDK reads it."""
    return Envelope.deserialize_from(io.BytesIO(body))


WAYS = {
    "sentry": Way(
        "sentry", "standins.sentry", "Sentry", content=(200, b'{"id":"fc6d8c0c43fc4630ad850ee518f1b9d0"}'),
        no=(b'{"id":""}', b'{"id":7}', b'{"detail":"bad sentry DSN public key"}'), idempotent=True,
        content_type="application/x-sentry-envelope", example=f"https://{KEY}@o1.ingest.example.com/{PROJECT}",
    ),
}  # fmt: skip
