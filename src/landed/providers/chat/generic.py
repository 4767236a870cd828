"""Flux's event object, posted as notification-controller posts it: what understands the one understands the other.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

from collections.abc import Sequence

from landed.events import body, headers, unsaid
from landed.http import Request, Response
from landed.model import Channel, Event
from landed.providers.interface import Said, wanted


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One POST of the event. Raises DeliveryError for a header of the channel that cannot be sent."""
    event = wanted(Event, payload)
    given, service = headers(channel, event), channel.called("the webhook")
    return (Request("POST", channel.address, given, body(event), service, hidden=unsaid(channel)),)


def acknowledged(response: Response) -> str:
    """Any 2xx will do, as for notification-controller; the door lets nothing else through."""
    return ""
