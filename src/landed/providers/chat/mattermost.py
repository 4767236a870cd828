"""Mattermost. By incoming webhook one message for each look; with a bot's token, a post that is edited, with answers.

https://developers.mattermost.com/integrate/webhooks/incoming/ ,
https://developers.mattermost.com/api-documentation/#/operations/CreatePost ,
https://developers.mattermost.com/api-documentation/#/operations/PatchPost
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, facts, fitted, identity, linkable, message, one_line, shortened, within
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Complaint, Said, wanted

#: Characters of a message (https://docs.mattermost.com/product-overview/faq-general.html). What is long stands in
#: attachments, whose limit is far away.
LIMIT = 16_383
_TITLE_LIMIT, _PLACE_LIMIT, _LINK_LIMIT, _FACT_LIMIT = 200, 250, 400, 200
_BODY_BUDGET = 4000
_PASSAGES, _FACTS = 10, 10

_ID = re.compile(r"[a-z0-9]{26}")
#: https://docs.mattermost.com/configure/authentication-configuration-settings.html : a user's name.
_PERSON = re.compile(r"@?([a-z0-9][a-z0-9._-]{0,63})")
#: Names that call everybody.
_EVERYBODY = frozenset({"all", "channel", "here"})

_HOOK = "Check the address: https://SERVER/hooks/KEY, as Mattermost showed it when the webhook was made."
_CHANNEL_ID = "Write the channel's id, 26 letters and digits: the channel's menu shows it under View Info."
_TOKEN = "Check the bot's access token, and that bot accounts are enabled."  # noqa: S105
_JOIN = "Add the bot to the team and the channel, let it post there, and check the channel's id."
_NAMED = "Leave out spec.channel or write a channel's name as it stands in its address, not as it is shown."
#: Ids of errors, https://github.com/mattermost/mattermost/blob/master/server/i18n/en.json
_HINTS = {
    "web.incoming_webhook.disabled": "Incoming webhooks are switched off: ask an administrator to enable them.",
    "web.incoming_webhook.invalid": _HOOK,
    "web.incoming_webhook.channel.app_error": _NAMED,
    "web.incoming_webhook.channel_locked": "The webhook is locked to its own channel: leave out spec.channel.",
    "web.incoming_webhook.permissions": "Whoever made the webhook may not post there: let them join the channel.",
    "web.incoming_webhook.user": "The channel names a user who is not there, or the webhook's maker is gone.",
    "web.incoming_webhook.decode": "Mattermost could not read the message: check that the address is a webhook's.",
    "town_square_read_only": "Only administrators may post to that channel: choose another one.",
    "can_not_post_to_deleted": "The channel is archived: unarchive it, or choose another one.",
    "model.post.is_valid.msg": "The server allows only shorter messages: narrow what the Alert selects.",
    "session_expired": _TOKEN,
    "invalid_token": _TOKEN,
    "api.context.permissions": _JOIN,
    "api.context.invalid_body_param": _CHANNEL_ID,
    "401": _TOKEN,
    "429": "Too many requests; the update is sent by the next run.",
    "404": _HOOK + " With a token, it is the server's.",
}
#: A post that was deleted, or that may not be edited (any more): that one is not there is said as that it may not.
_GONE = (
    "api.context.permissions.app_error",
    "app.post.get.app_error",
    "store.sql_post.get.app_error",
    "api.post.update_post.permissions_time_limit",
    "api.post.update_post.permissions_details",
    "api.post.update_post.permissions_denied",
    "api.post.update_post.can_not_update_post_in_deleted",
    "api.post.update_post.system_message",
    "api.post.patch_post.can_not_update_post_in_deleted",
)
#: What is answered is not there any more, or stands in another channel.
_ROOTLESS = ("api.post.create_post.root_id", "api.post.create_post.channel_root_id")


class _Posted(Struct, frozen=True):
    id: str = ""
    root_id: str = ""
    delete_at: int = 0


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Address, channel and token must be those of the same way: a webhook's, or a bot's."""
    hook = "/hooks/" in urlsplit(channel.address.reveal()).path
    if not channel.token:
        what, instead = "it is no webhook's", "Give https://SERVER/hooks/KEY, or a bot's `token` in the Secret."
        return () if hook or not _bare(channel) else (Complaint("spec.address", what, instead),)
    found = []
    if hook:
        instead = "Give the server's address beside a token, or leave the token out."
        found.append(Complaint("spec.address", "it is a webhook's, and there is a `token`", instead))
    if _ID.fullmatch(channel.channel) is None:
        found.append(Complaint("spec.channel", "a bot posts to a channel's id, and it is none", _CHANNEL_ID))
    if not _sendable(channel.token):
        instead = "Give the access token as Mattermost showed it when it was made."
        found.append(Complaint("spec.secretRef", "its `token` has characters that no token has", instead))
    return found


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. With a token it goes through the API."""
    payload = wanted(Digest, payload)
    if not payload.stories:
        return ()
    service = channel.called("Mattermost")
    if channel.token:
        return (_by_api(channel, payload, service),)
    where = {"channel": channel.channel} if channel.channel else {}
    named = {"username": channel.username} if channel.username else {}
    text, attachments = written(payload)
    body = {**where, **named, "text": text, "attachments": attachments}
    return (json_request(channel.address, body, service=service, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """The post's id, of an answer that of the post it answers; "" of a webhook's. Raises DeliveryError.

    A webhook takes a message with the two letters ``ok`` and nothing else; the API gives the post.
    """
    if response.body.strip() == b"ok":
        return ""
    try:
        posted = decode(response.body, _Posted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        posted = _Posted()
    if _ID.fullmatch(posted.id) is None or (posted.root_id and _ID.fullmatch(posted.root_id) is None):
        raise not_taken(response, _HINTS, _HINTS["404"], gone=_GONE)
    if posted.delete_at:
        raise DeliveryError(f"{response.origin}: the message was deleted.", gone=True)
    return posted.root_id or posted.id


def written(digest: Digest) -> tuple[str, list[dict[str, Any]]]:
    """The headline, and an attachment with a coloured bar for each passage."""
    told = message(digest, _PASSAGES)
    attachments = [_attachment(passage, told) for passage in told.passages]
    notes = [*([_escape(told.more)] if told.more else []), *within(told.notes, _BODY_BUDGET // 4, _escape)]
    fields = list(_fields(told))
    if notes or fields:
        text = _below(notes)
        attachments.append({"fallback": text or "More", "text": text, "fields": fields})
    return _titled(told.passages[0]) if told.alone else _bold(told.headline), attachments


def _by_api(channel: Channel, digest: Digest, service: str) -> Request:
    handle = digest.handle
    if handle and _ID.fullmatch(handle) is None:
        raise DeliveryError(f"{service}: the message to edit is not known by its id.", gone=True)
    if not _sendable(channel.token):
        raise DeliveryError(f"{service}: the token has characters that no token has.", _TOKEN)
    headers = {"Authorization": Secret(f"Bearer {channel.token.reveal()}")}
    text, attachments = written(digest)
    said = {"message": text, "props": {"attachments": attachments}}
    if handle and not digest.reply:
        url = _method(channel, f"posts/{handle}/patch")
        return json_request(url, said, service=service, headers=headers, hints=_HINTS, method="PUT", gone=_GONE)
    if _ID.fullmatch(channel.channel) is None:
        raise DeliveryError(f"{service}: a bot must be told a channel's id to post to.", _CHANNEL_ID)
    root = {"root_id": handle} if handle else {}
    body = {"channel_id": channel.channel, **root, **said, "pending_post_id": _pending(channel, digest)}
    url = _method(channel, "posts")
    # For half a minute the server gives the same post to whoever names the same pending one.
    return json_request(
        url, body, service=service, headers=headers, hints=_HINTS, gone=_ROOTLESS if handle else (), repeatable=True
    )


def _pending(channel: Channel, digest: Digest) -> str:
    """The same for the same message; another one for each channel, of which two may lead to one place, and for each
    place: the server has one memory for all of them.
    """
    said = f"{identity(digest)} {channel.name} {channel.channel}"
    return hashlib.sha256(said.encode(errors="replace")).hexdigest()[:32]


def _method(channel: Channel, what: str) -> Secret:
    """Where a method of the API is, given the server's address or the API's own."""
    parts = urlsplit(channel.address.reveal())
    root = re.sub(r"/api(?:/v4(?:/posts)?)?\Z", "", parts.path.rstrip("/")).rstrip("/")
    return Secret(parts._replace(path=f"{root}/api/v4/{what}", query="", fragment="").geturl())


def _bare(channel: Channel) -> bool:
    """Whether the address is that of a server or its API, and can be no webhook's."""
    path = urlsplit(channel.address.reveal()).path.rstrip("/")
    return not path or path.endswith(("/api", "/api/v4", "/api/v4/posts"))


