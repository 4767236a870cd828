"""Messages in the older form of Slack's, for who takes those but knows no blocks. No I/O.

Each service reads markup in its own way, so there is hardly any:
https://developers.mattermost.com/integrate/webhooks/incoming/#slack-compatibility ,
https://docs.rocket.chat/docs/integrations ,
https://docs.discord.com/developers/resources/webhook#execute-slackcompatible-webhook
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from landed.messages import Markup, Message, Passage, Size, facts, fitted, message, one_line, within
from landed.model import Digest, Secret

#: All of a message shares what the strictest of them has room for, 6000 characters.
_SIZE = Size(6, 4500, 120, 6)
_FACT, _LINK = 60, 200

#: The forms of their webhooks' paths: Mattermost's, Rocket.Chat's, Discord's.
_WEBHOOK = re.compile(
    r"/hooks/(?:[a-z0-9]{26}|[^/]{8,}/[^/]{16,})/?\Z|/api/(?:v[0-9]+/)?webhooks/[0-9]+/[^/]+/slack/?\Z"
)
#: What begins a mention (but for the sign before a commit), a channel's name, a link or a picture at one of them.
_BEGINNINGS = re.compile(r"(?:(?<![A-Za-z0-9])@|@(?![0-9a-f]{8}\b)|[#~])(?=\w)|<|\](?=\()|!(?=\[)")


def takes_attachments(address: Secret) -> bool:
    """Whether a webhook is one of those."""
    try:
        return _WEBHOOK.search(urlsplit(address.reveal().strip()).path) is not None
    except ValueError:
        return False


def attached(digest: Digest) -> dict[str, Any]:
    """A headline, and an attachment for each passage. Nobody is called, for people have other names there."""
    told = message(digest, _SIZE.passages)
    attachments = [_attachment(passage, told) for passage in told.passages]
    shown, more = facts(told, _SIZE.facts)
    fields = [_field(name, value) for name, value in shown] + ([_field("…", f"and {more} more")] if more else [])
    notes = within([note for note in (told.more, *told.notes) if note], 2 * _SIZE.line, _apart)
    if fields or notes:
        below = "\n".join(notes)
        attachments.append({"fallback": below or "…", "text": below, **({"fields": fields} if fields else {})})
    first = told.passages[0]
    headline = f"{first.mark} {first.title}" if told.alone else told.headline
    return {"text": _MARKUP.line(headline, _SIZE), "attachments": attachments}


def _attachment(passage: Passage, told: Message) -> dict[str, Any]:
    # What a title, the cluster, the commit and its link take is not left for details.
    budget = _SIZE.details // len(told.passages) - 3 * _SIZE.line - _LINK
    title = f"{passage.mark} {_MARKUP.line(passage.title, _SIZE)}"
    lines = [] if told.alone else [title]
    lines += [*within(passage.lines, budget, _apart), _MARKUP.where(passage, _SIZE)]
    return {"fallback": title, "color": passage.colour, "text": "\n".join(lines)}


def _field(name: str, value: str) -> dict[str, Any]:
    title, text = (fitted(part, _FACT, _apart) or "–" for part in (name, value))
    return {"title": title, "value": text, "short": len(text) <= 40}


def _apart(text: str) -> str:
    """``text`` on one line, in which that is taken apart by a space that has no width: each escapes in another way."""
    return _BEGINNINGS.sub("\\g<0>\u200b", one_line(text))


def _link(name: str, address: str) -> str:
    """What ends a link or its name cannot be escaped."""
    return f"<{address}|{re.sub('[]|<>[]', ' ', name)}>"


_MARKUP = Markup(_apart, link=_link, longest=_LINK)
