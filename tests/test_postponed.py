"""Signals that end a run wait until what has been acknowledged is taken down."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from landed import postponed
from landed.postponed import Postponed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Ended(BaseException):
    """What the handler makes of a signal."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[int]]:
    came: list[int] = []

    def end(number: int, _: object) -> None:
        came.append(number)
        raise Ended

    before = {number: signal.signal(number, end) for number in postponed.ENDING}
    yield came
    assert {number: signal.getsignal(number) for number in postponed.ENDING} == dict.fromkeys(before, end)
    for number, handler in before.items():
        signal.signal(number, handler)


def put_off(
    *numbers: int, hurry: Callable[[], object] = lambda: None, pause: Callable[[], object] = lambda: None
) -> None:
    """Send these signals to ourselves while they are put off; ``pause`` comes after each."""
    with Postponed(hurry):
        for number in numbers:
            signal.raise_signal(number)
            pause()


@pytest.mark.parametrize("number", postponed.ENDING)
def test_a_signal_waits_until_the_end_and_whoever_waits_is_told(number: int, handlers: list[int]) -> None:
    steps: list[str] = []
    with pytest.raises(Ended):
        put_off(number, hurry=lambda: steps.append("hurry"), pause=lambda: steps.append("done"))
    assert (steps, handlers) == (["hurry", "done"], [number])


def test_of_several_the_first_counts(handlers: list[int]) -> None:
    with pytest.raises(Ended):
        put_off(signal.SIGTERM, signal.SIGINT)
    assert handlers == [signal.SIGTERM]


def test_after_a_while_another_one_is_obeyed_at_once(handlers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("landed.postponed.time.monotonic", lambda: now[0])

    def pause() -> None:
        now[0] += postponed.PATIENCE

    with pytest.raises(Ended):
        put_off(signal.SIGINT, signal.SIGTERM, signal.SIGINT, pause=pause)
    assert handlers == [signal.SIGTERM]


def test_what_goes_wrong_meanwhile_is_not_lost(handlers: list[int]) -> None:
    def fail() -> None:
        raise ValueError("a full disk")

    with pytest.raises(Ended) as caught:
        put_off(signal.SIGTERM, pause=fail)
    assert isinstance(caught.value.__context__, ValueError)


def test_without_a_signal_nothing_happens(handlers: list[int]) -> None:
    with Postponed(lambda: pytest.fail("nobody has to hurry")):
        pass
    assert handlers == []


def test_signals_that_are_ignored_stay_so(handlers: list[int]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Postponed(lambda: pytest.fail("nobody has to hurry")):
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_them_to_the_main_one() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def elsewhere() -> None:
        with Postponed(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
