"""Lark and Feishu, by a custom bot's webhook: one card for each look. A webhook can neither edit nor answer.

https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot ,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Markup, Message, Passage, Size, fitted, message, one_line, uncalled, within
from landed.model import Channel, Digest, Secret, State
from landed.providers.interface import Said, wanted

#: Bytes that a request's body may have. Ours is below: a signature is added on the way.
LIMIT = 20_000
_LIMIT = 19_500

#: What colours a header may have: https://open.feishu.cn/document/feishu-cards/card-components/content-components/title
_TEMPLATES = {
    State.FAILURE: "red",
    State.SUCCESS: "green",
    State.PENDING: "yellow",
    State.SUPERSEDED: "grey",
    State.STALE: "orange",
    State.SUSPENDED: "grey",
}

_ADDRESS = (
    "Check the address: it is that of a custom bot, https://open.larksuite.com/…/bot/v2/hook/… , with Feishu"
    " https://open.feishu.cn/…/bot/v2/hook/…"
)
_SIGN = "Write the key of the bot's signature verification to the Secret as token, and check this machine's clock."
_LATER = "Too many messages; the update is sent by the next run."
_WORDS = "The bot takes only messages with one of its keywords: let the Alert's eventMetadata add one of them."
_PLACE = "The bot takes messages only from some addresses: add this machine's to its whitelist."
_OTHER = "Look the code up: https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code"
#: The codes, and the words beside them, are those of the pages above.
_HINTS = {
    "19021": _SIGN,
    "sign match fail": _SIGN,
    "19022": _PLACE,
    "Ip Not Allowed": _PLACE,
    "19024": _WORDS,
    "Key Words Not Found": _WORDS,
    "19001": f"The bot was removed, or its webhook is another one. {_ADDRESS}",
    "11232": _LATER,
    "too many request": _LATER,
    "9499": "Lark could not read the message: check that the address is a custom bot's webhook.",
    "404": _ADDRESS,
}
_PASSING = ("11232", "too many request")


#: The same layout with ever less in it, until it fits.
_SIZES = (
    Size(15, 8000, 300, 10),
    Size(15, 3000, 200, 10),
    Size(8, 2000, 150, 8),
    Size(3, 1000, 150, 5),
    Size(1, 400, 100, 3),
)


class _Answer(Struct, frozen=True):
    code: int | None = None
    old: int | None = msgspec.field(name="StatusCode", default=None)


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. Its signature is added when it is sent."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    request = json_request(channel.address, _body(payload), service=channel.called("Lark"), hints=_HINTS)
    return (msgspec.structs.replace(request, hidden=(channel.token,)) if channel.token else request,)


def acknowledged(response: Response) -> str:
    """Always ""; raises DeliveryError unless the answer says code 0, and no other: refusals come with 200, too."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    codes = {answer.code, answer.old} - {None}
    if codes != {0}:
        raise not_taken(response, _HINTS, _OTHER if codes else _ADDRESS, passing=_PASSING)
    return ""


def _body(digest: Digest) -> dict[str, Any]:
    """The message, as much of it as there is room for; its last size always fits."""
    for size in _SIZES:
        body = {"msg_type": "interactive", "card": card(message(digest, size.passages), size)}
        if len(json_request(Secret(""), body).body) <= _LIMIT:
            break
    return body


def card(told: Message, size: Size) -> dict[str, Any]:
    """A card whose header has the colour of the worst, and one element for each passage, with lines between them.

    https://open.feishu.cn/document/feishu-cards/card-json-structure
    """
    share = size.details // len(told.passages)
    passages = [_element(passage, size, share, alone=told.alone) for passage in told.passages]
    elements = [part for passage in passages for part in (passage, {"tag": "hr"})][:-1]
    below = _MARKUP.below(told, size)
    if below:
        elements += [{"tag": "hr"}, _markdown("\n".join(below))]
    title = f"{told.passages[0].mark} {told.headline}" if told.alone else told.headline
    return {
        "config": {"wide_screen_mode": True},
        # Plain text: nothing in it means anything.
        "header": {
            "title": {"tag": "plain_text", "content": fitted(title, size.line, one_line)},
            "template": _TEMPLATES[told.state],
        },
        "elements": elements,
    }


def _element(passage: Passage, size: Size, budget: int, *, alone: bool) -> dict[str, Any]:
    title = [] if alone else [f"{passage.mark} {_MARKUP.bold(_MARKUP.line(passage.title, size))}"]
    called = _mention(passage)
    details = within(passage.lines, budget, _escape)
    return _markdown("\n".join([*title, *([called] if called else []), *details, _MARKUP.where(passage, size)]))


def _markdown(text: str) -> dict[str, Any]:
    return {"tag": "markdown", "content": text}


def _mention(passage: Passage) -> str:
    """A custom bot knows people by their ``open_id`` only."""
    return f"<at id={passage.mention}></at>" if re.fullmatch("ou_[0-9A-Za-z]{8,64}", passage.mention) else ""


#: What means something wherever it stands, the names of emoji, and what does at the beginning of a line.
_SPECIAL = re.compile(r"[&<>~*\[\]()#_\\`$!|{}]|:(?=[\w+-]+:)|\A[-+=]|\A\d(?=\d{0,8}[.)])")


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line, by the numbers of its characters.

    https://open.feishu.cn/document/feishu-cards/card-json-v2-components/content-components/rich-text
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", uncalled(one_line(text)))


_MARKUP = Markup(_escape, "**{}**".format, "[{}]({})".format)
