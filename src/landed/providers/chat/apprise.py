"""Apprise: whatever service its library knows, by one of its URLs. The words are plain: they must do for all of them.

https://appriseit.com/services/ ; ``providers.doors.apprise`` calls the library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, facts, message, one_line, uncalled, within
from landed.model import Channel, Digest, Secret, State
from landed.providers.interface import Complaint, Said, wanted
from landed.render import cut

#: Characters: what a service takes less of, the library cuts.
TITLE_LIMIT, BODY_LIMIT = 150, 3000
_LINE_LIMIT, _FACTS, _PASSAGES = 400, 10, 12

#: How the library calls a state: it chooses colours and signs by it.
KINDS = {State.FAILURE: "failure", State.STALE: "failure", State.SUCCESS: "success"}


class Notification(msgspec.Struct, frozen=True):
    """What the library is told."""

    title: str
    body: str
    type: str


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One notification that tells all stories; what does not fit is counted."""
    digest = wanted(Digest, payload)
    if not digest.stories:
        return ()
    # Where other URLs have a host, many of these have a token: it is no web address, from which a host could be told.
    whole = Secret(f"apprise:{channel.address.reveal()}")
    return (json_request(whole, notification(digest), service=channel.called("Apprise")),)


def acknowledged(response: Response) -> str:
    """Always "": no service's message is known by a name. Raises DeliveryError unless the library says it was sent."""
    try:
        sent = decode(response.body, bool)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sent = False
    if not sent:
        raise not_taken(response, {})
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """What the library has against the address, and what of the Provider's network has no effect on the service."""
    from landed.providers.doors.apprise import complaints as of_library

    return tuple(of_library(channel))


def notification(digest: Digest) -> Notification:
    """Title, text and kind. What comes first is what a service with little room still has."""
    told = message(digest, _PASSAGES)
    title = cut(_disarmed(told.headline), TITLE_LIMIT)
    # Where the title has a kind, the sign before it stands in the text.
    return Notification(title, "\n".join(_lines(told)), KINDS.get(told.state, "info" if _calm(told) else "warning"))


def _calm(told: Message) -> bool:
    return told.state in (State.PENDING, State.SUPERSEDED, State.SUSPENDED)


def _lines(told: Message) -> Sequence[str]:
    lines = [line for passage in told.passages for line in _of(passage, len(told.passages), titled=not told.alone)]
    lines += [told.more] if told.more else []
    shown, more = facts(told, _FACTS)
    lines += [f"{name}: {value}" for name, value in shown]
    lines += [f"… and {more} more"] if more else []
    kept: list[str] = []
    room = BODY_LIMIT - len("… and 10000 more lines")
    for line in [*lines, *told.notes]:
        text = cut(_disarmed(line), _LINE_LIMIT)
        room -= len(text) + 1
        if room < 0:
            return [*kept, f"… and {len(lines) + len(told.notes) - len(kept)} more lines"]
        kept.append(text)
    return kept


def _of(passage: Passage, passages: int, *, titled: bool) -> Sequence[str]:
    where = f"{passage.cluster} · {passage.place}" if passage.place else passage.cluster
    title = [f"{passage.mark} {passage.title}"] if titled else []
    return [*title, *within(passage.lines, BODY_LIMIT // 2 // passages), where]


#: What begins a call, a link with a name of its own, an element or a command in one service or another; a commit
#: behind a repository's name is none.
_BEGINNINGS = re.compile(
    r"(?:(?<![A-Za-z0-9])@|@(?![0-9a-f]{8}\b)|#)(?=\w)|\](?=[(\[])|<(?=[!@#/\w])|^/(?=\w)|&(?=[#\w])"
)


def _disarmed(text: str) -> str:
    """``text`` on one line, in which nobody is called and nothing is linked under another name: what begins such a
    thing is taken apart by a space that has no width. Where a service has emphasis, it may show some.
    """
    return _BEGINNINGS.sub("\\g<0>\u200b", uncalled(one_line(text)))
