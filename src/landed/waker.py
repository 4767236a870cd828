"""A pause that can be ended: by a change on a cluster, or by a signal."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

#: Seconds after the first change in which others may come: Flux writes an object several times in a row.
QUIET = 0.001


class Budget:
    """How much of a processor looks may take while one change follows the other.

    A single change is looked at without delay; of a flood many are taken together, the more the longer a look takes.
    """

    #: The part that they may take in the long run; the seconds of work by which they may exceed it for a while, and
    #: those that are remembered of what they have taken beyond that.
    SHARE, BURST, DEBT = 0.2, 0.05, 0.1

    def __init__(self) -> None:
        self._left = self.BURST

    def spend(self, worked: float, passed: float) -> float:
        """Take off the seconds ``worked`` of the last ``passed``. Gives the seconds of rest that are due now."""
        earned = self._left + self.SHARE * max(0.0, passed)
        self._left = max(min(earned, self.BURST) - max(0.0, worked), -self.DEBT)
        return max(0.0, -self._left / self.SHARE)


class Waker:
    """Ends a pause from any thread, and from a signal handler, where a lock could be one that is held already."""

    def __init__(self, quiet: float = QUIET) -> None:
        """``quiet`` are the seconds that a pause goes on after it was ended, so that a burst ends one pause only."""
        self._quiet = quiet
        self._queue: SimpleQueue[None] = SimpleQueue()
        self._woken = False
        self._budget = Budget()
        self._ended: tuple[float, float] | None = None
        """When the last pause began, and the processor time of this thread when it ended."""

    def wake(self) -> None:
        """End the pause, or the next one if there is none at present. Never blocks."""
        if not self._woken:
            self._woken = True
            self._queue.put(None)

    def excuse(self) -> None:
        """What was done since the last pause was worth it, and takes nothing off the budget."""
        if self._ended is not None:
            self._ended = self._ended[0], time.thread_time()

    def pause(self, seconds: float) -> bool:
        """Wait ``seconds``, or until somebody wakes. Says whether somebody did.

        It goes on for a while after that where what was done between pauses has taken a large part of the time.
        """
        began = time.monotonic()
        rest = self._rest(began)
        try:
            self._queue.get(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX))
        except Empty:
            return False
        else:
            waited = time.monotonic() - began
            left = max(self._quiet, min(rest, seconds) - waited)
            if left > 0:
                time.sleep(left)
            self._forget()
            return True
        finally:
            self._ended = began, time.thread_time()

    def _rest(self, now: float) -> float:
        """The seconds of rest that are due after what was done since the last pause; none before the first."""
        if self._ended is None:
            return 0.0
        before, worked = self._ended
        return self._budget.spend(time.thread_time() - worked, now - before)

    def _forget(self) -> None:
        """Whoever wakes from here on may be overheard: what is done after a pause sees what has changed before."""
        self._woken = False
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
