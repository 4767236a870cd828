"""Puts off the signals that end a run until what must not be torn apart is done.

Python carries a signal out between any two steps of the main thread, so that an exception can leave an acknowledgement
that has come in and is not taken down yet: it would be told twice.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any

#: What ends a run: a person, and a CI system or a kubelet.
ENDING = (signal.SIGINT, signal.SIGTERM)

#: Seconds after which nobody has to wait any longer: a second signal is carried out at once.
PATIENCE = 3.0


class Postponed:
    """While this is entered, signals that end a run are noted; the first of them is carried out when it is left.

    Whoever sends another one ``PATIENCE`` seconds later is obeyed at once, as something seems to hang.
    ``hurry`` is called at each, in the main thread between any two of its steps: it must neither block nor take a lock.
    Signals that nobody handles, and every thread but the main one, stay as they are.
    """

    def __init__(self, hurry: Callable[[], object]) -> None:
        self._hurry = hurry
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: int | None = None
        self._since = 0.0

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        found: Mapping[int, Any] = {number: signal.getsignal(number) for number in ENDING}
        self._before = {number: handler for number, handler in found.items() if callable(handler)}
        try:
            for number in self._before:
                signal.signal(number, self._note)
        except BaseException:  # one that came just before
            self._restore()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._restore()
        if self._came is not None:
            self._before[self._came](self._came, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came is None:
            self._came, self._since = number, time.monotonic()
        elif time.monotonic() - self._since >= PATIENCE:
            self._came = None
            self._before[number](number, frame)
        self._hurry()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
