"""Grafana: an annotation for each commit, a region from when its rollout began to when it was live or failed.

Until then it has no end, and Grafana shows it as a moment. A failure ends it, and what becomes of that later extends
it; a failure and what ends it are marked at their own time, too, since the region says in the end how it ended. What
no commit is known of is a moment.

https://grafana.com/docs/grafana/latest/developers/http_api/annotations/ ,
https://fluxcd.io/flux/components/notification/providers/#grafana
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.events import go_json
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, facts, fitted, linkable, message, one_line, shortened, within
from landed.model import RESULTS, Channel, Digest, Observation, Secret, State
from landed.plan.occurrences import seconds
from landed.providers.credentials import basic
from landed.providers.interface import Complaint, Said, wanted
from landed.render import cut, event

#: Bytes that all tags of an annotation may have in JSON, where nobody has changed ``tags_length``, and characters of a
#: tag's name or value. https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#tags_length
TAGS_LIMIT, TAG_LIMIT = 500, 100
#: Characters of a text: it is shown in a small window.
TEXT_LIMIT = 4000
_LINE_LIMIT, _LINK_LIMIT, _PASSAGES, _FACTS = 300, 500, 10, 10

_PATH = "/api/annotations"
_TAGS = "The tags are longer than this Grafana takes: raise tags_length below [annotations] in its configuration."
_RIGHTS = "Let the service account write annotations: give it the role Editor, or annotations:write."
_HINTS = {
    "Tags length": _TAGS,
    "tags length": _TAGS,
    "401": "Check the token: it is missing, wrong or expired.",
    "403": _RIGHTS,
    "404": "Check the address: https://GRAFANA/api/annotations",
}
#: How Grafana calls an annotation that somebody has deleted, depending on its version.
_GONE = ("ould not find annotation", "nnotation not found")
#: What the address may say beside: where annotations belong. The rest of its query stays in it.
_PLACES = {"dashboardUID": "dashboardUID", "dashboardUid": "dashboardUID", "panelId": "panelId"}


class _Answer(Struct, frozen=True):
    message: str = ""
    id: int = 0


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One annotation, made or changed. A change leaves the beginning as it is."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    if not payload.handle or payload.reply:
        return (_request(channel, "POST", "", {**_address(channel)[1], **_said(payload)}),)
    if not re.fullmatch("[1-9][0-9]{0,18}", payload.handle):
        service = channel.called("Grafana")
        raise DeliveryError(f"{service}: the annotation to change is not known by its number.", gone=True)
    changed = {name: value for name, value in _said(payload).items() if name != "time"}
    return (_request(channel, "PATCH", payload.handle, changed),)


def _said(digest: Digest) -> dict[str, Any]:
    return {**_times(digest), "tags": tags(digest), "text": text(digest)}


def _request(channel: Channel, method: str, number: str, body: dict[str, Any]) -> Request:
    path, mark, query = _address(channel)[0].partition("?")
    return Request(
        method,
        Secret(f"{path}/{number}{mark}{query}" if number else path + mark + query),
        {"Content-Type": "application/json", **_headers(channel)},
        json_request(channel.address, body).body,
        channel.called("Grafana"),
        _HINTS,
        _GONE if number else (),
        repeatable=bool(number),
        handle=number,
        hidden=(channel.password,) if channel.password else (),
    )


def acknowledged(response: Response) -> str:
    """The annotation's number; "" where it was changed. Raises DeliveryError unless it was made or changed."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.message not in ("Annotation added", "Annotation patched", "Annotation updated"):
        raise not_taken(response, _HINTS, _HINTS["404"], gone=_GONE)
    return str(answer.id) if answer.id > 0 else ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Of half a login, and of a panel that is no number."""
    found = []
    if channel.username and not (channel.password or channel.token):
        found.append(Complaint("spec.secretRef", "there is a user and no `password`", "Add it, or give a `token`."))
    if channel.password and not (channel.username or channel.token):
        found.append(Complaint("spec.secretRef", "there is a `password` and no user", "Add `username`, or a `token`."))
    if not re.fullmatch("[!-~]*", channel.token.reveal()):
        found.append(Complaint("spec.secretRef", "`token` cannot be sent in a header", "Give one without blanks."))
    panel = dict(parse_qsl(urlsplit(channel.address.reveal()).query)).get("panelId", "0")
    if not re.fullmatch("[0-9]{1,18}", panel):
        found.append(Complaint("spec.address", "its panelId is no number", "Take it from the panel's own address."))
    return tuple(found)


def text(digest: Digest) -> str:
    """What it says, as the HTML that Grafana shows of it, in which all that comes from elsewhere is text."""
    told = message(digest, _PASSAGES)
    lines = [_titled(told.passages[0])] if told.alone else [fitted(told.headline, _LINE_LIMIT, html.escape)]
    room = TEXT_LIMIT // 2 // len(told.passages)
    for passage in told.passages:
        lines += [] if told.alone else ["", _titled(passage)]
        said = shortened(passage.lines) if told.brief else passage.lines
        lines += [*within(said, room, html.escape), _where(passage)]
    return "<br>\n".join(_within([*lines, *_below(told)]))


def tags(digest: Digest) -> list[str]:
    """As many as Grafana takes, what is most looked for first: those that Flux gives, the state and the commit."""
    kept: list[str] = []
    room = TAGS_LIMIT - len("[]")
    for tag in dict.fromkeys(_tags(digest)):
        room -= (size := len(go_json(tag)) + 1)
        if room < 0:
            room += size
        else:
            kept.append(tag)
    return kept


def _tags(digest: Digest) -> Iterator[str]:
    spoken = [(story.outcome.cluster, o) for story in digest.stories for o in story.outcome.observations]
    events = [event(cluster, observation) for cluster, observation in spoken]
    outcomes = [story.outcome for story in digest.stories]
    yield "flux"
    yield from _pairs("", (each.reportingController for each in events))
    yield from _pairs("state", (story.state for story in digest.stories))
    yield from _pairs("cluster", (outcome.cluster for outcome in outcomes))
    yield from _pairs("commit", (outcome.commit for outcome in outcomes))
    yield from _pairs("revision", (observation.revision for _, observation in spoken))
    for name, value in digest.facts:
        yield from _pairs(name, (value,))
    about = [observation.about for _, observation in spoken]
    yield from _pairs("kind", (each.kind for each in about))
    yield from _pairs("namespace", (each.namespace for each in about))
    yield from _pairs("name", (each.name for each in about))


def _pairs(name: str, values: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """``name: value`` as Flux writes it: Grafana takes a tag apart at its first colon, so that neither may have one."""
    for value in dict.fromkeys(values):
        key, said = (cut(one_line(part).replace(":", "|"), TAG_LIMIT) for part in (name, value))
        if said and (key or not name):
            yield f"{key}: {said}" if key else said


def _times(digest: Digest) -> dict[str, int]:
    """In milliseconds: from when the first of its objects was begun, to when the last one had its result.

    What is not known is left out: Grafana takes the time of a new annotation from its own clock then.
    """
    observations = [o for story in digest.stories for o in story.outcome.observations if o.since > 0]
    if not observations:
        return {}
    ends = [o.since * 1000 for o in observations if o.state in RESULTS]
    if not digest.about or digest.reply:
        return {"time": max(ends or (o.since * 1000 for o in observations))}
    begun = min(map(_begun, observations))
    return {"time": begun, "timeEnd": max(*ends, begun)} if ends and _is_over(digest) else {"time": begun}


def _begun(observation: Observation) -> int:
    length = seconds(observation.duration) if observation.state in RESULTS else 0.0
    return max(1, observation.since * 1000 - round(length * 1000))


def _is_over(digest: Digest) -> bool:
    """Whether something has failed, or nothing is on its way any more."""
    states = {story.state for story in digest.stories}
    return State.FAILURE in states or State.PENDING not in states


def _address(channel: Channel) -> tuple[str, dict[str, Any]]:
    """Where annotations are made, given that or the server's address; and the dashboard and panel that are named."""
    parts = urlsplit(channel.address.reveal())
    root = parts.path.rstrip("/").removesuffix("/graphite").removesuffix(_PATH)
    given = parse_qsl(parts.query, keep_blank_values=True)
    place: dict[str, Any] = {_PLACES[name]: value for name, value in given if name in _PLACES and value}
    if "panelId" in place:
        place["panelId"] = int(place["panelId"]) if re.fullmatch("[0-9]{1,18}", place["panelId"]) else 0
    query = urlencode([(name, value) for name, value in given if name not in _PLACES])
    return parts._replace(path=root + _PATH, query=query, fragment="").geturl(), place


