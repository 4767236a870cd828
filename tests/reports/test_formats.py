from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from reports.hostile import FLEET, HOSTILE, NOTHING, NOW, OBEYED, QUIET, REPORT, WEB, commands_in, report_of
from reports.test_commands import ANY_TEXT

from landed.model import Delivery, Look, Outcome, Report, Secret, State
from landed.redact import hider
from landed.reports import FORMATS, render
from landed.reports.interface import View
from landed.reports.redact import hidden

LOG = View(NOW)
TERMINAL = View(NOW, terminal=True, width=100)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_report_gives_the_same_text(name: str) -> None:
    assert render(name, REPORT, LOG) == render(name, REPORT, LOG)
    assert render(name, REPORT, LOG).endswith("\n")
    assert render(name, NOTHING, LOG).strip()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("view", [LOG, TERMINAL], ids=["log", "terminal"])
@settings(max_examples=200)  # each one takes milliseconds
@given(text=ANY_TEXT)
def test_no_text_forges_anything(name: str, view: View, text: str) -> None:
    printed = render(name, report_of(text), view)
    assert commands_in(printed) == []
    assert not OBEYED.search(printed)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_text_adds_no_line(name: str, text: str) -> None:
    text = text if text.strip() else f"x{text}"  # without a name there is no line for it
    expected = render(name, report_of("plain"), LOG)
    assert len(render(name, report_of(text), LOG).splitlines()) == len(expected.splitlines())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("secret", ["s3cr3t", "a|b<c", "https://hooks.example.com/services/T0/B0/XXXX"])
def test_no_secret_is_in_any_format(name: str, secret: str) -> None:
    printed = render(name, hidden(report_of(f"the {secret} is out"), hider([Secret(secret)])), LOG)
    assert secret not in printed
    assert "is out" in printed


