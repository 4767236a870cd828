"""Who we are to Azure, as the environment of this process says: a federated token, a secret, or a managed identity.

The variables are those of Azure's own libraries,
https://learn.microsoft.com/en-us/dotnet/api/azure.identity.environmentcredential and
https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html .
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Http, Request, connected, host_of, not_taken
from landed.model import Network, Secret

AUTHORITY = "https://login.microsoftonline.com"
RESOURCE = "https://eventhubs.azure.net"
#: https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token .
METADATA = "http://169.254.169.254"
#: Seconds that a token must still hold; to reach the service for managed identities, which is near or not at all.
MARGIN, NEAR, PATIENCE = 300, 1.0, 10.0
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_HINTS = {
    "AADSTS7000215": "AZURE_CLIENT_SECRET is wrong: give the secret's value, not its id.",
    "AADSTS7000222": "AZURE_CLIENT_SECRET has expired: make a new one.",
    "AADSTS700016": "Check AZURE_CLIENT_ID and AZURE_TENANT_ID: the tenant knows no such application.",
    "AADSTS90002": "Check AZURE_TENANT_ID: there is no such tenant.",
    "AADSTS70021": "Add a federated credential for this issuer and subject to the application.",
    "AADSTS7002": "Check issuer, subject and audience of the application's federated credential.",
}
_NOBODY = (
    "Give a connection string as `address` or a `token` in the Provider's Secret, or set AZURE_CLIENT_ID,"
    " AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_SECRET."
)


class _Token(Struct, frozen=True):
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.1 ; some say the seconds as text."""

    access_token: str
    expires_in: int | str = 0


class Identity:
    """Gets tokens for Event Hubs, and keeps each until shortly before it expires. Safe to use from several threads."""

    def __init__(
        self,
        environment: Mapping[str, str],
        authority: str,
        http: Callable[[], Http],
        service: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._authority = authority
        self._http = http
        self._service = service
        self._clock = clock
        self._held = Secret("")
        self._until = 0.0
        self._lock = Lock()

    def token(self) -> Secret:
        """A token that holds for five minutes at least. Raises DeliveryError."""
        with self._lock:
            if not self._held or self._clock() > self._until - MARGIN:
                found = self._new()
                self._held, self._until = Secret(found.access_token), self._clock() + _seconds(found)
            return self._held

    def _new(self) -> _Token:
        said = self._environment
        client, tenant = said.get("AZURE_CLIENT_ID", ""), said.get("AZURE_TENANT_ID", "")
        file, secret = said.get("AZURE_FEDERATED_TOKEN_FILE", ""), said.get("AZURE_CLIENT_SECRET", "")
        if client and tenant and file:
            return self._exchanged(client, tenant, "client_assertion", self._assertion(file))
        if client and tenant and secret:
            return self._exchanged(client, tenant, "client_secret", Secret(secret))
        return self._managed(client)

    def _assertion(self, file: str) -> Secret:
        try:
            return Secret(Path(file).read_text("ascii").strip())
        except (OSError, UnicodeDecodeError) as error:
            why = (getattr(error, "strerror", None) or "it holds no token").rstrip(".")
            raise DeliveryError(
                f"{self._service}: the file that AZURE_FEDERATED_TOKEN_FILE names cannot be read: {why}.",
                "Check that the token is mounted there.",
            ) from None

    def _exchanged(self, client: str, tenant: str, kind: str, shown: Secret) -> _Token:
        """https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow ."""
        form = {"grant_type": "client_credentials", "client_id": client, "scope": f"{RESOURCE}/.default"}
        form |= {"client_assertion_type": _ASSERTION} if kind == "client_assertion" else {}
        form |= {kind: shown.reveal()}
        request = Request(
            "POST",
            Secret(f"{self._authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"),
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form).encode(),
            f"{self._service}: signing in",
            _HINTS,
            repeatable=True,
            hidden=(shown,),
        )
        answer = self._http().send(request)
        try:
            return decode(answer.body, _Token)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_taken(answer, {}, "Check AZURE_AUTHORITY_HOST.") from None

    def _managed(self, client: str) -> _Token:
        """From the service beside this machine or container; without any proxy, for it is the machine that is asked."""
        said = self._environment
        endpoint, shown = said.get("IDENTITY_ENDPOINT", ""), said.get("IDENTITY_HEADER", "")
        asked = {"resource": RESOURCE} | ({"client_id": client} if client else {})
        if endpoint and shown:
            return self._near(endpoint, {"api-version": "2019-08-01", **asked}, {"X-IDENTITY-HEADER": shown})
        place = f"{said.get('AZURE_POD_IDENTITY_AUTHORITY_HOST', METADATA).rstrip('/')}/metadata/identity/oauth2/token"
        return self._near(place, {"api-version": "2018-02-01", **asked}, {"Metadata": "true"})

    def _near(self, place: str, query: Mapping[str, str], headers: Mapping[str, str]) -> _Token:
        from http.client import HTTPConnection, HTTPException

        parts = urlsplit(place)
        where = f"{self._service}: the service for managed identities ({host_of(place)})"
        try:
            near = connected(parts.hostname or "", parts.port or 80, Network(), where, NEAR)
        except DeliveryError:
            raise DeliveryError(f"{self._service}: nothing says who we are.", _NOBODY) from None
        connection = HTTPConnection(parts.hostname or "", parts.port or 80)
        near.settimeout(PATIENCE)
        try:
            connection.sock = near
            connection.request("GET", f"{parts.path}?{urlencode(query)}", headers=dict(headers))
            answer = connection.getresponse()
            status, said = answer.status, answer.read(1 << 20)
        except (OSError, HTTPException):
            raise DeliveryError(f"{where} does not answer.", _NOBODY, passing=True) from None
        finally:
            connection.close()
        try:
            if status == 200:
                return decode(said, _Token)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            status = 0
        passing = status == 429 or status >= 500
        raise DeliveryError(
            f"{where} gives no token: {status or 'what it says makes no sense'}.", _NOBODY, passing=passing
        )


def _seconds(token: _Token) -> int:
    try:
        return int(token.expires_in)
    except ValueError:
        return 0
