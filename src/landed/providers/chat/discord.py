"""Discord, by webhook: one message for each commit, edited as that goes on, with one embed for each story.

https://docs.discord.com/developers/resources/webhook#execute-webhook
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, called, fitted, linkable, message, one_line, uncalled, units, within
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: https://docs.discord.com/developers/resources/message#embed-object-embed-limits . Discord counts code points; what
#: counts UTF-16 units (clients, libraries) counts more, so these are limits of UTF-16 units.
CONTENT, EMBEDS, EMBEDDED = 2000, 10, 6000
TITLE, DESCRIPTION, FIELDS, NAME, VALUE, LINK = 256, 4096, 25, 256, 1024, 2048
#: Our own: what a story's footer, and all facts and notes together, may take of the 6000, so that the rest has room.
_FOOTER, _EXTRA = 400, 1500
_USERNAME = 80
#: A user's id, https://docs.discord.com/developers/reference#snowflakes
_USER = "[1-9][0-9]{16,19}"

_NEW = "Make a new webhook in the channel's settings under Integrations, and replace the address."
_ADDRESS = "Check the address: it has the form https://discord.com/api/webhooks/ID/TOKEN"
#: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
_HINTS = {
    "Unknown Webhook": f"The webhook was deleted. {_NEW}",
    "Invalid Webhook Token": f"The webhook's token is wrong. {_NEW}",
    "Unknown Channel": "There is no such thread: check thread_id in the address.",
    "Thread is archived": "The thread is archived: open it again, or give another thread_id in the address.",
    "220001": "The webhook belongs to a forum: add ?thread_id=… of one of its posts to the address.",
    "Maximum number of edits": "Discord allows few edits of old messages; the update is sent by the next run.",
    "USERNAME_INVALID": "Discord does not take the Provider's username: choose another one.",
    "401": f"The webhook's token is wrong. {_NEW}",
    "403": "Discord does not allow it: check that the webhook and its channel are still there.",
    "404": f"The webhook was deleted, or the address is wrong. {_ADDRESS}",
}
#: Discord's code 10008. A webhook that is not there has another one, and no message is posted anew for it.
_GONE = ("Unknown Message", '"code": 10008', '"code":10008')


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message: a new one, or a digest's own message as it stands now. A webhook cannot answer in a thread."""
    digest, service = wanted(Digest, payload), channel.called("Discord")
    if not digest.stories:
        return ()
    body = laid_out(message(digest, EMBEDS - 1))
    # It is part of a URL, so it must be what Discord calls a message: a number.
    if digest.handle.isascii() and digest.handle.isdigit() and not digest.reply:
        url = _url(channel.address, f"/messages/{digest.handle}")
        return (json_request(url, body, service=service, hints=_HINTS, method="PATCH", gone=_GONE, repeatable=True),)
    name = _username(channel.username)
    named = {"username": name, **body} if name else body
    return (json_request(_url(channel.address, "", wait="true"), named, service=service, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """Discord answers with the message, and gives its id. Raises DeliveryError.

    204 without a body is its answer where ``wait`` got lost on the way: taken, but nobody knows the message's id.
    """
    if response.status == 204:
        return ""
    try:
        given = decode(response.body, _Given).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        given = ""
    if given.isascii() and given.isdigit():
        return given
    raise not_taken(response, {}, _ADDRESS)


class _Given(msgspec.Struct):
    id: str


def _url(address: Secret, below: str, **settings: str) -> Secret:
    """The webhook's URL with ``below`` at its end, and ``settings`` added to its query (``thread_id``).

    ``/slack`` and ``/github`` are how a webhook takes other services' messages. Not an URL: as it is, for the door
    refuses it with a sentence.
    """
    text = address.reveal().strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return address
    path = re.sub(r"(?:/slack|/github)?/*\Z", "", parts.path.rstrip("/"))
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "wait"]
    query = urlencode([*settings.items(), *kept])
    return Secret(urlunsplit((parts.scheme, parts.netloc, path + below, query, "")))


def _username(name: str) -> str:
    """``name``, or nothing where Discord would refuse the whole message for it: then the webhook's own name stands.

    https://docs.discord.com/developers/resources/user#usernames-and-nicknames ,
    https://docs.discord.com/developers/resources/webhook#create-webhook
    """
    plain = one_line(name)
    refused = re.search(r"clyde|discord|[@#:]|```|\A(?:everyone|here|system message)\Z", plain, re.IGNORECASE)
    return "" if refused else _room(lambda room: fitted(plain, room), _USERNAME)


def laid_out(told: Message) -> dict[str, Any]:
    """The message. Every member that an edit may change is there, for what an edit leaves out stays as it was.

    Who is called stands beside the embeds, for in them nobody is notified; and nobody else can be called:
    https://docs.discord.com/developers/resources/message#allowed-mentions-object
    """
    users = called(told, _USER)
    headline = [] if told.alone else [f"**{_text(told.headline, CONTENT // 2)}**"]
    content = " ".join([*headline, *(f"<@{user}>" for user in users)])
    allowed = {"parse": [], **({"users": list(users)} if users else {})}
    return {"content": content, "embeds": list(_embeds(told)), "allowed_mentions": allowed}


def _embeds(told: Message) -> Iterator[dict[str, Any]]:
    """One for each story, the worst first; then what concerns all of them, in the only story's embed if there is one.

    A story gets its share of what the ones before it have left of the 6000. Of embeds with the same link only the first
    is shown (https://github.com/discord/discord-api-docs/issues/1418), so those after it get links that end otherwise.
    """
    extra = _extra(told)
    left = EMBEDDED - _taken(extra)
    linked: set[str] = set()
    for number, passage in enumerate(told.passages):
        last = number + 1 == len(told.passages)
        embed = _embed(passage, left // (len(told.passages) - number))
        link = embed.get("url", "")
        if link and link in linked:
            embed["url"] = f"{link}#{number + 1}"
        linked.add(link)
        left -= _taken(embed)
        if last and told.alone:
            embed = _merged(embed, extra)
        yield embed
    if extra and not told.alone:
        yield extra


def _embed(passage: Passage, room: int) -> dict[str, Any]:
    where = f"{passage.cluster} · {passage.place}" if passage.place else passage.cluster
    footer = _room(lambda room: fitted(where, room, _unseen), min(_FOOTER, room // 4))
    title = f"{passage.mark} {_text(passage.title, min(TITLE, room - units(footer) - 80) - 4)}"
    rest = room - units(footer) - units(title)
    description = _lines(passage.lines, min(rest, DESCRIPTION - _EXTRA))
    link = linkable(passage.link, LINK - len("#10"), "[]")
    return {
        "title": title,
        **({"url": link} if link else {}),
        **({"description": description} if description else {}),
        "color": int(passage.colour[1:], 16),
        "footer": {"text": footer},
    }


def _extra(told: Message) -> dict[str, Any]:
    """What concerns all stories: facts as fields, what had no room, and notes. Empty where there is nothing."""
    lines = [line for line in (told.more, *told.notes) if line]
    embed: dict[str, Any] = {"description": _lines(lines, _EXTRA // 3)} if lines else {}
    fields = list(_fields(told.facts, _EXTRA - _EXTRA // 3))
    return {**embed, "fields": fields} if fields else embed


def _fields(facts: Sequence[tuple[str, str]], room: int) -> Iterator[dict[str, Any]]:
    """As many as there is room for, and how many there are more."""
    left = room - 60
    for number, (name, value) in enumerate(facts):
        field = {"name": _text(name, NAME) or "–", "value": _text(value, min(VALUE, room // 2)) or "–"}
        used = units(field["name"]) + units(field["value"])
        if used > left or (number == FIELDS - 1 and len(facts) > FIELDS):
            yield {"name": "…", "value": f"and {len(facts) - number} more"}
            return
        left -= used
        yield {**field, "inline": name != "summary"}


def _merged(embed: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The only story with what else there is to say."""
    both = "\n".join(part for part in (embed.get("description", ""), extra.get("description", "")) if part)
    return {**embed, **extra, **({"description": both} if both else {})}


def _taken(embed: dict[str, Any]) -> int:
    """What an embed takes of the 6000, and a newline."""
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [text for field in embed.get("fields", ()) for text in (field["name"], field["value"])]
    return sum(map(units, texts)) + 1


def _text(text: str, limit: int) -> str:
    return _room(lambda room: fitted(text, room, _escape), limit)


def _lines(lines: Sequence[str], limit: int) -> str:
    return _room(lambda room: "\n".join(within(lines, room, _escape)), limit) if lines else ""


def _room(lay: Callable[[int], str], limit: int) -> str:
    """What ``lay`` gives for as much room as it takes to have at most ``limit`` UTF-16 units."""
    room = limit
    while (taken := units(text := lay(room))) > limit:
        room = max(1, room * limit // taken - 1)
    return text


#: Of the punctuation that means something in Discord's Markdown, in its links, mentions, emoji and timestamps.
_SPECIAL = re.compile(r"[\\*_~`|<>\[\]:@#!]")
#: A list's beginning: means something at the start of a line only.
_LIST = re.compile(r"\A([-+]|\d+(?=\.))")


def _escape(text: str) -> str:
    """``text`` as nothing but text, and nobody called (https://support.discord.com/hc/en-us/articles/210298617)."""
    plain = _SPECIAL.sub(r"\\\g<0>", _unseen(text))
    return _LIST.sub(lambda match: f"\\{match[1]}" if match[1] in "-+" else f"{match[1]}\\", plain)


def _unseen(text: str) -> str:
    """Where there is no Markdown: mentions broken by a space without width."""
    return re.sub(r"<(?=[!@#])", "<\u200b", uncalled(text))
