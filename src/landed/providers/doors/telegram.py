"""The way to Telegram: HTTP, where an edit that changes nothing is refused although it is done."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Http, Request, Response
from landed.model import Channel

#: https://core.telegram.org/bots/api#editmessagetext : what it says of an edit that was made before.
_DONE = "message is not modified"


class _Edit(Struct, frozen=True):
    chat_id: int
    message_id: int


class _Door:
    def __init__(self, http: Callable[[], Http]) -> None:
        self._http = http

    def send(self, request: Request) -> Response:
        """Send ``request``; that the message says it already is an acknowledgement. Raises DeliveryError."""
        try:
            return self._http().send(request)
        except DeliveryError as error:
            if not (request.repeatable and _DONE in error.message):
                raise
        edit = decode(request.body, _Edit)
        said = {"ok": True, "result": {"message_id": edit.message_id, "chat": {"id": edit.chat_id}}}
        return Response(200, {}, msgspec.json.encode(said), request.origin)


def door(channel: Channel, http: Callable[[], Http]) -> _Door:
    """The usual way, understood as Telegram means it."""
    return _Door(http)
