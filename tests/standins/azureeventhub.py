"""Azure Event Hubs: what takes one event over HTTPS, and where one signs in.

https://learn.microsoft.com/en-us/rest/api/eventhub/send-event ,
https://learn.microsoft.com/en-us/rest/api/eventhub/generate-sas-token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, quote_plus, unquote

from contract.way import Way
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "99999999-8888-7777-6666-000000000000"
RESOURCE = "https://eventhubs.azure.net"


def _refused(status: int, detail: str) -> Answer:
    """As the service words it."""
    said = (
        f"<Error><Code>{status}</Code><Detail>{detail} TrackingId:a1_G2, SystemTracker:ns, Timestamp:x</Detail></Error>"
    )
    return Answer(status, said.encode(), {"Content-Type": "application/xml; charset=utf-8"})


class EventHub:
    """One hub; whoever signs with ``key``, or bears a token of ``tokens``, may send."""

    hub = "flux-events"
    policy = "send-only"
    key = "a4Wq+s9v/k3y0fTheP0licyBase64AndLong1234567890="

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.address = (
            f"Endpoint=sb://127.0.0.1:{self.server.port}/;SharedAccessKeyName={self.policy};"
            f"SharedAccessKey={self.key};EntityPath={self.hub};UseDevelopmentEmulator=true"
        )
        self.tokens: set[str] = set()
        self.taken: list[Any] = []
        self.bodies: list[bytes] = []
        self.violations: list[str] = []

    def __enter__(self) -> EventHub:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if asked.query.get("api-version") != "2014-01" or asked.method != "POST":
            self.violations.append(f"{asked.method} {asked.target}")
        wrong = self._who(asked)
        if wrong:
            return _refused(401, wrong)
        if asked.path != f"/{self.hub}/messages":
            return _refused(404, "40400: The messaging entity could not be found.")
        if asked.headers.get("content-type") != "application/atom+xml;type=entry;charset=utf-8":
            self.violations.append("Content-Type")
        if len(asked.body) > 1 << 20:
            return _refused(413, "50008: The message is too large.")
        self.bodies.append(asked.body)
        self.taken.append(json.loads(asked.body))
        return Answer(201)

    def _who(self, asked: Asked) -> str:
        """What is wrong with who this says it is; empty where nothing is."""
        scheme, _, rest = asked.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return "" if rest in self.tokens else "InvalidIssuer: Token issuer is invalid."
        if scheme != "SharedAccessSignature":
            return "MissingToken: The authorization header was not found."
        parts = dict(part.split("=", 1) for part in rest.split("&"))
        if set(parts) != {"sr", "sig", "se", "skn"}:
            return "MalformedToken: The provided token has the wrong parts."
        good = hmac.new(self.key.encode(), f"{parts['sr']}\n{parts['se']}".encode(), hashlib.sha256).digest()
        if not time.time() < int(parts["se"]) < time.time() + 7300:
            return "ExpiredToken: The token has expired."
        if unquote(parts["sr"]) != f"{self._scheme(asked)}://{asked.headers['host']}/{self.hub}":
            return "InvalidAudience: The authorization header contains a token for another resource."
        if quote_plus(base64.b64encode(good)) != parts["sig"] or parts["skn"] != quote_plus(self.policy):
            return "InvalidSignature: The token has an invalid signature."
        return ""

    def _scheme(self, _: Asked) -> str:
        return self.server.scheme


class SignIn:
    """Where an application, or a machine, gets a token."""

    secret = "s3cr3t-of-the-application~Qx"
    assertion = "eyJhbGciOiJSUzI1NiJ9.c3ViamVjdA.c2lnbmF0dXJl"
    header = "h3ader-of-the-identity"

    def __init__(self, *, context: ssl.SSLContext | None = None, expires_in: Any = 3600) -> None:
        self.server = StandIn(self._act, context=context)
        self.asked = self.server.asked
        self.faults = self.server.faults
        self.given: list[str] = []
        self._expires_in = expires_in

    def __enter__(self) -> SignIn:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        good = self._application(asked) if asked.method == "POST" else self._machine(asked)
        if not good:
            said = "AADSTS7000215: Invalid client secret provided."
            return Answer(401, json.dumps({"error": "invalid_client", "error_description": said}).encode())
        self.given.append(f"token-{len(self.given)}.of.azure")
        token = {"token_type": "Bearer", "expires_in": self._expires_in, "access_token": self.given[-1]}
        return Answer(200, json.dumps(token).encode())

    def _application(self, asked: Asked) -> bool:
        form = dict(parse_qsl(asked.body.decode(), strict_parsing=True))
        common = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": f"{RESOURCE}/.default"}
        by_secret = {**common, "client_secret": self.secret}
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        by_assertion = {**common, "client_assertion_type": kind, "client_assertion": self.assertion}
        return asked.path == f"/{TENANT}/oauth2/v2.0/token" and form in (by_secret, by_assertion)

    def _machine(self, asked: Asked) -> bool:
        query = {name: values[0] for name, values in parse_qs(asked.target.partition("?")[2]).items()}
        if query.pop("client_id", CLIENT) != CLIENT or query.pop("resource") != RESOURCE:
            return False
        version, headers = query.pop("api-version"), asked.headers
        if asked.path == "/metadata/identity/oauth2/token":
            return version == "2018-02-01" and headers.get("metadata") == "true" and not query
        return version == "2019-08-01" and headers.get("x-identity-header") == self.header and not query


WAYS = {
    "azureeventhub": Way(
        "azureeventhub", "standins.azureeventhub", "EventHub", content=(201, b""), no=(b"", b"ok"),
        content_type="application/atom+xml",
        example="Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=QWJj;EntityPath=flux",
    ),
}  # fmt: skip
