"""What is a check run's own: its states, its two requests, whose it is, and who may write it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standins.github import CLASSIC, PERSONAL, READER, WRITER, GitHub
from standins.github_app import APP_ID, INSTALLATION, Apps, key
from standins.github_checks import GitHubChecks
from standins.server import answer, lost, reset

from landed.errors import DeliveryError
from landed.model import CommitStatus, GitHost, GitHubApp, Repository, Secret, State
from landed.providers.git.github import checks as github_checks
from landed.providers.interface import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
NAME = "flux/prod/apps/web"
TAKES = "check runs take a GitHub App's token or GITHUB_TOKEN with `permissions: checks: write`"


@pytest.fixture
def standin() -> Iterator[GitHubChecks]:
    with GitHubChecks() as server:
        yield server
        assert server.violations == []


def connect(standin: GitHubChecks, token: str = WRITER) -> github_checks.GitHubChecks:
    host = GitHost("github", "github.com", standin.url, Secret(token))
    return github_checks.connect(host, sleep=lambda _: None)


def status(state: State = State.SUCCESS, **changes: Any) -> CommitStatus:
    told = {"description": "Applied main@6dcd4ce2", "target_url": "https://ci.example.com/1"} | changes
    return CommitStatus(FLEET, COMMIT, NAME, state, **told)


def failure(provider: github_checks.GitHubChecks, said: CommitStatus | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(said or status())
    return caught.value


def methods(standin: GitHubChecks) -> list[str]:
    return [asked.method for asked in standin.asked]


def test_the_request_is_the_one_github_documents(standin: GitHubChecks) -> None:
    connect(standin).deliver(status(detail="# Why\n\nAll is **well**."))

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", "/repos/acme/fleet/check-runs")
    assert json.loads(asked.body) == {
        "name": NAME,
        "head_sha": COMMIT,
        "status": "completed",
        "conclusion": "success",
        "details_url": "https://ci.example.com/1",
        "external_id": f"landed {NAME}",
        "output": {"title": "Applied main@6dcd4ce2", "summary": "# Why\n\nAll is **well**."},
    }


@pytest.mark.parametrize(
    ("state", "begun", "written"),
    [
        (State.PENDING, False, ("queued", None)),
        (State.PENDING, True, ("in_progress", None)),
        (State.SUCCESS, False, ("completed", "success")),
        (State.FAILURE, False, ("completed", "failure")),
        (State.SUPERSEDED, False, ("completed", "cancelled")),
    ],
)
def test_every_state_has_its_word(
    standin: GitHubChecks, state: State, begun: bool, written: tuple[str, str | None]
) -> None:
    provider = connect(standin)

    handle = provider.deliver(status(state, begun=begun))

    (run,) = standin.runs["acme/fleet", COMMIT]
    assert (run["status"], run["conclusion"]) == written
    assert provider.held(FLEET, COMMIT) == {NAME: Held(state, "Applied main@6dcd4ce2", handle)}


def test_without_a_detail_the_summary_is_the_description(standin: GitHubChecks) -> None:
    connect(standin).deliver(status())

    (run,) = standin.runs["acme/fleet", COMMIT]
    assert run["output"]["summary"] == "Applied main@6dcd4ce2"


def test_a_run_is_changed_until_it_is_completed(standin: GitHubChecks) -> None:
    provider = connect(standin)

    queued = provider.deliver(status(State.PENDING))
    begun = provider.deliver(status(State.PENDING, begun=True, handle=queued))
    done = provider.deliver(status(handle=begun, description="live", target_url="", detail="why"))

    assert methods(standin) == ["POST", "PATCH", "PATCH"]
    assert standin.asked[1].path == standin.asked[2].path == f"/repos/acme/fleet/check-runs/{queued}"
    (run,) = standin.runs["acme/fleet", COMMIT]
    assert (run["status"], run["conclusion"], run["output"]["title"]) == ("completed", "success", "live")
    assert provider.held(FLEET, COMMIT)[NAME].handle == done


@pytest.mark.parametrize("after", [State.PENDING, State.FAILURE, State.SUCCESS, State.SUPERSEDED])
def test_a_completed_run_is_left_as_it_is(standin: GitHubChecks, after: State) -> None:
    provider = connect(standin)
    done = provider.deliver(status())

    provider.deliver(status(after, handle=done, description="news"))

    assert methods(standin) == ["POST", "POST"]
    _, first = standin.runs["acme/fleet", COMMIT]
    assert (first["conclusion"], first["output"]["title"]) == ("success", "Applied main@6dcd4ce2")
    held = provider.held(FLEET, COMMIT)[NAME]
    assert (held.state, held.description) == (after, "news")


def test_a_run_that_others_completed_is_followed_by_a_new_one(standin: GitHubChecks) -> None:
    provider = connect(standin)
    queued = provider.deliver(status(State.PENDING))
    standin.runs["acme/fleet", COMMIT][0].update(status="completed", conclusion="timed_out")

    provider.deliver(status(handle=queued))

    assert methods(standin) == ["POST", "PATCH", "POST"]
    assert provider.held(FLEET, COMMIT)[NAME].state is State.SUCCESS


def test_a_run_that_is_gone_is_made_anew(standin: GitHubChecks) -> None:
    provider = connect(standin)

    handle = provider.deliver(status(State.PENDING, handle="99"))

    assert methods(standin) == ["PATCH", "POST"]
    assert provider.held(FLEET, COMMIT) == {NAME: Held(State.PENDING, "Applied main@6dcd4ce2", handle)}


@pytest.mark.parametrize("handle", ["../../x", "7?x", "-1", "٣", "7 completed", "x"])
def test_a_handle_that_is_no_number_is_not_asked_for(standin: GitHubChecks, handle: str) -> None:
    connect(standin).deliver(status(State.PENDING, handle=handle))

    assert methods(standin) == ["POST"]


def test_a_repository_that_is_gone_is_said_so(standin: GitHubChecks) -> None:
    standin.missing.add("acme/fleet")

    error = failure(connect(standin), status(handle="7"))

    assert "acme/fleet does not exist" in error.message
    assert methods(standin) == ["PATCH", "POST"]


def test_a_change_whose_answer_was_lost_is_made_again(standin: GitHubChecks) -> None:
    provider = connect(standin)
    queued = provider.deliver(status(State.PENDING, begun=True))
    standin.faults.append(lost("PATCH"))

    provider.deliver(status(State.PENDING, begun=True, handle=queued, description="news"))

    assert methods(standin) == ["POST", "PATCH", "PATCH"]
    assert len(standin.runs["acme/fleet", COMMIT]) == 1


def test_a_completion_whose_answer_was_lost_needs_no_new_run(standin: GitHubChecks) -> None:
    """Saying it again to the run that is completed meanwhile changes nothing."""
    provider = connect(standin)
    queued = provider.deliver(status(State.PENDING))
    standin.faults.append(lost("PATCH"))

    provider.deliver(status(handle=queued))

    assert methods(standin) == ["POST", "PATCH", "PATCH"]
    (run,) = standin.runs["acme/fleet", COMMIT]
    assert run["conclusion"] == "success"


def test_a_run_whose_answer_was_lost_is_found_again_with_its_id(standin: GitHubChecks) -> None:
    provider = connect(standin)
    standin.faults.append(lost("POST"))

    handle = provider.deliver(status(State.PENDING))

    assert methods(standin) == ["POST", "GET"]
    assert handle == str(standin.runs["acme/fleet", COMMIT][0]["id"])


def test_a_run_of_others_is_not_taken_for_the_one_that_was_lost(standin: GitHubChecks) -> None:
    output = {"title": "Applied main@6dcd4ce2", "summary": "x"}
    standin.add("acme/fleet", COMMIT, name=NAME, output=output, conclusion="success")
    standin.faults.append(reset("POST"))

    connect(standin).deliver(status())

    assert methods(standin) == ["POST", "GET", "POST"]
    assert len(standin.runs["acme/fleet", COMMIT]) == 2


def test_only_runs_of_ours_are_read_back(standin: GitHubChecks) -> None:
    standin.store("acme/fleet", COMMIT, context=NAME, state="failure", description="ours")
    standin.suite = 9  # every App has suites of its own
    standin.add("acme/fleet", COMMIT, name=NAME, conclusion="success", output={"title": "theirs"})
    standin.add("acme/fleet", COMMIT, name="lint", external_id="42", conclusion="success")

    held = connect(standin).held(FLEET, COMMIT)

    assert {name: (run.state, run.description) for name, run in held.items()} == {NAME: (State.FAILURE, "ours")}


def test_the_newest_run_of_several_suites_wins(standin: GitHubChecks) -> None:
    for suite, state in ((5, "failure"), (9, "success"), (5, "pending")):
        standin.suite = suite
        standin.store("acme/fleet", COMMIT, context=NAME, state=state, description=state)

    assert connect(standin).held(FLEET, COMMIT)[NAME].state is State.PENDING


@pytest.mark.parametrize("conclusion", ["neutral", "skipped", "timed_out", "action_required"])
def test_a_newest_run_that_says_nothing_of_ours_is_left_out(standin: GitHubChecks, conclusion: str) -> None:
    """An older one that does is no longer what GitHub shows."""
    standin.store("acme/fleet", COMMIT, context=NAME, state="success")
    standin.add("acme/fleet", COMMIT, name=NAME, external_id="landed x", conclusion=conclusion)

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("word", ["queued", "in_progress", "waiting", "requested", "pending"])
def test_whatever_is_not_completed_is_pending(standin: GitHubChecks, word: str) -> None:
    standin.add("acme/fleet", COMMIT, name=NAME, external_id="landed x", status=word)

    assert connect(standin).held(FLEET, COMMIT)[NAME].state is State.PENDING


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"id": "7", "name": "x", "external_id": "landed x", "status": "queued"},
        {"id": 7, "name": None, "external_id": "landed x", "status": "queued"},
        {"id": 7, "name": "x", "external_id": None, "status": "queued"},
        {"id": 7, "name": "x", "external_id": "landed x", "status": "dreaming"},
        {"id": 7, "name": "x", "external_id": "landed x", "status": "completed", "conclusion": ["success"]},
        {"id": 7, "name": "x", "external_id": "landed x", "status": ["queued"]},
    ],
)
def test_a_strange_run_is_left_out(standin: GitHubChecks, run: dict[str, Any]) -> None:
    standin.faults.append(answer(200, body=json.dumps({"check_runs": [run]})))

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("output", [None, [], {}, {"title": None}])
def test_a_run_without_a_title_has_no_description(standin: GitHubChecks, output: Any) -> None:
    run = {"id": 7, "name": "x", "external_id": "landed x", "status": "queued", "output": output}
    standin.faults.append(answer(200, body=json.dumps({"check_runs": [run]})))

    assert connect(standin).held(FLEET, COMMIT) == {"x": Held(State.PENDING, "", "7")}


@pytest.mark.parametrize("body", ["[]", "{}", '{"check_runs": 7}', '{"check_runs": null}'])
def test_a_list_that_is_none_is_no_empty_list(standin: GitHubChecks, body: str) -> None:
    standin.faults.append(answer(200, body=body))

    with pytest.raises(DeliveryError, match="is not one of GitHub's API"):
        connect(standin).held(FLEET, COMMIT)


@pytest.mark.parametrize(
    "body",
    [
        '{"id": 7}',
        '{"id": "7", "status": "completed", "conclusion": "success"}',
        '{"id": 7, "status": "completed", "conclusion": "failure"}',
        '{"id": 7, "status": "queued", "conclusion": null}',
    ],
)
def test_a_run_that_says_something_else_is_no_success(standin: GitHubChecks, body: str) -> None:
    standin.faults.append(answer(201, body=body))

    assert "is not one of GitHub's API" in failure(connect(standin)).message


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_long_detail_is_cut_to_what_github_takes(standin: GitHubChecks, character: str) -> None:
    """In bytes: beyond them GitHub cuts without a word."""
    connect(standin).deliver(status(detail=f"first\n\n{(character * 100 + chr(10)) * 2000}"))

    (run,) = standin.runs["acme/fleet", COMMIT]
    summary = run["output"]["summary"]
    assert 65_000 < len(summary.encode()) <= 65_535
    assert summary.startswith("first\n\n")
    assert summary.endswith(f"{character * 100}\n\n… cut: there is more than GitHub takes.")


def test_a_detail_of_one_long_line_is_cut_too(standin: GitHubChecks) -> None:
    connect(standin).deliver(status(detail="é" * 99_999))

    (run,) = standin.runs["acme/fleet", COMMIT]
    assert 65_000 < len(run["output"]["summary"].encode()) <= 65_535


@pytest.mark.parametrize("token", [CLASSIC, PERSONAL])
@pytest.mark.parametrize("handle", ["", "7"])
def test_a_personal_token_is_told_what_it_takes(standin: GitHubChecks, token: str, handle: str) -> None:
    error = failure(connect(standin, token), status(handle=handle))

    assert f"the token may not do that: {TAKES}" in error.message
    assert "Personal tokens have no such right" in error.hint
    assert not error.read_only
    assert len(standin.asked) == 1


def test_a_workflow_token_without_the_right_is_read_only(standin: GitHubChecks) -> None:
    error = failure(connect(standin, READER))

    assert "the token may not do that (Resource not accessible by integration)" in error.message
    assert "permissions: checks: write" in error.hint
    assert "GitHub asks for: checks=write." in error.hint
    assert error.read_only


@pytest.mark.parametrize(
    ("token", "level", "message"),
    [
        (WRITER, "ok", "whether the token may write check runs cannot be known"),
        (CLASSIC, "problem", "no scope to write check runs"),
        (PERSONAL, "problem", "A personal token cannot write check runs."),
    ],
)
def test_what_can_be_known_of_a_token(standin: GitHubChecks, token: str, level: str, message: str) -> None:
    (finding,) = connect(standin, token).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert (TAKES[1:] in finding.hint) is True
    assert standin.writes == []


@pytest.mark.parametrize(("level", "found"), [("write", "ok"), ("read", "problem")])
def test_an_app_writes_check_runs(standin: GitHubChecks, level: str, found: str) -> None:
    apps = Apps(standin.github)
    apps.permissions = {"checks": level, "statuses": "write"}
    acting = GitHubApp(APP_ID, Secret(key()), str(INSTALLATION))
    provider = github_checks.connect(GitHost("github", "github.com", standin.url, app=acting))

    (finding,) = provider.examine([FLEET])
    provider.deliver(status())

    assert finding.level == found
    assert isinstance(standin.github, GitHub)
    assert provider.held(FLEET, COMMIT)[NAME].state is State.SUCCESS
