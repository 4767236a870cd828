from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from reports.hostile import (
    FLEET,
    HOSTILE,
    NOTHING,
    QUIET,
    REPORT,
    WEB,
    A,
    B,
    as_utf8,
    commands_in,
    outputs_in,
    report_of,
)
from reports.test_commands import ANY_TEXT

from landed.model import Look, ObjectRef, Outcome, Report, Secret, State
from landed.reports import github
from landed.reports.console import Console


class Run:
    """A step on a runner: its files and its log."""

    def __init__(self, folder: Path, *, secrets: tuple[Secret, ...] = ()) -> None:
        self.output, self.summary = folder / "output", folder / "summary"
        self.output.touch()
        self.summary.touch()
        self.environ = {
            "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary),
        }  # fmt: skip
        self._err = io.StringIO()
        self.console = Console(io.StringIO(), self._err, environ=self.environ, secrets=secrets)
        self._masks = len(self._err.getvalue())

    def publish(self, report: Report) -> None:
        github.publish(report, self.environ, self.console)

    @property
    def log(self) -> str:
        return self._err.getvalue()[self._masks :]

    @property
    def outputs(self) -> dict[str, str]:
        return outputs_in(self.output.read_bytes().decode())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_step_gets_its_outputs(run: Run) -> None:
    run.publish(REPORT)
    found = run.outputs
    assert found.keys() == github.OUTPUTS.keys()
    document = json.loads(found.pop("json"))
    assert document["schema"] == "landed.report/1"
    assert document["clusters"][0]["outcomes"][0]["commit"] == A
    assert found == {
        "state": "failure", "commit": "", "outcomes": "2", "failed": "1", "delivered": "1", "undelivered": "1",
        "exit_code": "5",
    }  # fmt: skip


def test_the_commit_is_given_if_it_is_one(run: Run) -> None:
    run.publish(QUIET)
    assert run.outputs["commit"] == B
    assert run.outputs["state"] == "success"


def test_outputs_of_nothing_are_complete(run: Run) -> None:
    run.publish(NOTHING)
    assert run.outputs.keys() == github.OUTPUTS.keys()
    assert run.log == ""


def test_what_was_in_the_files_stays(run: Run) -> None:
    run.output.write_text("mine=1\n")
    run.summary.write_text("# Mine\n")
    run.publish(QUIET)
    assert run.outputs["mine"] == "1"
    assert run.summary.read_text().startswith("# Mine\n**Nothing new")


def test_the_run_is_marked_the_most_important_first(run: Run) -> None:
    run.publish(REPORT)
    assert commands_in(run.log) == [
        ("error", {"title": "test could not be read"}, "The cluster test could not be read: it timed out.\nIs it up?"),
        (
            "error",
            {"title": "acme/fleet main@6dcd4ce2 failed on prod"},
            "apps/web: Health check failed after 30s: timeout waiting for: [Deployment/apps/web]",
        ),
        ("error", {"title": "Not delivered to slack"}, "slack answered 404 no_service\nMake a new webhook."),
        (
            "warning",
            {"title": "GitRepository flux-system/fleet is failing on prod"},
            "Git operation failed: auth: 401",
        ),
        ("warning", {}, "prod: Kustomization/apps/odd makes no sense"),
    ]


def test_what_came_and_went_marks_nothing(run: Run) -> None:
    past = Outcome("prod", FLEET, A, (replace(WEB, past=True),))
    run.publish(Report((Look("prod", (past,)),)))
    assert run.log == ""
    assert run.outputs["state"] == "none"


def test_there_are_ten_marks_of_a_level_at_most(run: Run) -> None:
    many = tuple(
        Outcome("prod", FLEET, f"{n:040x}", (replace(WEB, about=ObjectRef("Kustomization", "apps", f"web{n}")),))
        for n in range(30)
    )
    run.publish(Report((Look("prod", many),), warnings=tuple(f"warning {n}" for n in range(30))))
    levels = [name for name, _, _ in commands_in(run.log)]
    assert levels == ["error"] * 10 + ["warning"] * 10
    assert all(len(data) <= 4096 for _, _, data in commands_in(run.log))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_forges_no_output(run: Run, text: str) -> None:
    run.publish(report_of(text))
    assert run.outputs.keys() == github.OUTPUTS.keys()
    assert run.outputs["state"] == "failure"
    assert json.loads(run.outputs["json"])["warnings"] == [as_utf8(text)]


