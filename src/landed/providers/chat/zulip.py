"""Zulip, as a bot: a message in a channel's topic that is edited as a rollout goes on, with answers below it.

https://zulip.com/api/send-message , https://zulip.com/api/update-message , https://zulip.com/api/rest-error-handling

Zulip's Markdown knows no backslash; what would be markup stands in the text as an HTML entity, and is shown as it was
(https://zulip.com/help/format-your-message-using-markdown).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, not_taken
from landed.messages import Message, Passage, facts, fitted, linkable, message, one_line, shortened, within
from landed.model import Channel, Digest, Secret
from landed.providers.credentials import basic
from landed.providers.interface import Complaint, Said, wanted

#: Characters of a message and of a topic, where the server's own limits are not raised.
LIMIT, TOPIC_LIMIT = 10_000, 60
_TITLE_LIMIT, _PLACE_LIMIT, _LINK_LIMIT, _FACT_LIMIT = 250, 250, 400, 200
_BODY_BUDGET = 4000
_PASSAGES, _FACTS = 10, 10

_HANDLE = re.compile(r"[1-9][0-9]{0,17}")
#: ``123`` or ``Ada Lovelace|123``, https://zulip.com/api/message-formatting .
_PERSON = re.compile(r"(?:[^\W_][\w .'-]{0,98}\|)?[1-9][0-9]{0,9}")

_EDITING = "The organization does not allow such a message to be edited: the change is posted as a new message."
_KEY = "Check that username is the bot's e-mail address and password its API key, both of this organization."
_SUBSCRIBE = "Check the channel's name before the first slash, and subscribe the bot to it where it is private."
_ADDRESS = "Check the address: it is the server's, such as https://example.zulipchat.com."
#: https://zulip.com/api/rest-error-handling
_HINTS = {
    "STREAM_DOES_NOT_EXIST": _SUBSCRIBE,
    "Not authorized to send": "The bot may not post to the channel: ask its administrators to let it.",
    "TOPIC_WILDCARD_MENTION_NOT_ALLOWED": "Nobody is called at large: report this as a defect.",
    "STREAM_WILDCARD_MENTION_NOT_ALLOWED": "Nobody is called at large: report this as a defect.",
    "time limit for editing": _EDITING,
    "turned off message editing": _EDITING,
    "INVALID_API_KEY": _KEY,
    "UNAUTHORIZED": _KEY,
    "USER_DEACTIVATED": "The bot was deactivated: activate it, or take another one.",
    "REALM_DEACTIVATED": "The organization was deactivated: ask its owner.",
    "RATE_LIMIT_HIT": "Too many requests; the update is sent by the next run.",
    "401": _KEY,
    "404": _ADDRESS,
}
#: An edit is refused with one code for everything: no such message (any more), not the bot's, too old, editing turned
#: off. The words are in the language of the organization; a new message tells what an edit cannot.
_GONE = ('"code":"BAD_REQUEST"', '"code": "BAD_REQUEST"', "Invalid message(s)", "time limit for editing")


class _Answer(Struct, frozen=True):
    result: str = ""
    id: int = 0


def complaints(channel: Channel) -> Sequence[Complaint]:
    """A channel and a topic, and a name that can be logged in with."""
    found = []
    stream, topic = _split(channel.channel)
    if not (stream and topic):
        what, instead = "it names no channel and topic", "Write it as CHANNEL/TOPIC; a topic may have slashes."
        found.append(Complaint("spec.channel", what, instead))
    elif not (stream + topic).isprintable():
        found.append(Complaint("spec.channel", "it has characters that nobody sees", "Write it as CHANNEL/TOPIC."))
    if ":" in channel.username or "@" not in channel.username:
        instead = "Write the bot's, such as flux-bot@example.zulipchat.com."
        found.append(Complaint("spec.username", "it is no e-mail address", instead))
    return found


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. An answer is a message of the same topic."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    service = channel.called("Zulip")
    handle = payload.handle
    if handle and not payload.reply:
        if _HANDLE.fullmatch(handle) is None:
            raise DeliveryError(f"{service}: the message to edit is not known by its number.", gone=True)
        edit = {"content": text(payload)}
        return (_request(channel, service, "PATCH", f"messages/{handle}", edit, handle),)
    stream, topic = _split(channel.channel)
    if not (stream and topic):
        raise DeliveryError(f"{service}: the channel names no topic.", "Write CHANNEL/TOPIC to spec.channel.")
    # The older of two words: servers know it all.
    body = {"type": "stream", "to": stream, "topic": _short(topic), "content": text(payload)}
    return (_request(channel, service, "POST", "messages", body),)


def acknowledged(response: Response) -> str:
    """The message's number, "" of an edit. Raises DeliveryError unless the answer says ``success``."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.result != "success":
        raise not_taken(response, _HINTS, _ADDRESS, passing=("RATE_LIMIT_HIT",), gone=_GONE)
    return str(answer.id) if answer.id > 0 else ""


