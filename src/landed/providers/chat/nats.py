"""Flux's event object, published on a subject of NATS.

https://fluxcd.io/flux/components/notification/providers/#nats , https://docs.nats.io/nats-concepts/subjects
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.events import body
from landed.http import Request, Response, clean
from landed.model import Channel, Event, Secret
from landed.providers.interface import Complaint, Said, wanted
from landed.render import cut

PORT = 4222
#: Bytes of a subject: it shares a line of 4,096 with others (``max_control_line``,
#: https://docs.nats.io/running-a-nats-service/configuration ).
SUBJECT_LIMIT = 1024
_FORM = "Write it like nats://nats.example.com:4222, or tls:// instead; several with commas between."
#: Subjects by which a server is asked for something: an event has no business there.
_THE_SERVERS_OWN = ("$SYS", "$JS")


class Server(NamedTuple):
    """One server of the list."""

    host: str
    port: int
    tls: bool = False
    """Whether it must speak TLS; where it wants to, it may in any case."""
    user: str = ""
    password: Secret | None = None
    """With a user and no password, that is a token."""


class _Refusal(Struct, frozen=True):
    code: int = 0
    description: str = ""


class _Acknowledgement(Struct, frozen=True):
    """https://docs.nats.io/reference/jetstream/api/stream/pub-ack.md ."""

    stream: str = ""
    error: _Refusal | None = None


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """The event, with an id by which a stream knows it if it comes again. Raises DeliveryError for unusable settings.

    Its address is that of the first server.
    """
    event, service = wanted(Event, payload), channel.called("NATS")
    for complaint in complaints(channel):
        raise DeliveryError(f"{service}: {complaint.field}: {complaint.what}.", complaint.instead)
    said, (first, *_) = body(event), servers(channel.address)
    known = hashlib.sha256(channel.channel.encode() + b"\n" + said).hexdigest()[:32]
    host = f"[{first.host}]" if ":" in first.host else first.host
    address = Secret(f"{'tls' if first.tls else 'nats'}://{host}:{first.port}")
    hidden = (channel.address, channel.token, channel.password)
    return (Request("PUB", address, {"Nats-Msg-Id": known}, said, service, hidden=hidden),)


def acknowledged(response: Response) -> str:
    """Always "". Raises DeliveryError where a stream answers that it does not take the event.

    No answer, or that of somebody else who listens, is enough: the server has passed it on.
    """
    try:
        refusal = decode(response.body, _Acknowledgement).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        refusal = None
    if refusal is None:
        return ""
    raise DeliveryError(
        f"{response.origin}: the stream did not take the event: {cut(clean(refusal.description), 200) or refusal.code}",
        "Check the stream's limits, and whether JetStream has room.",
        passing=refusal.code >= 500,
    )


def complaints(channel: Channel) -> Sequence[Complaint]:
    """What is wrong with servers, subject, and what says who we are."""
    from landed.providers.doors.nats_login import login

    found = []
    try:
        servers(channel.address)
    except ValueError as error:
        found.append(Complaint("spec.address", str(error), _FORM))
    wrong = _subject(channel.channel)
    if wrong:
        found.append(Complaint("spec.channel", wrong, "Write it like flux.events, in words with dots between."))
    try:
        login(channel.token)
    except ValueError as error:
        found.append(Complaint("spec.secretRef", str(error), "Take it as nsc or nk wrote it."))
    if channel.password and not (channel.username or channel.token):  # a name alone is no login, as in Flux
        found.append(Complaint("spec.secretRef", "there is no `username`", "Give both, or neither."))
    return found


def servers(address: Secret) -> tuple[Server, ...]:
    """The servers of a list with commas, in its order. Raises ValueError, which says what is wrong and quotes nothing.

    https://docs.nats.io/using-nats/developer/connecting
    """
    found = tuple(_server(part.strip()) for part in address.reveal().split(",") if part.strip())
    if not found:
        raise ValueError("it names no server")
    return found


def _server(text: str) -> Server:
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "nats", text
    if scheme.lower() in ("ws", "wss"):
        raise ValueError("NATS is not spoken over WebSocket here")
    if scheme.lower() not in ("nats", "tls"):
        raise ValueError("it is not the address of a NATS server")
    try:
        parts = urlsplit(f"nats://{rest}")
        host, port = parts.hostname or "", PORT if parts.port is None else parts.port
    except ValueError:
        host, port = "", 0
    if not (host and port and rest.isprintable() and " " not in rest):
        raise ValueError("it is not the address of a NATS server")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("there is something after host and port")
    password = None if parts.password is None else Secret(unquote(parts.password))
    return Server(host, port, scheme.lower() == "tls", unquote(parts.username or ""), password)


def _subject(subject: str) -> str:
    """What is wrong with ``subject``; empty where nothing is."""
    if re.search(r"[*>]", subject):
        return "it has a wildcard, and an event goes to one subject only"
    if not subject.isprintable() or re.search(r"\s", subject):
        return "a subject has no spaces"
    if not all(subject.split(".")):
        return "it has an empty word"
    if subject.split(".")[0] in _THE_SERVERS_OWN:
        return "the server keeps that subject for itself"
    if len(subject.encode(errors="replace")) > SUBJECT_LIMIT:
        return f"it has more than {SUBJECT_LIMIT} bytes"
    return ""
