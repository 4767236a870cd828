from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from reports.hostile import HOSTILE, OBEYED, commands_in
from reports.test_commands import ANY_TEXT

from landed.errors import ClusterError
from landed.model import Secret
from landed.reports import progress
from landed.reports.console import Console, fatal

if TYPE_CHECKING:
    from collections.abc import Mapping

GITHUB = {"GITHUB_ACTIONS": "true"}


class Stream(io.StringIO):
    """A stream in memory that may be a terminal, or know fewer characters."""

    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__()
        self._tty = tty
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        text.encode(self._encoding)
        return super().write(text)


class Clock:
    """A clock moved by hand."""

    now = 1_766_400_600.0

    def __call__(self) -> float:
        return self.now


def console(
    environ: Mapping[str, str] | None = None,
    *,
    tty: bool = False,
    encoding: str = "utf-8",
    clock: Clock | None = None,
    **settings: object,
) -> tuple[Console, Stream, Stream]:
    out, err = Stream(tty=tty, encoding=encoding), Stream(tty=tty, encoding=encoding)
    made = Console(out, err, environ=environ or {}, clock=clock or Clock(), **settings)  # type: ignore[arg-type]
    return made, out, err


@pytest.mark.parametrize(
    ("environ", "tty", "kind"),
    [
        ({}, True, "terminal"),
        ({}, False, "plain"),
        ({"TERM": "dumb"}, True, "plain"),
        (GITHUB, False, "github"),
        (GITHUB, True, "github"),
        ({"GITHUB_ACTIONS": ""}, False, "plain"),
        ({"GITLAB_CI": "true"}, False, "gitlab"),
    ],
)
def test_it_knows_where_it_is(environ: dict[str, str], tty: bool, kind: str) -> None:
    assert console(environ, tty=tty)[0].kind == kind


def say_everything(to: Console, text: str) -> None:
    to.note(text)
    to.detail(text)
    to.warn(text)
    to.error(ClusterError(text, text))
    to.annotate("notice", text, text)


def test_each_kind_of_message() -> None:
    to, out, err = console(verbose=True)
    to.note("a note")
    to.detail("a detail")
    to.warn("a warning")
    to.error(ClusterError("It failed.", "Do this."))
    to.error(ClusterError("It failed again."))
    to.show("a table\n")
    assert err.getvalue() == (
        "a note\na detail\nwarning: a warning\nerror: It failed.\n  Do this.\nerror: It failed again.\n"
    )
    assert out.getvalue() == "a table\n"


def test_quiet_keeps_warnings_and_errors() -> None:
    to, out, err = console(quiet=True)
    say_everything(to, "text")
    to.show("shown")
    assert err.getvalue() == "warning: text\nerror: text\n  text\n"
    assert out.getvalue() == "shown\n"


def test_a_warning_is_said_once() -> None:
    to, _, err = console()
    for text in ("a", "b", "a"):
        to.warn(text)
    assert err.getvalue() == "warning: a\nwarning: b\n"


def test_a_terminal_gets_colours_unless_it_refuses_them() -> None:
    to, _, err = console(tty=True)
    to.warn("x")
    assert err.getvalue() == "\x1b[33mwarning\x1b[0m: x\n"
    to, _, err = console({"NO_COLOR": "1"}, tty=True)
    to.warn("x")
    assert err.getvalue() == "warning: x\n"


def test_a_log_collector_gets_one_object_per_line() -> None:
    to, _, err = console(log_format="json", verbose=True)
    say_everything(to, "two\nlines ##[error]x")
    entries = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [entry["level"] for entry in entries] == ["note", "detail", "warning", "error"]
    assert {entry["time"] for entry in entries} == {"2025-12-22T10:50:00Z"}
    assert {entry["message"] for entry in entries} == {"two\nlines # #[error]x"}
    assert entries[-1]["hint"] == "two\nlines # #[error]x"


# ── GitHub ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_error_marks_the_run_on_github() -> None:
    to, _, err = console(GITHUB)
    to.error(ClusterError("It failed: 100 %", "Do this."))
    assert err.getvalue() == "error: It failed: 100 %\n  Do this.\n::error::It failed: 100 %25%0ADo this.\n"


def test_annotations_are_ten_of_a_level_each_once_and_cut() -> None:
    to, _, err = console(GITHUB)
    for number in range(12):
        to.annotate("error", f"error {number}")
        to.annotate("error", f"error {number}", "again")
    to.annotate("warning", "w" * 5000)
    found = commands_in(err.getvalue())
    assert [name for name, _, _ in found] == ["error"] * 10 + ["warning"]
    assert [data for name, _, data in found if name == "error"] == [f"error {number}" for number in range(10)]
    assert len(found[-1][2]) == 4096


def test_elsewhere_there_are_no_annotations() -> None:
    for environ in ({}, {"GITLAB_CI": "true"}):
        to, _, err = console(environ)
        to.annotate("error", "x")
        assert err.getvalue() == ""


def test_secrets_are_masked_before_anything_is_said() -> None:
    to, out, err = console(GITHUB, secrets=[Secret("s3cr3t"), Secret("-----BEGIN KEY-----\nabcdefgh\n"), Secret("")])
    to.note("hello")
    lines = err.getvalue().splitlines()
    masks = [data for name, _, data in commands_in("\n".join(lines[:-1])) if name == "add-mask"]
    assert {"s3cr3t", "-----BEGIN KEY-----", "abcdefgh"} <= set(masks)
    assert len(masks) == len(lines) - 1
    assert lines[-1] == "hello"
    assert out.getvalue() == "", "what was asked for may be redirected to a file"


