"""A report as JUnit XML, for the test tabs of GitLab, Jenkins, Azure Pipelines and others. No I/O.

One suite for each cluster, one case for each Kustomization and HelmRelease. What has failed, can no longer bring the
commit, or was missing when time was up is a failure. What is still on its way, suspended or otherwise silent is skipped
and says why; a cluster that could not be read is a case with an error. So nothing passes but what is live.

The form is the one that Jenkins publishes a schema for, which GitLab reads as well:
https://docs.gitlab.com/ci/testing/unit_test_reports/ . Text is one line, or one line each in a body, and holds no
character that XML 1.0 forbids: https://www.w3.org/TR/xml/#charsets
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from msgspec import Struct

from landed import render as sentences
from landed.flux.times import length
from landed.model import Explanation, Report, Standing, Verdict
from landed.reports.answers import details
from landed.reports.interface import View
from landed.reports.rows import plain
from landed.reports.standings import LOST, Place, durations, standings, why

#: Characters of a message, and of one line of a body.
MOST_OF_A_MESSAGE = 1000
_LONGEST_BODY = 200


class _Case(Struct, frozen=True):
    """One ``testcase``, all text harmless and not yet escaped."""

    classname: str
    name: str
    outcome: str = ""
    """``failure``, ``error`` or ``skipped``; empty where it passes."""
    type: str = ""
    message: str = ""
    body: tuple[str, ...] = ()
    seconds: float = 0.0


def render(report: Report, view: View) -> str:
    """All clusters, in the order of the run. ``view`` makes no difference."""
    suites = {cluster: _cases(report, cluster) for cluster in _clusters(report)}
    every = [case for cases in suites.values() for case in cases]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{_attributes({'name': 'landed', **_counts(every)})}>",
        *(line for cluster, cases in suites.items() for line in _suite(report, cluster, cases)),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _clusters(report: Report) -> tuple[str, ...]:
    unread = report.answer.unread if report.answer else ()
    return tuple(
        dict.fromkeys((*(look.cluster for look in report.looks), *(s.cluster for s in standings(report)), *unread))
    )


def _cases(report: Report, cluster: str) -> list[_Case]:
    explained = {(one.cluster, one.about): one for one in report.explanations}
    took = durations(report)
    found = [_case(report, one, explained, took) for one in standings(report) if one.cluster == cluster]
    return [*_unread(report, cluster), *sorted(found, key=lambda case: (case.classname, case.name))]


def _unread(report: Report, cluster: str) -> Iterator[_Case]:
    errors = [_with(look.error, look.hint) for look in report.looks if look.cluster == cluster and look.error]
    if not errors and report.answer is not None and cluster in report.answer.unread:
        errors = ["Nothing is known of it at present."]
    for error in errors[:1]:
        yield _Case(f"landed.{plain(cluster)}", "can be read", "error", "Unreadable", error)


def _case(report: Report, one: Standing, explained: Mapping[Place, Explanation], took: Mapping[Place, str]) -> _Case:
    place = (one.cluster, one.about)
    outcome, kind = _outcome(report, one)
    cause = explained.get(place) if outcome == "failure" else None
    message = plain(cause.message) if cause is not None and cause.message else why(one, MOST_OF_A_MESSAGE)
    return _Case(
        f"landed.{plain(one.cluster)}.{plain(one.about.namespace)}",
        plain(str(one.about)),
        outcome,
        kind,
        (message or plain(one.state)) if outcome else "",
        tuple(_body(one, cause)) if outcome == "failure" else (),
        length(took.get(place)) if one.state == Verdict.LIVE else 0.0,
    )


def _outcome(report: Report, one: Standing) -> tuple[str, str]:
    """What becomes of a standing, and its type."""
    if one.state == Verdict.LIVE:
        return "", ""
    if one.state == Verdict.DIVERGED:
        return "failure", "Diverged"
    if one.state in LOST:
        return "failure", plain(one.reason) or "Failed"
    if one.state == Verdict.WAITING and report.answer is not None and report.answer.timed_out:
        return "failure", "Waiting"
    return "skipped", ""


def _body(one: Standing, cause: Explanation | None) -> Iterator[str]:
    said = why(one, MOST_OF_A_MESSAGE)
    yield said or plain(one.state)
    if one.since:
        yield f"Since {sentences.rfc3339(one.since)}"
    if one.revision or one.commit:
        yield f"Revision: {plain(one.revision or one.commit)}"
    if cause is not None:
        yield from details(cause)


def _with(message: str, hint: str) -> str:
    return sentences.cut(plain(f"{message} {hint}"), MOST_OF_A_MESSAGE)


# ── XML ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _suite(report: Report, cluster: str, cases: Sequence[_Case]) -> Iterator[str]:
    yield f"  <testsuite{_attributes({'name': plain(cluster) or 'cluster', **_counts(cases, skipped=True)})}>"
    if report.answer is not None:
        given = {"commit": plain(report.answer.commit), "verdict": str(report.answer.verdict)}
        properties = "".join(f"<property{_attributes({'name': name, 'value': given[name]})}/>" for name in given)
        yield f"    <properties>{properties}</properties>"
    for case in cases:
        yield from _written(case)
    yield "  </testsuite>"


def _counts(cases: Sequence[_Case], *, skipped: bool = False) -> dict[str, str]:
    numbers = {
        "tests": len(cases),
        "failures": sum(case.outcome == "failure" for case in cases),
        "errors": sum(case.outcome == "error" for case in cases),
    }
    if skipped:  # the schema knows it of a suite only
        numbers["skipped"] = sum(case.outcome == "skipped" for case in cases)
    return {name: str(number) for name, number in numbers.items()} | {"time": _time(sum(c.seconds for c in cases))}


def _written(case: _Case) -> Iterator[str]:
    head = f"    <testcase{_attributes({'classname': case.classname, 'name': case.name, 'time': _time(case.seconds)})}"
    if not case.outcome:
        yield f"{head}/>"
        return
    yield f"{head}>"
    given = {"type": case.type, "message": sentences.cut(case.message, MOST_OF_A_MESSAGE)}
    opening = f"      <{case.outcome}{_attributes({name: text for name, text in given.items() if text})}"
    if case.body:
        *first, last = case.body[:_LONGEST_BODY]
        lines = [f"{opening}>", *map(_escaped, first), f"{_escaped(last)}</{case.outcome}>"]
        yield from lines
    else:
        yield f"{opening}/>"
    yield "    </testcase>"


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _attributes(given: Mapping[str, str]) -> str:
    return "".join(f' {name}="{_escaped(text)}"' for name, text in given.items())


def _escaped(text: str) -> str:
    text = _illegal().sub("\ufffd", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;")


@cache
def _illegal() -> re.Pattern[str]:
    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
