"""Judged by Jenkins' own schema, and read back with a library that is not ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from lxml import etree  # type: ignore[import-untyped]
from reports.answered import (
    DIVERGED,
    FAILED,
    LIVE,
    REPORTS,
    STILL,
    TIMED_OUT,
    UNREAD,
    answered,
    answered_of,
    ref,
    seen,
    stands,
)
from reports.hostile import FLEET, HOSTILE, NOTHING, NOW, OBEYED, QUIET, REPORT, A, B, commands_in, report_of
from reports.test_commands import ANY_TEXT

from landed.model import Look, Observation, Outcome, Report, State, Verdict
from landed.reports import render
from landed.reports.interface import View

LOG = View(NOW)
XSD = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "data" / "junit" / "junit-10.xsd"))


def written(report: Report) -> str:
    return render("junit", report, LOG)


def cases(report: Report) -> dict[str, TestCase]:
    """CLUSTER NAME → case, as the library reads it."""
    return {
        f"{suite.name} {case.name}": case for suite in JUnitXml.fromstring(written(report).encode()) for case in suite
    }


def results(report: Report) -> dict[str, tuple[type, str | None, str | None]]:
    return {
        name: (type(case.result[0]), case.result[0].type, case.result[0].message)
        for name, case in cases(report).items()
        if case.result
    }


@pytest.mark.parametrize(
    "report", [*REPORTS.values(), REPORT, QUIET, NOTHING], ids=[*REPORTS, "report", "quiet", "none"]
)
def test_the_schema_has_nothing_against_it(report: Report) -> None:
    XSD.assertValid(etree.fromstring(written(report).encode()))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("made", [answered_of, report_of])
def test_hostile_text_is_text(made: Callable[[str], Report], text: str) -> None:
    text = f"x{text}"
    document = etree.fromstring(written(made(text)).encode())
    XSD.assertValid(document)
    assert [one.tag for one in document.iter()] == [
        one.tag for one in etree.fromstring(written(made("x")).encode()).iter()
    ]


@settings(max_examples=150)  # each one takes milliseconds
@given(ANY_TEXT)
def test_any_text_is_well_formed_and_obeyed_by_nobody(text: str) -> None:
    printed = written(answered_of(text))
    ET.fromstring(printed.encode())
    assert commands_in(printed) == []
    assert not OBEYED.search(printed)


@pytest.mark.parametrize(
    "character", ["\x00", "\x0b", "\ufffe", "\uffff", "\ud800", "\x1b", "]]>", "<![CDATA[", "&#0;"]
)
def test_no_character_that_xml_forbids(character: str) -> None:
    XSD.assertValid(etree.fromstring(written(answered_of(f"a{character}b")).encode("utf-8")))


def test_what_is_live_passes_with_its_time() -> None:
    found = cases(LIVE)
    assert set(found) == {
        "prod Kustomization/apps/db", "prod Kustomization/apps/web", "prod HelmRelease/apps/chart",
        "test Kustomization/apps/web",
    }  # fmt: skip
    assert all(case.is_passed for case in found.values())
    assert found["prod Kustomization/apps/web"].time == 13.118
    assert found["prod Kustomization/apps/web"].classname == "landed.prod.apps"


def test_a_failure_says_why_and_what_waits_is_skipped() -> None:
    assert results(FAILED) == {
        "prod Kustomization/apps/web": (
            Failure,
            "HealthCheckFailed",
            "Deployment/apps/web: the image registry.example.com/acme/web:1 cannot be pulled",
        ),
        "prod Kustomization/apps/api": (Skipped, None, "Waiting for apps/web"),
        "prod Kustomization/apps/old": (Skipped, None, "suspended"),
    }  # fmt: skip
    body = cases(FAILED)["prod Kustomization/apps/web"].result[0].text
    assert "Pod web-6d4cf56db6-x2x8v, container web: ImagePullBackOff: not found (3 restarts)" in body
    assert body.splitlines()[-1] == "Next: kubectl -n apps describe pod web-6d4cf56db6-x2x8v"


def test_what_is_missing_when_time_is_up_is_a_failure() -> None:
    ((name, (kind, reason, _)),) = results(TIMED_OUT).items()
    assert (name, kind, reason) == ("test Kustomization/apps/web", Failure, "Waiting")
    assert {kind for kind, _, _ in results(STILL).values()} == {Skipped}


def test_what_can_no_longer_come_is_a_failure() -> None:
    assert [one[:2] for one in results(DIVERGED).values()] == [(Failure, "Diverged")]


def test_a_cluster_that_cannot_be_read_is_an_error() -> None:
    ((name, found),) = results(UNREAD).items()
    assert name == "test can be read"
    assert found == (Error, "Unreadable", "The cluster test could not be read: it timed out. Is it up?")
    unheard = answered(stands("web"), verdict=Verdict.WAITING, unread=("far",))
    assert results(unheard)["far can be read"][0] is Error


@pytest.mark.parametrize("state", State)
def test_nothing_passes_but_what_is_live(state: State) -> None:
    (case,) = cases(seen(state)).values()
    assert case.is_passed is (state is State.SUCCESS)
    assert bool(case.result) is (state is not State.SUCCESS)
    if case.result:
        assert isinstance(case.result[0], Failure if state is State.FAILURE else Skipped)


@pytest.mark.parametrize("report", [*REPORTS.values(), REPORT], ids=[*REPORTS, "report"])
def test_the_counts_are_what_a_reader_counts(report: Report) -> None:
    ours, theirs = JUnitXml.fromstring(written(report).encode()), JUnitXml.fromstring(written(report).encode())
    theirs.update_statistics()  # type: ignore[no-untyped-call]
    assert (ours.tests, ours.failures, ours.errors) == (theirs.tests, theirs.failures, theirs.errors)
    assert [(s.tests, s.failures, s.errors, s.skipped) for s in ours] == [
        (s.tests, s.failures, s.errors, s.skipped) for s in theirs
    ]


def test_a_failure_without_a_reason_is_one_all_the_same() -> None:
    found = results(answered(stands("web", "failed"), verdict=Verdict.FAILED))
    assert found == {"prod Kustomization/apps/web": (Failure, "Failed", "failed")}


def test_without_an_answer_the_worst_of_the_present_counts_and_no_time_of_the_past() -> None:
    about = ref("web")
    good = Observation(about, State.SUCCESS, FLEET, A, duration="1s")
    bad = Observation(about, State.FAILURE, FLEET, B, "BuildFailed", "x")
    gone = Observation(about, State.SUCCESS, FLEET, B, duration="9s", past=True)
    for order in ((good, bad), (bad, good)):
        looks = (Look("prod", tuple(Outcome("prod", FLEET, one.commit, (one,)) for one in order)),)
        assert [kind for kind, _, _ in results(Report(looks)).values()] == [Failure]
    looks = (Look("prod", tuple(Outcome("prod", FLEET, one.commit, (one,)) for one in (good, gone))),)
    assert [case.time for case in cases(Report(looks)).values()] == [1.0]
