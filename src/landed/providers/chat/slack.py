"""Slack. By incoming webhook one message for each look; as a bot a message that is edited, with answers in its thread.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ,
https://docs.slack.dev/reference/methods/chat.postMessage , https://docs.slack.dev/reference/methods/chat.update

Other services have webhooks that take Slack's messages, too, and answer in words of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

import msgspec
from msgspec import Struct, structs

from landed.attachments import attached, takes_attachments
from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import (
    Message,
    Passage,
    Size,
    called,
    facts,
    fitted,
    linkable,
    one_line,
    shortened,
    uncalled,
    within,
)
from landed.messages import message as said
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: 50 blocks a message, 3000 characters a section, 10 fields of 2000 in one (https://docs.slack.dev/reference/block-kit).
#: All blocks together were seen to have room for some 13,200 (https://github.com/slackapi/bolt-js/issues/2509).
SECTION_LIMIT = 3000
TEXT_LIMIT = 2000
BLOCKS_LIMIT = 12_500
#: The same layout with ever less in it, until it fits. A passage has at most three blocks; with a headline, facts,
#: notes and "… and more" these are 49 of 50.
_SIZES = (
    Size(15, 10_000, 300, 10),
    Size(15, 4_000, 150, 10),
    Size(12, 2_400, 100, 6),
    Size(6, 2_000, 100, 4),
    Size(2, 1_000, 100, 3),
)
#: A member's id, https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
_MEMBER = "[UW][A-Z0-9]{2,20}"
#: A message: its channel's id and its time.
_HANDLE = re.compile(r"([A-Za-z0-9_#-]{1,80}):([0-9]{1,16}\.[0-9]{1,9})")

_REMOVED = "The webhook was removed or its app uninstalled: make a new one and replace the address."
#: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_WEBHOOK_HINTS = {
    "no_service": _REMOVED,
    "no_team": _REMOVED,
    "channel_not_found": "The webhook's channel is gone: make a webhook for another one.",
    "channel_is_archived": "The webhook's channel is archived: unarchive it, or make a webhook for another one.",
    "action_prohibited": "An administrator has restricted posting to the webhook's channel: ask them to allow it.",
    "posting_to_general_channel_denied": "Only some may post to the general channel: make a webhook for another one.",
    "invalid_token": "The webhook's token is wrong or expired: check the address, or make a new webhook.",
    "invalid_payload": "Slack could not read the message: check that the address is an incoming webhook.",
    "404": "Check the address: it has the form https://hooks.slack.com/services/T…/B…/…",
    "410": _REMOVED,
    "403": "Slack does not allow posting there: ask an administrator of the workspace.",
}

_TOKEN = "Check the bot's token, which begins with xoxb-; install the app again to get a new one."  # noqa: S105
_INVITE = "Invite the bot to the channel (/invite @bot), and check the channel's name or take its id."
_POLICY = "The workspace's settings do not let the bot post there: ask an administrator, or choose another channel."
#: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_BOT_HINTS = {
    "not_in_channel": _INVITE,
    "channel_not_found": _INVITE,
    "no_permission": _INVITE,
    "is_archived": "The channel is archived: unarchive it, or choose another one.",
    "is_inactive": "The channel is archived or frozen: unarchive it, or choose another one.",
    "invalid_auth": _TOKEN,
    "not_authed": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "account_inactive": _TOKEN,
    "not_allowed_token_type": _TOKEN,
    "missing_scope": "Give the app the scope chat:write, and chat:write.customize where a user name is set; install it"
    " again.",
    "team_not_found": "The token is for an organization: write the channel's id instead of its name.",
    "restricted_action": _POLICY,
    "ekm_access_denied": _POLICY,
    "accesslimited": _POLICY,
    "ratelimited": "Too many messages; the update is sent by the next run.",
    "rate_limited": "Too many messages; the update is sent by the next run.",
    "message_limit_exceeded": "The workspace sends too many messages: try again later.",
    "unknown_method": "Check the address: a bot posts to https://slack.com/api/chat.postMessage",
    "msg_too_long": "Slack finds the message too long: narrow what the Alert selects.",
    "msg_blocks_too_long": "Slack finds the message too long: narrow what the Alert selects.",
}
#: What ends by itself; of the last two some part may have been done.
_PASSING = frozenset(
    {"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "update_failed", "team_added_to_org"}
    | {"external_channel_migrating", "message_limit_exceeded", "fatal_error", "internal_error"}
)
_UNCERTAIN = frozenset({"fatal_error", "internal_error"})
#: The message is not there, or may not be edited or answered (any more): too old for the workspace's settings, posted
#: by another app, in a channel that is gone or archived, has lost the bot, or takes no answers. A new message tells it
#: where an edit cannot.
_GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "thread_not_found"}
    | {"is_inactive", "is_archived", "not_in_channel", "no_permission", "invalid_thread_ts"}
    | {"cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_non_threadable_channel"}
)


class _Posted(Struct, frozen=True):
    thread_ts: str = ""


class _Answer(Struct, frozen=True):
    ok: bool = False
    success: bool = False
    error: str = ""
    channel: str = ""
    ts: str = ""
    message: _Posted = _Posted()


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted. With a token it is a bot's."""
    digest, service = wanted(Digest, payload), channel.called("Slack")
    if not digest.stories:
        return ()
    if channel.token:
        return (_as_bot(channel, digest, service),)
    where = {"channel": channel.channel} if channel.channel else {}
    elsewhere = takes_attachments(channel.address)
    body = {**where, **_named(channel), **(attached(digest) if elsewhere else _new(digest))}
    hints = {} if elsewhere else _WEBHOOK_HINTS  # others have other words
    return (json_request(channel.address, body, service=service, hints=hints),)


