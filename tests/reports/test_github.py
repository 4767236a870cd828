from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from reports.answered import DIVERGED, FAILED, LIVE, STILL, TIMED_OUT, WHY, answered, answered_of, k, read, ref, stands
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

from landed.model import Look, ObjectRef, Outcome, Report, Secret, State, Verdict
from landed.reports import github, marks
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
        "exit_code": "5", "verdict": "", "applied_commit": "",
        "failed_objects": "prod GitRepository/flux-system/fleet\nprod Kustomization/apps/web",
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


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_step_learns_the_answer(run: Run) -> None:
    run.publish(FAILED)
    found = run.outputs
    assert (found["verdict"], found["commit"], found["applied_commit"]) == ("failed", A, A)
    assert found["failed_objects"] == "prod Kustomization/apps/web"
    assert json.loads(found["json"])["explanations"][0]["command"] == WHY.command
    assert run.summary.read_text().startswith("### ✗ <code>6dcd4ce2 failed on prod")


def test_a_bad_answer_marks_the_run(run: Run) -> None:
    run.publish(FAILED)
    headline, web = commands_in(run.log)
    assert headline == ("error", {}, "✗ 6dcd4ce2 failed on prod: apps/web")
    assert web[1]["title"] == "apps/web failed on prod"
    assert web[2].startswith(
        "apps/web on prod: Deployment/apps/web: the image registry.example.com/acme/web:1 cannot be pulled\n"
    )
    assert web[2].endswith("Next: kubectl -n apps describe pod web-6d4cf56db6-x2x8v")


@pytest.mark.parametrize(
    ("report", "marked"),
    [
        (LIVE, 0),
        (TIMED_OUT, 2),
        (STILL, 0),
        (DIVERGED, 2),
    ],
)
def test_what_is_fine_or_on_its_way_marks_nothing(run: Run, report: Report, marked: int) -> None:
    run.publish(report)
    assert len(commands_in(run.log)) == marked


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_forges_no_output_in_an_answer(run: Run, text: str) -> None:
    run.publish(answered_of(text))
    assert run.outputs.keys() == github.OUTPUTS.keys()
    assert run.outputs["verdict"] == "failed"
    assert {name for name, _, _ in commands_in(run.log)} <= {"error", "warning"}
    assert commands_in(run.summary.read_text()) == []


def test_a_long_answer_is_cut_too(run: Run) -> None:
    many = answered(*(stands(f"web{n}", "failed", message="m" * 400) for n in range(5000)))
    run.publish(many)
    document = json.loads(run.outputs["json"])
    assert len(run.outputs["json"].encode()) <= github.MOST_JSON
    assert len(document["answer"]["standings"]) == 100
    assert len(run.outputs["failed_objects"].splitlines()) == github.MOST_NAMED


# ── where it is in the repository ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def workspace(tmp_path: Path) -> dict[str, str]:
    root = tmp_path / "workspace"
    for folder in ("apps/web", "apps/api", "bare"):
        (root / folder).mkdir(parents=True)
    (root / "apps" / "web" / "kustomization.yaml").touch()
    (root / "apps" / "api" / "kustomization.yml").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kustomization.yaml").touch()
    (root / "link").symlink_to(tmp_path / "outside")
    return {"GITHUB_WORKSPACE": str(root), "GITHUB_REPOSITORY": "acme/Fleet"}


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("./apps/web", "apps/web/kustomization.yaml"),
        ("/apps/web/", "apps/web/kustomization.yaml"),
        ("apps//web/.", "apps/web/kustomization.yaml"),
        ("./apps/api", "apps/api/kustomization.yml"),
        ("./bare", "bare"),
        ("./missing", "missing"),
        ("./", ""),
        ("", ""),
        ("../outside", ""),
        ("./apps/../../outside", ""),
        ("..\\outside", ""),
        ("./link", ""),
        ("a\0b", ""),
    ],
)
def test_a_path_means_a_file_in_the_workspace(workspace: dict[str, str], path: str, file: str) -> None:
    assert marks.place(path, workspace) == file


def test_without_a_workspace_the_folder_is_meant() -> None:
    assert marks.place("./apps/web", {}) == "apps/web"
    assert marks.place("../apps/web", {}) == ""


def test_a_mark_points_at_the_kustomizations_path(workspace: dict[str, str]) -> None:
    _, web = marks.marks(FAILED, workspace)
    assert web.file == "apps/web/kustomization.yaml"
    outcome = Report((replace(read(k("web")), outcomes=(Outcome("prod", FLEET, A, (WEB,)),)),))
    assert [mark.file for mark in marks.marks(outcome, workspace)] == ["apps/web/kustomization.yaml"]


def test_what_depends_on_a_failure_is_no_mark_of_its_own(run: Run) -> None:
    more = (stands(name, "failed", waits_for=ref("web")) for name in ("api", "jobs"))
    run.publish(answered(stands("web", "failed"), stands("other", "failed"), *more, verdict=Verdict.FAILED))
    titles = [properties.get("title", "") for _, properties, _ in commands_in(run.log)]
    assert titles == ["", "apps/other failed on prod", "apps/web failed on prod"]


def test_a_mark_never_points_into_another_repository(workspace: dict[str, str]) -> None:
    elsewhere = workspace | {"GITHUB_REPOSITORY": "acme/app"}
    assert {mark.file for mark in marks.marks(FAILED, elsewhere)} == {""}
