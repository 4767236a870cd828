"""When to try again, and how fast to go: patience with one request, and a bucket of turns for many."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from landed.errors import DeliveryError
from landed.http.words import spoken

#: How often one request is made, at most, and how long all the waits between may take together (seconds).
TRIES, MAX_WAIT = 4, 60.0


class Patience:
    """How often one request may still be tried, and how long it may still wait."""

    def __init__(self, max_wait: float, sleep: Callable[[float], object] = time.sleep, tries: int = TRIES) -> None:
        self._left = max_wait
        self._sleep = sleep
        self._tries = tries
        self._tried = 1
        self.asked = 0.0
        """Seconds that the other side asked for and that were too many."""

    def wait(self, asked: float | None = None) -> bool:
        """Sleep before another try: as long as the other side asked, else a little longer each time.

        False, and no sleep, where there is to be no other try.
        """
        from random import random

        pause = 0.5 * 2 ** (self._tried - 1) * (0.5 + random()) if asked is None else asked  # noqa: S311
        if pause > self._left:
            self.asked = asked or 0.0
            return False
        if self._tried >= self._tries:
            return False
        self._tried += 1
        self._left -= pause
        self._sleep(pause)
        return True

    def worded(self, failure: DeliveryError) -> DeliveryError:
        """``failure``, and how long the other side asked to wait where that was too long."""
        if not self.asked:
            return failure
        return DeliveryError(
            f"{failure.message.rstrip('.')}; it asks to wait {spoken(self.asked)}, longer than this run may wait.",
            failure.hint or "The update is sent by the next run.",
            passing=True,
            uncertain=failure.uncertain,
        )


class TokenBucket:
    """Spreads requests over time: ``burst`` at once, then ``rate`` per second, and never more than any window allows.

    Safe to use from several threads; every caller waits for its own turn. Where the other side asks for quiet, ``hold``
    tells everybody who shares the bucket, those who wait for a turn included.
    """

    def __init__(
        self,
        burst: int,
        rate: float,
        windows: tuple[tuple[int, float], ...] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take ``windows`` as (requests, seconds): at most so many in any so many seconds."""
        from collections import deque
        from threading import Lock

        self._burst = burst
        self._interval = 1 / rate
        self._windows = windows
        self._granted = deque[float](maxlen=max((count for count, _ in windows), default=1))
        self._full = float("-inf")
        """When the bucket will have all its tokens again."""
        self._quiet_until = float("-inf")
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()

    @classmethod
    def without_limit(cls) -> TokenBucket:
        """A bucket in which there is always a turn, for a host that only asks for quiet now and then."""
        return cls(1, float("inf"))

    def hold(self, seconds: float) -> None:
        """Nobody is to ask for so long."""
        with self._lock:
            self._quiet_until = max(self._quiet_until, self._clock() + seconds)

    def held(self) -> float:
        """For how many seconds nobody is to ask; 0 for none."""
        return max(0.0, self._quiet_until - self._clock())

    def take(self, max_wait: float = float("inf")) -> float:
        """Wait for a turn; 0 then. Or the seconds it would take, if too many: then there is none.

        Who had to wait hears of a ``hold`` that came meanwhile.
        """
        with self._lock:
            now = self._clock()
            turn = max(now, self._full - (self._burst - 1) * self._interval, *self._window_turns())
            if turn - now > max_wait:
                return turn - now
            self._full = max(self._full, turn) + self._interval
            self._granted.append(turn)
        if turn > now:
            self._sleep(turn - now)
            left = self.held()
            if left > max_wait:
                return left
            if left:
                self._sleep(left)
        return 0.0

    def _window_turns(self) -> Iterator[float]:
        yield float("-inf")
        for count, seconds in self._windows:
            if len(self._granted) >= count:
                yield self._granted[-count] + seconds


def retry_after(value: str, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, either form (RFC 9110, 10.2.3); None where it makes no sense."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def said_in(body: bytes) -> float | None:
    """Seconds to wait by the body of a refusal, where its header does not say: Telegram, Zulip and Discord name them
    ``retry_after`` or ``retry-after``, Matrix names milliseconds ``retry_after_ms``. None where there is nothing.
    """
    found = re.search(rb'"retry[_-]after(_ms)?"\s*:\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*[,}]', body[:4096])
    return float(found[2]) / (1000 if found[1] else 1) if found else None
