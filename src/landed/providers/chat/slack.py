"""Slack. By incoming webhook one message for each look; as a bot a message that is edited, with answers in its thread.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ,
https://docs.slack.dev/reference/methods/chat.postMessage , https://docs.slack.dev/reference/methods/chat.update
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

import msgspec
from msgspec import Struct, structs

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, called, facts, fitted, linkable, one_line, shortened, uncalled, within
from landed.messages import message as said
from landed.model import Channel, Digest, Secret
from landed.providers.interface import Said, wanted

#: 50 blocks a message, 3000 characters a section, 10 fields of 2000 in one (https://docs.slack.dev/reference/block-kit).
#: All details of a message share 10,000 characters, and a field has 600: nobody reads more.
SECTION_LIMIT = 3000
TEXT_LIMIT = 2000
_TITLE_LIMIT = 300
_BODY_BUDGET = 10_000
_FIELDS, _FIELD_LIMIT = 10, 600
#: At most three blocks each, a headline, facts, notes and "… and more": 49 of 50 blocks.
_PASSAGES = 15
#: A member's id, https://docs.slack.dev/messaging/formatting-message-text#mentioning-users
_MEMBER = "[UW][A-Z0-9]{2,20}"

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
#: by another app, in a channel that is gone or takes no answers. A new message tells it where an edit cannot.
_GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "thread_not_found"}
    | {"cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_non_threadable_channel"}
)


class _Posted(Struct, frozen=True):
    thread_ts: str = ""


class _Answer(Struct, frozen=True):
    ok: bool = False
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
    body = {**where, **_named(channel), **_new(digest)}
    return (json_request(channel.address, body, service=service, hints=_WEBHOOK_HINTS),)


def acknowledged(response: Response) -> str:
    """The message as ``C0123:1700000000.000100``, of an answer the message that it answers. Raises DeliveryError.

    A webhook takes a message with the two letters ``ok`` and nothing else; a bot is told where and when it was posted.
    """
    if response.body.strip() == b"ok":
        return ""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused(response, "") from None
    # A new message by its id: an edit knows no channels by name.
    if answer.ok and answer.channel and answer.ts:
        return f"{answer.channel}:{answer.message.thread_ts or answer.ts}"
    raise _refused(response, answer.error)


def message(digest: Digest) -> dict[str, Any]:
    """``text`` for notifications, screen readers and old clients, a headline, and a coloured bar for each passage.

    Who is called stands in the headline, for attachments are secondary:
    https://docs.slack.dev/messaging/formatting-message-text#attachments
    """
    told = said(digest, _PASSAGES)
    budget = min(_BODY_BUDGET // len(told.passages), SECTION_LIMIT)
    headline = _title(told.passages[0]) if told.alone else f"*{fitted(told.headline, _TITLE_LIMIT, _escape)}*"
    headline = " ".join([headline, *(f"<@{member}>" for member in called(told, _MEMBER))])
    attachments = [_attachment(passage, budget, titled=not told.alone, brief=told.brief) for passage in told.passages]
    below = _below(told)
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
    place, _, ts = digest.handle.partition(":")
    if digest.handle and not (place and ts):
        raise DeliveryError(f"{service}: the message to edit is not known by channel and time.", gone=True)
    if digest.handle and not digest.reply:
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


def _attachment(passage: Passage, budget: int, *, titled: bool, brief: bool) -> dict[str, Any]:
    details = "\n".join(within(shortened(passage.lines) if brief else passage.lines, budget, _escape))
    blocks = [_section(_title(passage))] if titled else []
    blocks += [_section(details)] if details else []
    blocks.append(_small(_where(passage)))
    return {"color": passage.colour, "fallback": fitted(passage.title, _TITLE_LIMIT, _escape), "blocks": blocks}


def _title(passage: Passage) -> str:
    return f"{passage.mark} *{fitted(passage.title, _TITLE_LIMIT, _escape)}*"


def _where(passage: Passage) -> str:
    """The cluster, and the commit with a link to it."""
    cluster = fitted(passage.cluster, _TITLE_LIMIT, _escape)
    if not passage.place:
        return cluster
    name = fitted(passage.place, _TITLE_LIMIT, _escape)
    address = linkable(passage.link, SECTION_LIMIT // 2, "[]")
    return f"{cluster} · <{address}|{name}>" if address else f"{cluster} · {name}"


def _below(told: Message) -> list[dict[str, Any]]:
    """What had no room, what the Alert adds, and notes: at most one block each."""
    blocks = [_small(_escape(told.more))] if told.more else []
    if told.facts:
        shown, more = facts(told, _FIELDS)
        fields = [_mrkdwn(_fact(name, value)) for name, value in shown]
        fields += [_mrkdwn(f"… and {more} more")] if more else []
        blocks.append({"type": "section", "fields": fields})
    notes = "\n".join(within(told.notes, TEXT_LIMIT, _escape))
    return [*blocks, _small(notes)] if notes else blocks


def _fact(name: str, value: str) -> str:
    return f"*{fitted(name, _FIELD_LIMIT // 4, _escape) or '–'}*\n{fitted(value, _FIELD_LIMIT, _escape) or '–'}"


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
