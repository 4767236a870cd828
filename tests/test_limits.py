"""The limit on writes, as a Git host's settings have it: never passed in any window, whoever writes and whenever."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import GitHost, Secret
from landed.providers.asking import Answer, Asker, Dialect, Meaning, Task
from landed.providers.outlet import Turns

WRITES = ((80, 60.0), (500, 3600.0))
HOST = GitHost("github", "github.com", "https://api.github.com", Secret("t0ken"), writes=WRITES)
#: A clock that adds up has rounding errors.
TINY = 1e-6


class Clock:
    """Goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return faked(monkeypatch)


def faked(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Every bucket that is made from now on keeps to this clock."""
    clock = Clock()
    monkeypatch.setattr("landed.http.TokenBucket", partial(TokenBucket, clock=clock.read, sleep=clock.sleep))
    return clock


def bucket(turns: Turns, host: GitHost = HOST) -> TokenBucket:
    found = turns.of(host)
    assert found is not None
    return found


def keep_to(taken: list[float], windows: tuple[tuple[int, float], ...] = WRITES) -> None:
    """Fail if any window, wherever it begins, holds more than it may."""
    for count, seconds in windows:
        for earlier, later in zip(taken, taken[count:], strict=False):
            assert later - earlier >= seconds - TINY


def asker(clock: Clock, turns: Turns, exchange: Callable[[str], Answer], host: GitHost = HOST) -> Asker:
    dialect = Dialect(lambda _task, _answer: Meaning("it says no"), lambda _: "", lambda _answer, _now: None, "", "it")
    return Asker(host, dialect, lambda verb, _url, _body: exchange(verb), turns=turns.of(host), sleep=clock.sleep)


def write(to: Asker, verb: str = "POST") -> None:
    to.ask(Task(verb, "nothing is written", None, "GitHub"), "/", {})


def test_as_many_writes_as_there_are_never_pass_80_a_minute_nor_500_an_hour(clock: Clock) -> None:
    turns = bucket(Turns())
    taken = []
    for _ in range(1200):
        assert turns.take() == 0
        taken.append(clock.now - 1_000)

    keep_to(taken)
    assert taken[: Turns.BURST] == [0.0] * Turns.BURST
    assert taken[79] < 60, "a minute's worth is not held back longer than a minute"
    assert taken[499] < 500 * 60 / 80
    assert 3600 - TINY <= taken[500] < 3600 + 60, "the hour is used up: the next write waits for its end"
    assert 2 * 3600 - TINY <= taken[1000] < 2 * (3600 + 60)


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 120), st.floats(0, 4000)), max_size=40), st.data()
)
def test_bursts_after_pauses_of_any_length_never_pass_a_window(pauses: list[float], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = faked(patch)
        turns = bucket(Turns())
    taken = []
    for pause in pauses:
        clock.now += pause
        for _ in range(data.draw(st.integers(1, 90))):
            turns.take()
            taken.append(clock.now)
    keep_to(taken)


@given(
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from([1.0, 10.0, 60.0, 3600.0])), min_size=1, max_size=3),
    st.lists(st.floats(0, 100), min_size=1, max_size=80),
)
def test_whatever_the_windows_are(windows: list[tuple[int, float]], pauses: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = faked(patch)
        turns = bucket(Turns(), GitHost("gitea", "git.example.com", "https://git.example.com", writes=tuple(windows)))
    taken = []
    for moment in accumulate(pauses):
        clock.now = max(clock.now, 1_000.0 + moment)
        turns.take()
        taken.append(clock.now)
    keep_to(taken, tuple(windows))


def test_a_write_that_would_wait_too_long_takes_no_turn(clock: Clock) -> None:
    host = GitHost("github", "github.com", "https://api.github.com", max_wait=60.0, writes=WRITES)
    written: list[float] = []

    def exchange(_verb: str) -> Answer:
        written.append(clock.now)
        return Answer(201, {}, "{}")

    one = asker(clock, Turns(), exchange, host)
    for _ in range(500):
        write(one)
    for _ in range(20):
        with pytest.raises(DeliveryError, match="enough has been written for now") as caught:
            write(one)
    assert caught.value.passing
    assert "80 in 60 s and 500 in 60 min" in caught.value.hint
    clock.now = 1_000.0 + 3600
    for _ in range(Turns.BURST):
        write(one)

    assert len(written) == 500 + Turns.BURST
    keep_to(written)


def test_reads_take_no_turn_and_tries_do(clock: Clock) -> None:
    asked: list[tuple[str, float]] = []

    def exchange(verb: str) -> Answer:
        asked.append((verb, clock.now))
        return Answer(503 if len(asked) % 2 else 201, {"retry-after": "0"}, "{}")

    one = asker(clock, Turns(), exchange)
    for _ in range(100):
        write(one)
        write(one, "GET")

    writes = [when for verb, when in asked if verb == "POST"]
    assert len(writes) == 200, "each was tried twice"
    keep_to(writes)


def test_everything_that_is_written_with_one_credential_shares_its_turns(clock: Clock) -> None:
    turns = Turns()
    written: list[float] = []

    def exchange(_verb: str) -> Answer:
        written.append(clock.now)
        return Answer(201, {}, "{}")

    kinds = [asker(clock, turns, exchange, host) for host in (HOST, replace(HOST, host="www.github.com"))]
    for number in range(300):
        write(kinds[number % 2])

    keep_to(written)
    other = replace(HOST, token=Secret("another"))
    assert turns.of(HOST) is turns.of(HOST)
    assert turns.of(other) is not turns.of(HOST)


def test_where_there_is_no_limit_there_is_always_a_turn() -> None:
    turns = Turns().of(GitHost("gitea", "git.example.com", "https://git.example.com"))

    assert [turns.take(0) for _ in range(1000)] == [0] * 1000


def test_who_waits_for_a_turn_hears_that_nobody_is_to_ask() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        turns.hold(3600)

    turns = TokenBucket(1, 1, clock=lambda: now[0], sleep=sleep)
    assert turns.take(60) == 0

    assert turns.take(60) == 3600
    assert slept == [1]


def test_a_short_quiet_is_waited_for() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if now[0] == 1:
            turns.hold(5)

    turns = TokenBucket(1, 1, clock=lambda: now[0], sleep=sleep)

    assert [turns.take(60), turns.take(60)] == [0, 0]
    assert now == [6]
    assert turns.held() == 0
