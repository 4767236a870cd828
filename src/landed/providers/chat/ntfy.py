"""ntfy: one notification for each look, published as JSON at the root of a server.

https://docs.ntfy.sh/publish/#publish-as-json
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import Message, Passage, facts, identity, linkable, message, one_line, shortened
from landed.model import Channel, Digest, Secret, State
from landed.providers.credentials import basic
from landed.providers.interface import Complaint, Said, wanted
from landed.render import cut

#: Bytes of a message; a longer one would arrive as a file (https://docs.ntfy.sh/publish/#limitations).
LIMIT = 4096
#: The whole body may have twice as many, so what is escaped in JSON counts twice there.
_MESSAGE_IN_JSON, _TITLE_IN_JSON, _LABEL_IN_JSON = 5000, 400, 60
_LINK_LIMIT = 400
_PASSAGES, _LINES, _FACTS = 12, 25, 10
#: Buttons below a notification (https://docs.ntfy.sh/publish/#action-buttons).
_ACTIONS = 3

#: Before the title they become the signs that our messages have (https://docs.ntfy.sh/emojis/).
TAGS = {
    State.FAILURE: "x",
    State.SUCCESS: "white_check_mark",
    State.PENDING: "hourglass_flowing_sand",
    State.SUPERSEDED: "next_track_button",
    State.STALE: "zzz",
    State.SUSPENDED: "pause_button",
}
_LOW, _DEFAULT, _HIGH = 2, 3, 4
#: How loud a telephone is (https://docs.ntfy.sh/publish/#message-priority).
PRIORITIES = {State.FAILURE: _HIGH, State.STALE: _HIGH, State.SUCCESS: _DEFAULT}

_TOPIC = r"[-_A-Za-z0-9]{1,64}"
_LATER = "Too many messages; the update is sent by the next run."
_QUOTA = "The server's limit for this sender is reached: wait, or raise the account's limits."
#: By the code of the server's answer.
_HINTS = {
    '"code":40009': "Write the topic with letters, digits, - and _, at most 64 of them.",
    '"code":40010': "The server keeps that topic's name for itself: choose another one.",
    '"code":40014': "The server takes only shorter messages: raise its message-size-limit to 4k.",
    '"code":41303': "The server takes only shorter messages: raise its message-size-limit to 4k.",
    '"code":40101': "Check `token`, which begins with tk_, or `username` and `password`.",
    '"code":40301': "The topic may not be written to like this: give a `token`, or `username` and `password`, of a user"
    " who has write access to it.",
    '"code":40401': "Check the address: it must be the server's root, such as https://ntfy.example.com",
    '"code":42901': _LATER,
    '"code":42904': "The server has no room for another topic: ask whoever runs it.",
    '"code":42905': _QUOTA,
    '"code":42908': _QUOTA,
    '"code":42909': "Too many wrong logins from here: check `token`, or `username` and `password`; then wait a while.",
    "401": "Check `token`, which begins with tk_, or `username` and `password`.",
    "404": "Check the address: it must be the server's root, such as https://ntfy.example.com",
    "405": "Check the address: there is no ntfy server at it.",
    "507": "The server has no room for another message before somebody subscribes to the topic.",
}


class _Answer(Struct, frozen=True):
    id: str = ""
    event: str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One notification that tells all stories; what does not fit is counted.

    Newer servers take it for the same notification if it is sent again. Raises DeliveryError without a topic.
    """
    digest = wanted(Digest, payload)
    if not digest.stories:
        return ()
    service, topic = channel.called("ntfy"), _topic(channel)
    if not re.fullmatch(_TOPIC, topic):
        raise DeliveryError(
            f"{service}: it must be told the topic to publish to.",
            "Write its name to spec.channel, or at the address' end.",
        )
    parts = urlsplit(channel.address.reveal())
    root = Secret(parts._replace(netloc=parts.netloc.rpartition("@")[2], path="/", query="", fragment="").geturl())
    body = {"topic": topic, **notification(digest), "sequence_id": identity(digest)}
    request = json_request(root, body, service=service, headers=_login(channel), hints=_HINTS)
    # Whoever knows the name of a topic can read it.
    return (structs.replace(request, hidden=(Secret(topic), channel.address, channel.password)),)


