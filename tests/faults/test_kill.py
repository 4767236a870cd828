"""A run may end at any moment, and an answer may get lost: the next run completes it.

Nothing is lost, a commit status is never written twice, a message to people is repeated once at most.

Two ways to hit every moment: the stand-ins hold a request, before or after they have acted on it, while the run is
killed; and ``strace`` kills the run at its n-th call of one kind, for what it does on its own (files, locks, TLS).
``LANDED_FULL_SWEEP=1`` tries all of them instead of a sample.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest
from faults import inside
from faults.world import STATUSES
from integration.command import without_progress, workplace
from standins.server import hang, hang_after, lost, reset, rubbish

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from integration.command import Workplace
    from standins.github import GitHub
    from standins.server import Fault
    from standins.webhook import Receiver

FULL = bool(os.environ.get("LANDED_FULL_SWEEP"))

#: Requests of an undisturbed first run: each commit is read back, each status written.
READS, WRITES = len(STATUSES), sum(map(len, STATUSES.values()))


def _complete(place: Workplace, *, messages: int = 1) -> None:
    """Run again, unharmed, and see that everything is as if nothing had happened."""
    done = inside.report(place)
    assert done.code == 0, done.err
    assert place.statuses() == STATUSES
    stored = [
        (status["url"], status["context"], status["state"])
        for each in place.github.statuses.values()
        for status in each
    ]
    assert [what for what, times in Counter(stored).items() if times > 1] == []
    for taken in (place.slack.taken, place.generic.taken):
        assert 1 <= len(taken) <= messages
        assert len({str(message) for message in taken}) == 1
    place.forget()
    again = inside.report(place)
    assert again.code == 0
    assert place.silent()


def _wait_for(place: Workplace, standin: GitHub | Receiver, number: int) -> subprocess.Popen[str]:
    """Start a run and come back when ``standin`` got its ``number``-th request."""
    process = place.start()
    deadline = time.monotonic() + 30
    while len(standin.asked) < number and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert len(standin.asked) >= number, "the run ended before it could be hit"
    return process


def _end(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str]:
    process.send_signal(how)
    _, err = process.communicate(timeout=20)
    return process.returncode, err


# ── while a request is under way ────────────────────────────────────────────────────────────────────────────────────


def _sample(numbers: Iterable[int]) -> list[int]:
    """All of them, or the ends and something in between."""
    every = list(numbers)
    return every if FULL else sorted({every[0], every[len(every) // 2], every[-1]})


@pytest.mark.parametrize("acted", [False, True], ids=["before it acted", "after it acted"])
@pytest.mark.parametrize("number", _sample(range(1, READS + WRITES + 1)))
def test_killed_while_the_git_host_is_asked(place: Workplace, number: int, acted: bool) -> None:
    place.github.faults.extend([*[None] * (number - 1), hang_after() if acted else hang()])
    process = _wait_for(place, place.github, number)
    _end(process, signal.SIGKILL)
    place.github.faults.clear()

    _complete(place, messages=2)


@pytest.mark.parametrize("acted", [False, True], ids=["before it acted", "after it acted"])
@pytest.mark.parametrize("channel", ["slack", "generic"])
def test_killed_while_people_are_told(place: Workplace, channel: str, acted: bool) -> None:
    standin: Receiver = getattr(place, channel)
    standin.faults.append(hang_after() if acted else hang())
    process = _wait_for(place, standin, 1)
    _end(process, signal.SIGKILL)

    _complete(place, messages=2)


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["terminated", "interrupted"]
)
@pytest.mark.parametrize("number", _sample(range(1, READS + WRITES + 1)))
def test_a_run_that_is_ended_says_so_and_keeps_what_was_acknowledged(
    place: Workplace, number: int, how: signal.Signals, code: int
) -> None:
    place.github.faults.extend([*[None] * (number - 1), hang()])
    process = _wait_for(place, place.github, number)
    ended, err = _end(process, how)
    place.github.faults.clear()

    assert ended == code
    assert "Traceback" not in err
    assert len(without_progress(err).split("\n")) <= 4  # after ^C on a terminal comes an empty line
    _complete(place, messages=2)  # one that was under way may or may not have arrived


# ── between requests: files, locks, connections ─────────────────────────────────────────────────────────────────────

#: What a run does that somebody else can see, or that must be whole.
CALLS = (
    "connect",
    "sendto",
    "recvfrom",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "unlink",
    "flock",
    "fcntl",
    "openat",
    "close",
)


class Point(NamedTuple):
    """The n-th call of a kind, in whichever thread comes to it first."""

    call: str
    number: int


@cache
def _can_trace() -> str:
    """Why ``strace`` cannot be used, if it cannot."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "ptrace is not allowed here"


def _points(place: Workplace, trace: Path) -> list[Point]:
    """Every point of an undisturbed run, after the one at which it opened its ledger."""
    calls = ",".join(f"?{call}" for call in CALLS)
    process = place.start("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    seen: Counter[tuple[str, str]] = Counter()
    points: dict[Point, None] = {}
    begun = False
    for thread, call, rest in re.findall(r"^(\d+) +(\w+)\((.*)$", trace.read_text(), re.MULTILINE):
        seen[thread, call] += 1
        begun = begun or "ledger.json" in rest
        if begun:
            points[Point(call, seen[thread, call])] = None
    return list(points)


def _sampled(points: list[Point]) -> list[Point]:
    """All of them, or the first and the last of each kind, and of writing some in between."""
    if FULL:
        return points
    sampled = []
    for call in dict.fromkeys(point.call for point in points):
        same = [point for point in points if point.call == call]
        step = max(1, len(same) // 5) if call in ("write", "sendto") else max(1, len(same) - 1)
        sampled += same[::step]
    return sampled


def test_killed_at_any_call(place: Workplace, cluster: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    if why := _can_trace():
        pytest.skip(why)
    points = _sampled(_points(place, place.folder / "trace"))
    assert {"write", "rename", "fsync", "sendto"} <= {point.call for point in points}
    killed = 0
    for point in points:
        with workplace(tmp_path_factory.mktemp(point.call)) as fresh:
            fresh.configure((place.folder / "kubeconfig").read_text())
            inject = f"inject={point.call}:signal=SIGKILL:when={point.number}"
            wrapper = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={point.call}", "-e", inject)
            process = fresh.start(*wrapper)
            process.communicate(timeout=60)
            killed += process.returncode == -signal.SIGKILL
            try:
                _complete(fresh, messages=2)
            except AssertionError as error:
                error.add_note(f"killed at {point}")
                raise
    assert killed > len(points) / 2


# ── answers that do not come ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lost("POST"), id="lost after it acted"),
        pytest.param(rubbish("POST"), id="garbled after it acted"),
        pytest.param(reset("POST"), id="reset before it acted"),
    ],
)
def test_an_answer_of_the_git_host_that_does_not_come_is_cleared_up_by_the_next_run(
    place: Workplace, fault: Fault
) -> None:
    place.github.faults.extend([None] * READS + [fault])

    inside.report(place)

    _complete(place)


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param(lost(), 2, id="lost after it acted"),
        pytest.param(rubbish(), 2, id="garbled after it acted"),
        pytest.param(reset(), 1, id="reset before it acted"),
    ],
)
def test_a_message_whose_answer_does_not_come_is_repeated_once_at_most(
    place: Workplace, fault: Fault, times: int
) -> None:
    place.slack.faults.append(fault)

    first = inside.report(place)

    assert first.code == 6
    assert "may or may not" in first.err
    _complete(place, messages=times)
