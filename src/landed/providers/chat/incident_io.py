"""incident.io, by an HTTP alert source: a failure fires an alert, a success resolves it.

A wait for a dependency must call nobody, and what fires is routed to people: so it is told under a key of its own as
resolved from the beginning.

https://docs.incident.io/alerts/custom-http-sources , https://api-docs.incident.io/tag/Alert-Events-V2 ,
https://docs.incident.io/alerts/deduplication
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed import alarms
from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import uncalled
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.interface import Complaint, Said, wanted

#: Characters; the API names no limits.
_TITLE, _KEY, _MESSAGE = 250, 250, 10_000

_SOURCE = "Write the whole address that the HTTP alert source shows; it ends with the source's id."
_TOKEN = "Check the token: the alert source shows it next to its address."  # noqa: S105
_HINTS = {
    "authentication_error": _TOKEN,
    "401": _TOKEN,
    "403": _TOKEN,
    "404": f"There is no such alert source (any more). {_SOURCE}",
    "422": "Check that the alert source is one for HTTP with the default payload.",
    "429": "incident.io takes no more events for a while; the update is sent by the next run.",
}


class _Answer(Struct, frozen=True):
    status: str = ""
    key: str = msgspec.field(name="deduplication_key", default="")


def complaints(channel: Channel) -> Sequence[Complaint]:
    """The address must name an alert source, where it is one of incident.io's."""
    parts = urlsplit(channel.address.reveal().strip())
    path = parts.path.strip("/")
    if (parts.hostname or "").endswith(".incident.io") and (not path or path.endswith("/alert_events/http")):
        return (Complaint("spec.address", "it names no alert source", _SOURCE),)
    return ()


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One alert event. It may be sent twice: the key makes them one."""
    payload = wanted(Occurrence, payload)
    fires = payload.state in (State.FAILURE, State.STALE)
    event = {
        "title": uncalled(alarms.headline(payload, _TITLE)),
        "status": "firing" if fires else "resolved",
        "deduplication_key": alarms.key(payload, _KEY, "waits" if payload.state is State.PENDING else ""),
        "description": _description(payload),
        "metadata": alarms.facts(payload),
        "source_url": alarms.link(payload),
    }
    return (
        json_request(
            channel.address,
            {name: value for name, value in event.items() if value},
            service=channel.called("incident.io"),
            headers={"Authorization": Secret(f"Bearer {channel.token.reveal().strip()}")},
            hints=_HINTS,
            repeatable=True,
        ),
    )


def acknowledged(response: Response) -> str:
    """Nothing, for the key is ours. Raises DeliveryError unless the answer says ``success`` and gives the key."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.status != "success" or not answer.key:
        raise not_taken(response, _HINTS, _SOURCE)
    return ""


def _description(it: Occurrence) -> str:
    """The message in a block of code, for a description is Markdown, and the message a stranger's."""
    said = uncalled(alarms.message(it, _MESSAGE))
    if not said:
        return ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", said)), default=0))
    return f"{fence}text\n{said}\n{fence}"
