"""Google Chat, by incoming webhook: one card for each look, in one thread for each commit. A webhook cannot edit.

https://developers.google.com/workspace/chat/quickstart/webhooks ,
https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Markup, Message, Passage, Size, called, fitted, message, within
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: Bytes that a message may have with everything in it. Ours is below: what they count is not said to the byte.
LIMIT = 32_000
_LIMIT = 30_000
_NOTICE_LIMIT = 300

_NEW = "Make a new webhook in the space (Apps & integrations, Webhooks), and replace the address."
_ADDRESS = "Check the address: https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=… , copied to its end."
#: https://developers.google.com/workspace/chat/api/guides/v1/error-handling ; the words are those of
#: https://cloud.google.com/apis/design/errors
_HINTS = {
    "UNAUTHENTICATED": _ADDRESS,
    "API key not valid": _ADDRESS,
    "PERMISSION_DENIED": f"The webhook was removed, or incoming webhooks are not allowed any more. {_NEW}",
    "NOT_FOUND": f"The webhook or its space is gone. {_NEW}",
    "RESOURCE_EXHAUSTED": "Too many messages for this space; the update is sent by the next run.",
    "INVALID_ARGUMENT": "Google Chat could not read the message: check that the address is a webhook's.",
    "401": _ADDRESS,
    "403": _NEW,
    "404": _ADDRESS,
}


#: The same layout with ever less in it, until it fits.
_SIZES = (
    Size(15, 10_000, 300, 10),
    Size(15, 5_000, 200, 10),
    Size(8, 2_500, 150, 8),
    Size(3, 1_500, 150, 5),
    Size(1, 500, 100, 3),
)


class _Taken(Struct, frozen=True):
    name: str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted.

    It may be sent twice: with the same ``requestId`` only one message is created.
    """
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    body = _body(payload)
    thread = _thread(payload)
    settings = {"requestId": _request_id(channel, payload, body)}
    kept = dict(_query(channel.address))
    # A thread that the address names is the user's own choice.
    if thread and not {"threadKey", "messageReplyOption"} & kept.keys():
        body["thread"] = {"threadKey": thread}
        settings["messageReplyOption"] = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    request = json_request(
        _url(channel.address, settings),
        body,
        service=channel.called("Google Chat"),
        headers={"Content-Type": "application/json; charset=UTF-8"},
        hints=_HINTS,
        repeatable=True,
    )
    # In the address they may be percent-encoded; in an answer they need not be.
    return (structs.replace(request, hidden=tuple(map(Secret, filter(None, kept.values())))),)


def acknowledged(response: Response) -> str:
    """Google Chat answers with the message, by its name ``spaces/…/messages/…``. Raises DeliveryError.

    Always "": a webhook cannot edit what it has posted.
    """
    try:
        name = decode(response.body, _Taken).name
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        name = ""
    if re.fullmatch(r"spaces/[^/\s]+/messages/[^/\s]+", name) is None:
        raise not_taken(response, _HINTS, _ADDRESS)
    return ""


def _body(digest: Digest) -> dict[str, Any]:
    """The message, as much of it as there is room for; its last size always fits."""
    for size in _SIZES:
        body = laid_out(message(digest, size.passages), size)
        if len(json_request(Secret(""), body).body) <= _LIMIT:
            break
    return body


def laid_out(told: Message, size: Size) -> dict[str, Any]:
    """A card with one section for each passage. Mentions are beside it: in a card they call nobody.

    https://developers.google.com/workspace/chat/format-messages
    """
    sections = [] if told.alone else [{"widgets": [_paragraph(_MARKUP.bold(_MARKUP.line(told.headline, size)))]}]
    sections += [_section(passage, size, size.details // len(told.passages)) for passage in told.passages]
    below = _MARKUP.below(told, size)
    if below:
        sections.append({"widgets": [_paragraph("<br>".join(below))]})
    # A person by number, with ``users/`` before it or without; never ``users/all``.
    people = [f"<users/{who.removeprefix('users/')}>" for who in called(told, "(?:users/)?[0-9]{5,32}")]
    notice = {"text": " ".join(people)} if people else {}
    # What a notification says, where it shows no cards.
    return notice | {
        "fallbackText": fitted(told.notice, _NOTICE_LIMIT, _uncalled),
        "cardsV2": [{"cardId": "landed", "card": {"sections": sections}}],
    }


def _section(passage: Passage, size: Size, budget: int) -> dict[str, Any]:
    title = f'{passage.mark} <b><font color="{passage.colour}">{_MARKUP.line(passage.title, size)}</font></b>'
    details = within(passage.lines, budget, _escape)
    return {"widgets": [_paragraph("<br>".join([title, *details, _MARKUP.where(passage, size)]))]}


def _paragraph(text: str) -> dict[str, Any]:
    return {"textParagraph": {"text": text}}


def _escape(text: str) -> str:
    """``text`` as nothing but text where a card takes HTML. Quotes mean nothing there, and Flux says many."""
    return html.escape(text.encode(errors="replace").decode(), quote=False)


def _link(name: str, address: str) -> str:
    return f'<a href="{html.escape(address)}">{name}</a>'


_MARKUP = Markup(_escape, "<b>{}</b>".format, _link, 1000)


def _uncalled(text: str) -> str:
    """``text`` without what would call somebody, or be a link, were it a message's own text."""
    return text.encode(errors="replace").decode().replace("<", "<\u200b")


def _thread(digest: Digest) -> str:
    """The key of the commit's thread; "" where it is about no commit, or about several."""
    commits = {(story.outcome.repository, story.outcome.commit) for story in digest.stories}
    repository, commit = commits.pop()
    if commits or not commit:
        return ""
    return f"landed-{hashlib.sha256(f'{repository} {commit}'.encode(errors='replace')).hexdigest()[:32]}"


def _request_id(channel: Channel, digest: Digest, body: dict[str, Any]) -> str:
    """The same when the same is sent again; another one for other words, and for the same about something new."""
    times = [observation.since for story in digest.stories for observation in story.outcome.observations]
    said = (channel.name, times, json_request(Secret(""), body).body)
    return str(UUID(bytes=hashlib.sha256(repr(said).encode()).digest()[:16], version=4))


def _query(address: Secret) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address.reveal().strip()).query, keep_blank_values=True)
    except ValueError:
        return []


def _url(address: Secret, settings: dict[str, str]) -> Secret:
    """The webhook's URL with ``settings`` added to its query. Not an URL: as it is, for the door refuses it."""
    try:
        parts = urlsplit(address.reveal().strip())
    except ValueError:
        return address
    kept = [(name, value) for name, value in _query(address) if name not in settings]
    query = urlencode([*kept, *settings.items()], quote_via=quote)
    return Secret(urlunsplit((parts.scheme, parts.netloc, parts.path, query, "")))
