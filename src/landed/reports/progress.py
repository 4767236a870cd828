"""Says what is going on, but only of what takes long, and not too often."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Seconds that something may take without a word.
PATIENCE = 1.0


class Progress:
    """Shows the latest text given to ``say``: first after a second, then at most once in ``every`` seconds.

    A timer shows what is due while the caller is stuck in a call that does not return. ``show`` may thus be called
    from another thread.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        *,
        every: float,
        clock: Callable[[], float],
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        self._show = show
        self._every = every
        self._clock = clock
        self._make_timer = timer
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._text = self._shown = ""
        self._due = 0.0

    def say(self, text: str) -> None:
        """What goes on now; "" when it is over."""
        with self._lock:
            if not self._text:
                self._due = self._clock() + PATIENCE
            self._text = text
            if text:
                self._show_if_due()
            else:
                self._stop()

    def _show_if_due(self) -> None:
        if self._text == self._shown:
            return
        left = self._due - self._clock()
        if left <= 0:
            self._due += self._every - left
            self._shown = self._text
            self._show(self._text)
        elif self._timer is None:
            self._timer = self._make_timer(left, self._tick)
            self._timer.daemon = True
            self._timer.start()

    def _tick(self) -> None:
        with self._lock:
            self._timer = None
            if self._text:
                self._show_if_due()

    def _stop(self) -> None:
        self._shown = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