def _sendable(token: Secret) -> bool:
    return re.fullmatch(r"[!-~]{1,4096}", token.reveal()) is not None


def _attachment(passage: Passage, told: Message) -> dict[str, Any]:
    lines = shortened(passage.lines) if told.brief else passage.lines
    parts = [] if told.alone else [_titled(passage)]
    parts += [*within(lines, _BODY_BUDGET // len(told.passages), _escape), _where(passage), *_called(passage)]
    fallback = f"{passage.mark} {fitted(passage.title, _TITLE_LIMIT, _escape)}"
    return {"fallback": fallback, "color": passage.colour, "text": _below(parts)}


def _called(passage: Passage) -> Iterator[str]:
    found = _PERSON.fullmatch(passage.mention)
    if found and found[1] not in _EVERYBODY:
        yield f"@{found[1]}"


def _fields(told: Message) -> Iterator[dict[str, Any]]:
    shown, left = facts(told, _FACTS)
    for name, value in shown:
        title, said = (_below([fitted(part, _FACT_LIMIT, _escape)]) or "–" for part in (name, value))
        yield {"title": title, "value": said, "short": len(value) <= 40}
    if left:
        yield {"title": "…", "value": f"and {left} more", "short": True}


def _titled(passage: Passage) -> str:
    return f"{passage.mark} {_bold(passage.title)}"


def _bold(text: str) -> str:
    return f"**{fitted(text, _TITLE_LIMIT, _escape) or '–'}**"


def _where(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster = fitted(passage.cluster, _PLACE_LIMIT, _escape)
    if not passage.place:
        return cluster
    # Within a link's name not every client knows brackets that are escaped.
    name = fitted(passage.place.replace("[", "(").replace("]", ")"), _PLACE_LIMIT, _escape)
    address = linkable(passage.link, _LINK_LIMIT).replace("~", "%7E")
    return f"{cluster} · [{name}]({address})" if address else f"{cluster} · {name}"


def _below(lines: Sequence[str]) -> str:
    """Lines, one below the other. One that would begin a block begins with a space that has no width."""
    return "\n".join(line if re.match(r"[^\W\d_]|[❌✅⏳⏭💤⏸*…@]|\Z", line) else f"\u200b{line}" for line in lines)


#: What begins a mention (but for the sign before a commit), a channel's link, a tag, an emoji, a mark of Slack's, which
#: webhooks understand, too, and what would make a link of two brackets: taken apart by a space that has no width.
_BEGINNINGS = re.compile(r"(?:(?<![A-Za-z0-9])@|@(?![0-9a-f]{8}\b)|[#~])(?=\w)|<|\](?=\()|:(?=[\w+-]+:)")
#: What is markup wherever it stands: between letters, an underscore is none.
_MARKUP = re.compile(r"[\\*~`\[\]|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line, and nobody called. Addresses in it still become links to themselves."""
    text = _BEGINNINGS.sub("\\g<0>\u200b", one_line(text))
    return " ".join(_MARKUP.sub(_in_address if "://" in word else r"\\\g<0>", word) for word in text.split(" "))


def _in_address(found: re.Match[str]) -> str:
    """Percent-encoded: in an address a backslash would be a part of it."""
    return f"%{ord(found[0]):02X}"