def acknowledged(response: Response) -> str:
    """The message as ``C0123:1700000000.000100``, of an answer the message that it answers. Raises DeliveryError.

    A webhook takes a message with the two letters ``ok`` and nothing else; a bot is told where and when it was posted.
    Other services' webhooks say ``"ok": true`` or ``"success": true``: not to hear it would tell all of it again.
    """
    if response.body.strip() == b"ok":
        return ""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused(response, "") from None
    if not (answer.ok or answer.success):
        raise _refused(response, answer.error)
    # A new message by its id: an edit knows no channels by name.
    return f"{answer.channel}:{answer.message.thread_ts or answer.ts}" if answer.channel and answer.ts else ""


def message(digest: Digest) -> dict[str, Any]:
    """``text`` for notifications, screen readers and old clients, a headline, and a coloured bar for each passage.

    Who is called stands in the headline, for attachments are secondary:
    https://docs.slack.dev/messaging/formatting-message-text#attachments
    """
    for size in _SIZES:
        laid = laid_out(said(digest, size.passages), size)
        if len(json.dumps([laid["blocks"], laid["attachments"]], ensure_ascii=False)) <= BLOCKS_LIMIT:
            break
    return laid


def laid_out(told: Message, size: Size) -> dict[str, Any]:
    """``told`` in one size."""
    headline = _title(told.passages[0], size) if told.alone else f"*{fitted(told.headline, size.line, _escape)}*"
    headline = " ".join([headline, *(f"<@{member}>" for member in called(told, _MEMBER))])
    attachments = [_attachment(passage, told, size) for passage in told.passages]
    below = _below(told, size)
    if told.alone:
        attachments[0]["blocks"] += below
    elif below:
        attachments.append({"blocks": below})
    return {
        "text": fitted(told.notice, TEXT_LIMIT, _escape),
        "blocks": [_section(headline)],
        "attachments": attachments,
    }


