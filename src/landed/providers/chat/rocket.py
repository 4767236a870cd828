"""Rocket.Chat. By incoming webhook one message for each look; with a token, a message that is edited, with answers.

https://docs.rocket.chat/docs/integrations ,
https://developer.rocket.chat/apidocs/post-message , https://developer.rocket.chat/apidocs/update-chat-message
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

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
    linkable,
    message,
    one_line,
    shortened,
    units,
    within,
)
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: The setting ``Message_MaxAllowedSize`` where nobody has changed it, in UTF-16 units.
LIMIT = 5000
_TITLE_LIMIT, _LINK_LIMIT, _FACT_LIMIT = 150, 250, 150
_BODY_BUDGET = 2000
_PASSAGES, _FACTS = 8, 10
#: A user's name: the setting ``UTF8_User_Names_Validation`` where nobody has changed it, but for what calls everybody.
#: https://docs.rocket.chat/docs/mentions
_USER = "(?!(?:all|here)$)[0-9A-Za-z_.-]{1,100}"

_EDITING = "The workspace does not allow messages to be edited: each change is posted as a new message."
_ROOM = "Write the channel as #name, @user or a room's id, and let the user who posts join it."
_HINTS = {
    "overriding destination channel": "Leave out spec.channel, or allow the integration to overwrite its channel.",
    "Invalid integration id or token": "Check the address: there is no such webhook (any more), or its token is wrong.",
    '"Service Unavailable"': "The integration is switched off: enable it.",
    "error-running-script": "The integration's own script fails: correct it or switch it off.",
    "error-message-size-exceeded": "The workspace allows only short messages: raise Message_MaxAllowedSize to 5000.",
    "error-too-many-requests": "Too many requests; the update is sent by the next run.",
    "error-message-editing-blocked": _EDITING,
    "error-action-not-allowed": _EDITING,
    "must be logged in": "Check the token, and that the Provider's username is the id of the user it belongs to.",
    "invalid-channel": _ROOM,
    "error-invalid-room": _ROOM,
    "error-room-not-found": _ROOM,
    "error-not-allowed": _ROOM,
    "message-impersonate": "Give the webhook's user the permission message-impersonate, which the role bot has.",
    "Not enough permission": "The webhook's user may not post under another name: leave out spec.username.",
    "404": "Check the address: https://SERVER/hooks/ID/TOKEN of a webhook, https://SERVER with a token.",
}
#: A message that is not there, in another room, or not to be edited (any more): a new one tells what an edit cannot.
_GONE = (
    "No message found with the id",
    "room id provided does not match",
    "error-action-not-allowed",
    "error-message-editing-blocked",
)


class _Posted(Struct, frozen=True):
    id: str = msgspec.field(name="_id", default="")
    rid: str = ""
    tmid: str = ""
    t: str = ""


class _Answer(Struct, frozen=True):
    success: bool = False
    message: _Posted | str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. With a token it goes through the API.

    Before an answer the message is asked for: one to a message that was deleted would be seen by nobody.
    """
    digest, service = wanted(Digest, payload), channel.called("Rocket.Chat")
    if not digest.stories:
        return ()
    if channel.token:
        return _by_api(channel, digest, service)
    where = {"channel": channel.channel} if channel.channel else {}
    named = {"alias": channel.username} if channel.username else {}
    return (json_request(channel.address, {**where, **named, **attached(digest)}, service=service, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """The message as ``room:message``, of an answer the message that it answers; "" of a webhook's.

    Raises DeliveryError unless the answer says ``success``.
    """
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    posted = answer.message if isinstance(answer.message, _Posted) else _Posted()
    if not answer.success:
        raise not_taken(response, _HINTS, _HINTS["404"], passing=("error-too-many-requests",), gone=_GONE)
    # Where a workspace shows that something was deleted, the message is kept, and an edit of it is seen by nobody.
    if posted.t == "rm":
        raise DeliveryError(f"{response.origin}: the message was deleted.", gone=True)
    return f"{posted.rid}:{posted.tmid or posted.id}" if posted.rid and posted.id else ""


def attached(digest: Digest) -> dict[str, Any]:
    """The message for a webhook: a headline, and an attachment with a coloured bar for each passage.

    Who is called stands in the headline: mentions are looked for in a message's text, not in attachments.
    """
    told = message(digest, _PASSAGES)
    attachments = [_attachment(passage, _BODY_BUDGET // len(told.passages), told.alone) for passage in told.passages]
    notes = _joined([*([_escape(told.more)] if told.more else []), *within(told.notes, _BODY_BUDGET, _escape)])
    fields = [{"title": name, "value": _escape(value), "short": len(value) <= 40} for name, value in _facts(told)]
    if notes or fields:
        attachments.append({"text": notes, "fields": fields})
    return {"text": _joined([_headline(told)]), "attachments": attachments}


def text(digest: Digest) -> str:
    """The message for the API, which changes nothing but text: all of it in Rocket.Chat's Markdown.

    https://docs.rocket.chat/docs/message-formatting
    """
    told = message(digest, _PASSAGES)
    parts = [_headline(told)]
    for passage in told.passages:
        parts += [] if told.alone else ["", _titled(passage)]
        lines = shortened(passage.lines) if told.brief else passage.lines
        parts += [*within(lines, _BODY_BUDGET // len(told.passages), _escape), _where(passage)]
    parts += [_escape(told.more)] if told.more else []
    parts += [f"{_bold(name)}: {_escape(value)}" for name, value in _facts(told)]
    return _joined([*parts, *within(told.notes, _BODY_BUDGET, _escape)])


def _by_api(channel: Channel, digest: Digest, service: str) -> Sequence[Request]:
    if not channel.username:
        raise DeliveryError(
            f"{service}: a token alone does not say whose it is.", "Write the id of its user to spec.username."
        )
    headers: dict[str, Secret | str] = {"X-Auth-Token": channel.token, "X-User-Id": channel.username}
    room, _, known = digest.handle.partition(":")
    if digest.handle and not (room and known):
        raise DeliveryError(f"{service}: the message to edit is not known by room and id.", gone=True)
    if digest.handle and not digest.reply:
        # Without a list of links to show previews of, an edit shows one of each.
        edit = {"roomId": room, "msgId": known, "text": text(digest), "previewUrls": []}
        url = _method(channel, "chat.update")
        return (json_request(url, edit, service=service, headers=headers, hints=_HINTS, gone=_GONE, repeatable=True),)
    if not (room or channel.channel):
        raise DeliveryError(f"{service}: it must be told the channel to post to.", _ROOM)
    where = {"roomId": room, "tmid": known} if room else {"channel": channel.channel}
    # With attachments, be it none, links get no previews.
    body = {**where, "text": text(digest), "attachments": []}
    post = json_request(_method(channel, "chat.postMessage"), body, service=service, headers=headers, hints=_HINTS)
    if not room:
        return (post,)
    url = _method(channel, "chat.getMessage?" + urlencode({"msgId": known}))
    # It has no word for a message that is not there.
    return (Request("GET", url, headers, service=service, hints=_HINTS, gone=("400", "404")), post)


def _method(channel: Channel, name: str) -> Secret:
    """Where a method of the API is, given the server's address or that of another method."""
    server, api, _ = channel.address.reveal().partition("/api/v1/")
    return Secret(f"{server}{api}{name}" if api else f"{server.rstrip('/')}/api/v1/{name}")


def _attachment(passage: Passage, budget: int, alone: bool) -> dict[str, Any]:
    # A title is no Markdown: it is shown as it is.
    title = {} if alone else {"title": f"{passage.mark} {fitted(passage.title, _TITLE_LIMIT)}"}
    return {
        "color": passage.colour,
        **title,
        "text": _joined([*within(passage.lines, budget, _escape), _where(passage)]),
    }


def _headline(told: Message) -> str:
    headline = _titled(told.passages[0]) if told.alone else _bold(told.headline)
    return " ".join([headline, *(f"@{user}" for user in called(told, _USER))])


def _titled(passage: Passage) -> str:
    return f"{passage.mark} {_bold(passage.title)}"


def _where(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster, name = (fitted(part, _TITLE_LIMIT, _escape) for part in (passage.cluster, passage.place))
    if not name:
        return cluster
    address = linkable(passage.link, _LINK_LIMIT, "[]")
    if not address:
        return f"{cluster} · {name}"
    # Nothing can be escaped in what a link is called.
    return (
        f"{cluster} · [{name}]({address})" if _plain(name, passage.place) else f"{cluster} · {name} [commit]({address})"
    )


def _facts(told: Message) -> list[tuple[str, str]]:
    shown, more = facts(told, _FACTS)
    fitting = [(fitted(name, _TITLE_LIMIT) or "–", fitted(value, _FACT_LIMIT) or "–") for name, value in shown]
    return [*fitting, ("…", f"and {more} more")] if more else fitting


def _joined(lines: Sequence[str]) -> str:
    """As many lines as fit into one message, and how many do not.

    A line that would begin a heading, a list or a quotation begins with a space that has no width.
    """
    kept: list[str] = []
    room = LIMIT - len("\n… and 10000 more lines")
    for line in lines:
        text = line if re.match("[^\\W\\d_]|[❌✅⏳⏭💤⏸*…]|$", line) else f"\u200b{line}"
        room -= units(text) + 1
        if room < 0:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more lines"])
        kept.append(text)
    return "\n".join(kept)


def _bold(text: str) -> str:
    """In bold, where nothing in it must be escaped: bold text cannot hold that, nor end with half an emoticon."""
    escaped = fitted(text, _TITLE_LIMIT, _escape)
    return f"*{escaped}*" if re.search(r"[\w)…]\Z", escaped) and _plain(escaped, text) else escaped


def _plain(escaped: str, text: str) -> bool:
    return bool(escaped) and escaped == fitted(text, _TITLE_LIMIT, one_line)


#: What begins a mention (but for the sign before a commit), a link, a spoiler or an emoji, taken apart by a space that
#: has no width.
_BEGINNINGS = re.compile(r"(?:(?<![A-Za-z0-9])@|@(?![0-9a-f]{8}\b)|#)(?=[\w.-])|\\|\](?=\()|<|\|(?=\|)|:(?=[\w+-]+:)")
#: What is markup wherever it stands: between letters, an underscore is none.
_MARKUP = re.compile(r"[*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line, and nobody called. Addresses in it still become links to themselves."""
    # There is no way to escape the sign that begins a formula.
    text = _BEGINNINGS.sub("\\g<0>\u200b", one_line(text).replace("$", "＄"))
    return " ".join(_MARKUP.sub(_in_address if "://" in word else _in_word, word) for word in text.split(" "))


def _in_address(found: re.Match[str]) -> str:
    """Percent-encoded: in an address a backslash would be a part of it."""
    return f"%{ord(found[0]):02X}"


def _in_word(found: re.Match[str]) -> str:
    """With a backslash, which half an emoticon would take for its other half without that space."""
    return f"\u200b\\{found[0]}"