def test_only_the_format_that_is_asked_for_is_loaded_and_rich_for_terminals_alone() -> None:
    program = """
import sys
from landed.model import Report
from landed.reports import FORMATS, render
from landed.reports.console import Console
from landed.reports.interface import View
heavy = {"rich", "requests", "jinja2", "logging", "dataclasses", "asyncio", "pathlib", "tempfile"}
for name in FORMATS.keys() - {"html"}:  # a page is made from templates
    render(name, Report(), View(0))
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LINES = """\
✓ delivered    acme/fleet@6dcd4ce2  failure    flux/prod/apps/web               → github.com  Health check failed after 30s
✗ undelivered  acme/fleet@6dcd4ce2  failure    prod                             → slack       slack answered 404 no_service
✗ failing      prod                 failure    GitRepository flux-system/fleet                Git operation failed: auth: 401
– silent       prod                 suspended  apps/old                                       It is suspended
✗ unreadable   test                                                                           The cluster test could not be read: it timed out.
1 status delivered, 1 failed; 5 objects on 1 cluster: 2 failing, 1 pending, 1 live, 1 suspended; 1 cluster could not be read.
"""  # noqa: E501 — as it is printed


def test_lines_are_aligned_and_summed_up() -> None:
    assert render("lines", REPORT, LOG) == LINES


def test_a_dry_run_says_what_would_be_sent() -> None:
    planned = Report(planned=tuple(delivery.update for delivery in REPORT.deliveries))
    assert render("lines", planned, LOG) == (
        "· planned  acme/fleet@6dcd4ce2  failure  flux/prod/apps/web  → github.com  Health check failed after 30s\n"
        "· planned  acme/fleet@6dcd4ce2  failure  prod                → slack\n"
        "1 status and 1 message would be delivered; 0 objects on 0 clusters.\n"
    )


@pytest.mark.parametrize(
    ("report", "summary"),
    [
        pytest.param(NOTHING, "Nothing new; 0 objects on 0 clusters.", id="nothing at all"),
        pytest.param(QUIET, "Nothing new; 1 object on 1 cluster: 1 live.", id="nothing new"),
        pytest.param(
            Report(deliveries=(Delivery(REPORT.deliveries[0].update),) * 2),
            "2 statuses delivered; 0 objects on 0 clusters.",
            id="all delivered",
        ),
        pytest.param(
            Report(deliveries=(REPORT.deliveries[1],) * 2),
            "2 messages could not be delivered; 0 objects on 0 clusters.",
            id="none delivered",
        ),
    ],
)
def test_the_summary_is_one_sentence(report: Report, summary: str) -> None:
    assert render("lines", report, LOG).splitlines()[-1] == summary


def test_an_object_that_speaks_of_two_commits_counts_once_with_the_worst() -> None:
    for states in ((State.SUCCESS, State.PENDING), (State.PENDING, State.SUCCESS)):
        said = (Outcome("prod", FLEET, str(n), (replace(WEB, state=state),)) for n, state in enumerate(states))
        summary = render("lines", Report((Look("prod", tuple(said)),)), LOG)
        assert summary == "Nothing new; 1 object on 1 cluster: 1 pending.\n"


def test_a_long_name_does_not_push_the_others_out_of_sight() -> None:
    long = report_of("x" * 500)
    short = max(len(line) for line in render("lines", report_of("x"), LOG).splitlines())
    planned = [line for line in render("lines", long, LOG).splitlines() if line.startswith("· planned")]
    assert len(planned) == 3
    assert short < 160


# ── table ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE = """\
STATE         CLUSTER  COMMIT         OBJECT                           REASON                   AGE  MESSAGE
✗ failure     prod     –              GitRepository flux-system/fleet  GitOperationFailed       –    Git operation failed: auth: 401
✗ failure     prod     main@6dcd4ce2  apps/web                         HealthCheckFailed        10m  Health check failed after 30s: timeout waiting for: [Deployment/apps/web]
◌ pending     prod     main@6dcd4ce2  apps/api                         DependencyNotReady       10m  Waiting for apps/web
✓ success     prod     main@ae4f281d  apps/db                          ReconciliationSucceeded  2h   Applied main@ae4f281d in 13.1s
– suspended   prod     –              apps/old                         –                        –    It is suspended
✗ unreadable  test     –              –                                –                        –    The cluster test could not be read: it timed out.
1 status delivered, 1 failed; 5 objects on 1 cluster: 2 failing, 1 pending, 1 live, 1 suspended; 1 cluster could not be read.
"""  # noqa: E501 — as it is printed

NARROW = """\
STATE         CLUSTER  COMMIT         OBJECT                MESSAGE
✗ failure     prod     –              GitRepository flux-…  Git operation failed: au…
✗ failure     prod     main@6dcd4ce2  apps/web              Health check failed afte…
◌ pending                             apps/api              Waiting for apps/web
✓ success     prod     main@ae4f281d  apps/db               Applied main@ae4f281d in…
– suspended   prod     –              apps/old              It is suspended
✗ unreadable  test     –              –                     The cluster test could n…
"""


def test_in_a_log_every_line_of_the_table_stands_for_itself() -> None:
    assert render("table", REPORT, LOG) == TABLE


def test_on_a_narrow_terminal_the_table_keeps_what_matters() -> None:
    printed = render("table", REPORT, View(NOW, terminal=True, width=85))
    assert printed.startswith(NARROW)


@pytest.mark.parametrize("width", [85, 100, 120, 200])
def test_the_table_never_wraps(width: int) -> None:
    *lines, _ = render("table", REPORT, View(NOW, terminal=True, width=width)).splitlines()
    assert len(lines) == 7
    assert max(map(len, lines)) <= width


def test_colour_comes_on_top_of_words_and_symbols() -> None:
    coloured = render("table", REPORT, View(NOW, terminal=True, colour=True, width=100))
    assert "\x1b[31m✗ failure" in coloured
    assert "\x1b[32m✓ success" in coloured


def test_with_several_repositories_the_commit_names_its_own() -> None:
    one = report_of("one")
    both = Report((*one.looks, *REPORT.looks))
    assert "acme/fleet main@6dcd4ce2" in render("table", both, LOG)
    assert "one one" in render("table", both, LOG)


def test_a_commit_that_came_and_went_is_marked_and_comes_last() -> None:
    printed = [line[:17] for line in render("table", report_of("x"), LOG).splitlines()]
    assert printed[2:8] == [
        "✗ failure        ", "◌ pending        ", "✓ success        ",
        "✗ failure (past) ", "◌ pending (past) ", "✓ success (past) ",
    ]  # fmt: skip
