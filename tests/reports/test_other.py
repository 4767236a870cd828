"""What ``landed ledger show`` and ``landed doctor`` print."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from reports.hostile import NOW, OBEYED, commands_in
from reports.test_commands import ANY_TEXT

from landed.model import Finding
from landed.reports import findings, told
from landed.told import Entry, Intent, Told

TOLD = Told(
    {
        "github.com": {
            "acme/fleet flux/prod/apps/web": [
                Entry("6dcd4ce23d88", "failure HealthCheckFailed", NOW - 7200, past=True),
                Entry("ae4f281df5a5", "success", NOW - 60, "17"),
            ],
            "acme/other flux/prod": [Entry("0123456789ab", "pending", NOW - 30)],
        },
        "slack": {"prod github.com/acme/fleet": [Entry("ae4f281df5a5", "success", NOW - 90)]},
        "generic": {},
    },
    {"prod": NOW - 90},
    [Intent("slack", "prod github.com/acme/fleet", "ae4f281df5a5")],
)

TABLE = """\
STATE             DESTINATION  ABOUT                          COMMIT    TOLD     REASON
◌ pending         github.com   acme/other flux/prod           01234567  30s ago
✓ success         github.com   acme/fleet flux/prod/apps/web  ae4f281d  1m ago
✓ success         slack        prod github.com/acme/fleet     ae4f281d  1m ago
✗ failure (past)  github.com   acme/fleet flux/prod/apps/web  6dcd4ce2  2h ago   HealthCheckFailed
"""


def test_the_ledger_is_shown_newest_first() -> None:
    assert told.as_table(TOLD, NOW) == TABLE
    assert told.as_table(Told(), NOW) == "Nothing has been told.\n"


def test_the_ledger_of_one_repository_is_found_under_both_names() -> None:
    printed = told.as_table(TOLD, NOW, ["acme/fleet"]).splitlines()
    assert [line.split() for line in printed] == [
        line.split() for line in TABLE.splitlines() if "acme/other" not in line
    ]
    assert told.as_table(TOLD, NOW, ["fleet-of-somebody"]) == "Nothing has been told.\n"


def test_the_ledger_is_json_for_programs() -> None:
    document = json.loads(told.as_json(TOLD, NOW))
    assert document["schema"] == "landed.ledger/1"
    assert document["entries"][-1] == {
        "destination": "github.com", "about": "acme/fleet flux/prod/apps/web", "commit": "6dcd4ce23d88",
        "state": "failure", "fingerprint": "failure HealthCheckFailed", "at": "2025-12-22T08:50:00Z", "handle": "",
        "past": True,
    }  # fmt: skip
    assert document["begun"] == [
        {"destination": "slack", "about": "prod github.com/acme/fleet", "commit": "ae4f281df5a5"}
    ]
    assert document["seen"] == {"prod": "2025-12-22T10:48:30Z"}
    assert len(json.loads(told.as_json(TOLD, NOW, ["acme/other"]))["entries"]) == 1


@pytest.mark.parametrize("when", [-(10**30), -1, 0, 10**30])
def test_a_time_that_makes_no_sense_is_shown_somehow(when: int) -> None:
    odd = Told({"x": {"line": [Entry("a", "odd", when)]}}, {"prod": when})
    assert "· odd" in told.as_table(odd, NOW)
    assert json.loads(told.as_json(odd, NOW))["entries"][0]["at"]


@given(ANY_TEXT)
def test_a_ledger_written_by_somebody_else_forges_nothing(text: str) -> None:
    odd = Told({text: {text: [Entry(text, text, 1, text)]}}, {text: 1}, [Intent(text, text, text)])
    for printed in (told.as_table(odd, NOW), told.as_json(odd, NOW)):
        assert commands_in(printed) == []
        assert not OBEYED.search(printed)
    assert len(told.as_table(odd, NOW).splitlines()) == 2


# ── the doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────

FINDINGS = (
    Finding("kubeconfig", "ok", "prod: https://example.com"),
    Finding("GitHub token", "warning", "It expires soon."),
    Finding(
        "RBAC", "problem", "May not list kustomizations.", "kubectl apply -f - <<EOF\nrules:\n  - verbs: [list]\nEOF"
    ),
)


def test_findings_are_aligned_with_their_way_out_below() -> None:
    assert findings.render(FINDINGS, "table") == (
        "✓ kubeconfig    prod: https://example.com\n"
        "! GitHub token  It expires soon.\n"
        "✗ RBAC          May not list kustomizations.\n"
        "                kubectl apply -f - <<EOF\n"
        "                rules:\n"
        "                  - verbs: [list]\n"
        "                EOF\n"
        "1 problem, 1 warning.\n"
    )
    assert findings.render(FINDINGS[:1], "table").endswith("\nEverything is as it should be.\n")


def test_findings_are_json_for_programs() -> None:
    document = json.loads(findings.render(FINDINGS, "json"))
    assert document["schema"] == "landed.findings/1"
    assert document["findings"][1] == {
        "subject": "GitHub token", "level": "warning", "message": "It expires soon.", "hint": "",
    }  # fmt: skip


@given(ANY_TEXT)
def test_findings_forge_nothing(text: str) -> None:
    for format_ in ("table", "json"):
        printed = findings.render((Finding(text, "problem", text, text),), format_)
        assert commands_in(printed) == []
        assert not OBEYED.search(printed)
