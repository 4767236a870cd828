"""A few threads that work off a list, and do not outlive the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[T], object], items: Iterable[T], workers: int) -> list[threading.Thread]:
    """Have ``items`` worked off in order, at most ``workers`` at a time, and do not wait for it.

    ``work`` must not raise. The threads are daemons: a run that is told to stop does not wait for a request that hangs.
    """
    queue: SimpleQueue[T] = SimpleQueue()
    for item in items:
        queue.put(item)

    def loop() -> None:
        with suppress(Empty):
            while True:
                work(queue.get_nowait())

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(workers, queue.qsize()))]
    for thread in threads:
        thread.start()
    return threads


def at_once(work: Callable[[T], object], items: Iterable[T], workers: int = 8) -> None:
    """As ``start``, and wait until everything is done."""
    for thread in start(work, items, workers):
        thread.join()
