"""PagerDuty, by its Events API v2: a failure triggers an alert, a success resolves it. What changed, and who waits for
whom, is told as change events: they stand in the service's timeline, and nobody is called.

https://developer.pagerduty.com/docs/events-api-v2-overview , https://developer.pagerduty.com/docs/send-alert-event ,
https://developer.pagerduty.com/docs/send-change-event
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from landed import alarms, render
from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import one_line
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.interface import Complaint, Said, wanted

#: Characters of a summary and of a key, as the API allows them; of 512 kB for all of it, the message takes this much.
SUMMARY_LIMIT, KEY_LIMIT, _MESSAGE = 1024, 255, 10_000
_PLACE = 255

_KEY = (
    "Write the integration key of an Events API v2 integration, 32 letters and digits, to spec.channel; a key of"
    " PagerDuty's REST API is another one."
)
_HINTS = {
    "routing_key": _KEY,
    "routing key": _KEY,
    "Unrecognized object": "Check the address: the Events API is https://events.pagerduty.com",
    "404": "Check the address: the Events API is https://events.pagerduty.com, in the EU https://events.eu.pagerduty.com",
    "401": _KEY,
    "403": _KEY,
    "400": "Check spec.channel, the integration key.",
    "429": "PagerDuty takes no more events of this integration for a while; the update is sent by the next run.",
}
_NO_ALERT = "Check the address: the Events API is https://events.pagerduty.com"


class _Answer(Struct, frozen=True):
    status: str = ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """An integration key of PagerDuty's has 32 letters and digits; others that speak its API have keys of their own."""
    if not _is_own(channel.address) or re.fullmatch("[0-9A-Za-z]{32}", channel.channel):
        return ()
    return (Complaint("spec.channel", "it is no integration key", _KEY),)


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One alert event, or a change event, or of a commit that is live both. An alert event may be sent twice: the key
    makes them one.
    """
    payload = wanted(Occurrence, payload)
    return tuple(_requests(channel, payload))


def _requests(channel: Channel, it: Occurrence) -> Iterator[Request]:
    base = _base(channel.address)
    if it.state in (State.FAILURE, State.STALE):
        yield _request(channel, f"{base}/v2/enqueue", _trigger(channel, it), repeatable=True)
        return
    if it.state is State.SUCCESS:
        yield _request(channel, f"{base}/v2/enqueue", _resolve(channel, it), repeatable=True)
    # PagerDuty's keys of event orchestrations, which begin with R, take no change events.
    orchestrates = _is_own(channel.address) and channel.channel.startswith("R")
    if not orchestrates and (it.state is State.PENDING or _is_change(it)):
        yield _request(channel, f"{base}/v2/change/enqueue", _change(channel, it), repeatable=False)


def acknowledged(response: Response) -> str:
    """Nothing, for the key is ours. Raises DeliveryError unless the answer says ``success``."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.status != "success":
        raise not_taken(response, _HINTS, _NO_ALERT)
    return ""


def _is_change(it: Occurrence) -> bool:
    """A commit has gone live; that a source holds it changes nothing."""
    return bool(it.commit) and it.event.involvedObject.kind in ("Kustomization", "HelmRelease", "")


def _trigger(channel: Channel, it: Occurrence) -> dict[str, Any]:
    about = it.event.involvedObject
    payload = {
        "summary": alarms.headline(it, SUMMARY_LIMIT),
        "source": _cut(it.cluster) or "–",
        "severity": "warning" if it.state is State.STALE else "error",
        "timestamp": render.rfc3339(it.at),
        "component": alarms.named(it)[:_PLACE],
        "group": _cut(about.namespace),
        "class": _cut(it.event.reason),
        "custom_details": _details(it),
    }
    return {
        "routing_key": channel.channel,
        "event_action": "trigger",
        "dedup_key": alarms.key(it, KEY_LIMIT),
        "payload": {name: value for name, value in payload.items() if value},
        "client": "landed",
        **_links(it),
    }


def _resolve(channel: Channel, it: Occurrence) -> dict[str, Any]:
    return {"routing_key": channel.channel, "event_action": "resolve", "dedup_key": alarms.key(it, KEY_LIMIT)}


def _change(channel: Channel, it: Occurrence) -> dict[str, Any]:
    payload = {
        "summary": alarms.headline(it, SUMMARY_LIMIT),
        "source": _cut(it.cluster) or "–",
        "timestamp": render.rfc3339(it.at),
        "custom_details": _details(it),
    }
    return {"routing_key": channel.channel, "payload": payload, **_links(it)}


def _details(it: Occurrence) -> dict[str, str]:
    said = alarms.message(it, _MESSAGE)
    return {**({"message": said} if said else {}), **dict(list(alarms.facts(it).items())[:100])}


def _links(it: Occurrence) -> dict[str, Any]:
    link = alarms.link(it)
    return {"links": [{"href": link, "text": f"Commit {it.commit[:8]}".rstrip()}]} if link else {}


def _cut(text: str) -> str:
    return render.cut(one_line(text), _PLACE)


def _is_own(address: Secret) -> bool:
    return (urlsplit(address.reveal().strip()).hostname or "").endswith(".pagerduty.com")


def _base(address: Secret) -> str:
    """The host of the address. Like notification-controller, we know the paths ourselves."""
    return urlsplit(address.reveal().strip())._replace(path="", query="", fragment="").geturl()


def _request(channel: Channel, url: str, body: dict[str, Any], *, repeatable: bool) -> Request:
    made = json_request(Secret(url), body, service=channel.called("PagerDuty"), hints=_HINTS, repeatable=repeatable)
    return structs.replace(made, hidden=(Secret(channel.channel),))
