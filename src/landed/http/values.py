"""What goes out of the door and what comes back, as values that print no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed.errors import DeliveryError
from landed.http.words import host_of
from landed.model import Secret
from landed.redact import SHORTEST_PART


class Request(Struct, frozen=True):
    """One HTTP request. Prints as method and host: the path of a webhook is its password."""

    method: str
    url: Secret
    headers: Mapping[str, Secret | str] = {}
    body: bytes = b""
    service: str = ""
    """What people call the other side: ``Slack``."""
    hints: Mapping[str, str] = {}
    """What to do about a refusal, by its status (``404``) or a word of its body (``no_service``); first match wins."""
    gone: tuple[str, ...] = ()
    """Statuses, or words of a refusal's body, which say that the message to be edited is not there any more."""
    repeatable: bool = False
    """Whether doing it twice is the same as doing it once, although its method does not say so."""
    handle: str = ""
    """What the service will call the message, where it does not say so itself."""
    hidden: tuple[Secret, ...] = ()
    """What is not in it and may not be quoted from an answer either, such as the key of a signature."""

    @property
    def origin(self) -> str:
        """Whom this goes to, fit for a message: ``Slack (hooks.slack.com)``."""
        host = host_of(self.url.reveal())
        return f"{self.service} ({host})" if self.service and host else self.service or host or "the address"

    def __repr__(self) -> str:
        return f"Request({self.method} {self.origin}, {len(self.body)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("origin", self.origin)]


class Response(Struct, frozen=True):
    """An answer, all of it."""

    status: int
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    origin: str = ""
    """Who answered, fit for a message: ``Slack (hooks.slack.com)``."""
    excerpt: str = ""
    """The beginning of the body, on one line and without secrets: fit for a message."""

    def __repr__(self) -> str:
        return f"Response({self.status} from {self.origin}, {len(self.body)} bytes)"


def json_request(
    url: Secret,
    value: object,
    *,
    service: str = "",
    headers: Mapping[str, Secret | str] | None = None,
    hints: Mapping[str, str] | None = None,
    method: str = "POST",
    gone: tuple[str, ...] = (),
    repeatable: bool = False,
    handle: str = "",
) -> Request:
    """Make a request of ``value`` as JSON. The same value gives the same bytes: members keep their order.

    Halves of a pair, which are no characters, become question marks.
    """
    try:
        body = msgspec.json.encode(value)
    except UnicodeEncodeError:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Request(
        method,
        url,
        {"Content-Type": "application/json", **(headers or {})},
        body,
        service,
        hints or {},
        gone,
        repeatable,
        handle,
    )


def usable(request: Request) -> None:
    """Raise DeliveryError unless the request's address is one a request can go to."""
    try:
        parts = urlsplit(request.url.reveal())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise DeliveryError(
            f"The address of {request.service or 'a destination'} is not a URL that starts with https:// or http://.",
            "Check the option or secret that holds it.",
        )


def secrets_of(request: Request) -> tuple[str, ...]:
    """Everything of ``request`` that may not be told: its URL, whole and in parts, secret headers, what is hidden."""
    url = request.url.reveal()
    parts = urlsplit(url)
    held = [value.reveal() for value in request.headers.values() if isinstance(value, Secret)]
    settings = (setting.partition("=") for setting in parts.query.split("&"))
    pieces = [
        *re.split("[/=]", parts.path),
        # What a setting is called is no secret.
        *(piece for name, equals, value in settings for piece in re.split("[/?=]", value if equals else name)),
        *(word for value in held for word in value.split()),
    ]
    whole = [text for text in (url, parts.path, parts.query, parts.username, parts.password) if text and len(text) > 1]
    keys = [secret.reveal() for secret in request.hidden]
    return (*whole, *held, *keys, *(piece for piece in pieces if len(piece) >= SHORTEST_PART))
