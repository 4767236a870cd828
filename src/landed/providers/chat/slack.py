"""Slack, by incoming webhook: one message for each look, one coloured bar for each story.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from landed import render
from landed.errors import DeliveryError
from landed.http import Request, Response, clean, json_request, status_text
from landed.model import Channel, Digest, Event, State, Story

#: 50 blocks a message, 3000 characters a section (https://docs.slack.dev/reference/block-kit/blocks). All details of a
#: message share 10,000 characters: nobody reads more.
SECTION_LIMIT = 3000
TEXT_LIMIT = 2000
_TITLE_LIMIT = 300
_BODY_BUDGET = 10_000
#: At most three blocks each, a headline and "… and more": 47 of 50 blocks.
_STORIES = 15

_MARKS = {State.FAILURE: "❌", State.SUCCESS: "✅", State.PENDING: "⏳"}
_COLOURS = {State.FAILURE: "#cf222e", State.SUCCESS: "#2da44e", State.PENDING: "#bf8700"}
_STANDS = {State.FAILURE: "failed", State.SUCCESS: "live", State.PENDING: "on the way"}
_ORDER = (State.FAILURE, State.SUCCESS, State.PENDING)

_REMOVED = "The webhook was removed or its app uninstalled: make a new one and replace the address."
#: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
_HINTS = {
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


def requests(channel: Channel, payload: Digest | Event) -> Sequence[Request]:
    """One message that tells all stories; what does not fit is counted."""
    if not isinstance(payload, Digest):
        raise TypeError("slack takes digests")
    if not payload.stories:
        return ()
    service = "Slack" if channel.name == channel.type else f"Slack ({channel.name})"
    return (json_request(channel.address, message(payload), service=service, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """Slack takes a message with the two letters ``ok`` and nothing else. Raises DeliveryError."""
    if response.body.strip() == b"ok":
        return ""
    said = f": {response.excerpt}" if response.excerpt else ", but nothing else"
    raise DeliveryError(
        f"{response.origin} answered {status_text(response.status)} without taking the message{said}",
        "Check the address: it has the form https://hooks.slack.com/services/T…/B…/…",
    )


def message(digest: Digest) -> dict[str, Any]:
    """The message: ``text`` for notifications and old clients, a headline, and an attachment for each story."""
    stories = sorted(digest.stories, key=lambda story: _ORDER.index(story.outcome.state))
    told = stories[:_STORIES]
    alone = len(stories) == 1
    attachments = [_attachment(story, _BODY_BUDGET // len(told), titled=not alone) for story in told]
    if len(stories) > len(told):
        attachments.append({"blocks": [_small(f"… and {_count(stories[len(told) :])}")]})
    return {
        "text": _fit(_fallback(stories), TEXT_LIMIT),
        "blocks": [_section(_title(told[0]) if alone else f"*{len(stories)} rollouts: {_count(stories)}*")],
        "attachments": attachments,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _fallback(stories: Sequence[Story]) -> str:
    """What a notification shows: the headline, and of a single story the most important line."""
    if len(stories) > 1:
        first = f"; first: {render.title(stories[0])}"
        return f"{len(stories)} rollouts: {_count(stories)}{first}"
    details = render.lines(stories[0])
    title = f"{_MARKS[stories[0].outcome.state]} {render.title(stories[0])}"
    return f"{title}. {details[0]}" if details else title


def _count(stories: Sequence[Story]) -> str:
    """``1 failed, 2 live``: worst first."""
    numbers = Counter(story.outcome.state for story in stories)
    return ", ".join(f"{numbers[state]} {_STANDS[state]}" for state in _ORDER if numbers[state])


def _attachment(story: Story, budget: int, *, titled: bool) -> dict[str, Any]:
    details = _details(render.lines(story), min(budget, SECTION_LIMIT))
    blocks = [_section(_title(story))] if titled else []
    blocks += [_section(details)] if details else []
    blocks.append(_small(_where(story)))
    return {
        "color": _COLOURS[story.outcome.state],
        "fallback": _fit(render.title(story), _TITLE_LIMIT),
        "blocks": blocks,
    }


def _title(story: Story) -> str:
    return f"{_MARKS[story.outcome.state]} *{_fit(render.title(story), _TITLE_LIMIT)}*"


def _where(story: Story) -> str:
    """The cluster, and the commit with a link to it."""
    outcome = story.outcome
    cluster = _fit(outcome.cluster, _TITLE_LIMIT) or "–"
    url = render.commit_url(outcome.repository, outcome.commit) if outcome.commit else ""
    if not url:
        return cluster
    # A vertical bar or an angle bracket would end the link early.
    address = quote(url, safe=":/?=@[]%~")
    name = _fit(f"{outcome.repository.path}@{outcome.commit[:8]}", _TITLE_LIMIT)
    return f"{cluster} · <{address}|{name}>" if len(address) <= SECTION_LIMIT // 2 else f"{cluster} · {name}"


def _details(lines: Sequence[str], limit: int) -> str:
    """As many whole lines as fit, and how many do not; a single line that is too long is cut."""
    kept: list[str] = []
    room = limit - len("\n… and 10000 more")
    for line in lines:
        text = _fit(line, limit // 2)
        if len(text) + 1 > room:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more"])
        kept.append(text)
        room -= len(text) + 1
    return "\n".join(kept)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _small(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Text in Slack's markup. ``verbatim`` keeps Slack from finding links, channels and mentions in it by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


_CALLS = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)


def _escape(text: str) -> str:
    """``text`` as nothing but text on one line: no markup of the angled kind, and nobody called.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\u200b", text)


def _fit(text: str, limit: int) -> str:
    """``text`` escaped, and cut so that it still has at most ``limit`` characters then."""
    kept = render.cut(text, limit)
    while len(escaped := _escape(kept)) > limit:
        kept = render.cut(kept, len(kept) * limit // len(escaped) - 1)
    return escaped
