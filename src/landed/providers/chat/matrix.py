"""Matrix: a message in a room that is edited as a rollout goes on, with answers in its thread.

https://spec.matrix.org/latest/client-server-api/#sending-events-to-a-room ,
https://spec.matrix.org/latest/client-server-api/#event-replacements ,
https://spec.matrix.org/latest/client-server-api/#threading

A message is sent under a transaction id that is made of what it says, so that the server takes it once however often it
is sent. Rooms are not encrypted for: in an encrypted one, clients show that a message is not.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import (
    Message,
    Passage,
    called,
    facts,
    fitted,
    identity,
    linkable,
    message,
    one_line,
    shortened,
    uncalled,
    within,
)
from landed.model import Channel, Digest, Secret, State
from landed.providers.interface import Complaint, Said, wanted
from landed.render import essence

#: An event has 65,536 bytes with all that the servers add (https://spec.matrix.org/latest/client-server-api/#size-limits).
#: Both forms of the text together have at most so many as JSON; the rest is for the frame.
BYTES = 50_000
_TITLE_LIMIT, _PLACE_LIMIT, _LINK_LIMIT, _FACT_LIMIT = 200, 250, 500, 200
_BODY_BUDGET = 6000
_PASSAGES, _FACTS = 15, 15

#: A room's id begins with this sign; newer rooms have no server in theirs.
_ROOM = re.compile(r"![^\s\x00-\x1f/?#]{1,254}")
_EVENT = re.compile(r"\$[A-Za-z0-9._~=+/:-]{1,254}")
_PERSON = r"@[A-Za-z0-9._=/+-]{1,120}:[A-Za-z0-9.-]{1,120}(?::[0-9]{1,5})?"

#: Failures are said as people say things, for notices of bots ring for nobody
#: (https://spec.matrix.org/latest/client-server-api/#mroommessage-msgtypes).
_RINGING = frozenset({State.FAILURE, State.STALE})

_ROOMS = "Write the room's id, which begins with an exclamation mark: clients show it in the room's settings."
_INVITE = "Invite the user that the token belongs to into the room, let it join, and let it send messages there."
_TOKEN = "The access token is wrong or was logged out: log in again, and put the new one in the Secret."  # noqa: S105
#: https://spec.matrix.org/latest/client-server-api/#standard-error-response
_HINTS = {
    "M_FORBIDDEN": _INVITE,
    "M_GUEST_ACCESS_FORBIDDEN": _INVITE,
    "M_UNKNOWN_TOKEN": _TOKEN,
    "M_MISSING_TOKEN": _TOKEN,
    "M_USER_DEACTIVATED": "The user that the token belongs to was deactivated: take another one.",
    "M_USER_LOCKED": "The user that the token belongs to is locked: ask the server's administrator.",
    "M_USER_SUSPENDED": "The user that the token belongs to is suspended: ask the server's administrator.",
    "M_CONSENT_NOT_GIVEN": "The user must first agree to the server's terms: log in once and read them.",
    "M_LIMIT_EXCEEDED": "Too many messages; the update is sent by the next run.",
    "M_TOO_LARGE": "The message is too large for the server: narrow what the Alert selects.",
    "M_UNRECOGNIZED": "Check the address: it is the homeserver's, such as https://matrix.example.com.",
    "M_INVALID_PARAM": "Check the channel: it is the room's id, which begins with an exclamation mark.",
    "404": "Check the address: it is the homeserver's, such as https://matrix.example.com.",
}
_NOT_THERE = ("M_NOT_FOUND",)


class _Relation(Struct, frozen=True):
    rel_type: str = ""


class _Content(Struct, frozen=True):
    relates: _Relation = msgspec.field(name="m.relates_to", default=_Relation())


class _Unsigned(Struct, frozen=True):
    redacted: object = msgspec.field(name="redacted_because", default=None)


class _Answer(Struct, frozen=True):
    """An event's id, where one was sent; the event, where it was asked for."""

    event_id: str = ""
    type: str = ""
    content: _Content = _Content()
    unsigned: _Unsigned = _Unsigned()


