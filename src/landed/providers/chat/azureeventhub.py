"""Flux's event object, sent to an event hub of Azure.

https://fluxcd.io/flux/components/notification/providers/#azure-event-hub ,
https://learn.microsoft.com/en-us/rest/api/eventhub/send-event . Over HTTPS, which leads through proxies, not over AMQP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from landed.errors import DeliveryError
from landed.events import body
from landed.http import Request, Response, not_taken
from landed.model import Channel, Event, Secret
from landed.providers.interface import Complaint, Said, wanted
from landed.redact import SHORTEST_PART

#: Where a namespace is, in the public cloud.
SUFFIX = ".servicebus.windows.net"
CREATED = 201
#: https://learn.microsoft.com/en-us/rest/api/eventhub/event-hubs-runtime-rest .
_HEADERS = {"Content-Type": "application/atom+xml;type=entry;charset=utf-8"}
_VERSION = "api-version=2014-01"
#: https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/resource-name-rules#microsofteventhub .
_HUB, _NAMESPACE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}", r"[A-Za-z][A-Za-z0-9-]{0,62}(\.[A-Za-z0-9-]{1,63})*"
_TOKEN = r"[\w.~+/=-]+"  # noqa: S105 — what one looks like
_FORM = "Copy it from the hub's shared access policies: Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…"
_MAY_SEND = "Allow it to send: the role Azure Event Hubs Data Sender, or the policy's claim Send."
_HINTS = {
    "ExpiredToken": "Check the clock of this machine, or give a new token.",
    **dict.fromkeys(
        ("InvalidSignature", "Invalid authorization token signature"),
        "Check SharedAccessKey and SharedAccessKeyName: the key may have been renewed.",
    ),
    "claim": _MAY_SEND,
    "401": f"Check the connection string or token. {_MAY_SEND}",
    "403": "The namespace refuses: check its firewall, and whether it is disabled.",
    "404": "Check the names of namespace and hub.",
    "413": "The event is larger than the namespace's tier allows.",
}


class Connection(NamedTuple):
    """A connection string that says who we are."""

    base: str
    """``https://NAMESPACE.servicebus.windows.net``"""
    hub: str
    policy: str = ""
    key: Secret = Secret("")
    signature: Secret = Secret("")
    """What somebody has signed with the key, instead of the key itself."""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One POST of the event. With a token that is on it; without one the door says who we are.

    Raises DeliveryError for settings that cannot be used.
    """
    event, service = wanted(Event, payload), channel.called("Azure Event Hubs")
    for complaint in complaints(channel):
        raise DeliveryError(f"{service}: {complaint.field}: {complaint.what}.", complaint.instead)
    given = connection(channel)
    base = given.base if given else f"https://{_host(channel.channel)}"
    hub = given.hub if given else channel.address.reveal()
    headers: dict[str, Secret | str] = dict(_HEADERS)
    if channel.token:
        headers["Authorization"] = Secret(f"Bearer {channel.token.reveal()}")
    url = Secret(f"{base}/{quote(hub, safe='')}/messages?{_VERSION}")
    hidden = (given.key, given.signature, *map(Secret, _pieces(channel.address.reveal()))) if given else ()
    return (Request("POST", url, headers, body(event), service, _HINTS, hidden=tuple(filter(None, hidden))),)


def acknowledged(response: Response) -> str:
    """Always "". Raises DeliveryError for every answer but 201 Created."""
    if response.status != CREATED:
        raise not_taken(response, {}, "Check the address: there seems to be something else than Event Hubs.")
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """A connection string that is not whole, names that are none, and two ways at once to say who we are."""
    try:
        given = connection(channel)
    except ValueError as error:
        return (Complaint("spec.address", str(error), _FORM),)
    if given is None:
        return tuple(_names(channel))
    if channel.token:
        return (Complaint("spec.secretRef", "there is a `token` beside a connection string", "Take one of them out."),)
    return ()


def connection(channel: Channel) -> Connection | None:
    """The connection string in the address; None where that is the name of a hub.

    A namespace's own names no hub: then ``spec.channel`` does. Raises ValueError, which says what is wrong and quotes
    nothing.
    """
    text = channel.address.reveal()
    if not re.search(r"SharedAccess(Key|Signature)|Endpoint=", text, re.IGNORECASE):
        return None
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    held = {name.strip().lower(): value.strip() for name, _, value in parts}
    hub, policy, key = (held.get(name, "") for name in ("entitypath", "sharedaccesskeyname", "sharedaccesskey"))
    signature, where = held.get("sharedaccesssignature", ""), "the EntityPath of the connection string"
    if not hub:
        hub, where = channel.channel, "the connection string has no EntityPath, and spec.channel"
    if not hub:
        raise ValueError(
            "the connection string has no EntityPath, nor is there a spec.channel, so nothing names the hub"
        )
    if not re.fullmatch(_HUB, hub):
        raise ValueError(f"{where} is not the name of a hub")
    if not (policy and key) and not signature:
        raise ValueError("the connection string lacks SharedAccessKeyName or SharedAccessKey")
    if not all(value.isprintable() for value in (policy, key, signature)):
        raise ValueError("the connection string has a line break in it")
    plain = held.get("usedevelopmentemulator", "").lower() == "true"
    return Connection(_base(held.get("endpoint", ""), plain), hub, policy, Secret(key), Secret(signature))


def _base(endpoint: str, plain: bool) -> str:
    """Where ``sb://HOST/`` is served over HTTPS, or in the clear, as emulators do."""
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme.lower() in ("sb", "amqps", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc) or parts.path.strip("/"):
        raise ValueError("the connection string has no Endpoint like sb://NAMESPACE.servicebus.windows.net/")
    return f"{'http' if plain else 'https'}://{parts.netloc.lower()}"


def _names(channel: Channel) -> Iterator[Complaint]:
    if not re.fullmatch(_HUB, channel.address.reveal()):
        yield Complaint(
            "spec.address",
            "that is neither the name of a hub nor a connection string",
            "Write the hub's name, or put the connection string into the Secret as `address`.",
        )
    if not re.fullmatch(_NAMESPACE, channel.channel):
        what = "that is not the name of a namespace" if channel.channel else "there is no namespace"
        yield Complaint("spec.channel", what, "Write the name of the hub's namespace.")
    if channel.token and not re.fullmatch(_TOKEN, channel.token.reveal()):
        yield Complaint("spec.secretRef", "`token` is no JWT", "Give an access token for https://eventhubs.azure.net .")


def _pieces(text: str) -> tuple[str, ...]:
    """A connection string, whole and in parts, as an answer may repeat it."""
    return (text, *(piece for piece in re.split(r"[/?&=]|;(?=\w+=)", text) if len(piece) >= SHORTEST_PART))


def _host(namespace: str) -> str:
    return namespace if "." in namespace else f"{namespace}{SUFFIX}"
