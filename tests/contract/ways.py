"""Every way to reach a type of channel: what stands in for the service, and what is its own.

A stand-in is a class whose objects are entered, and have

- ``address``; where they take them ``token``, ``channel``, ``username`` and ``password``: what a Channel needs;
- ``asked``, ``faults`` (of ``standins.server``), ``taken`` (the payloads, edits included), ``violations`` (what its
  judge did not allow);
- where messages are edited ``messages`` (what it calls a message → the message as it stands) and ``delete(message)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from landed.model import Channel, Secret


class Way(NamedTuple):
    """One way."""

    type: str
    """As in ``providers.CHAT``."""
    module: str
    standin: str
    settings: Mapping[str, Any] = {}
    """How the stand-in is made."""
    content: tuple[int, bytes] = (200, b"")
    """An answer of the service when it is content."""
    no: tuple[bytes, ...] = ()
    """Answers of 200 with which it does not take a message."""
    strict: bool = True
    """Whether an answer that makes no sense is no acknowledgement."""
    wordless: bool = False
    """Whether 200 without a word is an acknowledgement all the same."""
    edits: bool = False
    host: str = ""
    """What it must be called, where that matters."""
    plain: frozenset[str] = frozenset()
    """Members whose text the service shows as it is: there nobody is called."""
    calls: tuple[str, ...] = ()
    """What of a text that strangers wrote would call somebody, or be a link of theirs."""

    def make(self) -> Any:
        """A new stand-in, to be entered."""
        return getattr(import_module(self.module), self.standin)(**self.settings)

    def given(self, what: str) -> str:
        """The ``token`` or ``username`` that the service wants; empty where it wants none."""
        return str(getattr(getattr(import_module(self.module), self.standin), what, ""))

    def channel(self, standin: Any, name: str = "") -> Channel:
        """The channel that is ``standin``."""
        given = {what: getattr(standin, what, "") for what in ("channel", "username", "token", "password")}
        return Channel(
            self.type,
            name or self.type,
            Secret(standin.address.replace("127.0.0.1", self.host) if self.host else standin.address),
            given["channel"],
            given["username"],
            Secret(given["token"]),
            Secret(given["password"]),
        )


_SLACK = ("<!", "<@", "<#", "@here", "@channel", "@everyone")
_ROCKET = ("@all", "@here", "@channel")

WAYS = {
    "discord": Way(
        "discord", "standins.discord", "Discord", content=(200, b'{"id":"1290000000000000000"}'), edits=True,
        no=(b'{"message":"no","code":50035}', b'{"id":null}', b'{"id":"../1"}'), calls=("@everyone", "@here"),
    ),
    "generic": Way("generic", "standins.webhook", "Receiver", content=(204, b""), strict=False),
    "generic-hmac": Way("generic-hmac", "standins.webhook", "Signed", content=(204, b""), strict=False),
    "rocket api": Way(
        "rocket", "standins.rocket", "Rocket", edits=True, calls=_ROCKET,
        content=(200, b'{"success":true,"channel":"x","message":{"_id":"jC9chsFddTvsbFQG7","rid":"GENERAL"}}'),
        no=(b'{"success":false,"error":"error-not-allowed"}', b'{"success":"true"}'),
    ),
    "rocket webhook": Way(
        "rocket", "standins.rocket", "RocketWebhook", plain=frozenset({"title"}), calls=_ROCKET,
        content=(200, b'{"success":true}'),
        no=(b'{"success":false}', b'{"success":false,"error":"Invalid channel"}'),
    ),
    "slack bot": Way(
        "slack", "standins.slack", "SlackBot", edits=True, calls=_SLACK,
        content=(200, b'{"ok":true,"channel":"C024BE91L","ts":"1700000000.000001"}'),
        no=(b'{"ok":false,"error":"channel_not_found"}', b'{"ok":true}', b'{"ok":"true","channel":"C1","ts":"1.1"}'),
    ),
    "slack webhook": Way(
        "slack", "standins.slack", "SlackWebhook", content=(200, b"ok"), no=(b"no_service", b"OK?"), calls=_SLACK
    ),
    "teams connector": Way(
        "msteams", "standins.msteams", "Teams", {"connector": True}, content=(200, b"1"), wordless=True,
        calls=("<at>",),
        host="acme.webhook.office.com",
        no=(b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",),
    ),
    "teams workflow": Way(
        "msteams", "standins.msteams", "Teams", content=(202, b""), strict=False, calls=("<at>",)
    ),
}  # fmt: skip
