"""What a ledger must be able to do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from landed.told import Told


class Ledger(Protocol):
    """Keeps what was told between runs. Opened once per run; one run at a time holds it, or its part of it."""

    def open(self) -> AbstractContextManager[Told]:
        """Hold the ledger and give what it says.

        Missing or damaged content is a warning and an empty ``Told``; a place that cannot be used at all
        (a directory, not writable, held by another run for too long) raises ConfigurationError.
        """

    def save(self, told: Told) -> None:
        """Write wholly or not at all; not at all, too, if nothing differs from what is stored.

        What others stored since ``open`` is merged in, never erased. ``told`` itself is not changed.
        Raises ConfigurationError.
        """

    def peek(self) -> Told:
        """What the ledger says, without holding, making, moving or writing anything.

        Missing content is an empty ``Told``; damaged content too, with a warning.
        Raises ConfigurationError where the place cannot be read.
        """
