"""The one door out: timeouts, retries, rate limits, redaction, for everything that is not an SDK."""

from __future__ import annotations

from landed.http.answers import LATER, excerpt
from landed.http.diagnosis import Trouble, diagnose
from landed.http.door import USER_AGENT, Http
from landed.http.pacing import Patience, TokenBucket, retry_after
from landed.http.trust import silence, trusted
from landed.http.values import Request, Response, json_request, secrets_of
from landed.http.words import clean, host_of, spoken, status_text

__all__ = [
    "LATER",
    "USER_AGENT",
    "Http",
    "Patience",
    "Request",
    "Response",
    "TokenBucket",
    "Trouble",
    "clean",
    "diagnose",
    "excerpt",
    "host_of",
    "json_request",
    "retry_after",
    "secrets_of",
    "silence",
    "spoken",
    "status_text",
    "trusted",
]