def _as_bot(channel: Channel, digest: Digest, service: str) -> Request:
    headers = {"Authorization": Secret(f"Bearer {channel.token.reveal()}")}
    place, ts = _known(digest.handle, channel.channel, service)
    if place and not digest.reply:
        # Unlike a new message's, an edit's text is searched for links and names unless told otherwise.
        body = {"channel": place, "ts": ts, **message(digest), "parse": "none"}
        url = Secret(urljoin(channel.address.reveal(), "chat.update"))
        return json_request(url, body, service=service, headers=headers, hints=_BOT_HINTS, repeatable=True)
    if not (place or channel.channel):
        raise DeliveryError(
            f"{service}: a bot must be told the channel to post to.", "Write its name or id to spec.channel."
        )
    thread = {"thread_ts": ts} if ts else {}
    body = {"channel": place or channel.channel, **thread, **_named(channel), **_new(digest)}
    return json_request(channel.address, body, service=service, headers=headers, hints=_BOT_HINTS)


def _known(handle: str, channel: str, service: str) -> tuple[str, str]:
    """Channel and time of the message to edit, empty where there is none. Raises DeliveryError for anything else."""
    if not handle:
        return "", ""
    found = _HANDLE.fullmatch(handle)
    # A message in another channel than the one that is named by its id is of no use: the setting was changed.
    if found is None or (re.fullmatch("[CG][A-Z0-9]{8,20}", channel) and channel != found[1]):
        raise DeliveryError(f"{service}: the message to edit is not one of this channel.", gone=True)
    return found[1], found[2]


def _new(digest: Digest) -> dict[str, Any]:
    return {**message(digest), "unfurl_links": False, "unfurl_media": False}


def _named(channel: Channel) -> dict[str, str]:
    return {"username": channel.username} if channel.username else {}


def _refused(response: Response, word: str) -> DeliveryError:
    """The error that Slack's own ``word`` for it is; without one, what it answered."""
    known = re.fullmatch("[a-z_]{1,80}", word) is not None
    error = not_taken(
        structs.replace(response, excerpt=word) if known else response,
        _BOT_HINTS if known else {},
        "" if known else "Check the address: https://hooks.slack.com/services/T…/B…/… is a webhook's.",
        passing=_PASSING if known else (),
        gone=_GONE if known else (),
    )
    error.uncertain = word in _UNCERTAIN
    return error


def _attachment(passage: Passage, told: Message, size: Size) -> dict[str, Any]:
    budget = min(size.details // len(told.passages), SECTION_LIMIT)
    details = "\n".join(within(shortened(passage.lines) if told.brief else passage.lines, budget, _escape))
    blocks = [] if told.alone else [_section(_title(passage, size))]
    blocks += [_section(details)] if details else []
    blocks.append(_small(_where(passage, size)))
    return {"color": passage.colour, "fallback": fitted(passage.title, size.line, _escape), "blocks": blocks}


def _title(passage: Passage, size: Size) -> str:
    return f"{passage.mark} *{fitted(passage.title, size.line, _escape)}*"


def _where(passage: Passage, size: Size) -> str:
    """The cluster, and the commit with a link to it."""
    cluster = fitted(passage.cluster, size.line, _escape)
    if not passage.place:
        return cluster
    name = fitted(passage.place, size.line, _escape)
    address = linkable(passage.link, size.line * 4, "[]")
    return f"{cluster} · <{address}|{name}>" if address else f"{cluster} · {name}"


def _below(told: Message, size: Size) -> list[dict[str, Any]]:
    """What had no room, what the Alert adds, and notes: at most one block each."""
    blocks = [_small(_escape(told.more))] if told.more else []
    if told.facts:
        shown, more = facts(told, size.facts)
        fields = [_mrkdwn(_fact(name, value, size)) for name, value in shown]
        fields += [_mrkdwn(f"… and {more} more")] if more else []
        blocks.append({"type": "section", "fields": fields})
    notes = "\n".join(within(told.notes, size.line * 6, _escape))
    return [*blocks, _small(notes)] if notes else blocks


def _fact(name: str, value: str, size: Size) -> str:
    return f"*{fitted(name, size.line // 2, _escape) or '–'}*\n{fitted(value, size.line * 2, _escape) or '–'}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _small(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Text in Slack's markup. ``verbatim`` keeps Slack from finding links, channels and mentions in it by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line: no markup of the angled kind, and nobody called.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return uncalled(one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
