"""Whether the loop is well: it is as long as it gives a sign now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

#: How many of its longest pauses the loop may be late.
LATE = 3
#: Seconds that it may take in any case: a delivery may wait for a rate limit, a cluster for its time to be up.
LEAST = 180.0


class _Sign(Struct, frozen=True):
    at: float
    what: str


class Health:
    """Takes signs from the loop, and tells from them whether it is well. Safe to use from several threads.

    It begins well: the first look has as much time as any other.
    """

    def __init__(self, pause: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``pause``: the longest that there may be nothing to do between two signs, in seconds: the pause between two
        looks, or the longest that a delivery may wait for its turn.
        """
        self.limit = max(LATE * pause, LEAST)
        self._clock = clock
        self._sign = _Sign(clock(), "began")
        self._ready = False

    def looked(self) -> None:
        """A look is over, whatever came of it."""
        self._sign = _Sign(self._clock(), "looked at the clusters")
        self._ready = True

    def worked(self) -> None:
        """A delivery is over, whatever came of it: a look that brings much may take long."""
        self._sign = _Sign(self._clock(), "delivered something")

    def stood_by(self) -> None:
        """Another process does the work, and this one has just tried to take over: it is ready to."""
        self._sign = _Sign(self._clock(), "tried to take over")
        self._ready = True

    def trouble(self) -> str:
        """What is wrong, in a line; empty where nothing is."""
        sign = self._sign
        ago = self._clock() - sign.at
        if ago <= self.limit:
            return ""
        return f"The loop hangs: it last {sign.what} {ago:.0f} s ago, and may take {self.limit:.0f} s."

    def unready(self) -> str:
        """Why it does not work yet; empty where it does."""
        return self.trouble() or ("" if self._ready else "The first look is not over yet.")
