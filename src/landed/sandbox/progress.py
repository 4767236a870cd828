"""How far the story has come: written by whoever tells it, read by the page."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import Struct, structs


class Scene(Struct, frozen=True):
    """One beat as it went."""

    title: str
    happens: str
    because: str
    printed: str = ""
    """What ``landed report`` printed."""
    sent: str = ""
    """What that look sent, counted: ``4 statuses, 1 message``. Empty while it has not looked."""


class Progress:
    """The scenes of the story and which one is on. Safe to use from many threads."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._lock = threading.Lock()
        self._scenes = list(scenes)
        self._current = -1
        self.version = 0

    @property
    def current(self) -> int:
        """The number of the scene that is on, from 0; -1 before the first, their count after the last."""
        return self._current

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All scenes."""
        with self._lock:
            return tuple(self._scenes)

    def begin(self, number: int) -> None:
        """A scene begins."""
        with self._lock:
            self._current = number
            self.version += 1

    def told(self, number: int, printed: str, sent: str) -> None:
        """``landed report`` has looked at a scene."""
        with self._lock:
            self._scenes[number] = structs.replace(self._scenes[number], printed=printed, sent=sent)
            self.version += 1
