from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from reports.answered import EMPTY, FAILED, LIVE, REPORTS, UNREAD, answered_of
from reports.hostile import FLEET, HOSTILE, NOTHING, NOW, QUIET, REPORT, WEB, A, as_utf8, report_of
from reports.test_commands import ANY_TEXT

from landed.model import Look, Outcome, Report, State
from landed.reports import jsonreport, render
from landed.reports.interface import View

LOG = View(NOW)
SCHEMA = json.loads((files("landed.reports") / "report.schema.json").read_text())
JUDGE = Draft202012Validator(SCHEMA)


def test_a_program_finds_everything() -> None:
    document = json.loads(render("json", REPORT, LOG))
    assert document["schema"] == "landed.report/1"
    assert document["exit_code"] == 5
    assert document["state"] == "failure"
    assert document["counts"] == {
        "outcomes": 2, "failed": 1, "delivered": 1, "undelivered": 1, "planned": 0, "unreadable": 1,
    }  # fmt: skip
    prod, test = document["clusters"]
    assert (test["name"], test["error"], test["hint"]) == (
        "test", "The cluster test could not be read: it timed out.", "Is it up?",
    )  # fmt: skip
    first, second = prod["outcomes"]
    assert (first["commit"], first["repository"], first["state"]) == (A, "github.com/acme/fleet", "failure")
    assert second["state"] == "success"
    assert first["observations"] == [
        {
            "kind": "Kustomization", "namespace": "apps", "name": "web", "state": "failure",
            "reason": "HealthCheckFailed",
            "message": "health check failed after 30s: timeout waiting for: [Deployment/apps/web]",
            "revision": f"main@sha1:{A}", "since": "2025-12-22T10:40:00Z", "duration": "", "past": False,
            "keeps": False, "waits_for": None,
        },
        {
            "kind": "Kustomization", "namespace": "apps", "name": "api", "state": "pending",
            "reason": "DependencyNotReady", "message": "dependency 'apps/web' is not ready",
            "revision": f"main@sha1:{A}", "since": "2025-12-22T10:40:00Z", "duration": "", "past": False,
            "keeps": False, "waits_for": "Kustomization/apps/web",
        },
    ]  # fmt: skip
    assert [(o["kind"], o["state"], o["since"]) for o in prod["silent"]] == [
        ("GitRepository", "failure", None), ("Kustomization", "suspended", None),
    ]  # fmt: skip
    status, message = document["deliveries"]
    assert status["type"] == "status"
    assert status["delivered"] is True
    assert status["context"] == "flux/prod/apps/web"
    assert status["marks"][0]["fingerprint"] == "failure HealthCheckFailed"
    assert message["type"] == "message"
    assert (message["delivered"], message["error"]) == (False, "slack answered 404 no_service")
    assert document["warnings"] == ["prod: Kustomization/apps/odd makes no sense"]


def members(value: object) -> set[str]:
    """The paths of all members, list items taken as one."""
    if isinstance(value, dict):
        return {f".{key}{path}" for key, inner in value.items() for path in members(inner)}
    if isinstance(value, list):
        return {path for inner in value for path in members(inner)} or {""}
    return {""}


def test_every_member_is_documented() -> None:
    documented = jsonreport.__doc__ or ""
    for report in (report_of("x"), answered_of("x"), FAILED):
        for path in members(json.loads(render("json", report, LOG))):
            assert f'"{path.rpartition(".")[2]}"' in documented or path.rpartition(".")[2] in documented.split()


