"""The one door out: timeouts, retries, rate limits, redaction, for everything that is not an SDK."""

from __future__ import annotations

from landed.http.answers import LATER, excerpt, not_taken
from landed.http.diagnosis import PROXY_REFUSES, Trouble, diagnose, refused_by_proxy
from landed.http.door import USER_AGENT, Http
from landed.http.pacing import Patience, TokenBucket, retry_after
from landed.http.route import Route, secrets_of_proxy
from landed.http.trust import context, silence, trusted
from landed.http.tunnel import connected, unreached
from landed.http.values import Request, Response, json_request, secrets_of
from landed.http.words import clean, host_of, spoken, status_text

__all__ = [
    "LATER",
    "PROXY_REFUSES",
    "USER_AGENT",
    "Http",
    "Patience",
    "Request",
    "Response",
    "Route",
    "TokenBucket",
    "Trouble",
    "clean",
    "connected",
    "context",
    "diagnose",
    "excerpt",
    "host_of",
    "json_request",
    "not_taken",
    "refused_by_proxy",
    "retry_after",
    "secrets_of",
    "secrets_of_proxy",
    "silence",
    "spoken",
    "status_text",
    "trusted",
    "unreached",
]
