"""What GitLab takes as a dotenv report, as https://docs.gitlab.com/ci/variables/dotenv_variables/ says."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from reports.answered import DIVERGED, EMPTY, FAILED, LIVE, REPORTS, TIMED_OUT, answered, answered_of, stands
from reports.hostile import HOSTILE, NOTHING, NOW, QUIET, REPORT, A, B, report_of
from reports.test_commands import ANY_TEXT

from landed.cli.options import Options
from landed.model import Report, Verdict
from landed.reports import dotenv
from landed.reports.interface import View


def taken(report: Report, url: str = "") -> dict[str, str]:
    """The variables as GitLab reads them; ValueError where it would refuse the file."""
    text = dotenv.render(report, View(NOW, environment_url=url))
    if len(text.encode()) >= 5 * 1024:
        raise ValueError("too large")
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([A-Za-z0-9_]{1,255})=(.*)", line)
        if not match:
            raise ValueError(line)
        found[match[1]] = match[2].strip()
    if len(found) > 20:
        raise ValueError("too many")
    return found


def test_a_later_job_learns_the_answer() -> None:
    assert taken(FAILED) == {
        "LANDED_VERDICT": "failed", "LANDED_STATE": "none", "LANDED_VERDICT_COMMIT": A, "LANDED_APPLIED_COMMIT": A,
        "LANDED_FAILED": "prod/apps/web", "LANDED_FAILED_COUNT": "1", "LANDED_TIMED_OUT": "false",
        "LANDED_EXIT_CODE": "1", "LANDED_DEPLOYED_URL": "",
    }  # fmt: skip
    assert taken(TIMED_OUT)["LANDED_TIMED_OUT"] == "true"
    assert taken(DIVERGED)["LANDED_FAILED"] == "prod/apps/web"
    assert taken(EMPTY)["LANDED_APPLIED_COMMIT"] == ""


def test_without_an_answer_it_says_what_is_seen() -> None:
    found = taken(QUIET)
    assert (found["LANDED_VERDICT"], found["LANDED_STATE"], found["LANDED_VERDICT_COMMIT"]) == ("", "success", B)
    assert taken(REPORT)["LANDED_FAILED"] == "prod/GitRepository/flux-system/fleet,prod/apps/web"


@pytest.mark.parametrize("report", [NOTHING, REPORT, *REPORTS.values()])
def test_the_names_are_always_the_same(report: Report) -> None:
    assert taken(report).keys() == taken(NOTHING).keys()


def test_no_name_is_an_option_of_ours() -> None:
    """GitLab sets these variables above a job's own: the next command must not take them for its options."""
    known = {f"LANDED_{name.upper()}" for name in Options.__struct_fields__}
    assert "LANDED_COMMIT" in known
    assert not known & taken(NOTHING).keys()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("made", [answered_of, report_of])
def test_hostile_text_is_harmless(made: Callable[[str], Report], text: str) -> None:
    found = taken(made(text), f"https://example.com/{text}")
    assert found.keys() == taken(NOTHING).keys()
    for value in found.values():
        assert re.fullmatch(r"[A-Za-z0-9._/:@,+%?&=#~!()*\[\];-]*", value)


@given(ANY_TEXT)
def test_no_text_adds_a_variable_or_is_expanded(text: str) -> None:
    found = taken(answered_of(text), text)
    assert found.keys() == taken(NOTHING).keys()
    assert not any(set("$`'\"\\ \t") & set(value) for value in found.values())


def test_many_long_names_are_left_out_and_counted() -> None:
    many = answered(*(stands("x" * 250 + str(n), "failed") for n in range(40)), verdict=Verdict.FAILED)
    found = taken(many, "https://example.com/" + "y" * 200)
    assert found["LANDED_FAILED_COUNT"] == "40"
    names = found["LANDED_FAILED"].split(",")
    assert 5 < len(names) < 40
    assert all(re.fullmatch(r"prod/apps/x{250}\d+", name) for name in names)


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/{commit}?a=b#c", f"https://example.com/{A}?a=b#c"),
        ("https://{cluster}.example.com/", "https://prod.example.com/"),
        ("https://example.com/{repository}", "https://example.com/acme/fleet"),
        ("https://example.com/$HOME", "https://example.com/%24HOME"),
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("javascript:alert(1)", ""),
        ("example.com", ""),
        ("https://[", ""),
        ("https://example.com/" + "x" * 250, ""),
    ],
)
def test_the_url_is_one_that_an_environment_can_have(template: str, url: str) -> None:
    assert taken(FAILED, template)["LANDED_DEPLOYED_URL"] == url


def test_a_url_that_differs_by_cluster_is_left_out() -> None:
    assert taken(LIVE, "https://{cluster}.example.com")["LANDED_DEPLOYED_URL"] == ""
