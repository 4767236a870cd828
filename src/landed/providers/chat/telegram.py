"""Telegram: a bot's message that is edited as a rollout goes on, with answers to it.

https://core.telegram.org/bots/api#sendmessage , https://core.telegram.org/bots/api#editmessagetext

Nothing is escaped: formatting stands beside the text, as ranges counted in UTF-16 units
(https://core.telegram.org/bots/api#messageentity).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, facts, fitted, linkable, message, one_line, shortened, units, within
from landed.model import Channel, Digest, Secret, State
from landed.providers.interface import Complaint, Said, wanted

#: "1-4096 characters after entities parsing", counted here in UTF-16 units: never fewer than characters.
LIMIT = 4096
_TITLE_LIMIT, _PLACE_LIMIT, _LINK_LIMIT, _FACT_LIMIT = 200, 200, 500, 150
_BODY_BUDGET = 2400
_PASSAGES, _FACTS = 8, 10

API = "https://api.telegram.org"
#: As much of its form as the server asks for, but for the signs that no token has
#: (https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/ClientManager.cpp).
_TOKEN = re.compile(r"(?=.{1,80}\Z)[1-9][0-9]{0,16}:[A-Za-z0-9_-]{3,}")
_CHANNEL = re.compile(r"(-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{2,63})(?::([0-9]{1,20}))?")
_HANDLE = re.compile(r"(-?[0-9]{1,20}):([0-9]{1,20})")
_PERSON = re.compile(r"[1-9][0-9]{0,15}")
#: What may follow the root of a Bot API server in an address that was copied whole.
_METHOD = re.compile(r"/bot(?:[0-9]+:[^/]*(?:/[A-Za-z]*)?)?/?\Z")

#: States that need nobody's attention now: told without a sound.
_QUIET = frozenset({State.PENDING, State.SUPERSEDED, State.SUSPENDED})

_BOT = "Add the bot to the chat, and write the chat's number (-100…) or its public @name to the channel."
#: https://core.telegram.org/bots/api#making-requests ; the words are the server's.
_HINTS = {
    "upgraded to a supergroup": "The group has become a supergroup: write the migrate_to_chat_id of this answer to the"
    " channel.",
    "chat not found": _BOT,
    "bot was kicked": _BOT,
    "bot is not a member": _BOT,
    "bot was blocked": "The person has blocked the bot: they must unblock it, or choose another chat.",
    "bot can't initiate conversation": "The person must write to the bot first (/start).",
    "bots can't send messages to bots": "The channel is a bot: choose a chat of people.",
    "not enough rights": "Give the bot the right to send messages: in a channel it must be an administrator.",
    "need administrator rights": "Make the bot an administrator of the channel, with the right to post.",
    "CHAT_WRITE_FORBIDDEN": "Give the bot the right to send messages in the chat.",
    "message thread not found": "There is no such topic: check the number after the colon in the channel, or leave it"
    " out.",
    "TOPIC_CLOSED": "The topic is closed: open it, let the bot manage topics, or choose another one.",
    "401": "Check the bot's token: @BotFather shows it and can make a new one.",
    "404": "Check the bot's token, and the address, if there is one: it is the root of a Bot API server.",
    "429": "Too many messages; the update is sent by the next run.",
}
#: The message or its chat is not there (any more), or the message is not to be edited: a new one tells it instead.
_GONE = (
    "message to edit not found",
    "message can't be edited",
    "MESSAGE_ID_INVALID",
    "chat not found",
    "upgraded to a supergroup",
)

#: What is answered is not there, or in another topic than the channel's by now: then ``allow_sending_without_reply``
#: does not hold (https://core.telegram.org/bots/api#replyparameters).
_ROOTLESS = (*_GONE, "message to be replied not found", "reply message not found", "replied message not found")

#: The topic that everything belongs to which names none; to name it is an error
#: (https://github.com/tdlib/telegram-bot-api/issues/798).
_GENERAL = 1

#: Text and, where it is more than that, an entity without its place.
_Piece: TypeAlias = tuple[str, dict[str, Any]]
_Line: TypeAlias = tuple[_Piece, ...]
_BOLD: dict[str, Any] = {"type": "bold"}
_PLAIN: dict[str, Any] = {}


class _Chat(Struct, frozen=True):
    id: int = 0


class _Answered(Struct, frozen=True):
    message_id: int = 0


class _Posted(Struct, frozen=True):
    message_id: int = 0
    chat: _Chat = _Chat()
    reply_to_message: _Answered = _Answered()
    message_thread_id: int = 0
    is_topic_message: bool = False


class _Answer(Struct, frozen=True):
    ok: bool = False
    result: _Posted = _Posted()


def complaints(channel: Channel) -> Sequence[Complaint]:
    """The channel's form, and the token's."""
    found = []
    if _CHANNEL.fullmatch(channel.channel) is None:
        instead = "Write a chat's number (-1001234567890) or @name, and for a topic a colon and its number."
        found.append(Complaint("spec.channel", "it is no chat", instead))
    if _TOKEN.fullmatch(channel.token.reveal()) is None:
        instead = "Write the whole of it as `token`, such as 123456789:AA…, without bot before it."
        found.append(Complaint("spec.secretRef", "its `token` is no bot's token", instead))
    return found


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    service = channel.called("Telegram")
    given = _CHANNEL.fullmatch(channel.channel)
    if given is None or _TOKEN.fullmatch(channel.token.reveal()) is None:
        raise DeliveryError(
            f"{service}: the {'token' if given else 'channel'} is not one of Telegram's.",
            "Write a chat's number or @name to spec.channel, and the bot's token to its Secret.",
        )
    chat, topic = given.groups()
    known = _known(payload.handle, chat, service)
    if known and not payload.reply:
        body = {"chat_id": known[0], "message_id": known[1], **written(payload)}
        return (_request(channel, "editMessageText", body, service, _GONE, repeatable=True),)
    where: dict[str, Any] = {"chat_id": _id(chat)}  # a name may lead to another chat than the message is in
    if topic and int(topic) != _GENERAL:
        where["message_thread_id"] = int(topic)
    if known:
        where["reply_parameters"] = {"message_id": known[1], "allow_sending_without_reply": True}
    told = message(payload)
    sound = {"disable_notification": True} if told.state in _QUIET else {}
    return (
        _request(channel, "sendMessage", {**where, **sound, **written(payload)}, service, _ROOTLESS if known else ()),
    )


def acknowledged(response: Response) -> str:
    """The message as ``chat:message``, of an answer the message that it answers.

    Raises DeliveryError unless the answer says ``ok``.
    """
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    posted = answer.result
    if not (answer.ok and posted.message_id and posted.chat.id):
        usual = f"Check the address, if there is one: it is the root of a Bot API server, such as {API}."
        raise not_taken(response, _HINTS, usual, passing=("Too Many Requests",), gone=_ROOTLESS)
    # In a topic, everything that answers nothing else answers the message that opened the topic.
    root = posted.reply_to_message.message_id
    opened = posted.is_topic_message and root == posted.message_thread_id
    return f"{posted.chat.id}:{posted.message_id if opened else root or posted.message_id}"


def written(digest: Digest) -> dict[str, Any]:
    """``text`` and ``entities`` of a message, and no previews of its links."""
    kept = _joined(list(_lines(message(digest, _PASSAGES))))
    text, entities, at = "", [], 0
    for piece, entity in kept:
        length = units(piece)
        if entity and length:
            entities.append({"type": entity["type"], "offset": at, "length": length, **entity})
        text, at = text + piece, at + length
    return {"text": text, "entities": entities, "link_preview_options": {"is_disabled": True}}


def _request(
    channel: Channel,
    method: str,
    body: dict[str, Any],
    service: str,
    gone: tuple[str, ...],
    *,
    repeatable: bool = False,
) -> Request:
    token = channel.token.reveal()
    url = Secret(f"{_root(channel.address.reveal())}/bot{token}/{method}")
    made = json_request(url, body, service=service, hints=_HINTS, gone=gone, repeatable=repeatable)
    return structs.replace(made, hidden=(channel.token, Secret(token.partition(":")[2])))


def _root(address: str) -> str:
    """The root of the Bot API server: Telegram's own, unless the address names one that is not.

    https://core.telegram.org/bots/api#using-a-local-bot-api-server
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return API
    if parts.scheme not in ("http", "https") or not host or f".{host}".endswith((".telegram.org", ".t.me")):
        return API
    path = _METHOD.sub("", parts.path).rstrip("/")
    return parts._replace(path=path, query="", fragment="").geturl()


