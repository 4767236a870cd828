"""What manifests say, before it is known what it takes to reach anybody."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from landed.model import Alert, Secret


class Place(Struct, frozen=True):
    """Where something was read."""

    file: str
    """A path, or ``cluster NAME``."""
    line: int = 0
    """Counted from 1; 0 where it did not come from a file."""
    document: int = 0
    """Counted from 1, within the file."""

    def __str__(self) -> str:
        """``alerts.yaml:12 (document 2)``."""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line} (document {self.document})" if self.document else f"{self.file}{line}"


class Problem(Struct, frozen=True):
    """One thing that is wrong with a manifest."""

    place: Place
    about: str
    """``Provider flux-system/slack``; empty where that is not known."""
    field: str
    """``spec.type``; empty for the whole document."""
    what: str
    """What is wrong, without any secret."""
    instead: str = ""
    """What to write."""


class Provider(Struct, frozen=True):
    """A Provider object, https://fluxcd.io/flux/components/notification/providers/ ."""

    namespace: str
    name: str
    type: str
    place: Place
    uid: str = ""
    address: Secret = Secret("")
    """Webhooks carry their password in it."""
    channel: str = ""
    username: str = ""
    timeout: float = 0.0
    """Seconds; 0 where nothing is said."""
    proxy: Secret = Secret("")
    secret: str = ""
    """``secretRef.name``; the others likewise."""
    cert_secret: str = ""
    proxy_secret: str = ""
    service_account: str = ""
    suspend: bool = False
    expression: str = ""
    """``commitStatusExpr``"""
    lines: Mapping[str, int] = {}
    """Field (``spec.type``) → the line it stands on, where it came from a file."""
    object: Mapping[str, object] = {}
    """All of it, for ``commitStatusExpr``."""


class Listener(Struct, frozen=True):
    """An Alert object and where it came from. Suspended ones are left out by whoever reads them."""

    alert: Alert
    place: Place
    lines: Mapping[str, int] = {}
    object: Mapping[str, object] = {}


class Manifests(Struct, frozen=True):
    """Everything that was read."""

    providers: tuple[Provider, ...] = ()
    listeners: tuple[Listener, ...] = ()
    secrets: Mapping[tuple[str, str], Mapping[str, Secret]] = {}
    """(namespace, name) → key → value, of Secret objects among the manifests."""
    notes: tuple[str, ...] = ()
    """What was ignored, and why: other kinds, suspended objects, fields without effect."""
    broken: frozenset[tuple[str, str]] = frozenset()
    """(namespace, name) of the Providers that are there, and left out because something is wrong with them."""
    asking: tuple[Listener, ...] = ()
    """The Alerts that are left out for that reason, as far as they say which Provider they want."""
