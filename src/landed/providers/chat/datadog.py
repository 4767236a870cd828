"""Datadog: an event for everything that begins or ends, those of one object grouped by its key.

https://docs.datadoghq.com/api/latest/events/#post-an-event , what its Agent's own events of Kubernetes are tagged with:
https://docs.datadoghq.com/containers/kubernetes/tag/ , and ``env``, ``service`` and ``version``:
https://docs.datadoghq.com/getting_started/tagging/unified_service_tagging/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import fitted, one_line, within
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.interface import Complaint, Said, wanted
from landed.render import clean, rfc3339

#: Characters of a text, a title, an aggregation key and a tag.
TEXT_LIMIT, TITLE_LIMIT, KEY_LIMIT, TAG_LIMIT = 4000, 100, 100, 200
#: Tags of one event: nobody filters by more, and metadata may be a lot.
MOST_TAGS = 100
#: Datadog takes no event that is older than 18 hours; half of one is left for what may hold it up on its way.
OLDEST = int(17.5 * 3600)

_PATH = "/api/v1/events"
#: Characters of what changed, and of each other fact: so there is room for what Flux says.
_CHANGES, _FACT = 1000, 400
_ALERT = {State.FAILURE: "error", State.STALE: "warning", State.SUCCESS: "success"}
_STANDS = {State.FAILURE: "failed", State.STALE: "is silent", State.SUCCESS: "is live", State.PENDING: "waits"}
_KEY = "Check the API key (not an application key), and that the address is that of the site it belongs to."
_HINTS = {
    "401": _KEY,
    "403": _KEY,
    "404": "Check the address: the site's API, such as https://api.datadoghq.eu",
    "413": "Datadog finds the event too large: take metadata off the Alert.",
}


class _Answer(Struct, frozen=True):
    status: str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One event. When it happened is said by its text, and to Datadog as long as that is not too long ago."""
    payload = wanted(Occurrence, payload)
    told: dict[str, Any] = {
        "title": _title(payload),
        "text": _text(payload),
        "tags": _tags(payload),
        "aggregation_key": _grouped(payload.key),
        "alert_type": _ALERT.get(payload.state, "info"),
        "source_type_name": "fluxcd",
    }
    if 0 <= payload.told - payload.at < OLDEST:
        told["date_happened"] = payload.at
    headers = {"DD-API-KEY": channel.token}
    return (json_request(_url(channel), told, service=channel.called("Datadog"), headers=headers, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """Nothing to edit later by. Raises DeliveryError unless the answer's status is ``ok``."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.status != "ok":
        raise not_taken(response, {}, _HINTS["404"])
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Of a key that is none: an application key has the same letters, and eight more of them."""
    token = channel.token.reveal()
    if re.fullmatch("[0-9a-fA-F]{40}", token):
        return (Complaint("spec.secretRef", "`token` has the form of an application key", "Give an API key."),)
    if not re.fullmatch("[!-~]+", token):
        return (Complaint("spec.secretRef", "`token` is no API key", "Give one: letters and digits, without blanks."),)
    return ()


def _url(channel: Channel) -> Secret:
    """Where events go, given the API's address: its path, if it has one, may be a part of the way already."""
    parts = urlsplit(channel.address.reveal())
    root = re.sub("(/api)?(/v[0-9])?(/events)?$", "", parts.path.rstrip("/"))
    return Secret(parts._replace(path=root + _PATH, query="", fragment="").geturl())


def _title(told: Occurrence) -> str:
    """``Kustomization apps/web failed on prod``: what is long of it makes room for how it stands."""
    about = told.event.involvedObject
    stands = _said(f"{_STANDS.get(told.state, told.state)} on {told.cluster}", TITLE_LIMIT // 2)
    return f"{_said(f'{about.kind} {about.namespace}/{about.name}', TITLE_LIMIT - len(stands) - 1)} {stands}"


def _text(told: Occurrence) -> str:
    """What Flux says, then what is known besides. It is not in Markdown: only a text that begins with ``%%%`` is."""
    facts = [*_changes(told), *(_said(fact, _FACT) for fact in _facts(told))]
    room = TEXT_LIMIT - sum(len(fact) + 1 for fact in facts) - 1
    message = fitted(clean(told.event.message).encode(errors="replace").decode(), room, uncalled)
    return "\n".join([*([message, ""] if message else []), *facts]).lstrip("% \n")


def _changes(told: Occurrence) -> Sequence[str]:
    return within([one_line(change) for change in told.changes], _CHANGES, uncalled)


def _facts(told: Occurrence) -> Iterator[str]:
    if summary := told.event.metadata.get("summary", ""):
        yield f"Summary: {summary}"
    yield f"Reason: {told.event.reason or '–'}"
    if told.commit:
        yield f"Commit: {told.commit} of {told.repository}"
    if told.url:
        yield told.url
    yield f"Cluster: {told.cluster}"
    yield f"Since: {rfc3339(told.at)}"


def _said(text: str, limit: int) -> str:
    """``text`` on one line in at most ``limit`` characters, in which nobody is called."""
    return fitted(one_line(text), limit, uncalled)


def uncalled(text: str) -> str:
    """``text``, in which no ``@`` begins a name: Datadog notifies whom a title or a text names.

    https://docs.datadoghq.com/events/explorer/notifications/
    """
    return re.sub(r"@(?=\S)", "@\u200b", text)


def _tags(told: Occurrence) -> list[str]:
    """As Flux tags events, and those that Datadog ties a service's telemetry together by."""
    about, event = told.event.involvedObject, told.event
    named = {
        "flux_reporting_controller": event.reportingController,
        "flux_reason": event.reason,
        "kube_kind": about.kind,
        "kube_name": about.name,
        "kube_namespace": about.namespace,
        "kube_cluster_name": told.cluster,
        "env": told.cluster,
        "service": about.name,
        "version": told.commit,
    }
    extra = {_name(key): value for key, value in sorted(event.metadata.items()) if one_line(value)}
    pairs = {**named, **{key: value for key, value in extra.items() if key not in named or key in ("env", "service")}}
    tags = (_tag(f"{key}:{value}") for key, value in pairs.items() if key and value)
    return list(dict.fromkeys(tags))[:MOST_TAGS]


def _name(key: str) -> str:
    """A tag's name cannot hold a colon, and begins with a letter."""
    return re.sub(r"^[^a-z]+", "", _tag(key).replace(":", "_"))


def _tag(text: str) -> str:
    """``text`` as Datadog would make it: in lower case, with an underscore for what it may not hold.

    https://docs.datadoghq.com/getting_started/tagging/#define-tags
    """
    return re.sub(r"[^\w\-:./]", "_", one_line(text).lower())[:TAG_LIMIT].rstrip("_:")


def _grouped(key: str) -> str:
    """The key of what belongs together; of one that is too long, a digest."""
    short = one_line(key)
    fits = 0 < len(short) <= KEY_LIMIT and short == key
    return key if fits else hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
