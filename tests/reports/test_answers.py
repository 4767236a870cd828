"""What ``landed wait`` says in the end, on a terminal and in a log."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from reports.answered import (
    BEGAN,
    DIVERGED,
    EMPTY,
    FAILED,
    LIVE,
    REPORTS,
    TIMED_OUT,
    UNREAD,
    WHY,
    answered,
    answered_of,
    ref,
    stands,
)
from reports.hostile import FLEET, HOSTILE, NOW, OBEYED, QUIET, REPORT, B, commands_in
from reports.test_commands import ANY_TEXT

from landed.model import Answer, Report, Secret, Standing, Verdict
from landed.redact import hider
from landed.reports import answers, render, standings
from landed.reports.interface import View
from landed.reports.redact import hidden

LOG = View(NOW)
TERMINAL = View(NOW, terminal=True, width=100)
VIEWS = pytest.mark.parametrize("view", [LOG, TERMINAL], ids=["log", "terminal"])
FORMATS = pytest.mark.parametrize("name", ["lines", "table"])


def headline(report: Report) -> str:
    assert report.answer is not None
    return answers.headline(report.answer)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (LIVE, "✓ 6dcd4ce2 is live on 2 clusters (3 Kustomizations, 1 HelmRelease) after 1m40s"),
        (
            answered(stands("web", commit=B)),
            "✓ 6dcd4ce2 is live as part of ae4f281d on 1 cluster (1 Kustomization) after 1m40s",
        ),
        (FAILED, "✗ 6dcd4ce2 failed on prod: apps/web"),
        (
            answered(
                stands("web", "failed"),
                stands("api", "failed", waits_for=ref("web")),
                stands("db", "failed", waits_for=ref("elsewhere")),
                verdict=Verdict.FAILED,
            ),
            "✗ 6dcd4ce2 failed on prod: apps/db, apps/web (1 more depends on it)",
        ),
        (TIMED_OUT, "◌ 6dcd4ce2 timed out after 15m: still missing apps/web on test"),
        (DIVERGED, "✗ 6dcd4ce2 can no longer land on prod: apps/web"),
        (UNREAD, "◌ 6dcd4ce2 is not live yet after 1m40s; nothing is known of test"),
        (EMPTY, "– Nothing is meant to bring 6dcd4ce2: no Kustomization is waited for"),
        (answered(stands("web", "suspended")), "– Nothing is meant to bring 6dcd4ce2: no Kustomization is waited for"),
        (
            answered(*(stands(f"w{n}", "failed", f"c{n}") for n in range(5)), verdict=Verdict.FAILED),
            "✗ 6dcd4ce2 failed on c0, c1, c2 and 2 more: apps/w0, apps/w1, apps/w2 and 2 more",
        ),
    ],
)  # fmt: skip
def test_the_headline_says_it_all(report: Report, said: str) -> None:
    assert headline(report) == said


def test_a_cluster_of_which_nothing_is_known_never_looks_live() -> None:
    assert headline(answered(stands("web"), unread=("test",))).startswith("◌ ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (45, "45s"), (60, "1m"), (100, "1m40s"), (900, "15m"), (3600, "1h"), (3905, "1h5m5s"), (-1, "")],
)
def test_how_long_was_waited(seconds: int, said: str) -> None:
    answer = Answer(FLEET, "a", Verdict.LIVE, (), began=BEGAN, ended=BEGAN + seconds)
    assert answers.lasted(answer) == said
    assert answers.lasted(replace(answer, began=0, ended=5)) == ""


LINES = """\
✗ 6dcd4ce2 failed on prod: apps/web
✗ failed   prod  apps/web  for 1m  Health check failed after 30s: timeout
◌ waiting  prod  apps/api  for 1m  Waiting for apps/web
– suspended, not waited for: apps/old on prod
Why apps/web on prod is not live: Deployment/apps/web: the image registry.example.com/acme/web:1 cannot be pulled
  Deployment/apps/web (InProgress)
    Progressing: ProgressDeadlineExceeded
    Pod web-6d4cf56db6-x2x8v, container web: ImagePullBackOff: not found (3 restarts)
      | starting
      | : :error::x
      |
    Failed: pull access denied
  Waiting for it: apps/api
  In the repository: ./apps/web
  To know more: The right to get pods/log on prod would show the last lines of its log.
  Next: kubectl -n apps describe pod web-6d4cf56db6-x2x8v
