"""Opsgenie: a failure opens an alert, a success closes it. A wait for a dependency is an alert of its own, of the
lowest priority, which whatever comes of it closes.

https://docs.opsgenie.com/docs/alert-api , https://docs.opsgenie.com/docs/response
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed import alarms, render
from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import fitted, one_line, units
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.interface import Complaint, Said, wanted

#: Characters, as the API allows them: of a message, a description, an entity, all details, one of at most 20 tags, and
#: of a note that closes.
MESSAGE_LIMIT, DESCRIPTION_LIMIT, ENTITY_LIMIT, DETAILS_LIMIT, TAG_LIMIT = 130, 15_000, 512, 8000, 50
_NOTE = 2000
#: What a handle says to be open.
_FAILED, _WAITING = "failed", "waiting"

_API = "https://api.opsgenie.com/v2/alerts, in the EU https://api.eu.opsgenie.com/v2/alerts"
_INTEGRATION = "Take the key of an API integration that may create and update; a key of the account's will not do."
_KEY = f"Check the key, and that it belongs to the region of the address: {_API}"
_HINTS = {
    "API integration": _INTEGRATION,
    "40301": _INTEGRATION,
    "Could not authenticate": _KEY,
    "Key format is not valid": _KEY,
    "401": _KEY,
    "402": "The account's plan does not allow it.",
    "403": _INTEGRATION,
    "404": f"Check the address: {_API}",
    "422": "Opsgenie finds the alert not to be valid: check the key of the API integration, and what the Alert adds.",
    "429": "Opsgenie takes no more requests for a while; the update is sent by the next run.",
}


class _Answer(Struct, frozen=True):
    request: str = msgspec.field(name="requestId", default="")


def complaints(channel: Channel) -> Sequence[Complaint]:
    """The address may have the API's path, or none, or a proxy's before it; not another one of the API."""
    path = urlsplit(channel.address.reveal().strip()).path.rstrip("/")
    if re.search(r"/v2(?:/(?!alerts\Z).*)?\Z", path) and not path.endswith("/v2"):
        return (Complaint("spec.address", "it is not that of the alerts", f"Write {_API}."),)
    return ()


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """What opens alerts comes before what closes others. Each may be sent twice: the alias makes them one."""
    payload = wanted(Occurrence, payload)
    return tuple(_requests(channel, payload))


def _requests(channel: Channel, it: Occurrence) -> Iterator[Request]:
    open_ = set(it.handle.split()) if re.fullmatch("(failed|waiting)( waiting)?", it.handle) else set()
    if it.state in (State.FAILURE, State.STALE):
        yield _open(channel, it, _FAILED, _FAILED)
        if _WAITING in open_:
            yield _close(channel, it, _WAITING)
    elif it.state is State.PENDING:
        yield _open(channel, it, _WAITING, " ".join(sorted(open_ | {_WAITING})))
    elif it.state is State.SUCCESS:
        # Also where nothing is known to be open: the ledger may have been lost, and closing nothing does no harm.
        yield _close(channel, it, _FAILED)
        yield _close(channel, it, _WAITING)


def acknowledged(response: Response) -> str:
    """Nothing, for the alias is ours. Raises DeliveryError unless the answer gives the request an id.

    Opsgenie works later on what it takes: what goes wrong then is to be seen in its own log only.
    """
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if not answer.request:
        raise not_taken(response, _HINTS, f"Check the address: {_API}")
    return ""


def _open(channel: Channel, it: Occurrence, kind: str, handle: str) -> Request:
    alert = {
        "message": _plain(alarms.headline(it, MESSAGE_LIMIT), MESSAGE_LIMIT),
        "alias": _alias(it, kind),
        "description": _plain(_description(it), DESCRIPTION_LIMIT),
        "tags": _tags(it),
        "details": _details(it),
        "entity": render.cut(one_line(it.key), ENTITY_LIMIT),
        "source": "landed",
        "priority": _priority(it, kind),
    }
    filled = {name: value for name, value in alert.items() if value}
    return _request(channel, _base(channel.address), filled, handle)


def _close(channel: Channel, it: Occurrence, kind: str) -> Request:
    url = f"{_base(channel.address)}/{_alias(it, kind)}/close?identifierType=alias"
    return _request(channel, url, {"source": "landed", "note": _plain(alarms.headline(it, _NOTE), _NOTE)})


def _alias(it: Occurrence, kind: str) -> str:
    """Fit for a path: letters, digits and a hyphen."""
    return f"landed-{alarms.hashed(f'{it.key} {kind}')}"


def _priority(it: Occurrence, kind: str) -> str:
    """The lowest for a wait; else what the metadata's ``priority`` says, or what is usual."""
    given = it.event.metadata.get("priority", "")
    return "P5" if kind == _WAITING else given if re.fullmatch("P[1-5]", given) else "P3"


def _description(it: Occurrence) -> str:
    link = alarms.link(it)
    return "\n\n".join(filter(None, (alarms.message(it, DESCRIPTION_LIMIT - 3000), link and f"Commit: {link}")))


def _details(it: Occurrence) -> dict[str, str]:
    """As many facts as have room."""
    kept, room = {}, DETAILS_LIMIT
    for name, value in alarms.facts(it).items():
        value = _plain(value, 2 * len(value) + 100)
        room -= units(name) + units(value)
        if room >= 0:
            kept[name] = value
    return kept


def _tags(it: Occurrence) -> list[str]:
    about = it.event.involvedObject
    words = ("landed", it.cluster, about.namespace, about.kind, it.event.reason)
    cut = (render.cut(one_line(word).replace(",", " "), TAG_LIMIT) for word in words)
    return list(dict.fromkeys(word for word in cut if word))


def _plain(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, of which an emoji is two, as in Java, and in which nothing begins HTML,
    which Opsgenie shows as such: a space without width stands behind what would.
    """
    room = max(limit // 2, limit - (units(text[:limit]) - len(text[:limit])))
    return fitted(text, room, lambda text: _MARKUP.sub("\\g<0>\u200b", text))


_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#A-Za-z0-9]+;)")


def _base(address: Secret) -> str:
    """The alerts of the API; where the address has only a host, or a proxy's path, ``/v2/alerts`` is added."""
    parts = urlsplit(address.reveal().strip())
    path = re.sub(r"(?:/v2(?:/alerts)?)?\Z", "/v2/alerts", parts.path.rstrip("/"), count=1)
    return parts._replace(path=path, query="", fragment="").geturl()


def _request(channel: Channel, url: str, body: dict[str, Any], handle: str = "") -> Request:
    headers = {"Authorization": Secret(f"GenieKey {channel.token.reveal().strip()}")}
    return json_request(
        Secret(url),
        body,
        service=channel.called("Opsgenie"),
        headers=headers,
        hints=_HINTS,
        repeatable=True,
        handle=handle,
    )
