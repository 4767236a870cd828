"""Flux's event object, published to a topic of Google Pub/Sub.

https://fluxcd.io/flux/components/notification/providers/#google-pubsub ,
https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.events import body
from landed.http import Request, Response, json_request, not_taken
from landed.model import Channel, Event, Secret
from landed.providers.interface import Complaint, Said, wanted

API = "https://pubsub.googleapis.com"
#: https://cloud.google.com/resource-manager/docs/creating-managing-projects ; older ones stand below a domain.
_PROJECT = r"(projects/)?((?:[a-z0-9.-]{1,200}:)?[a-z0-9][a-z0-9-]{0,62})"
#: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names .
_TOPIC = r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
#: Attributes of a message, and bytes of each name and value (https://cloud.google.com/pubsub/quotas#resource_limits).
MOST, NAME_LIMIT, VALUE_LIMIT = 100, 256, 1024
#: What credentials must hold besides their type.
CREDENTIALS = {
    "service_account": ("client_email", "private_key", "token_uri"),
    "external_account": ("audience", "subject_token_type", "token_url", "credential_source"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
    "impersonated_service_account": ("service_account_impersonation_url", "source_credentials"),
}
_OBJECTS = dict.fromkeys(("credential_source", "source_credentials"), dict)
_PUBLISHER = "Give it the role Pub/Sub Publisher (roles/pubsub.publisher) on the topic."
#: https://cloud.google.com/pubsub/docs/reference/error-codes .
_HINTS = {
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "Give the machine the scope https://www.googleapis.com/auth/pubsub .",
    "SERVICE_DISABLED": "Enable the Pub/Sub API in the project.",
    "PERMISSION_DENIED": _PUBLISHER,
    "UNAUTHENTICATED": "Check the credentials: they are expired, or for something else.",
    "NOT_FOUND": "Check the names of project and topic.",
    "RESOURCE_EXHAUSTED": "The project's quota is used up; the update is sent by the next run.",
    "401": "Check the credentials.",
    "403": _PUBLISHER,
    "404": "Check the names of project and topic.",
}


class Project(NamedTuple):
    """Where a topic is."""

    base: str
    """``https://pubsub.googleapis.com``"""
    name: str
    usual: bool
    """Whether nobody said where the API is."""

    @property
    def guarded(self) -> bool:
        """Whether credentials are for this place: they go to nobody but Google."""
        parts = urlsplit(self.base)
        return parts.scheme == "https" and (parts.hostname or "").endswith(".googleapis.com")


class _Answer(Struct, frozen=True):
    messageIds: tuple[str, ...] = ()


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One message with the event, and the channel's headers as its attributes; the door says who we are.

    Raises DeliveryError for settings that cannot be used.
    """
    event, service = wanted(Event, payload), channel.called("Google Pub/Sub")
    for complaint in complaints(channel):
        raise DeliveryError(f"{service}: {complaint.field}: {complaint.what}.", complaint.instead)
    message: dict[str, Any] = {"data": base64.b64encode(body(event)).decode()}
    if channel.headers:
        message["attributes"] = {name: value.reveal() for name, value in channel.headers}
    at, topic = project(channel.address), quote(channel.channel, safe="%~+")
    url = Secret(f"{at.base}/v1/projects/{at.name}/topics/{topic}:publish")
    return (json_request(url, {"messages": [message]}, service=service, hints=_HINTS),)


def acknowledged(response: Response) -> str:
    """Always "". Raises DeliveryError unless the answer is the id of one message."""
    try:
        given = decode(response.body, _Answer).messageIds
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        given = ()
    if len(given) != 1 or not given[0]:
        raise not_taken(response, {}, "Check the address: there seems to be something else than Pub/Sub.")
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Names that are none, attributes that the service does not take, credentials that are not whole."""
    return (*_names(channel), *_attributes(channel), *_credentials(channel))


def shown(body: bytes) -> object:
    """``body`` of a request for people to look at: with the event itself, where it holds that in base64."""
    told = json.loads(body)
    for message in told["messages"]:
        message["data"] = json.loads(base64.b64decode(message["data"]))
    return told


def project(address: Secret) -> Project:
    """The project that ``address`` names, alone or at the end of the URL of an API. Raises ValueError."""
    text = address.reveal()
    base = API
    if "://" in text:
        base, _, text = text.rpartition("/v1/")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError
        if not text.startswith("projects/"):
            raise ValueError
    found = re.fullmatch(_PROJECT, text.rstrip("/"))
    if not found:
        raise ValueError
    return Project(base, found[2], base == API)


def _names(channel: Channel) -> Iterator[Complaint]:
    try:
        project(channel.address)
    except ValueError:
        yield Complaint(
            "spec.address",
            "that is not the id of a project",
            "Write it as my-project; for an emulator as http://localhost:8085/v1/projects/my-project.",
        )
    if not re.fullmatch(_TOPIC, channel.channel):
        yield Complaint(
            "spec.channel",
            "that is not the id of a topic",
            "Write 3 to 255 letters, digits and -_.~+%, a letter first, without projects/…/topics/ before it.",
        )


def _attributes(channel: Channel) -> Iterator[Complaint]:
    if len(channel.headers) > MOST:
        yield Complaint(
            "spec.secretRef", f"`headers` are {len(channel.headers)}", f"A message takes {MOST} attributes."
        )
    for name, value in channel.headers:
        if name.startswith("goog"):
            yield Complaint("spec.secretRef", f"in `headers`, {name} begins with goog", "Google keeps that for itself.")
        long = len(name.encode()) > NAME_LIMIT or len(value.reveal().encode(errors="replace")) > VALUE_LIMIT
        if long:
            instead = f"An attribute has {NAME_LIMIT} bytes for its name and {VALUE_LIMIT} for its value."
            yield Complaint("spec.secretRef", f"in `headers`, {name[:40]} is too long", instead)


def _credentials(channel: Channel) -> Iterator[Complaint]:
    if not channel.token:
        return
    try:
        credentials(channel.token)
    except ValueError as error:
        instead = "Copy the whole JSON file that Google gave for the service account or the workload identity."
        yield Complaint("spec.secretRef", str(error), instead)


def credentials(token: Secret) -> dict[str, Any]:
    """The credentials in ``token``. Raises ValueError, which says what is wrong and quotes nothing."""
    try:
        given = json.loads(token.reveal())
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValueError("`token` is no JSON object")  # noqa: TRY004 — a setting is wrong, not a type of ours
    needed = CREDENTIALS.get(str(given.get("type")))
    if needed is None:
        raise ValueError(f"`token` has a type that is none of {', '.join(CREDENTIALS)}")
    missing = [name for name in needed if not isinstance(given.get(name), _OBJECTS.get(name, str)) or not given[name]]
    if missing:
        raise ValueError(f"`token` has no {missing[0]}")
    source = given.get("credential_source")
    if isinstance(source, dict) and "executable" in source:
        raise ValueError("`token` names a program to start, and none is started")
    return given
