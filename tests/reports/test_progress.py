from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from landed.reports import progress
from landed.reports.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable


class Time:
    """A clock and its timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Alarm] = []

    def __call__(self) -> float:
        return self.now

    def timer(self, after: float, then: Callable[[], None]) -> threading.Timer:
        alarm = Alarm(self.now + after, then)
        self.timers.append(alarm)
        return alarm  # type: ignore[return-value]

    def pass_(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [alarm for alarm in self.timers if alarm.live and alarm.at <= until]:
            alarm = min(due, key=lambda a: a.at)
            alarm.live = False
            self.now = max(self.now, alarm.at)
            alarm.then()
        self.now = until


class Alarm:
    """A timer that goes off when time is moved."""

    def __init__(self, at: float, then: Callable[[], None]) -> None:
        self.at = at
        self.then = then
        self.daemon = False
        self.live = False

    def start(self) -> None:
        assert self.daemon, "it must not keep the program alive"
        self.live = True

    def cancel(self) -> None:
        self.live = False


@pytest.fixture
def time() -> Time:
    return Time()


def reporting(time: Time, every: float = 5.0) -> tuple[Progress, list[tuple[float, str]]]:
    shown: list[tuple[float, str]] = []
    return Progress(lambda t: shown.append((time.now - 100, t)), every=every, clock=time, timer=time.timer), shown


def test_what_is_over_within_a_second_is_not_shown(time: Time) -> None:
    reports, shown = reporting(time)
    reports.say("reading")
    time.pass_(0.9)
    reports.say("")
    time.pass_(60)
    assert shown == []


def test_what_takes_longer_is_shown_after_a_second_even_if_nobody_calls(time: Time) -> None:
    reports, shown = reporting(time)
    for _ in range(60):
        reports.say("reading")
        time.pass_(1)
    assert shown == [(1.0, "reading")], "once: a text that does not change tells nothing new"


def test_many_steps_count_as_one_and_are_shown_now_and_then(time: Time) -> None:
    reports, shown = reporting(time)
    for step in range(120):
        reports.say(f"step {step}")
        time.pass_(0.1)
    assert [round(when) for when, _ in shown] == [1, 6, 11]
    assert [text[:-1] for _, text in shown] in (["step 1", "step 6", "step 11"], ["step ", "step 5", "step 10"])
    time.pass_(60)
    assert (round(shown[-1][0]), shown[-1][1]) == (16, "step 119"), "the last one is not lost"


def test_the_next_thing_gets_its_second_too(time: Time) -> None:
    reports, shown = reporting(time)
    reports.say("reading")
    time.pass_(2)
    reports.say("")
    time.pass_(10)
    reports.say("delivering")
    time.pass_(0.5)
    assert shown == [(1.0, "reading")]
    time.pass_(1)
    assert shown == [(1.0, "reading"), (13.0, "delivering")]


def test_the_same_text_in_another_run_is_shown_again(time: Time) -> None:
    reports, shown = reporting(time)
    for _ in range(2):
        reports.say("reading")
        time.pass_(2)
        reports.say("")
    assert [text for _, text in shown] == ["reading", "reading"]


def test_a_timer_that_comes_too_late_says_nothing(time: Time) -> None:
    reports, shown = reporting(time)
    reports.say("reading")
    (alarm,) = time.timers
    reports.say("")
    alarm.then()
    assert shown == []


def test_it_works_with_real_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    import time as real

    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    shown = threading.Event()
    reports = Progress(lambda _: shown.set(), every=5.0, clock=real.monotonic)
    reports.say("reading")
    assert shown.wait(10)
    reports.say("")
