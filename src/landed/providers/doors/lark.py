"""The way out to a Lark or Feishu bot that wants messages to be signed: with the time of sending and a key.

https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from msgspec import structs

from landed.http import Http, Request, Response
from landed.model import Channel, Secret
from landed.providers.interface import Door


def door(channel: Channel, http: Callable[[], Http]) -> Door:
    """The usual way out; with a token everything that goes through it is signed."""
    return Signing(channel.token, http) if channel.token else http()


class Signing:
    """A door that signs. The bot takes a time that is an hour off at most."""

    def __init__(self, key: Secret, http: Callable[[], Http], now: Callable[[], float] = time.time) -> None:
        """``now`` gives seconds since 1970."""
        self._key = key
        self._http = http
        self._now = now

    def send(self, request: Request) -> Response:
        """Sign ``request``, whose body is a JSON object with members, and send it. Raises DeliveryError."""
        at = str(int(self._now()))
        signed = f'{{"timestamp":"{at}","sign":"{signature(self._key, at)}",'.encode()
        return self._http().send(structs.replace(request, body=signed + request.body.removeprefix(b"{")))


def signature(key: Secret, at: str) -> str:
    """What shows that ``key`` is known, for the second ``at``: the key signs nothing, and the time is a part of it."""
    secret = f"{at}\n{key.reveal()}".encode(errors="replace")
    return base64.b64encode(hmac.new(secret, digestmod=hashlib.sha256).digest()).decode()
