"""The live table on a real pseudo-terminal, judged by a terminal emulator (pyte)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pyte
import pytest
from msgspec import structs
from reports.hostile import HOSTILE
from reports.test_console import Stream
from reports.test_waiting import hostile
from reports.waits import COMMIT, NOW, Clock, Terminal, answer, health_checks, standing, widths

from landed.model import ObjectRef, Secret
from landed.reports.console import Console
from landed.reports.waiting import Waiting
from landed.reports.waiting.frame import Frame, Line
from landed.reports.waiting.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from landed.model import Answer

HEAD = "waiting for 6dcd4ce2 of acme/fleet"
#: The emulator cuts lines where it gets narrower, as the console of Linux does.
LINUX = {"TERM": "linux"}


class Seen:
    """A wait on a terminal, drawn when it is told to and not by itself."""

    def __init__(self, terminal: Terminal, environ: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.terminal = terminal
        stream = terminal.stream
        self.console = Console(stream, stream, environ=environ or LINUX, clock=self.clock, **settings)
        self.screen = Screen(self.console, clock=self.clock, every=3600)

    def tell(self, told: Answer, after: float = 0.0) -> list[str]:
        self.clock.now += after
        self.screen.tell(told, NOW + 900 - self.clock.now)
        return self.terminal.see()

    def tick(self, after: float = 0.125) -> list[str]:
        self.clock.now += after
        with self.console.lock:
            self.screen._pictures += 1
            self.screen.draw()
        return self.terminal.see()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.fixture
def seen(terminal: Terminal) -> Iterator[Seen]:
    made = Seen(terminal)
    yield made
    made.screen.stop()


WEB = health_checks("web")
SHOP = standing("shop", cluster="eu", reason="SourceNotFetched", message="source not fetched yet, interval 10m")
FAILED = standing("pay", "failed", "eu", reason="HealthCheckFailed", message=f"no {'answer ' * 40}", since=NOW - 60)
LIVE = tuple(standing(f"app-{number:04}", "live", "prod" if number % 2 else "eu") for number in range(1000))
USUAL = answer(WEB, SHOP, FAILED, *LIVE[:3], standing("old", "suspended"), unread=("dr",), notes=("A note.",))


def test_what_a_person_sees(seen: Seen) -> None:
    assert seen.tell(USUAL) == [
        "⠋ waiting for 6dcd4ce2 of acme/fleet  0s passed, 15m left",
        "  3 of 6 live, 1 failed, 2 waiting, 1 suspended",
        "STATE        CLUSTER  OBJECT         COMMIT    SINCE  MESSAGE",
        "✗ unread     dr",
        "✗ failed     eu       apps/pay       6dcd4ce2  1m     Health check failed: no …",
        "◌ waiting             apps/shop      01234567         source not fetched yet, …",
        "✓ live                apps/app-0000  6dcd4ce2",
        "✓ live                apps/app-0002  6dcd4ce2",
        "◌ waiting    prod     apps/web       01234567  1m10s  health checks",
        "✓ live                apps/app-0001  6dcd4ce2",
        "– suspended           apps/old       6dcd4ce2",
        "· A note.",
    ]


def test_a_wide_terminal_has_room_for_reasons(seen: Seen) -> None:
    seen.terminal.resize(200, 50)
    shown = seen.tell(USUAL)
    assert shown[2].split() == ["STATE", "CLUSTER", "OBJECT", "COMMIT", "REASON", "SINCE", "MESSAGE"]
    assert "  HealthCheckFailed  " in shown[4]
    assert 150 < widths(shown) < 200


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50), (40, 10), (20, 5), (10, 3), (1, 1), (300, 2)])
def test_a_fleet_fits_whatever_size_the_terminal_has(columns: int, lines: int) -> None:
    terminal = Terminal(columns, lines)
    seen = Seen(terminal)
    failed = structs.replace(FAILED, cluster="zz")
    fleet = answer(*LIVE[:500], *(structs.replace(one, state="waiting") for one in LIVE[500:]), failed, unread=("dr",))
    for _ in range(3):
        shown = seen.tell(fleet, 1)
        assert len(shown) <= max(1, lines - 1)
        assert widths(shown) < max(2, columns)
    if lines >= 10:
        assert shown[-2].startswith("… and ")
        assert shown[-1].startswith("✓ 500 live")
        assert any("apps/pay" in line for line in shown), "what has failed is not what is left out"
        assert shown[3].startswith("✗ unread")
    seen.screen.stop()
    assert terminal.see() == []
    terminal.close()


def test_what_is_live_is_counted_where_it_does_not_fit(seen: Seen) -> None:
    shown = seen.tell(answer(WEB, SHOP, *LIVE, standing("old", "suspended")))
    assert [line.split()[0] for line in shown[3:]] == ["◌", "◌", "✓"]
    assert shown[-1] == "✓ 1000 live, 1 suspended or being deleted"


def test_time_goes_by_without_any_news(seen: Seen) -> None:
    first = seen.tell(answer(WEB))
    second = seen.tick(61)
    assert first[0] == f"⠋ {HEAD}  0s passed, 15m left"
    assert second[0] == f"⠙ {HEAD}  1m1s passed, 13m59s left"
    assert second[-1].split() == [
        "◌",
        "waiting",
        "prod",
        "apps/web",
        "01234567",
        "Progressing",
        "2m11s",
        "health",
        "checks",
    ]


def test_only_what_has_changed_is_written(seen: Seen) -> None:
    seen.tell(USUAL)
    before = len(seen.terminal.written)
    seen.tick(0.1)
    assert len(seen.terminal.written) - before < 250, "a line for the spinner, and the last one"
    assert b"\x1b[2J" not in seen.terminal.written
    assert b"\x1b[2K" not in seen.terminal.written, "no line is wiped before it is drawn"


def test_a_warning_in_between_tears_nothing(seen: Seen) -> None:
    seen.console.note("before")
    shown = seen.tell(USUAL)
    seen.console.warn(f"something {'long ' * 30}")
    torn = seen.tick(0)
    assert torn[0] == "before"
    assert torn[1].startswith("warning: something long long")
    assert torn[4][1:] == shown[1][1:]
    assert torn[5:] == shown[2:]
    assert sum(HEAD in line for line in torn) == 1
    seen.console.show("result so far\n")
    assert seen.terminal.see()[4:6] == ["result so far", torn[4]]


def test_warnings_that_scroll_the_terminal(seen: Seen) -> None:
    shown = seen.tell(USUAL)
    for number in range(40):
        seen.console.warn(f"number {number}")
        now = seen.tick(0)
        assert sum(HEAD in line for line in now) == 1
        assert now[-len(shown) + 1 :] == shown[1:]
        assert now[-len(shown) - 1] == f"warning: number {number}"


def test_progress_is_in_the_first_line(seen: Seen) -> None:
    seen.terminal.resize(120, 24)
    shown = seen.tell(USUAL)
    for _ in range(3):
        seen.console.progress("reading prod")
        seen.clock.now += 2
        seen.console.progress("reading ##[error] \x1b[31meu")
    told = seen.tick(0)
    assert told[0].endswith("left  reading # #[error] eu …")
    assert len(told) == len(shown)
    seen.console.progress("")
    assert seen.tick(0)[0].endswith("left")


def test_the_terminal_gets_larger_and_smaller(seen: Seen) -> None:
    for columns, lines in ((120, 40), (60, 20), (200, 50), (30, 50), (80, 24), (80, 12)):
        seen.terminal.resize(columns, lines)
        shown = seen.tick(1) if seen.screen._answer else seen.tell(USUAL)
        assert sum(line.startswith("  3 of 6 live") for line in shown) == 1
        assert sum("COMMIT" in line or "OBJECT" in line for line in shown) <= 1
        assert widths(shown) < columns
        assert len(shown) < lines


@pytest.mark.parametrize("columns", [70, 40, 25])
def test_lines_that_are_broken_anew_are_replaced_as_well(columns: int) -> None:
    before = [Line("x" * width, width) for width in (79, 30, 0, 60, 41)]
    frame = Frame(reflows=True)
    frame.draw(before, 80, 24)
    # What such a terminal shows after it got narrower: the same text, broken at its new edge.
    screen = pyte.Screen(columns, 24)
    stream = pyte.Stream(screen)
    stream.feed("above\r\n" + "\r\n".join(line.text for line in before))
    stream.feed(frame.draw([Line("one", 3), Line("two", 3)], columns, 24))
    assert [line.rstrip() for line in screen.display if line.strip()] == ["above", "one", "two"]


def test_which_terminals_break_lines_anew() -> None:
    def reflows(**environ: str) -> bool:
        return Console(Stream(), Stream(), environ=environ).reflows()

    assert reflows(TERM="xterm-256color")
    assert not reflows(TERM="xterm-256color", XTERM_VERSION="XTerm(390)")
    assert not reflows(TERM="linux")


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit])
def test_the_table_is_gone_and_the_cursor_is_back(terminal: Terminal, error: type[BaseException] | None) -> None:
    clock = Clock()
    console = Console(terminal.stream, terminal.stream, environ=LINUX, clock=clock)
    console.note("before")
    waiting = Waiting(console, clock=clock)
    try:
        with waiting:
            waiting.tell(USUAL, 900)
            assert len(terminal.see()) == 13
            assert terminal.screen.cursor.hidden
            if error:
                raise error
    except (KeyboardInterrupt, SystemExit):
        pass
    console.show("the result")
    assert terminal.see() == ["before", "the result"]
    assert not terminal.screen.cursor.hidden
    assert pyte.modes.DECAWM in terminal.screen.mode, "long lines are wrapped again"
    console.progress("x")
    clock.now += 5
    console.progress("later")
    console.close()


def test_a_wait_that_never_began_leaves_no_trace(terminal: Terminal) -> None:
    with Waiting(Console(terminal.stream, terminal.stream, environ=LINUX), clock=Clock()):
        pass
    assert terminal.see() == []
    assert terminal.written == b"\x1b]2;mark 1\x07"


def test_it_moves_by_itself(terminal: Terminal) -> None:
    console = Console(terminal.stream, terminal.stream, environ=LINUX)
    screen = Screen(console, clock=Clock(), every=0.005)
    screen.tell(answer(WEB), 900)
    seen: set[str] = set()
    deadline = time.monotonic() + 10
    while len(seen) < 5 and time.monotonic() < deadline:
        seen.add(terminal.see()[0][0])
    screen.stop()
    assert len(seen) >= 5, "the spinner turns"
    assert terminal.see() == []


INTERRUPTED = """
    import signal, sys, time
    from landed.reports.console import Console
    from landed.reports.waiting import Waiting
    from reports.waits import answer, health_checks

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background would not have
    console = Console(sys.stdout, sys.stderr, environ={"TERM": "linux"})
    try:
        with Waiting(console, clock=time.time) as waiting:
            while True:
                waiting.tell(answer(*(health_checks(f"web-{n}") for n in range(15))), 900)
                time.sleep(0.01)
    except KeyboardInterrupt:
        console.note("interrupted")
