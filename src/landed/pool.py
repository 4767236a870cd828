"""A few threads that work off a list, and do not outlive the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Crew(Generic[T]):
    """Works off ``items`` in order, at most ``workers`` at a time. Begins at once, and does not wait for its end.

    ``work`` must not raise. The threads are daemons: a run that is told to stop does not wait for a request that hangs.
    """

    def __init__(self, work: Callable[[T], object], items: Iterable[T], workers: int) -> None:
        self._work = work
        self._queue: SimpleQueue[T] = SimpleQueue()
        for item in items:
            self._queue.put(item)
        number = min(workers, self._queue.qsize())
        self._threads = [threading.Thread(target=self._loop, daemon=True) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _loop(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            self._work(item)

    def stop(self) -> None:
        """Begin nothing new."""
        while True:
            try:
                self._queue.get_nowait()
            except Empty:
                return

    def wait(self, seconds: float | None = None) -> None:
        """Wait until what has begun is done, but not longer than ``seconds``."""
        end = None if seconds is None else monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - monotonic()))


def at_once(work: Callable[[T], object], items: Iterable[T], workers: int = 8) -> None:
    """Work off ``items``, several at a time, and wait until everything is done."""
    Crew(work, items, workers).wait()