def complaints(channel: Channel) -> Sequence[Complaint]:
    """A room has many names and one id; only that is sent to. A token is what a header can hold."""
    found = []
    room = channel.channel
    if _ROOM.fullmatch(room) is None:
        what = "it is a name of a room, not its id" if room.startswith("#") else "it is no room's id"
        found.append(Complaint("spec.channel", what, _ROOMS))
    if re.fullmatch(r"[!-~]+", channel.token.reveal()) is None:
        what, instead = "its `token` has characters that no token has", "Give the access token alone, as it was shown."
        found.append(Complaint("spec.secretRef", what, instead))
    return found


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted.

    Before an edit or an answer the message is asked for: what is done to one that was taken back is seen by nobody.
    """
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    service = channel.called("Matrix")
    if _ROOM.fullmatch(channel.channel) is None:
        raise DeliveryError(f"{service}: the channel is no room's id.", _ROOMS)
    handle = payload.handle
    if handle and _EVENT.fullmatch(handle) is None:
        raise DeliveryError(f"{service}: the message to edit is not known by an event's id.", gone=True)
    told = content(message(payload, _PASSAGES))
    headers = {"Authorization": Secret(f"Bearer {channel.token.reveal()}")}
    if handle and not payload.reply:
        told = _edit(handle, told, message(payload, _PASSAGES))
    elif handle:
        told["m.relates_to"] = _thread(handle)
    url = _place(channel, f"send/m.room.message/{_transaction(channel, payload)}")
    send = json_request(url, told, service=service, headers=headers, hints=_HINTS, method="PUT", repeatable=True)
    if not handle:
        return (send,)
    asked = _place(channel, f"event/{quote(handle, safe='')}")
    return (Request("GET", asked, headers, service=service, hints=_HINTS, gone=_NOT_THERE), send)


def acknowledged(response: Response) -> str:
    """The event's id. Raises DeliveryError for an answer without one, and for an event that can be edited no more."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if _EVENT.fullmatch(answer.event_id) is None:
        raise not_taken(response, _HINTS, _HINTS["404"])
    if answer.unsigned.redacted is not None or answer.type not in ("", "m.room.message"):
        raise DeliveryError(f"{response.origin}: the message was taken back.", gone=True)
    if answer.content.relates.rel_type == "m.replace":
        raise DeliveryError(f"{response.origin}: the message is itself an edit of another one.", gone=True)
    return answer.event_id


def content(told: Message) -> dict[str, Any]:
    """A message in both of its forms: ``m.mentions`` says who is called, and without anybody that nobody is.

    https://spec.matrix.org/latest/client-server-api/#user-and-room-mentions
    """
    lines = _joined(list(_lines(told)))
    return {
        "msgtype": "m.text" if told.state in _RINGING else "m.notice",
        "body": "\n".join(plain for plain, _ in lines),
        "format": "org.matrix.custom.html",
        "formatted_body": "<br>".join(marked for _, marked in lines),
        "m.mentions": _mentions(told),
    }


def _edit(handle: str, new: dict[str, Any], told: Message) -> dict[str, Any]:
    """An edit, which says what it is to clients that know none: in one line, for an event has to hold it all."""
    return {
        "msgtype": new["msgtype"],
        "body": f"* {fitted(told.notice, _TITLE_LIMIT * 2, _plain)}",
        "m.mentions": new["m.mentions"],
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": handle},
    }


def _thread(root: str) -> dict[str, Any]:
    """What makes an answer, https://spec.matrix.org/latest/client-server-api/#fallback-for-unthreaded-clients ."""
    answers = {"event_id": root}
    return {"rel_type": "m.thread", "event_id": root, "is_falling_back": True, "m.in_reply_to": answers}


