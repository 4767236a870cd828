"""Webex, as a bot: a message for each commit, edited as that goes on, with answers in its thread.

https://developer.webex.com/docs/api/v1/messages/create-a-message ,
https://developer.webex.com/docs/api/v1/messages/edit-a-message , https://developer.webex.com/docs/basics
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import BRIEF, Markup, Message, Passage, Size, message, one_line, shortened, uncalled, within
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Complaint, Said, wanted

#: Bytes that a message may have.
LIMIT = 7439

_INVITE = (
    "Invite the bot to the space by its e-mail address, and check that spec.channel is the space's id as"
    " https://webexapis.com/v1/rooms lists it to the bot."
)
_TOKEN = "Check the bot's access token; make a new one at https://developer.webex.com/my-apps ."  # noqa: S105
_ADDRESS = "Check the address: https://webexapis.com/v1/messages"
#: https://developer.webex.com/docs/api/basics#api-errors
_HINTS = {
    "Could not find a room": _INVITE,
    "401": _TOKEN,
    "403": "The bot may not post there: it must be a member of the space, and a moderator where only they may post.",
    "404": _INVITE,
    "429": "Too many messages; the update is sent by the next run.",
}
#: How an edit, or an answer, is refused that a new message can take the place of: the message was deleted, edited ten
#: times, or is another bot's. Its wording is not documented. Where it was the room that refused, the new message is
#: refused as well. That the server has no time, or trips, says nothing of the message.
_GONE = ("400", "403", "404")
#: What a message, a room or a person is called: letters and digits of base64, as they stand in a path.
_ID = re.compile(r"[A-Za-z0-9_-]{8,400}={0,2}")
#: A person's begins as ``ciscospark:/`` does in base64: what another service calls somebody is none.
_PERSON = re.compile(r"Y2lzY29zcGFyazov[A-Za-z0-9_-]{8,384}={0,2}")


#: The same layout with ever less in it, until it fits.
_SIZES = (
    Size(10, 4000, 250, 10),
    Size(10, 2000, 200, 10),
    Size(5, 1500, 150, 8),
    Size(3, 800, 150, 5),
    Size(1, 300, 100, 3),
)


class _Taken(Struct, frozen=True):
    id: str = ""
    parent: str = msgspec.field(name="parentId", default="")


def complaints(channel: Channel) -> Sequence[Complaint]:
    """A room is named by its id: a title, an address or a link to the space does not lead there."""
    if re.fullmatch("[A-Za-z0-9_=-]+", channel.channel):
        return ()
    instead = "Write the id that https://webexapis.com/v1/rooms lists, which begins with Y2lzY29zcGFyazovL."
    return (Complaint("spec.channel", "it is no room's id", instead),)


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. Raises DeliveryError for a handle that is none.

    An answer to an answer is not possible, so the handle is that of the message itself.
    """
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    service, known = channel.called("Webex"), payload.handle
    if known and not _ID.fullmatch(known):
        raise DeliveryError(f"{service}: the message to edit is not known by its id.", gone=True)
    body = {"roomId": channel.channel, "markdown": text(payload)}
    editing = bool(known) and not payload.reply
    return (
        json_request(
            _url(channel.address, f"/{known}" if editing else ""),
            {**body, "parentId": known} if known and payload.reply else body,
            service=service,
            headers={"Authorization": Secret(f"Bearer {channel.token.reveal()}")},
            hints=_HINTS,
            method="PUT" if editing else "POST",
            gone=_GONE if known else (),
        ),
    )


def acknowledged(response: Response) -> str:
    """Webex answers with the message, and gives its id; of an answer the id of the message that it answers.

    Raises DeliveryError.
    """
    try:
        taken = decode(response.body, _Taken)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        taken = _Taken()
    if _ID.fullmatch(taken.id) is None:
        raise not_taken(response, _HINTS, _ADDRESS)
    return taken.parent if _ID.fullmatch(taken.parent) else taken.id


def _url(address: Secret, below: str) -> Secret:
    """Where messages are posted, given that or the API's root, and what is ``below``.

    What is no URL is left as it is, for the door refuses it.
    """
    try:
        parts = urlsplit(address.reveal().strip())
    except ValueError:
        return address
    path = parts.path.rstrip("/")
    # A gateway may have its own place for messages: any other path is taken at its word, as Flux takes it.
    if not path or path.endswith("/v1"):
        path = f"{path.removesuffix('/v1')}/v1/messages"
    return Secret(urlunsplit((parts.scheme, parts.netloc, path + below, parts.query, "")))


def text(digest: Digest) -> str:
    """The message in Webex's Markdown, as much of it as there is room for; its last size always fits."""
    for size in _SIZES:
        said = _laid_out(message(digest, size.passages), size)
        if len(said.encode()) <= LIMIT:
            break
    return said


def _laid_out(told: Message, size: Size) -> str:
    parts = [] if told.alone else [_MARKUP.bold(_MARKUP.line(told.headline, size))]
    share = size.details // len(told.passages)
    parts += [_passage(passage, size, share, BRIEF if told.brief else len(passage.lines)) for passage in told.passages]
    below = _MARKUP.below(told, size)
    if below:
        parts.append(_BREAK.join(below))
    # Paragraphs have an empty line between them.
    return "\n\n".join(parts)


#: The end of a line that a line follows, where a newline alone would be a blank.
_BREAK = "  \n"


def _passage(passage: Passage, size: Size, budget: int, most: int) -> str:
    called = _mention(passage)
    title = f"{passage.mark} {_MARKUP.bold(_MARKUP.line(passage.title, size))}" + (f" {called}" if called else "")
    details = within(shortened(passage.lines, most), budget, _escape)
    return _BREAK.join([title, *details, _MARKUP.where(passage, size)])


def _mention(passage: Passage) -> str:
    """The person by e-mail address, or by id. Nobody is called at large.

    https://developer.webex.com/docs/basics#formatting-messages
    """
    who = passage.mention
    if re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_{}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", who):
        return f"<@personEmail:{who}>"
    return f"<@personId:{who}>" if _PERSON.fullmatch(who) else ""


#: What means something wherever it stands, and what does at the beginning of a line.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#~|$]|\A[-+=]|\A(?P<number>\d{1,9})(?=\.)")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line: neither Markdown nor HTML, and nobody called."""
    return _SPECIAL.sub(_backslashed, uncalled(one_line(text))).translate(_ENTITIES)


def _backslashed(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found["number"] else f"\\{found[0]}"


_MARKUP = Markup(_escape, "**{}**".format, "[{}]({})".format, 400)
