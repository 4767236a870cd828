"""A pause that can be ended, by threads and by signals."""

from __future__ import annotations

import os
import signal
import threading
import time

from landed.waker import Waker


def test_it_lasts_as_long_as_nobody_wakes() -> None:
    began = time.monotonic()
    assert not Waker().pause(0.02)
    assert time.monotonic() - began >= 0.02
    assert not Waker().pause(-1)


def test_a_wake_before_it_counts_and_only_once() -> None:
    waker = Waker()
    for _ in range(1000):
        waker.wake()
    assert waker.pause(60)
    assert not waker.pause(0)


def test_another_thread_ends_it() -> None:
    waker = Waker()
    threading.Timer(0.02, waker.wake).start()
    assert waker.pause(float("inf"))


def test_a_burst_is_one_wake() -> None:
    waker = Waker(quiet=0.1)

    def burst() -> None:
        for _ in range(5):
            waker.wake()
            time.sleep(0.005)

    thread = threading.Thread(target=burst)
    thread.start()
    assert waker.pause(60)
    thread.join()
    assert not waker.pause(0)


def test_no_wake_is_lost_however_they_fall() -> None:
    waker, changes, seen = Waker(quiet=0), [0], 0

    def change() -> None:
        for number in range(1, 3001):
            changes[0] = number
            waker.wake()

    thread = threading.Thread(target=change)
    thread.start()
    while seen < 3000:
        assert waker.pause(10)
        seen = changes[0]
    thread.join()


def test_a_signal_ends_it_even_while_it_wakes() -> None:
    waker = Waker()
    before = signal.signal(signal.SIGUSR1, lambda *_: waker.wake())
    try:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert waker.pause(60)
        for _ in range(300):
            os.kill(os.getpid(), signal.SIGUSR1)
            waker.wake()
            waker.pause(0.001)
    finally:
        signal.signal(signal.SIGUSR1, before)
