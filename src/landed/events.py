"""Flux's event object on its way: byte for byte as notification-controller writes it, and with its headers. No I/O.

https://fluxcd.io/flux/components/notification/providers/#generic-webhook
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from landed.errors import DeliveryError
from landed.model import Channel, Event, Secret

#: What Go's ``encoding/json`` escapes beyond JSON's own rules; the last stands for text that is no Unicode.
_GO = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_GO |= dict.fromkeys(range(0xD800, 0xE000), "\\ufffd")

#: Headers that Go's client writes by itself, whatever it is given: so they are left out here, too.
#: https://pkg.go.dev/net/http#Request.Write
_THE_CLIENTS_OWN = frozenset({"host", "content-length", "transfer-encoding", "trailer"})
#: https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}"
#: Go refuses no more than control characters, https://pkg.go.dev/golang.org/x/net/http/httpguts#ValidHeaderFieldValue .
_NO_VALUE = r"[^\t -~\x80-\U0010ffff]|[\ud800-\udfff]"


def members(event: Event) -> dict[str, Any]:
    """``event`` as JSON's values: members in Flux's order, metadata sorted, and left out where there is none."""
    value = msgspec.to_builtins(event)
    value["metadata"] = dict(sorted(value["metadata"].items()))
    return {name: member for name, member in value.items() if member or name != "metadata"}


def body(event: Event) -> bytes:
    """``event`` byte for byte as Flux writes it."""
    return go_json(members(event))


def go_json(value: object) -> bytes:
    """``value`` as Go's ``encoding/json`` writes it (https://pkg.go.dev/encoding/json#Marshal)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_GO).encode()


def headers(channel: Channel, event: Event) -> dict[str, Secret | str]:
    """What goes with ``event``: two headers of Flux's, and those of the channel, which may replace them.

    Raises DeliveryError for a header that cannot be sent; it names the header, never its value.
    """
    given: dict[str, Secret | str] = {}
    for name, value in (("Content-Type", "application/json"), ("Gotk-Component", event.reportingController)):
        given[name] = _value(channel, name, value)
    for name, secret in channel.headers:
        name = name.strip()
        if not re.fullmatch(_NAME, name):
            raise DeliveryError(
                f"{channel.name}: a header has a name that no header can have.",
                "Write each line of `headers` as NAME: VALUE.",
            )
        if name.lower() not in _THE_CLIENTS_OWN:
            given = with_header(given, name, Secret(_value(channel, name, secret.reveal())))
    return given


def with_header(given: dict[str, Secret | str], name: str, value: Secret | str) -> dict[str, Secret | str]:
    """``given`` and one more, instead of any of that name in whatever case."""
    return {other: held for other, held in given.items() if other.lower() != name.lower()} | {name: value}


def _value(channel: Channel, name: str, value: str) -> str:
    """``value`` without blanks and line breaks at its ends, as YAML's blocks leave them there.

    What is not ASCII goes as the bytes of its UTF-8, as Go sends it: each of them is one character here.
    """
    value = value.strip()
    if re.search(_NO_VALUE, value):
        raise DeliveryError(
            f"{channel.name}: the header {name} has a value with a line break or a character that no header can hold.",
            "Write it on one line, without control characters.",
        )
    return value.encode().decode("latin-1")


def unsaid(channel: Channel) -> tuple[Secret, ...]:
    """What of the channel's headers an answer may quote in other characters than it is sent in."""
    return tuple(value for _, value in channel.headers if not value.reveal().isascii())