def shown(body: bytes) -> object:
    """The form's fields."""
    return dict(parse_qsl(body.decode()))


def text(digest: Digest) -> str:
    """The message in Zulip's Markdown."""
    return _joined(list(_lines(message(digest, _PASSAGES))))


def _request(
    channel: Channel, service: str, method: str, place: str, form: dict[str, str], handle: str = ""
) -> Request:
    headers: dict[str, Secret | str] = {
        "Authorization": basic(channel.username, channel.password.reveal()),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept-Language": "en",
    }
    body = urlencode(form, errors="replace").encode()
    edits = method == "PATCH"
    return Request(
        method,
        Secret(f"{_root(channel.address.reveal())}/api/v1/{place}"),
        headers,
        body,
        service,
        _HINTS,
        _GONE if edits else (),
        repeatable=edits,
        handle=handle,
        hidden=(channel.password,),
    )


def _root(address: str) -> str:
    """The server, whatever path it is under, also where the address is that of its API."""
    parts = urlsplit(address)
    path = re.sub(r"/api(?:/v1(?:/messages)?)?\Z", "", parts.path.rstrip("/"))
    return parts._replace(path=path.rstrip("/"), query="", fragment="").geturl()


def _split(channel: str) -> tuple[str, str]:
    """Channel and topic: only the first slash divides."""
    stream, _, topic = channel.partition("/")
    return stream.strip(), topic.strip()


def _short(topic: str) -> str:
    """As the server itself shortens a topic, so that it is the one that notification-controller posts to."""
    return topic if len(topic) <= TOPIC_LIMIT else f"{topic[: TOPIC_LIMIT - 3]}..."


def _lines(told: Message) -> Iterator[str]:
    yield _titled(told.passages[0]) if told.alone else _bold(told.headline)
    for passage in told.passages:
        if not told.alone:
            yield ""
            yield _titled(passage)
        lines = shortened(passage.lines) if told.brief else passage.lines
        yield from within(lines, _BODY_BUDGET // len(told.passages), _escape)
        yield _where(passage)
        if _PERSON.fullmatch(passage.mention):
            yield f"@**{passage.mention if '|' in passage.mention else '|' + passage.mention}**"
    if told.more:
        yield _escape(told.more)
    shown, left = facts(told, _FACTS)
    for name, value in shown:
        yield f"{_bold(name[: _FACT_LIMIT // 2])}: {fitted(value, _FACT_LIMIT, _escape) or '–'}"
    if left:
        yield f"… and {left} more"
    yield from within(told.notes, _BODY_BUDGET // 4, _escape)


def _titled(passage: Passage) -> str:
    return f"{passage.mark} {_bold(passage.title)}"


def _bold(text_: str) -> str:
    return f"**{fitted(text_, _TITLE_LIMIT, _escape) or '–'}**"


def _where(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster = fitted(passage.cluster, _PLACE_LIMIT, _escape)
    if not passage.place:
        return cluster
    name = fitted(passage.place, _PLACE_LIMIT, _escape)
    address = linkable(passage.link, _LINK_LIMIT).replace("~", "%7E")
    return f"{cluster} · [{name}]({address})" if address else f"{cluster} · {name}"


def _joined(lines: Sequence[str]) -> str:
    """As many lines as have room, one below the other, and how many do not."""
    kept: list[str] = []
    room = LIMIT - len("\n… and 10000 more lines")
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more lines"])
        kept.append(line)
    return "\n".join(kept)


#: Markup, mentions, links to channels, formulas, emoji and avatars; what begins a list or a line; and what makes a link
#: that a picture could be shown of: the colon of an address, the dot of a host with a path.
_MARKUP = re.compile(
    r"[&<>*`~\[\]#@|$\\]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|!(?=\w+\()|:(?=\S)|\.(?=[A-Za-z0-9-]+(?::[0-9]+)?/)"
    r"|\A[-+=]|\A[0-9]+(?=[.)])",
    re.ASCII,
)


def _escape(text_: str) -> str:
    """``text`` as nothing but text on one line, and nobody called."""
    return _MARKUP.sub(_entity, one_line(text_))


def _entity(found: re.Match[str]) -> str:
    return "".join(f"&#{ord(character)};" for character in found[0])
