"""Google Pub/Sub as its own description has it, and where Google's library gets its tokens.

https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import jsonschema
import jwt
from contract.way import Way
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from objects import DATA
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

SCOPE = "https://www.googleapis.com/auth/pubsub"
ACCOUNT = "flux@acme-prod.iam.gserviceaccount.com"


@cache
def described() -> Any:
    """Google's description."""
    return json.loads((DATA / "chat" / "googlepubsub" / "pubsub.json").read_text())


@cache
def schema(name: str) -> Any:
    """One of its schemas, whole and strict."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict) and "$ref" in value:
            return schema(value["$ref"])
        if isinstance(value, dict):
            made = {key: whole(member) for key, member in value.items() if key not in ("id", "format")}
            return {**made, "additionalProperties": False} if "properties" in made else made
        return value

    return whole(described()["schemas"][name])


def _refused(status: int, word: str, message: str) -> Answer:
    """As every API of Google's words it."""
    return Answer(status, json.dumps({"error": {"code": status, "message": message, "status": word}}).encode())


class PubSub:
    """One topic. With ``tokens`` it wants one of them; without, it is an emulator."""

    project, channel = "acme-prod", "flux-events"
    headers: tuple[tuple[str, Any], ...] = ()

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = f"{self.server.url}/v1/projects/{self.project}"
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.tokens: set[str] | None = None
        self.taken: list[Any] = []
        self.bodies: list[bytes] = []
        self.attributes: list[dict[str, str]] = []
        self.violations: list[str] = []

    def __enter__(self) -> PubSub:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        if self.tokens is None and token:
            self.violations.append("an emulator was shown a token")
        if self.tokens is not None and (scheme != "Bearer" or token not in self.tokens):
            return _refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        found = re.fullmatch(r"/v1/(projects/[^/]+/topics/[^/]+):publish", unquote(asked.target))
        if asked.method != described()["publish"]["httpMethod"] or not found:
            return _refused(404, "NOT_FOUND", "Requested entity was not found.")
        if found[1] != f"projects/{self.project}/topics/{self.channel}":
            return _refused(404, "NOT_FOUND", f"Resource not found (resource={found[1].rpartition('/')[2]}).")
        return self._publish(json.loads(asked.body))

    def _publish(self, body: Any) -> Answer:
        jsonschema.validate(body, schema("PublishRequest"))
        ids = []
        for message in body["messages"]:
            attributes = message.get("attributes", {})
            if len(attributes) > 100 or any(
                len(k.encode()) > 256 or len(v.encode()) > 1024 for k, v in attributes.items()
            ):
                return _refused(400, "INVALID_ARGUMENT", "The request has too many or too long attributes.")
            if set(message) & {"messageId", "publishTime"}:
                self.violations.append("what the server populates")
            self.bodies.append(base64.b64decode(message["data"], validate=True))
            self.taken.append(json.loads(self.bodies[-1]))
            self.attributes.append(attributes)
            ids.append(str(10_000_000_000 + len(self.bodies)))
        said = {"messageIds": ids}
        jsonschema.validate(said, schema("PublishResponse"))
        return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json; charset=UTF-8"})


class Tokens:
    """Google's place for tokens: for signed JWTs of an account whose key it knows, and for strangers' tokens."""

    subject = "eyJhbGciOiJSUzI1NiJ9.c3ViamVjdA.c2lnbmF0dXJl"

    def __init__(self, *, context: ssl.SSLContext | None = None, expires_in: int = 3600) -> None:
        self.server = StandIn(self._act, context=context)
        self.asked = self.server.asked
        self.faults = self.server.faults
        self.given: list[str] = []
        self.url = f"{self.server.url}/token"
        self._expires_in = expires_in
        self._key = _key()

    def __enter__(self) -> Tokens:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def account(self, **changes: Any) -> str:
        """The JSON of a service account."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        given = {"type": "service_account", "project_id": "acme-prod", "private_key_id": "4b1d", "private_key": pem}
        return json.dumps({**given, "client_email": ACCOUNT, "client_id": "1", "token_uri": self.url, **changes})

    def federated(self, file: str, **changes: Any) -> str:
        """The JSON of a workload identity whose token is in a file."""
        pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github"
        kind = "urn:ietf:params:oauth:token-type:jwt"
        given = {"type": "external_account", "audience": pool, "subject_token_type": kind, "token_url": self.url}
        return json.dumps({**given, "credential_source": {"file": file}, **changes})

    def _act(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode(), strict_parsing=True))
        wrong = self._signed(form) if "assertion" in form else self._exchanged(form)
        if wrong:
            return Answer(400, json.dumps({"error": "invalid_grant", "error_description": wrong}).encode())
        self.given.append(f"ya29.token-{len(self.given)}")
        kind = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}
        return Answer(
            200, json.dumps({**kind, "access_token": self.given[-1], "expires_in": self._expires_in}).encode()
        )

    def _signed(self, form: dict[str, str]) -> str:
        """https://developers.google.com/identity/protocols/oauth2/service-account#httprest ."""
        try:
            said = jwt.decode(form["assertion"], self._key.public_key(), ["RS256"], audience=self.url)
        except jwt.InvalidTokenError:
            return "Invalid JWT Signature."
        good = form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return "" if good and (said["iss"], said["scope"]) == (ACCOUNT, SCOPE) else "Invalid JWT"

    def _exchanged(self, form: dict[str, str]) -> str:
        """https://www.rfc-editor.org/rfc/rfc8693 ."""
        good = form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange" and form["scope"] == SCOPE
        return "" if good and form["subject_token"] == self.subject else "The subject token is none."


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


WAYS = {
    "googlepubsub": Way(
        "googlepubsub", "standins.googlepubsub", "PubSub", content=(200, b'{"messageIds":["19916711285"]}'),
        no=(b'{"messageIds":[]}', b'{"messageIds":[""]}', b'{"messageIds":["1","2"]}', b'{"messageIds":"1"}'),
        example="acme-prod",
    ),
}  # fmt: skip
