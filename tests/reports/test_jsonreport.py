from __future__ import annotations

import json

import pytest
from hypothesis import given
from reports.hostile import FLEET, HOSTILE, NOTHING, NOW, QUIET, REPORT, WEB, A, as_utf8, report_of
from reports.test_commands import ANY_TEXT

from landed.model import Look, Outcome, Report, State
from landed.reports import jsonreport, render
from landed.reports.interface import View

LOG = View(NOW)


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
    for path in members(json.loads(render("json", report_of("x"), LOG))):
        assert path.rpartition(".")[2] in documented


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