def _place(channel: Channel, what: str) -> Secret:
    """Below the room, whatever path the homeserver itself is under."""
    parts = urlsplit(channel.address.reveal())
    root = parts._replace(path=parts.path.partition("/_matrix")[0].rstrip("/"), query="", fragment="").geturl()
    return Secret(f"{root}/_matrix/client/v3/rooms/{quote(channel.channel, safe='')}/{what}")


def _transaction(channel: Channel, digest: Digest) -> str:
    """The same for the same message; another one for each channel, of which two may share a token and a room, and for
    other words of Flux's about the same time.
    """
    observations = [o for story in digest.stories for o in story.outcome.observations]
    said = [(o.revision, essence(o.message)) for o in observations]
    return hashlib.sha256(repr((identity(digest), channel.name, said)).encode(errors="replace")).hexdigest()[:32]


def _mentions(told: Message) -> dict[str, Any]:
    people = called(told, _PERSON)
    return {"user_ids": list(people)} if people else {}


def _lines(told: Message) -> Iterator[tuple[str, str]]:
    """Each line as text and as HTML."""
    yield _titled(told.passages[0]) if told.alone else _bold(told.headline)
    for passage in told.passages:
        if not told.alone:
            yield "", ""
            yield _titled(passage)
        lines = shortened(passage.lines) if told.brief else passage.lines
        yield from map(_both, within(lines, _BODY_BUDGET // len(told.passages), _plain))
        yield _where(passage)
        if re.fullmatch(_PERSON, passage.mention):
            link = html.escape(f"https://matrix.to/#/{quote(passage.mention, safe='@:')}")
            yield passage.mention, f'<a href="{link}">{html.escape(passage.mention)}</a>'
    if told.more:
        yield _both(_plain(told.more))
    shown, left = facts(told, _FACTS)
    for name, value in shown:
        label, marked = _bold(fitted(name, _FACT_LIMIT // 2, _plain) or "–")
        said, text = _both(fitted(value, _FACT_LIMIT, _plain) or "–")
        yield f"{label}: {said}", f"{marked}: {text}"
    if left:
        yield _both(f"… and {left} more")
    yield from map(_both, within(told.notes, _BODY_BUDGET // 4, _plain))


def _titled(passage: Passage) -> tuple[str, str]:
    plain, bold = _bold(passage.title)
    return f"{passage.mark} {plain}", f'{passage.mark} <span data-mx-color="{passage.colour}">{bold}</span>'


def _bold(text: str) -> tuple[str, str]:
    plain, marked = _both(fitted(text, _TITLE_LIMIT, _plain))
    return plain, f"<strong>{marked}</strong>"


def _where(passage: Passage) -> tuple[str, str]:
    """The cluster, and the commit with a link to it."""
    cluster, shown = _both(fitted(passage.cluster, _PLACE_LIMIT, _plain))
    if not passage.place:
        return cluster, shown
    place, marked = _both(fitted(passage.place, _PLACE_LIMIT, _plain))
    address = html.escape(linkable(passage.link, _LINK_LIMIT))
    linked = f'<a href="{address}">{marked}</a>' if address else marked
    return f"{cluster} · {place}", f"{shown} · {linked}"


def _both(text: str) -> tuple[str, str]:
    return text, html.escape(text, quote=False)


def _joined(lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many lines as have room in both forms, and how many do not."""
    kept: list[tuple[str, str]] = []
    room = BYTES - 2 * len("… and 10000 more lines<br>".encode())
    for line in lines:
        room -= sum(len(msgspec.json.encode(form)) for form in line) + len("\\n<br>")
        if room < 0:
            return [*kept, _both(f"… and {len(lines) - len(kept)} more lines")]
        kept.append(line)
    return kept


def _plain(text: str) -> str:
    """``text`` on one line, in which the room is not called. Addresses in it still become links to themselves."""
    return uncalled(one_line(text))
