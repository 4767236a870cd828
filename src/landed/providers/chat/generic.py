"""Flux's event object, posted as notification-controller posts it: what understands the one understands the other.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

from collections.abc import Sequence

from landed.events import body, headers
from landed.http import Request, Response
from landed.model import Channel, Digest, Event, Occurrence


def requests(channel: Channel, payload: Digest | Event | Occurrence) -> Sequence[Request]:
    """One POST of the event. Raises DeliveryError for a header of the channel that cannot be sent."""
    if not isinstance(payload, Event):
        raise TypeError("generic takes events")
    service = "the webhook" if channel.name == channel.type else f"the webhook {channel.name}"
    return (Request("POST", channel.address, headers(channel, payload), body(payload), service),)


def acknowledged(response: Response) -> str:
    """Any 2xx will do, as for notification-controller; the door lets nothing else through."""
    return ""