def _known(handle: str, chat: str, service: str) -> tuple[int, int] | None:
    """Chat and number of the message to edit; None where there is none. Raises DeliveryError for anything else."""
    if not handle:
        return None
    found = _HANDLE.fullmatch(handle)
    # A handle of another chat than the channel's is of no use: the channel was changed, or the handle was.
    if found is None or not (chat.startswith("@") or int(chat) == int(found[1])):
        raise DeliveryError(f"{service}: the message to edit is not one of this chat.", gone=True)
    return int(found[1]), int(found[2])


def _id(chat: str) -> int | str:
    return chat if chat.startswith("@") else int(chat)


def _lines(told: Message) -> Iterator[_Line]:
    first = told.passages[0]
    yield _titled(first) if told.alone else ((fitted(told.headline, _TITLE_LIMIT, _plain), _BOLD),)
    for passage in told.passages:
        if not told.alone:
            yield ()
            yield _titled(passage)
        lines = shortened(passage.lines) if told.brief else passage.lines
        yield from (_text(line) for line in within(lines, _BODY_BUDGET // len(told.passages), _plain))
        yield _where(passage)
        if _PERSON.fullmatch(passage.mention):
            yield _called(passage.mention)
    if told.more:
        yield _text(_plain(told.more))
    shown, left = facts(told, _FACTS)
    for name, value in shown:
        yield (
            (fitted(name, _FACT_LIMIT // 2, _plain) or "–", _BOLD),
            (f": {fitted(value, _FACT_LIMIT, _plain)}", _PLAIN),
        )
    if left:
        yield _text(f"… and {left} more")
    yield from (_text(line) for line in within(told.notes, _BODY_BUDGET // 4, _plain))


def _titled(passage: Passage) -> _Line:
    return (f"{passage.mark} ", _PLAIN), (fitted(passage.title, _TITLE_LIMIT, _plain), _BOLD)


def _where(passage: Passage) -> _Line:
    """The cluster, and the commit with a link to it."""
    cluster = fitted(passage.cluster, _PLACE_LIMIT, _plain)
    if not passage.place:
        return _text(cluster)
    address = linkable(passage.link, _LINK_LIMIT)
    entity = {"type": "text_link", "url": address} if address else _PLAIN
    return (f"{cluster} · ", _PLAIN), (fitted(passage.place, _PLACE_LIMIT, _plain), entity)


def _called(person: str) -> _Line:
    """Somebody who need not have a user name; of the user only the number counts."""
    user = {"id": int(person), "is_bot": False, "first_name": person}
    return (("Please look at this", {"type": "text_mention", "user": user}),)


def _text(text: str) -> _Line:
    return ((text, _PLAIN),)


def _joined(lines: Sequence[_Line]) -> Iterable[_Piece]:
    """As many lines as have room, one below the other, and how many do not."""
    kept: list[_Piece] = []
    room = LIMIT - len("\n… and 1000 more lines")
    for number, line in enumerate(lines):
        pieces = (*((("\n", _PLAIN),) if number else ()), *line)
        room -= sum(units(text) for text, _ in pieces)
        if room < 0:
            return [*kept, (f"\n… and {len(lines) - number} more lines", _PLAIN)]
        kept += pieces
    return kept


#: What Telegram would make a call, a search or a command of by itself.
_BEGINNINGS = re.compile(r"(?<!\w)[@#$](?=\w)|(?<![\w/])/(?=\w+(?![\w/]))")


def _plain(text: str) -> str:
    """``text`` on one line, in which nobody is called. Addresses in it still become links to themselves."""
    return _BEGINNINGS.sub("\\g<0>\u200b", one_line(text))