def _headers(channel: Channel) -> dict[str, Secret | str]:
    if channel.token:
        return {"Authorization": Secret(f"Bearer {channel.token.reveal()}")}
    if not channel.username:
        return {}
    return {"Authorization": basic(channel.username, channel.password.reveal())}


def _titled(passage: Passage) -> str:
    return f"{passage.mark} {fitted(passage.title, _LINE_LIMIT, html.escape)}"


def _where(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster, name = (fitted(part, _LINE_LIMIT, html.escape) for part in (passage.cluster, passage.place))
    link = html.escape(linkable(passage.link, _LINK_LIMIT))
    place = f'<a href="{link}">{name}</a>' if link and name else name
    return f"{cluster} · {place}" if place else cluster


def _below(told: Message) -> list[str]:
    """What had no room, what the Alert adds, and notes."""
    shown, more = facts(told, _FACTS)
    named = [f"{name or '–'}: {value or '–'}" for name, value in shown] + ([f"… and {more} more"] if more else [])
    lines = [*([told.more] if told.more else []), *named, *told.notes]
    return [fitted(line, _LINE_LIMIT, html.escape) for line in lines]


def _within(lines: Sequence[str]) -> list[str]:
    """As many whole lines as have room, and how many have none."""
    kept: list[str] = []
    room = TEXT_LIMIT - len("<br>\n… and 10000 more lines")
    for line in lines:
        room -= len(line) + len("<br>\n")
        if room < 0:
            return [*kept, f"… and {len(lines) - len(kept)} more lines"]
        kept.append(line)
    return kept