def acknowledged(response: Response) -> str:
    """Always "": older servers could not edit it. Raises DeliveryError unless the answer is the message with its id."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if not (answer.id and answer.event == "message"):
        raise not_taken(response, _HINTS, "Check the address: there seems to be no ntfy server at it.")
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """A topic that is missing, twice there or none; a path that is none; who we are in more than one way, or half."""
    parts = urlsplit(channel.address.reveal())
    path, topic = parts.path.strip("/"), _topic(channel)
    found = []
    if "@" in parts.netloc or parts.query:
        found.append(
            Complaint(
                "spec.address",
                "the address holds a user or a query",
                "Give `token`, or `username` and `password`, in the Secret.",
            )
        )
    if channel.channel and path and path != channel.channel:
        found.append(
            Complaint("spec.address", "the address and spec.channel name two topics", "Leave the path out of it.")
        )
    elif not topic:
        found.append(Complaint("spec.channel", "there is no topic", "Write its name there, or at the address' end."))
    elif not re.fullmatch(_TOPIC, topic):
        field = "spec.channel" if channel.channel else "spec.address"
        found.append(
            Complaint(field, "that is not a topic", "Write it with letters, digits, - and _, at most 64 of them.")
        )
    return (*found, *_half_logins(channel))


def _half_logins(channel: Channel) -> Sequence[Complaint]:
    field = "spec.secretRef"
    if channel.token and channel.password:
        return (Complaint(field, "there is a `token` and a `password`", "Take one of them out."),)
    if channel.password and not channel.username:
        return (Complaint(field, "there is a `password` without a `username`", "Add the `username`."),)
    if channel.username and not (channel.password or channel.token):
        return (Complaint(field, "there is a user's name without a `password`", "Add it, or take out the name."),)
    if not f"{channel.token.reveal()}{channel.username}{channel.password.reveal()}".isprintable():
        return (Complaint(field, "what says who we are holds control characters", "Take them out."),)
    return ()


def notification(digest: Digest) -> dict[str, Any]:
    """Title, text, loudness, sign, what a tap opens, and buttons. All of it is plain text, which needs no escaping."""
    told = message(digest, _PASSAGES)
    links = list(dict.fromkeys(link for passage in told.passages if (link := linkable(passage.link, _LINK_LIMIT))))
    click = {"click": links[0]} if links else {}
    actions = {"actions": _actions(told)} if links else {}
    title = _fitted(_undecoded(told.headline), _TITLE_IN_JSON, _TITLE_IN_JSON)
    return {
        "title": title,
        "message": _text(told),
        "priority": PRIORITIES.get(told.state, _LOW),
        "tags": [TAGS[told.state]],
        **click,
        **actions,
    }


def _actions(told: Message) -> list[dict[str, str]]:
    """A button for each commit, as far as there is room."""
    made: dict[str, dict[str, str]] = {}
    for passage in told.passages:
        link = linkable(passage.link, _LINK_LIMIT)
        if link and link not in made and len(made) < _ACTIONS:
            label = _fitted(_undecoded(passage.place.partition(":")[0]), _LABEL_IN_JSON, _LABEL_IN_JSON)
            made[link] = {"action": "view", "label": label or "Commit", "url": link}
    return list(made.values())


def _undecoded(text: str) -> str:
    """``text``, which a server does not take for encoded words: all but the message is a header to it, also in JSON."""
    return text.replace("=?", "= ?")


def _text(told: Message) -> str:
    """As many lines as there is room for, and how many there are besides."""
    lines = [line for passage in told.passages for line in _of(passage, titled=not told.alone)]
    shown, more = facts(told, _FACTS)
    lines += [told.more] if told.more else []
    lines += [f"{name}: {value}" for name, value in shown]
    lines += [f"… and {more} more"] if more else []
    lines += told.notes
    kept: list[str] = []
    room, in_json = LIMIT - 40, _MESSAGE_IN_JSON - 40
    for line in lines:
        text = _fitted(line, LIMIT // 4, _MESSAGE_IN_JSON // 4)
        room -= len(text.encode()) + 1
        in_json -= _in_json(text) + 2
        if min(room, in_json) < 0:
            return "\n".join([*kept, f"… and {len(lines) - len(kept)} more lines"])
        kept.append(text)
    return "\n".join(kept)


def _of(passage: Passage, *, titled: bool) -> Sequence[str]:
    title = [f"{passage.mark} {passage.title}"] if titled else []
    where = f"{passage.cluster} · {passage.place}" if passage.place else passage.cluster
    return [*title, *shortened(passage.lines, _LINES), where]


def _fitted(text: str, most: int, in_json: int) -> str:
    """``text`` on one line, cut to ``most`` bytes of UTF-8 of which JSON makes at most ``in_json``."""
    text = one_line(text)
    while len(text.encode()) > most or _in_json(text) > in_json:
        share = min(most / len(text.encode()), in_json / _in_json(text))
        text = cut(text, max(1, min(int(len(text) * share), len(text) - 1)))
    return text


def _in_json(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _topic(channel: Channel) -> str:
    return channel.channel or urlsplit(channel.address.reveal()).path.strip("/")


def _login(channel: Channel) -> dict[str, Secret | str]:
    """Who we are (https://docs.ntfy.sh/publish/#authentication)."""
    if channel.token:
        return {"Authorization": Secret(f"Bearer {channel.token.reveal()}")}
    if not channel.password:
        return {}
    return {"Authorization": basic(channel.username, channel.password.reveal())}
