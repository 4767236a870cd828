"""Zoom Team Chat, by the Incoming Webhook app: one message for each look. A webhook can neither edit nor answer.

https://support.zoom.com/hc/en/article?id=zm_kb&sysparm_article=KB0067640 ,
https://developers.zoom.us/docs/team-chat/customizing-messages/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Markup, Message, Passage, Size, facts, linkable, message, one_line, uncalled, within
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: Ours, for Zoom names none: bytes of a whole request, and characters of one text.
LIMIT, TEXT_LIMIT = 10_000, 2000

_TOKEN = "Check the Secret's token: it is the verification token that the app has shown with the address."  # noqa: S105
_ADDRESS = (
    "Check the address, or make a new connection with /inc connect: one ends when the account that made it is closed."
)
#: https://developers.zoom.us/docs/api/chatbot/
_HINTS = {
    "7010": _TOKEN,
    "authorization token": _TOKEN,
    "Authorization token": _TOKEN,
    "7001": "Zoom could not read the message: check the address.",
    "7004": _ADDRESS,
    "Failed to send bot message": _ADDRESS,
    "401": _TOKEN,
    "403": _ADDRESS,
    "404": _ADDRESS,
    "429": "Too many messages; the update is sent by the next run.",
}


#: The same layout with ever less in it, until it fits.
_SIZES = (
    Size(8, 4000, 250, 10),
    Size(8, 2000, 200, 10),
    Size(4, 1500, 150, 8),
    Size(1, 1000, 150, 5),
    Size(1, 300, 100, 3),
)


class _Answer(Struct, frozen=True):
    result: bool | None = None
    code: object = None


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    return (
        json_request(
            _url(channel.address),
            _body(payload),
            service=channel.called("Zoom"),
            headers={"Authorization": channel.token},
            hints=_HINTS,
        ),
    )


def acknowledged(response: Response) -> str:
    """Always "". Raises DeliveryError where the answer says ``"result": false``, or has the code of a refusal.

    What a webhook says when content is not documented, so nothing is asked of it.
    """
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.result is False or re.fullmatch("7[0-9]{3}", str(answer.code)):
        raise not_taken(response, _HINTS, _ADDRESS)
    return ""


def _body(digest: Digest) -> dict[str, Any]:
    """The message, as much of it as there is room for; its last size always fits."""
    for size in _SIZES:
        body = {"content": content(message(digest, size.passages), size)}
        if len(json_request(Secret(""), body).body) <= LIMIT:
            break
    return body


def content(told: Message, size: Size) -> dict[str, Any]:
    """A head, and a section with a coloured bar for each passage. All of it is plain text: no Markdown is asked for.

    https://developers.zoom.us/docs/team-chat/customizing-messages/multiple-sections/
    """
    share = min(size.details // len(told.passages), TEXT_LIMIT)
    body = [_section(passage, size, share, alone=told.alone) for passage in told.passages]
    notes = "\n".join([*([_plain(told.more)] if told.more else []), *within(told.notes, size.line * 3, _plain)])
    body += [_text(notes)] if notes else []
    fields = _fields(told, size)
    body += [{"type": "fields", "items": fields}] if fields else []
    first = told.passages[0]
    title = f"{first.mark} {told.headline}" if told.alone else told.headline
    return {"head": {"text": _MARKUP.line(title, size), "style": _bold(first)}, "body": body}


def _section(passage: Passage, size: Size, budget: int, *, alone: bool) -> dict[str, Any]:
    details = "\n".join(within(passage.lines, budget, _plain))
    address = linkable(passage.link, _MARKUP.longest)
    parts = [] if alone else [_text(_MARKUP.line(f"{passage.mark} {passage.title}", size), style=_bold(passage))]
    parts += [_text(details)] if details else []
    parts.append(_text(_MARKUP.where(passage, size), **({"link": address} if address else {})))
    return {"type": "section", "sidebar_color": passage.colour, "sections": parts}


def _fields(told: Message, size: Size) -> list[dict[str, Any]]:
    shown, more = facts(told, size.facts)
    line = _MARKUP.line
    items: list[dict[str, Any]] = [
        {"key": line(name, size) or "–", "value": line(value, size) or "–", "short": len(value) <= 40}
        for name, value in shown
    ]
    return [*items, {"key": "…", "value": f"and {more} more", "short": True}] if more else items


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "text": text, **more}


def _bold(passage: Passage) -> dict[str, Any]:
    return {"color": passage.colour, "bold": True, "italic": False}


def _plain(text: str) -> str:
    """``text`` on one line. It is shown as it is; even so, what calls somebody in Markdown is taken apart."""
    return uncalled(re.sub(r"<(?=[!@#])", "<\u200b", one_line(text)))


#: Links stand beside the text.
_MARKUP = Markup(_plain)


def _url(address: Secret) -> Secret:
    """The webhook's URL with ``format=full``: an example that the app shows may name one that our messages have not.

    What is no URL is left as it is, for the door refuses it.
    """
    try:
        parts = urlsplit(address.reveal().strip())
        settings = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return address
    settings = [*((name, value) for name, value in settings if name != "format"), ("format", "full")]
    return Secret(urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(settings, quote_via=quote), "")))