"""


def test_a_log_gets_what_is_missing_why_and_since_when() -> None:
    assert render("lines", FAILED, LOG) == LINES


def test_what_was_told_and_what_cannot_be_read_comes_before_the_answer() -> None:
    both = replace(UNREAD, deliveries=REPORT.deliveries)
    lines = render("lines", both, LOG).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "✓ delivered", "✗ undelivered", "1 status delivered, 1 failed.", "✗ unreadable",
        "◌ 6dcd4ce2 is not live yet after 1m40s; nothing is known of test",
    ]  # fmt: skip


def test_what_will_fail_is_said_beside_what_it_waits_for() -> None:
    assert "Progressing: Running health checks (will fail: Pod: CrashLoop)" in render("lines", TIMED_OUT, LOG)


TABLE = """\
STATE        CLUSTER  COMMIT         OBJECT    REASON              AGE  MESSAGE
✗ failed     prod     main@6dcd4ce2  apps/web  HealthCheckFailed   1m   Health check failed after 30s: timeout
◌ waiting    prod     main@6dcd4ce2  apps/api  DependencyNotReady  1m   Waiting for apps/web
✓ live       prod     main@6dcd4ce2  apps/db   –                   1m
– suspended  prod     main@ae4f281d  apps/old  –                   1m
✗ 6dcd4ce2 failed on prod: apps/web
Why apps/web on prod is not live: Deployment/apps/web: the image registry.example.com/acme/web:1 cannot be pulled
"""


def test_a_table_shows_every_object_and_names_none_twice() -> None:
    assert render("table", FAILED, LOG).startswith(TABLE)
    assert render("table", FAILED, TERMINAL).count("apps/old") == 1
    assert "✗ unreadable" in render("table", UNREAD, LOG)


def test_explanations_are_shown_without_an_answer_too() -> None:
    for name in ("lines", "table"):
        printed = render(name, replace(QUIET, explanations=(WHY,)), LOG)
        assert "Why apps/web on prod is not live" in printed
        assert printed.splitlines()[-1].endswith("1 object on 1 cluster: 1 live.")


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (stands("a", "failed", reason="BuildFailed", message="no such file"), "Build failed: no such file"),
        (stands("a", "failed", reason="BuildFailed", message="build failed: x\nmore"), "Build failed: x"),
        (stands("a", "failed", reason="BuildFailed"), "Build failed"),
        (stands("a", "failed"), ""),
        (stands("a", "waiting", waits_for=ref("b"), message="dependency 'apps/b' is not ready"), "Waiting for apps/b"),
        (stands("a", "waiting", waits_for=ref("b"), message="Waiting for apps/b: its"), "Waiting for apps/b: its"),
        (stands("a", "failed", doomed="Pod x"), "Will fail: Pod x"),
        (stands("a", "failed", reason="WillFail", message="Pod x", doomed="Pod x"), "Will fail: Pod x"),
    ],
)  # fmt: skip
def test_why(standing: Standing, said: str) -> None:
    assert standings.why(standing) == said


def test_a_long_list_is_cut_and_counted() -> None:
    many = answered(*(stands(f"w{n}", "waiting") for n in range(80)), verdict=Verdict.WAITING)
    lines = render("lines", many, LOG).splitlines()
    assert len(lines) == 1 + answers.MOST_LINES + 1
    assert lines[-1] == "… and 30 more"


@FORMATS
@VIEWS
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_same_report_gives_the_same_bytes(name: str, view: View, report: Report) -> None:
    assert render(name, report, view) == render(name, report, view)


@FORMATS
@VIEWS
@settings(max_examples=100)
@given(text=ANY_TEXT)
def test_no_text_forges_anything(name: str, view: View, text: str) -> None:
    printed = render(name, answered_of(text), view)
    assert commands_in(printed) == []
    assert not OBEYED.search(printed)


@pytest.mark.parametrize("name", ["lines", "table", "junit"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_text_adds_no_line(name: str, text: str) -> None:
    text = f"x{text}"
    expected = render(name, answered_of("plain"), LOG)
    assert len(render(name, answered_of(text), LOG).splitlines()) == len(expected.splitlines())


@pytest.mark.parametrize("name", ["lines", "table", "json", "markdown", "junit"])
@pytest.mark.parametrize("secret", ["s3cr3t", "a|b<c", "https://hooks.example.com/services/T0/B0/XXXX"])
def test_no_secret_is_in_any_format(name: str, secret: str) -> None:
    """What was read of the clusters has objects as keys, which JSON does not know."""
    printed = render(name, hidden(answered_of(f"the {secret} is out"), hider([Secret(secret)])), LOG)
    assert secret not in printed
    assert "is out" in printed
