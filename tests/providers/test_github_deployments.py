"""Deployments on GitHub: one for each commit and environment, and what becomes of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from standins.github import CLASSIC, NARROW, READER, WRITER
from standins.github_deployments import GitHubDeployments
from standins.server import Fault, answer, hang, hang_after, lost, reset, rubbish

from landed import providers
from landed.errors import ConfigurationError, DeliveryError
from landed.http import TokenBucket
from landed.model import Deployment, GitHost, Repository, Secret, State
from landed.providers.git.github import deployments as github_deployments
from landed.providers.interface import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
OTHER = "0" * 40
FLEET = Repository("github.com", "acme/fleet")
MADE, TOLD = "/repos/acme/fleet/deployments", "/repos/acme/fleet/deployments/1/statuses"


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubDeployments]:
    monkeypatch.setattr(github_deployments, "TIMEOUT", 1)
    with GitHubDeployments() as server:
        yield server
        assert server.violations == []


def connect(
    standin: GitHubDeployments, token: str = WRITER, turns: TokenBucket | None = None, **settings: Any
) -> github_deployments.GitHubDeployments:
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(token)} | settings
    return github_deployments.connect(GitHost("github", "github.com", **given), turns=turns, sleep=lambda _: None)


def deployment(state: State = State.SUCCESS, environment: str = "prod/apps", **changes: Any) -> Deployment:
    told = {"description": "Applied main@6dcd4ce2"} | changes
    return Deployment(FLEET, COMMIT, environment, state, **told)


def failure(provider: github_deployments.GitHubDeployments, said: Deployment | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(said or deployment())
    shown = f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert WRITER not in shown
    return caught.value


def asked(standin: GitHubDeployments) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in standin.asked]


def states(standin: GitHubDeployments, id_: int = 1) -> list[str]:
    return [status["state"] for status in reversed(standin.statuses[id_])]


def test_the_registry_knows_the_limits_of_the_module() -> None:
    entry = providers.GIT["github-deployments"]

    assert entry.description_limit == github_deployments.DESCRIPTION_LIMIT
    assert entry.context_limit == github_deployments.CONTEXT_LIMIT


def test_the_requests_are_the_ones_github_documents(standin: GitHubDeployments) -> None:
    urls: dict[str, Any] = {"environment_url": "https://www.example.com", "log_url": "https://ci.example.com/1"}

    handle = connect(standin).deliver(deployment(ref="main", **urls))

    assert handle == "1"
    assert asked(standin) == [("POST", MADE), ("POST", TOLD)]
    made, told = (json.loads(request.body) for request in standin.asked)
    assert made == {
        "ref": COMMIT,
        "task": "deploy:landed",
        "auto_merge": False,
        "required_contexts": [],
        "environment": "prod/apps",
        "description": "Flux reconciles this commit",
        "payload": {"ref": "main"},
    }
    assert told == {
        "state": "success",
        "description": "Applied main@6dcd4ce2",
        "environment": "prod/apps",
        "auto_inactive": False,
        **urls,
    }


def test_what_is_not_known_is_not_said(standin: GitHubDeployments) -> None:
    connect(standin).deliver(deployment())

    assert b"_url" not in standin.asked[1].body
    assert json.loads(standin.asked[0].body)["payload"] == {}


@pytest.mark.parametrize(
    ("state", "begun", "word"),
    [
        (State.PENDING, False, "queued"),
        (State.PENDING, True, "in_progress"),
        (State.SUCCESS, False, "success"),
        (State.FAILURE, False, "failure"),
        (State.SUPERSEDED, False, "inactive"),
    ],
)
def test_every_state_is_written_and_read_back(standin: GitHubDeployments, state: State, begun: bool, word: str) -> None:
    provider = connect(standin)

    provider.deliver(deployment(state, begun=begun))

    assert states(standin) == [word]
    assert provider.held(FLEET, COMMIT) == {"prod/apps": Held(state, "Applied main@6dcd4ce2", "1")}


def test_a_deployment_that_is_known_takes_one_request(standin: GitHubDeployments) -> None:
    handle = connect(standin).deliver(deployment(State.PENDING))

    connect(standin).deliver(deployment(State.PENDING, begun=True, handle=handle))
    connect(standin).deliver(deployment(handle=handle))
    connect(standin).deliver(deployment(State.FAILURE, handle=handle))
    connect(standin).deliver(deployment(State.PENDING, handle=handle))

    assert asked(standin)[2:] == [("POST", TOLD)] * 4
    assert states(standin) == ["queued", "in_progress", "success", "failure", "queued"]


def test_other_commits_are_left_as_they_are(standin: GitHubDeployments) -> None:
    standin.add("acme/fleet", ref=OTHER, environment="prod/apps", task="deploy:landed")
    standin.tell(1, state="success")

    connect(standin).deliver(deployment())

    assert states(standin, 1) == ["success"]


def test_a_deployment_that_is_gone_is_made_anew(standin: GitHubDeployments) -> None:
    handle = connect(standin).deliver(deployment(handle="99"))

    assert asked(standin) == [("POST", f"{MADE}/99/statuses"), ("POST", MADE), ("POST", TOLD)]
    assert handle == "1"


@pytest.mark.parametrize("handle", ["../1", "1?x", "1#x", "%2e%2e"])
def test_a_handle_cannot_leave_its_place(standin: GitHubDeployments, handle: str) -> None:
    standin.faults.append(answer(404, body='{"message": "Not Found"}'))

    connect(standin).deliver(deployment(handle=handle))

    assert standin.asked[0].path.count("/") == TOLD.count("/")
    assert standin.asked[0].query == {}


def test_a_deployment_whose_status_failed_is_not_made_twice(standin: GitHubDeployments) -> None:
    provider = connect(standin)
    standin.faults += [None, answer(500)]

    assert failure(provider).passing
    provider.deliver(deployment())

    assert asked(standin) == [("POST", MADE), ("POST", TOLD), ("POST", TOLD)]


def test_one_without_a_status_is_held_as_ended_so_that_whatever_is_due_is_told(standin: GitHubDeployments) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")

    assert connect(standin).held(FLEET, COMMIT) == {"prod/apps": Held(State.SUPERSEDED, "", "1")}


def test_one_that_is_gone_as_soon_as_it_is_made_is_an_error(standin: GitHubDeployments) -> None:
    standin.faults += [None, answer(404, body='{"message": "Not Found"}')]

    error = failure(connect(standin))

    assert "was made and is not there" in error.message
    assert error.passing


LOST = [lost("POST"), hang_after("POST"), rubbish("POST")]


@pytest.mark.parametrize("fault", LOST, ids=["lost", "hang after acting", "no HTTP"])
@pytest.mark.parametrize("there", [True, False], ids=["beside an older one", "alone"])
def test_one_whose_answer_was_lost_is_not_made_twice(standin: GitHubDeployments, fault: Fault, there: bool) -> None:
    if there:
        standin.add("acme/fleet", ref=COMMIT, environment="other", task="deploy:landed")
        standin.add("acme/fleet", ref=OTHER, environment="prod/apps", task="deploy:landed")
        standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy")
    standin.faults.append(fault)

    handle = connect(standin).deliver(deployment())

    assert [method for method, _ in asked(standin)] == ["POST", "GET", "POST"]
    assert handle == str(standin.deployments[0]["id"])
    assert len(standin.deployments) == (4 if there else 1)


@pytest.mark.parametrize("fault", [reset("POST"), hang("POST")], ids=["reset", "hang"])
def test_one_that_was_lost_is_made_again(standin: GitHubDeployments, fault: Fault) -> None:
    standin.faults.append(fault)

    connect(standin).deliver(deployment())

    assert [method for method, _ in asked(standin)] == ["POST", "GET", "POST", "POST"]
    assert len(standin.deployments) == 1


@pytest.mark.parametrize("fault", LOST, ids=["lost", "hang after acting", "no HTTP"])
def test_a_state_whose_answer_was_lost_is_not_told_twice(standin: GitHubDeployments, fault: Fault) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")
    standin.faults.append(fault)

    connect(standin).deliver(deployment(handle="1"))

    assert asked(standin) == [("POST", TOLD), ("GET", TOLD)]
    assert states(standin) == ["success"]


def test_an_older_state_is_not_taken_for_the_one_that_was_lost(standin: GitHubDeployments) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")
    standin.tell(1, state="success", description="Applied main@6dcd4ce2")
    standin.tell(1, state="failure", description="no")
    standin.faults.append(reset("POST"))

    connect(standin).deliver(deployment(handle="1"))

    assert states(standin) == ["success", "failure", "success"]


def test_where_reading_back_fails_too_the_doubt_is_told(standin: GitHubDeployments) -> None:
    standin.faults += [lost("POST"), *[answer(500)] * 4]

    error = failure(connect(standin))

    assert error.uncertain
    assert error.passing


def test_all_pages_are_read_back_and_the_newest_wins(standin: GitHubDeployments) -> None:
    for number in range(120):
        standin.add("acme/fleet", ref=COMMIT, environment=f"env/{number % 115}", task="deploy:landed")
        standin.tell(standin.deployments[0]["id"], state="success", description=f"told {number}")
    for _ in range(101):
        standin.tell(standin.deployments[0]["id"], state="in_progress")
    standin.deployments.reverse()

    held = connect(standin).held(FLEET, COMMIT)

    assert len(held) == 115
    assert held["env/0"].description == "told 115"
    assert held["env/4"].state is State.PENDING
    assert held["env/5"].description == "told 5"


def test_only_ours_are_read_back(standin: GitHubDeployments) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy")
    standin.tell(1, state="success")

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"id": "1", "task": "deploy:landed", "sha": COMMIT, "environment": "x"},
        {"id": 1, "task": "deploy", "sha": COMMIT, "environment": "x"},
        {"id": 1, "task": "deploy:landed", "sha": OTHER, "environment": "x"},
        {"id": 1, "task": "deploy:landed", "sha": COMMIT, "environment": None},
    ],
)
def test_a_strange_deployment_is_left_out(standin: GitHubDeployments, entry: dict[str, Any]) -> None:
    standin.faults.append(answer(200, body=json.dumps([entry])))

    assert connect(standin).held(FLEET, COMMIT) == {}
    assert len(standin.asked) == 1


@pytest.mark.parametrize(
    ("word", "state"),
    [("error", State.FAILURE), ("pending", State.PENDING), ("inactive", State.SUPERSEDED), ("queued", State.PENDING)],
)
def test_what_others_told_is_understood(standin: GitHubDeployments, word: str, state: State) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")
    standin.tell(1, state=word)

    assert connect(standin).held(FLEET, COMMIT)["prod/apps"].state is state


def test_a_state_nobody_knows_is_left_out(standin: GitHubDeployments) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")
    standin.faults += [None, answer(200, body='[{"id": 3, "state": "dreaming"}]')]

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("body", ["", "{}", "null", "<html>", "{"])
@pytest.mark.parametrize("which", [0, 1], ids=["deployments", "statuses"])
def test_reading_back_nonsense_is_no_empty_list(standin: GitHubDeployments, body: str, which: int) -> None:
    standin.add("acme/fleet", ref=COMMIT, environment="prod/apps", task="deploy:landed")
    standin.faults += [*[None] * which, answer(200, body=body)]

    with pytest.raises(DeliveryError, match="is not one of GitHub's API"):
        connect(standin).held(FLEET, COMMIT)


@pytest.mark.parametrize(
    "said",
    [
        answer(200, body="{}"),
        answer(201, body="[]"),
        answer(201, body="{}"),
        answer(201, body=json.dumps({"id": "1", "task": "deploy:landed", "sha": COMMIT})),
        answer(201, body=json.dumps({"id": 1, "task": "deploy:landed", "sha": OTHER})),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_deployment(standin: GitHubDeployments, said: Fault) -> None:
    standin.faults.append(said)

    assert "is not one of GitHub's API" in failure(connect(standin)).message
    assert len(standin.asked) == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"state": "failure"}'])
def test_an_answer_that_makes_no_sense_is_no_state(standin: GitHubDeployments, body: str) -> None:
    standin.faults += [None, answer(201, body=body)]

    assert "is not one of GitHub's API" in failure(connect(standin)).message


def test_a_merge_instead_of_a_deployment_is_no_success(standin: GitHubDeployments) -> None:
    standin.faults.append(answer(202, body='{"message": "Auto-merged main into topic on deployment."}'))

    assert "GitHub merged the default branch into it instead" in failure(connect(standin)).message
    assert len(standin.asked) == 1


def test_a_conflict_passes(standin: GitHubDeployments) -> None:
    standin.faults.append(answer(409, body='{"message": "Conflict merging main into topic."}'))

    error = failure(connect(standin))

    assert "Conflict merging main" in error.message
    assert error.passing


@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False),
        (401, 1, False),
        (403, 1, False),
        (404, 1, False),
        (422, 1, False),
        (500, 1, True),
        (503, 4, True),
    ],
)
@pytest.mark.parametrize("which", [0, 1], ids=["making", "telling"])
def test_refusals(standin: GitHubDeployments, code: int, tries: int, passing: bool, which: int) -> None:
    if code == 404 and which:
        return
    standin.faults += [*[None] * which, *[answer(code, {}, '{"message": "no"}', only="POST")] * 9]

    error = failure(connect(standin))

    assert len(standin.writes) == which + tries
    assert error.passing is passing
    assert "the deployment of acme/fleet to prod/apps cannot be written" in error.message


def test_an_unknown_commit_is_said_so(standin: GitHubDeployments) -> None:
    standin.missing.add(COMMIT)

    assert "the commit is not in that repository" in failure(connect(standin)).message


def test_an_unknown_repository_is_named(standin: GitHubDeployments) -> None:
    standin.missing.add("acme/fleet")

    error = failure(connect(standin), deployment(handle="7"))

    assert "acme/fleet does not exist" in error.message
    assert asked(standin) == [("POST", f"{MADE}/7/statuses"), ("POST", MADE)]


@pytest.mark.parametrize("path", ["", "acme", "a/b/c", "../x"])
def test_a_path_that_is_no_repository_is_not_asked_for(standin: GitHubDeployments, path: str) -> None:
    with pytest.raises(DeliveryError, match="is not a GitHub repository"):
        connect(standin).deliver(Deployment(Repository("github.com", path), COMMIT, "x", State.SUCCESS, "d"))
    assert standin.asked == []


def test_the_right_that_is_missing_is_named(standin: GitHubDeployments) -> None:
    error = failure(connect(standin, READER))

    assert "the token may not do that" in error.message
    assert "`permissions: deployments: write`" in error.hint
    assert error.read_only


def test_a_token_nobody_knows_is_said_so(standin: GitHubDeployments) -> None:
    assert "does not accept the token" in failure(connect(standin, "no-such-token")).message


def test_without_a_token_there_is_no_provider(standin: GitHubDeployments) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        connect(standin, " ")


def test_each_request_takes_its_turn(standin: GitHubDeployments) -> None:
    provider = connect(standin, turns=TokenBucket(3, 1 / 600), max_wait=0.0)

    provider.deliver(deployment(environment="a"))
    error = failure(provider, deployment(environment="b"))

    assert "the next turn is in 10 min" in error.message
    assert len(standin.asked) == 3


def test_one_provider_serves_many_threads(standin: GitHubDeployments) -> None:
    provider = connect(standin)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(deployment(environment=f"env/{number}")), range(40)))

    assert len(standin.deployments) == 40
    assert all(len(statuses) == 1 for statuses in standin.statuses.values())


def test_a_long_or_hostile_description_arrives_within_the_limit(standin: GitHubDeployments) -> None:
    connect(standin).deliver(deployment(description="<b>::error::x\x1b[31m\u202e " + "x" * 9999))

    description = standin.statuses[1][0]["description"]
    assert len(description) <= 140
    assert description.startswith("<b>::error::x\x1b[31m\u202e ")


@pytest.mark.parametrize(
    ("token", "level", "message"),
    [
        (WRITER, "ok", "whether the token may write deployments cannot be known"),
        (CLASSIC, "problem", "no scope to write deployments"),
        (NARROW, "problem", "no scope to write deployments"),
    ],
)
def test_what_can_be_known_of_a_token(standin: GitHubDeployments, token: str, level: str, message: str) -> None:
    (finding,) = connect(standin, token).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert standin.writes == []