@settings(max_examples=200)  # each one takes milliseconds
@given(text=ANY_TEXT)
def test_no_text_forges_outputs_or_commands(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    run = Run(tmp_path_factory.mktemp("run"))
    run.publish(report_of(text))
    assert run.outputs.keys() == github.OUTPUTS.keys()
    assert {name for name, _, _ in commands_in(run.log)} <= {"error", "warning"}
    assert commands_in(run.summary.read_text()) == []


def test_each_value_ends_at_a_line_nobody_can_guess() -> None:
    values = {"a": "x\nlanded_0\n", "b": "<<", "c": "", "d": "=\n=", "e": "a=b\n\n"}
    first, second = github.written_outputs(values), github.written_outputs(values)
    assert outputs_in(first) == values
    assert first != second
    ends = [line.partition("<<")[2] for line in first.splitlines() if line.startswith(("a<<", "b<<"))]
    assert len(set(ends)) == 2
    assert all(len(end) > 32 for end in ends)


def test_no_secret_gets_into_the_files(tmp_path: Path) -> None:
    secrets = ["s3cr3t|<&>", 'quo"ted\\secret', "https://hooks.example.com/services/T0/B0/XXXXXXXX"]
    run = Run(tmp_path, secrets=tuple(Secret(secret) for secret in secrets))
    run.publish(report_of(f"the {' '.join(secrets)} are out"))
    for secret in secrets:
        for text in (run.output.read_text(), run.summary.read_text(), run.log):
            assert secret not in text
            assert json.dumps(secret)[1:-1] not in text
    assert "the *** *** *** are out" in run.outputs["json"]


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_a_file_that_cannot_be_written_is_a_warning(run: Run, tmp_path: Path, name: str) -> None:
    for place in (tmp_path / "missing" / "file", tmp_path):
        run.environ[name] = str(place)
        run.publish(QUIET)
    warnings = [line for line in run.log.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert all(str(tmp_path) in line for line in warnings)


def test_without_files_there_is_nothing_to_write(run: Run) -> None:
    run.environ.update({"GITHUB_OUTPUT": "", "GITHUB_STEP_SUMMARY": ""})
    run.publish(QUIET)
    assert run.log == ""


def _large(objects: int, state: State) -> Report:
    observations = tuple(
        replace(WEB, about=ObjectRef("Kustomization", "apps", f"web{n}"), state=state, message="m" * 400)
        for n in range(objects)
    )
    return Report((Look("prod", (Outcome("prod", FLEET, A, observations),)),))


@pytest.mark.parametrize(
    ("report", "kept"),
    [
        pytest.param(_large(5000, State.SUCCESS), 0, id="live ones are left out"),
        pytest.param(_large(5000, State.FAILURE), 100, id="a hundred failures are enough"),
    ],
)
def test_an_output_is_never_too_long(run: Run, report: Report, kept: int) -> None:
    run.publish(report)
    text = run.outputs["json"]
    document = json.loads(text)
    assert len(text.encode()) <= github.MOST_JSON
    assert document["complete"] is False
    assert document["counts"]["outcomes"] == 1
    assert len(document["clusters"][0]["outcomes"][0]["observations"]) == kept
    assert len(run.summary.read_bytes()) < 1024 * 1024


def test_an_output_that_cannot_be_short_holds_the_counts(run: Run) -> None:
    outcomes = tuple(Outcome("prod", FLEET, f"{n:040x}", (replace(WEB, message="m" * 4000),)) for n in range(2000))
    run.publish(Report((Look("prod", outcomes),)))
    document = json.loads(run.outputs["json"])
    assert document["counts"]["failed"] == 2000
    assert "clusters" not in document


def test_a_summary_that_is_full_already_is_left_alone(run: Run) -> None:
    run.summary.write_text("x" * 999_500)
    run.publish(QUIET)
    assert run.summary.stat().st_size == 999_500
