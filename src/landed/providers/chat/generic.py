"""Flux's event object, posted as notification-controller posts it: what understands the one understands the other.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from landed.http import Request, Response
from landed.model import Channel, Digest, Event

#: What Go's ``encoding/json`` escapes beyond JSON's own rules; the last stands for text that is no Unicode.
_GO = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_GO |= dict.fromkeys(range(0xD800, 0xE000), "\\ufffd")


def requests(channel: Channel, payload: Digest | Event) -> Sequence[Request]:
    """One POST of the event."""
    if not isinstance(payload, Event):
        raise TypeError("generic takes events")
    headers = {"Content-Type": "application/json", "Gotk-Component": payload.reportingController}
    service = "the webhook" if channel.name == channel.type else f"the webhook {channel.name}"
    return (Request("POST", channel.address, headers, body(payload), service),)


def acknowledged(response: Response) -> str:
    """Any 2xx will do, as for notification-controller; the door lets nothing else through."""
    return ""


def body(event: Event) -> bytes:
    """``event`` byte for byte as Flux writes it: members in order, metadata sorted, empty metadata left out."""
    members = msgspec.to_builtins(event)
    members["metadata"] = dict(sorted(members["metadata"].items()))
    return go_json({name: value for name, value in members.items() if value or name != "metadata"})


def go_json(value: object) -> bytes:
    """``value`` as Go's ``encoding/json`` writes it (https://pkg.go.dev/encoding/json#Marshal)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_GO).encode()
