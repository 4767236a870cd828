"""The way out to Azure Event Hubs: it adds who we are, by a shared key, a token, or what the environment says.

https://learn.microsoft.com/en-us/rest/api/eventhub/generate-sas-token
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus, urlsplit

from msgspec import structs

from landed.http import Http, Request, Response
from landed.model import Channel, Secret
from landed.providers.chat.azureeventhub import SUFFIX, Connection, connection
from landed.providers.doors.azure_identity import AUTHORITY, Identity
from landed.providers.interface import Door

#: Seconds for which what is signed holds.
HOLDS = 3600
#: Where namespaces are in clouds that have their own place to sign in.
#: https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud
CLOUDS = {
    "login.chinacloudapi.cn": ".servicebus.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": ".servicebus.chinacloudapi.cn",
    "login.microsoftonline.us": ".servicebus.usgovcloudapi.net",
    "login.microsoftonline.de": ".servicebus.cloudapi.de",
}


def door(channel: Channel, http: Callable[[], Http]) -> Door:
    """The usual way out, on which everything is signed or bears a token."""
    given = connection(channel)
    return Signing(given, http) if given else Bearing(channel, http)


class Signing:
    """A door that signs with the key of a connection string."""

    def __init__(self, given: Connection, http: Callable[[], Http], now: Callable[[], float] = time.time) -> None:
        """``now`` gives seconds since 1970."""
        self._given = given
        self._http = http
        self._now = now

    def send(self, request: Request) -> Response:
        """Sign ``request`` and send it. Raises DeliveryError."""
        given = self._given
        signed = given.signature or signature(given, int(self._now()) + HOLDS)
        headers = {**request.headers, "Authorization": signed}
        return self._http().send(structs.replace(request, headers=headers))


class Bearing:
    """A door that adds a token of the environment's identity where there is none yet, and knows the cloud."""

    def __init__(self, channel: Channel, http: Callable[[], Http], environment: Mapping[str, str] = os.environ) -> None:
        self._http = http
        self._named = "." not in channel.channel
        self._authority = environment.get("AZURE_AUTHORITY_HOST", "").strip().rstrip("/") or AUTHORITY
        self._identity = Identity(environment, self._authority, http, channel.called("Azure Event Hubs"))

    def send(self, request: Request) -> Response:
        """Send ``request`` to its cloud with a token. Raises DeliveryError, also where nothing says who we are."""
        if "Authorization" not in request.headers:
            token = Secret(f"Bearer {self._identity.token().reveal()}")
            request = structs.replace(request, headers={**request.headers, "Authorization": token})
        cloud = CLOUDS.get(urlsplit(self._authority).hostname or "", SUFFIX)
        if self._named and cloud != SUFFIX:
            request = structs.replace(request, url=Secret(request.url.reveal().replace(SUFFIX, cloud, 1)))
        return self._http().send(request)


def signature(given: Connection, until: int) -> Secret:
    """The shared access signature for the hub of ``given``, which holds until a second since 1970."""
    resource = quote_plus(f"{given.base}/{given.hub}")
    signed = hmac.new(given.key.reveal().encode(), f"{resource}\n{until}".encode(), hashlib.sha256).digest()
    sig, policy = quote_plus(base64.b64encode(signed)), quote_plus(given.policy)
    return Secret(f"SharedAccessSignature sr={resource}&sig={sig}&se={until}&skn={policy}")