@given(ANY_TEXT)
def test_text_is_kept_as_it_is_to_programs(text: str) -> None:
    document = json.loads(render("json", report_of(text), LOG))
    assert document["warnings"] == [as_utf8(text)]
    assert document["clusters"][0]["outcomes"][0]["observations"][0]["message"] == as_utf8(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    assert json.loads(render("json", report_of(text), LOG))["warnings"] == [as_utf8(text)]


def _look(*states: State, past: bool = False, error: str = "") -> Look:
    from msgspec.structs import replace

    made = tuple(Outcome("prod", FLEET, A, (replace(WEB, state=state, past=past),)) for state in states)
    return Look("prod", made, error=error)


@pytest.mark.parametrize(
    ("report", "state"),
    [
        pytest.param(NOTHING, "none", id="nothing"),
        pytest.param(QUIET, "success", id="live"),
        pytest.param(Report((_look(State.SUCCESS, State.PENDING),)), "pending", id="on its way"),
        pytest.param(Report((_look(State.SUCCESS, State.PENDING, State.FAILURE),)), "failure", id="failed"),
        pytest.param(Report((_look(State.SUCCESS), _look(error="x"))), "unknown", id="a cluster is not known"),
        pytest.param(Report((_look(State.FAILURE), _look(error="x"))), "failure", id="failed, whatever the other says"),
        pytest.param(Report((_look(State.FAILURE, past=True),)), "none", id="what came and went does not count"),
    ],
)
def test_the_state_of_it_all(report: Report, state: str) -> None:
    assert jsonreport.state(report) == state


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_program_finds_the_answer() -> None:
    document = json.loads(render("json", FAILED, LOG))
    answer = document["answer"]
    standings = answer.pop("standings")
    assert answer == {
        "repository": "github.com/acme/fleet", "commit": A, "verdict": "failed", "timed_out": False,
        "applied_commit": A, "began": "2025-12-22T10:48:20Z", "ended": "2025-12-22T10:50:00Z", "seconds": 100,
        "unread": [], "notes": [],
    }  # fmt: skip
    assert [(one["name"], one["state"]) for one in standings] == [
        ("web", "failed"), ("api", "waiting"), ("db", "live"), ("old", "suspended"),
    ]  # fmt: skip
    assert standings[1] == {
        "cluster": "prod", "kind": "Kustomization", "namespace": "apps", "name": "api", "state": "waiting", "commit": A,
        "revision": f"main@sha1:{A}", "reason": "DependencyNotReady", "message": "dependency not ready",
        "since": "2025-12-22T10:49:00Z", "waits_for": "Kustomization/apps/web", "doomed": "",
    }  # fmt: skip
    assert json.loads(render("json", QUIET, LOG))["answer"] is None
    assert json.loads(render("json", EMPTY, LOG))["answer"]["applied_commit"] == ""


def test_a_program_finds_the_cause() -> None:
    (why,) = json.loads(render("json", FAILED, LOG))["explanations"]
    assert (why["cluster"], why["name"], why["waiting"]) == ("prod", "web", ["Kustomization/apps/api"])
    (culprit,) = why["culprits"]
    assert culprit["pods"][0] == {
        "pod": "web-6d4cf56db6-x2x8v", "container": "web", "reason": "ImagePullBackOff", "message": "not found",
        "restarts": 3, "log": ["starting", "::error::x", ""],
    }  # fmt: skip


def test_a_program_finds_what_was_read() -> None:
    prod, test = json.loads(render("json", LIVE, LOG))["clusters"]
    db, web = prod["kustomizations"]
    assert (web["name"], web["path"], web["depends_on"], web["source"]) == (
        "web", "./apps/web", ["Kustomization/apps/db"], "GitRepository/flux-system/fleet",
    )  # fmt: skip
    assert db["history"] == [
        {
            "revision": f"main@sha1:{A}", "origin_revision": "", "status": "ReconciliationSucceeded",
            "first": "2025-12-22T10:48:30Z", "last": "2025-12-22T10:49:00Z", "times": 2, "duration": "13.118402s",
        }
    ]  # fmt: skip
    assert [k["name"] for k in test["kustomizations"]] == ["web"]
    assert json.loads(render("json", REPORT, LOG))["clusters"][0]["kustomizations"] is None


# ── the schema ──────────────────────────────────────────────────────────────────────────────────────────────────────

EVERY = {
    **REPORTS,
    "report": REPORT,
    "quiet": QUIET,
    "nothing": NOTHING,
    "one": report_of("x"),
    "two": answered_of("x"),
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["title"] == jsonreport.SCHEMA


@pytest.mark.parametrize("report", EVERY.values(), ids=EVERY)
def test_the_schema_has_nothing_against_a_report(report: Report) -> None:
    JUDGE.validate(json.loads(render("json", report, LOG)))
    short = json.loads(jsonreport.written(jsonreport.value(report, failures=1) | {"complete": False}))
    JUDGE.validate(short)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_schema_has_nothing_against_hostile_text(text: str) -> None:
    for report in (answered_of(text), report_of(text)):
        document = json.loads(render("json", report, LOG))
        wrong = [error for error in JUDGE.iter_errors(document) if "type" not in error.absolute_path]
        assert wrong == []


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every JSON object, the counts and what they are in included."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*([value] if isinstance(value, dict) else []), *(one for x in inner for one in _objects(x))]


@pytest.mark.parametrize("report", [REPORT, FAILED, LIVE, UNREAD])
def test_the_schema_knows_every_member_and_asks_for_it(report: Report) -> None:
    document = json.loads(render("json", report, LOG))
    for number, one in enumerate(_objects(document)):
        changed = copy.deepcopy(document)
        _objects(changed)[number]["unheard_of"] = 1
        assert not JUDGE.is_valid(changed), one
        optional = {"repository", "commit", "context", "target_url", "environment", "environment_url", "state"}
        for name in one.keys() - (optional | {"description"} if "marks" in one else set()):
            lacking = copy.deepcopy(document)
            del _objects(lacking)[number][name]
            assert not JUDGE.is_valid(lacking), name