"""


def test_ctrl_c_leaves_a_clean_terminal(terminal: Terminal) -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = textwrap.dedent(INTERRUPTED)
    stream = terminal.stream
    with subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=stream, stderr=stream) as child:
        deadline = time.monotonic() + 30
        try:
            while not any(HEAD in line for line in terminal.see()):
                assert time.monotonic() < deadline
                assert child.poll() is None
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            assert child.wait(30) == 0
        finally:
            child.kill()
    assert terminal.see() == ["interrupted"]
    assert not terminal.screen.cursor.hidden


# ── other terminals ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_colours_unless_they_are_refused(terminal: Terminal) -> None:
    seen = Seen(terminal)
    shown = seen.tell(USUAL)
    row = next(number for number, line in enumerate(shown) if "apps/pay" in line)
    assert terminal.screen.buffer[row][0].fg == "red"
    seen.screen.stop()
    terminal.see()
    before = len(terminal.written)
    plain = Seen(terminal, LINUX | {"NO_COLOR": "1"})
    assert plain.tell(USUAL) == shown
    plain.screen.stop()
    terminal.see()
    assert not re.search(rb"\x1b\[[\d;]*m", terminal.written[before:])


def test_a_terminal_that_knows_ascii_only() -> None:
    terminal = Terminal(encoding="ascii")
    seen = Seen(terminal)
    shown = seen.tell(USUAL)
    assert shown[0].startswith("| waiting for")
    assert shown[3].startswith("x unread")
    assert "\n".join(shown).isascii()
    seen.screen.stop()
    terminal.close()


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({"TERM": "dumb"}, {}),
        (LINUX, {"quiet": True}),
        (LINUX, {"log_format": "json"}),
        ({"CI": "1", "GITLAB_CI": "1"}, {}),
    ],
)
def test_no_table_where_it_is_not_wanted(terminal: Terminal, environ: dict[str, str], settings: dict[str, Any]) -> None:
    clock = Clock()
    console = Console(terminal.stream, terminal.stream, environ=environ, clock=clock, **settings)
    with Waiting(console, clock=clock) as waiting:
        waiting.tell(USUAL, 900)
        terminal.see()
        assert not terminal.screen.cursor.hidden
    assert b"\x1b[?25l" not in terminal.written
    assert (b"apps/web" in terminal.written or b'"web"' in terminal.written) is not bool(settings.get("quiet"))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_moves_anything(seen: Seen, name: str) -> None:
    text = HOSTILE[name]
    for told in (text, f"{text * 20} x", f"日本語👩‍👩‍👧{text}\u0301"):
        shown = seen.tell(hostile(told), 1)
        assert len(shown) <= 12
        assert re.match(". waiting for", shown[0])
        assert shown[1].startswith("  1 of 6 live")
        assert shown[2].startswith("STATE")
        assert shown[3].startswith("✗ unread")
        assert all(line[0] in "✓✗◌·" for line in shown[3:])
        assert terminal_is_sane(seen.terminal)


def terminal_is_sane(terminal: Terminal) -> bool:
    screen = terminal.screen
    return screen.icon_name == "" and screen.margins is None and screen.title.startswith("mark ")


def test_no_secret_is_shown_nor_a_part_of_it(terminal: Terminal) -> None:
    terminal.resize(150, 24)
    seen = Seen(terminal, secrets=[Secret("s3cr3t-and-long-enough")])
    for at in range(60):
        text = f"{'x' * at}s3cr3t-and-long\x00-enough s3cr3t-and-long-enough"
        assert "s3c" not in "\n".join(seen.tell(hostile(text)))
    seen.screen.stop()


def test_the_commit_that_is_tried_is_shown(seen: Seen) -> None:
    release = standing("redis", "live", kind="HelmRelease")
    shown = seen.tell(answer(structs.replace(WEB, commit=COMMIT), release))
    assert any("HelmRelease apps/redis" in line for line in shown)
    assert shown[3].split()[4] == COMMIT[:8]


def test_what_waits_says_for_what(seen: Seen) -> None:
    seen.terminal.resize(120, 24)
    held = standing("web", waits_for=ObjectRef("Kustomization", "infra", "db"), message="dependency is not ready")
    doomed = standing("api", doomed="Deployment/apps/api: ImagePullBackOff", message="health")
    shown = "\n".join(seen.tell(answer(held, doomed)))
    assert "waits for infra/db" in shown
    assert "will fail: Deployment/apps/api: ImagePullBackOff" in shown