def test_elsewhere_masks_are_not_printed() -> None:
    for environ in ({}, {"GITLAB_CI": "true"}):
        assert console(environ, secrets=[Secret("s3cr3t")])[2].getvalue() == ""


# ── secrets and hostile text ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("environ", [{}, GITHUB, {"GITLAB_CI": "true"}], ids=["plain", "github", "gitlab"])
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    ["s3cr3t", 's"3\\cr3t', "https://hooks.example.com/services/T0/B0/XXXXXXXX", "a first line\na second line"],
)
def test_no_secret_is_ever_printed(environ: dict[str, str], log_format: str, secret: str) -> None:
    to, out, err = console(environ, log_format=log_format, secrets=[Secret(secret)], verbose=True)
    masks = len(err.getvalue())
    say_everything(to, f"before {secret} after, and {secret[:3]}\x00{secret[3:]}")
    to.show(f"before {secret} after")
    printed = err.getvalue()[masks:] + out.getvalue()
    for part in secret.split("\n"):
        assert part not in printed
        assert json.dumps(part)[1:-1] not in printed
    assert "***" in printed


@given(ANY_TEXT)
def test_no_text_forges_a_command(text: str) -> None:
    to, _, err = console(GITHUB, verbose=True)
    say_everything(to, text)
    assert [name for name, _, _ in commands_in(err.getvalue())] == ["error", "notice"]
    assert not OBEYED.search(err.getvalue())


@given(ANY_TEXT)
def test_no_text_breaks_a_line_of_json(text: str) -> None:
    to, _, err = console(GITHUB, log_format="json", verbose=True)
    say_everything(to, text)
    assert commands_in(err.getvalue()) == []
    assert len([json.loads(line) for line in err.getvalue().split("\n")[:-1]]) == 4


@pytest.mark.parametrize("text", [*HOSTILE.values(), "✓ → … 日本"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_stream_that_knows_fewer_characters_is_no_reason_to_fail(text: str, encoding: str) -> None:
    to, out, err = console(encoding=encoding)
    say_everything(to, text)
    to.show("✓ done → 日本\n")
    assert "done" in out.getvalue()
    assert err.getvalue()


def test_symbols_have_plainer_forms() -> None:
    to, out, _ = console(encoding="ascii")
    to.show("✓ ✗ → … ◌ é\n")
    assert out.getvalue() == "+ x > ~ o ?\n"


def test_a_log_that_is_gone_does_not_end_the_run() -> None:
    to, _, err = console()
    err.close()
    to.warn("nobody hears this")


# ── progress ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_one_passing_line_on_a_terminal() -> None:
    clock = Clock()
    to, _, err = console({"COLUMNS": "40", "NO_COLOR": "1"}, tty=True, clock=clock)
    to.progress("reading")
    assert err.getvalue() == ""
    clock.now += 2
    to.progress("reading ##[error] " + "x" * 100)
    assert err.getvalue().startswith("\r\x1b[Kreading # #[error]")
    assert len(err.getvalue()) < 48
    to.note("done")
    assert err.getvalue().endswith(" …\r\x1b[Kdone\n"), "it makes room for what stays"
    to.close()
    assert err.getvalue().endswith("done\n"), "and is wiped once"


def test_progress_is_a_line_now_and_then_in_a_log() -> None:
    clock = Clock()
    to, _, err = console(clock=clock)
    for step in range(80):
        to.progress(f"step {step}")
        clock.now += 0.1
    to.close()
    assert re.fullmatch(r"step 1[01] …\nstep 6[0-2] …\n", err.getvalue())


def test_progress_is_an_entry_for_a_log_collector() -> None:
    clock = Clock()
    to, _, err = console(clock=clock, log_format="json", tty=True)
    to.progress("reading")
    clock.now += 2
    to.progress("still reading")
    to.close()
    (line,) = err.getvalue().splitlines()
    assert json.loads(line)["level"] == "progress"


def test_quiet_has_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    to, _, err = console(quiet=True)
    to.progress("reading")
    to.close()
    assert err.getvalue() == ""


def test_what_is_shown_ends_the_progress() -> None:
    clock = Clock()
    to, out, err = console({"NO_COLOR": "1"}, tty=True, clock=clock)
    to.progress("reading")
    clock.now += 2
    to.progress("still reading")
    to.show("table")
    assert err.getvalue().endswith("\r\x1b[K")
    assert out.getvalue() == "table\n"


# ── whom formats are rendered for ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environ", "tty", "seen"),
    [
        ({}, False, (False, False, 0)),
        ({"COLUMNS": "120"}, True, (True, True, 120)),
        ({"COLUMNS": "120", "NO_COLOR": "1"}, True, (True, False, 120)),
        ({"COLUMNS": "x"}, True, (True, True, 80)),
        (GITHUB | {"COLUMNS": "120"}, True, (False, False, 0)),
    ],
)
def test_a_view_knows_the_terminal(environ: dict[str, str], tty: bool, seen: tuple[bool, bool, int]) -> None:
    view = console(environ, tty=tty)[0].view()
    assert (view.terminal, view.colour, view.width) == seen
    assert view.now == 1_766_400_600


def test_a_fatal_error_is_told_as_the_surroundings_want_it() -> None:
    err = Stream()
    fatal(err, GITHUB, "It ##[error] failed.", "Do this.")
    assert commands_in(err.getvalue()) == [("error", {}, "It # #[error] failed.\nDo this.")]
    err = Stream()
    fatal(err, {"LANDED_LOG_FORMAT": "json"}, "It failed.", "")
    assert json.loads(err.getvalue())["message"] == "It failed."
