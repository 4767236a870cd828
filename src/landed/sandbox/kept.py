"""What chat services keep: messages as they stand now, with their edits and the threads that they are in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, structs

from landed.sandbox.objects import now
from landed.sandbox.web import Request


class Message(Struct, frozen=True):
    """One message, as it stands."""

    via: str
    """``slack``, ``discord``, ``msteams`` or ``generic``"""
    at: str
    """When it was posted, RFC 3339."""
    payload: Any
    body: bytes
    """The very bytes that came last, for those who check signatures or sameness."""
    id: str = ""
    """What the service calls it; empty where nobody is told."""
    thread: str = ""
    """The id of the message that it answers."""
    edits: int = 0


class Kept:
    """Everything that was said, in the order in which it was posted. Safe to use from many threads."""

    def __init__(self, now: Callable[[], str] = now) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._edits = 0

    @property
    def messages(self) -> list[Message]:
        """Everything that was posted, as it stands, oldest first."""
        with self._lock:
            return list(self._messages)

    @property
    def posted(self) -> int:
        """How many messages were posted."""
        return len(self._messages)

    @property
    def edits(self) -> int:
        """How often messages were edited."""
        return self._edits

    def post(self, via: str, payload: object, body: bytes, name: Callable[[int], str] = lambda _: "") -> Message:
        """Keep a new message. ``name`` makes its id from its number, which counts from 1 over all services."""
        with self._lock:
            message = Message(via, self.now(), payload, body, name(len(self._messages) + 1))
            self._messages.append(message)
        return message

    def answer(self, to: str, via: str, payload: object, body: bytes, name: Callable[[int], str]) -> Message:
        """Keep an answer to the message of the id ``to``; where there is none, it is a message of its own."""
        message = self.post(via, payload, body, name)
        first = self.find(via, to)
        return message if first is None else self._put(message, structs.replace(message, thread=first.thread or to))

    def edit(self, message: Message, payload: dict[str, Any], body: bytes) -> Message:
        """Change members of a message; what is not given stays as it was."""
        with self._lock:
            self._edits += 1
        changed = structs.replace(message, payload={**message.payload, **payload}, body=body, edits=message.edits + 1)
        return self._put(message, changed)

    def find(self, via: str, id_: str) -> Message | None:
        """The message that the service calls ``id_``."""
        return next((m for m in self.messages if (m.via, m.id) == (via, id_) and id_), None)

    def _put(self, before: Message, after: Message) -> Message:
        with self._lock:
            place = next(i for i, m in enumerate(self._messages) if (m.via, m.id) == (before.via, before.id))
            self._messages[place] = after
        return after


def decoded(request: Request) -> Any:
    """The body as JSON; None where it is not."""
    try:
        return request.json()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
