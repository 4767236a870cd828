"""A pause that can be ended, by threads and by signals."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from landed.waker import Budget, Waker


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


def test_a_single_change_owes_no_rest() -> None:
    budget = Budget()
    for _ in range(100):
        assert not budget.spend(0.02, 1.0)


def test_a_flood_of_changes_is_looked_at_for_a_fifth_of_the_time() -> None:
    budget, passed, worked = Budget(), 0.0, 0.0
    rest = 0.0
    while passed < 100:
        rest = budget.spend(0.02, 0.02 + rest)
        worked += 0.02
        passed += 0.02 + rest
    assert worked / passed == pytest.approx(Budget.SHARE, rel=0.01)


def test_no_look_however_long_owes_more_than_half_a_second() -> None:
    budget = Budget()
    assert budget.spend(1000.0, 1000.0) == budget.spend(1000.0, 0.0) == pytest.approx(0.5)
    assert not budget.spend(0.0, 1000.0)
    assert not budget.spend(-5.0, -5.0), "clocks of different threads"


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def pause_after(work: float, *, excused: bool = False) -> float:
    """How long a pause goes on that is ended at once, after so many seconds of work."""
    waker = Waker(quiet=0)
    waker.wake()
    waker.pause(60)
    busy(work)
    if excused:
        waker.excuse()
    waker.wake()
    began = time.monotonic()
    assert waker.pause(60)
    return time.monotonic() - began


def test_after_much_work_a_pause_goes_on() -> None:
    assert pause_after(0.1) >= 0.1
    assert pause_after(0.1, excused=True) < 0.1


def test_a_pause_is_never_longer_than_asked() -> None:
    waker = Waker(quiet=0)
    waker.pause(0)
    busy(0.1)
    waker.wake()
    began = time.monotonic()
    assert waker.pause(0.01)
    assert time.monotonic() - began < 0.1
