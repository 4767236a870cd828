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

    Items of one ``lane`` are worked off one after the other; "" is no lane. ``work`` must not raise. The threads are
    daemons: a run that is told to stop does not wait for a request that hangs.
    """

    def __init__(
        self,
        work: Callable[[T], object],
        items: Iterable[T],
        workers: int,
        lane: Callable[[T], str] = lambda _: "",
    ) -> None:
        self._work = work
        self._stopped = False
        self._queue: SimpleQueue[list[T]] = SimpleQueue()
        for together in _lanes(items, lane):
            self._queue.put(together)
        number = min(workers, self._queue.qsize())
        self._threads = [threading.Thread(target=self._loop, daemon=True) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _loop(self) -> None:
        while True:
            try:
                together = self._queue.get_nowait()
            except Empty:
                return
            for item in together:
                if self._stopped:
                    return
                self._work(item)

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopped = True

    def wait(self, seconds: float | None = None) -> None:
        """Wait until what has begun is done, but not longer than ``seconds``."""
        end = None if seconds is None else monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - monotonic()))


def _lanes(items: Iterable[T], lane: Callable[[T], str]) -> Iterable[list[T]]:
    """``items`` in the order of the first of each lane."""
    lanes: dict[object, list[T]] = {}
    for item in items:
        lanes.setdefault(lane(item) or object(), []).append(item)
    return lanes.values()


def at_once(work: Callable[[T], object], items: Iterable[T], workers: int = 8) -> None:
    """Work off ``items``, several at a time, and wait until everything is done."""
    Crew(work, items, workers).wait()
