"""A way to reach a type of channel: what stands in for the service, and what is its own.

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
    example: str = "https://hooks.example.com/services/T024BE7LH/B01TESTHOOK/SxK9vQ3mR7tYwZ2pLd84NfGh"
    """An address of the kind that the service has."""
    method: str = "POST"
    """How a new message is sent."""
    content_type: str = "application/json"
    http: bool = True
    """Whether its stand-in speaks HTTP, and so can fail in every way that HTTP can."""
    idempotent: bool = False
    """Whether the service takes the same message twice for one: then it is sent again where it may have arrived."""
    plain: frozenset[str] = frozenset()
    """Members whose text the service shows as it is: there nobody is called."""
    calls: tuple[str, ...] = ()
    """What of a text that strangers wrote would call somebody, or be a link of theirs."""
    mention: tuple[str, str] = ("", "")
    """Where somebody can be called by name: an id as the service has them, and what then stands in the payload."""
    misnamed: tuple[str, ...] = ()
    """What might be taken for an id there, and would call others or nobody: it is left out."""

    def make(self) -> Any:
        """A new stand-in, to be entered."""
        return getattr(import_module(self.module), self.standin)(**self.settings)

    def channel(self, standin: Any, name: str = "") -> Channel:
        """The channel that is ``standin``."""
        address = standin.address.replace("127.0.0.1", self.host) if self.host else standin.address
        return self._channel(standin, name or self.type, address)

    def elsewhere(self) -> Channel:
        """A channel like it at a public address, that nothing is sent to."""
        return self._channel(getattr(import_module(self.module), self.standin), self.type, self.example)

    def _channel(self, given: Any, name: str, address: str) -> Channel:
        def of(what: str) -> str:
            return str(getattr(given, what, ""))

        return Channel(
            self.type,
            name,
            Secret(address),
            of("channel"),
            of("username"),
            Secret(of("token")),
            Secret(of("password")),
            tuple(getattr(given, "headers", ())),
        )
