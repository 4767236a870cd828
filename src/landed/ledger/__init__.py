"""Where the ledger lives: a registry of places, one file per place."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from landed.ledger.interface import Ledger

#: Scheme of ``--ledger`` → module with ``connect(location, …)``. A plain path is ``file``.
LEDGERS = {
    "file": "landed.ledger.file",
}


class Share(Struct, frozen=True):
    """A run's part of a ledger that several runs use at a time."""

    name: str
    """``2-of-4``: two runs of one part wait for each other, those of different parts do not."""
    clusters: tuple[str, ...]
    """The clusters that the run is for. Nobody else is for them."""


def ledger(
    location: str,
    *,
    lock_timeout: float = 30.0,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
    shared: Share | None = None,
) -> Ledger:
    """Make the ledger that ``location`` names: a path, or ``scheme://…``. Nothing is opened yet.

    ``lock_timeout`` is in seconds. ``shared`` is the part of this run, where others use the ledger at the same time; it
    is then held only while it is read and while it is written. Raises ConfigurationError for an empty location or an
    unknown scheme.
    """
    scheme, separator, rest = location.partition("://")
    if not separator:
        scheme, rest = "file", location
    if scheme not in LEDGERS:
        known = ", ".join(f"{name}://" for name in LEDGERS)
        raise ConfigurationError(
            f"The ledger {location!r} has an unknown scheme.",
            f"Give --ledger a path or one of: {known}",
        )
    if not rest or "\0" in rest:
        raise ConfigurationError(
            f"The ledger {location!r} names no place.", "Give --ledger a path, for example .landed/ledger.json"
        )
    made: Ledger = import_module(LEDGERS[scheme]).connect(
        rest, lock_timeout=lock_timeout, warn=warn, progress=progress, shared=shared
    )
    return made


__all__ = ["Share", "ledger"]
