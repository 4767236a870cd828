"""A pause that can be ended: by a change on a cluster, or by a signal."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

#: Seconds after the first change in which others may come: Flux writes an object several times in a row.
QUIET = 0.003


class Waker:
    """Ends a pause from any thread, and from a signal handler, where a lock could be one that is held already."""

    def __init__(self, quiet: float = QUIET) -> None:
        """``quiet`` are the seconds that a pause goes on after it was ended, so that a burst ends one pause only."""
        self._quiet = quiet
        self._queue: SimpleQueue[None] = SimpleQueue()
        self._woken = False

    def wake(self) -> None:
        """End the pause, or the next one if there is none at present. Never blocks."""
        if not self._woken:
            self._woken = True
            self._queue.put(None)

    def pause(self, seconds: float) -> bool:
        """Wait ``seconds``, or until somebody wakes. Says whether somebody did."""
        try:
            self._queue.get(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX))
        except Empty:
            return False
        if self._quiet:
            time.sleep(self._quiet)
        # Whoever wakes from here on may be overheard: what is done after a pause sees what has changed before.
        self._woken = False
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
        return True
