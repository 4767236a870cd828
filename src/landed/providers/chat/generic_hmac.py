"""Flux's event object with a signature, as notification-controller signs it.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook-with-hmac
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from landed import events
from landed.errors import DeliveryError
from landed.http import Request, Response
from landed.model import Channel, Event, Secret
from landed.providers.interface import Said, wanted


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One POST of the event, signed with the channel's token, byte for byte as it was given.

    Raises DeliveryError where there is no token, or for a header of the channel that cannot be sent.
    """
    event = wanted(Event, payload)
    body = events.body(event)
    signed = signature(channel.token, body)
    if not signed:
        raise DeliveryError(
            f"{channel.name}: there is no key to sign events with, or none that can be used.",
            "Put it into the Provider's Secret, under the key `token`.",
        )
    headers = events.with_header(events.headers(channel, event), "X-Signature", signed)
    hidden = (channel.token, *events.unsaid(channel))
    return (Request("POST", channel.address, headers, body, channel.called("the webhook"), hidden=hidden),)


def signature(key: Secret, body: bytes) -> str:
    """``sha256=`` and the HMAC of ``body`` in lower-case hexadecimal digits; empty where the key is none.

    A key that was no text is expected as Python reads such bytes: with ``surrogateescape``.
    """
    try:
        raw = key.reveal().encode(errors="surrogateescape")
    except UnicodeError:
        return ""
    return f"sha256={hmac.new(raw, body, hashlib.sha256).hexdigest()}" if raw else ""


def acknowledged(response: Response) -> str:
    """Any 2xx will do, as for notification-controller; the door lets nothing else through."""
    return ""
