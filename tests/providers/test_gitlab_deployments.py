"""Deployments on GitLab: their life, what GitLab does not let them become, and a CI job's token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gitlab as python_gitlab
import pytest
from msgspec import structs
from standins.gitlab import JOB, OAUTH, READER, REPORTER, WRITER, GitLab
from standins.server import answer, hang_after, lost, reset, rubbish

from landed import providers
from landed.errors import ConfigurationError, DeliveryError
from landed.model import Deployment, GitHost, Repository, Secret, State
from landed.providers.git.gitlab import deployments as gitlab_deployments
from landed.providers.interface import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standins.server import Fault

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
OTHER = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
PATH = "acme/platform/fleet"
FLEET = Repository("gitlab.example.com", PATH)
ALL = (State.PENDING, State.SUCCESS, State.FAILURE, State.SUPERSEDED)
WORDS = {State.PENDING: "running", State.SUCCESS: "success", State.FAILURE: "failed", State.SUPERSEDED: "canceled"}


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    monkeypatch.setattr(gitlab_deployments, "TIMEOUT", 1)
    with GitLab() as server:
        yield server
        assert server.violations == []


def connect(standin: GitLab, token: str = WRITER, **settings: Any) -> gitlab_deployments.GitLabDeployments:
    host = GitHost("gitlab", "gitlab.example.com", standin.url, Secret(token), web_url=standin.web_url, **settings)
    return gitlab_deployments.connect(host, sleep=lambda _: None)


def deployment(state: State = State.SUCCESS, **changes: Any) -> Deployment:
    return structs.replace(Deployment(FLEET, COMMIT, "prod", state, "live", ref="main"), **changes)


def failure(provider: gitlab_deployments.GitLabDeployments, what: Deployment | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(what or deployment())
    error = caught.value
    shown = f"{error!r} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert not [token for token in (WRITER, READER, JOB, OAUTH) if token in shown]
    return error


def told(standin: GitLab) -> list[tuple[str, str]]:
    return [(one["environment"]["name"], one["status"]) for one in standin.deployments.get(PATH, [])]


def test_the_registry_knows_the_limits_of_the_module() -> None:
    entry = providers.GIT["gitlab-deployments"]

    assert entry.takes == "deployments"
    assert (entry.description_limit, entry.context_limit) == (
        gitlab_deployments.DESCRIPTION_LIMIT,
        gitlab_deployments.CONTEXT_LIMIT,
    )


def test_the_request_is_the_one_gitlab_documents(standin: GitLab) -> None:
    handle = connect(standin).deliver(deployment())

    (asked,) = standin.asked
    assert asked.target == "/gitlab/api/v4/projects/acme%2Fplatform%2Ffleet/deployments"
    assert json.loads(asked.body) == {
        "environment": "prod", "sha": COMMIT, "ref": "main", "tag": False, "status": "success"
    }  # fmt: skip
    assert handle == str(standin.deployments[PATH][0]["id"])


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("state", ALL)
def test_every_state_is_made_and_read_back(standin: GitLab, state: State, begun: bool) -> None:
    provider = connect(standin)

    handle = provider.deliver(deployment(state, begun=begun))

    assert told(standin) == [("prod", WORDS[state])]
    assert provider.held(FLEET, COMMIT) == {"prod": Held(state, "", handle)}


def test_one_deployment_goes_through_its_life(standin: GitLab) -> None:
    provider, handle = connect(standin), ""
    for state in (State.PENDING, State.FAILURE, State.SUCCESS, State.FAILURE, State.SUPERSEDED):
        handle = provider.deliver(deployment(state, handle=handle))

        assert told(standin) == [("prod", WORDS[state])]
    assert [asked.method for asked in standin.asked] == ["POST", "PUT", "PUT", "PUT", "PUT"]


@pytest.mark.parametrize("before", ["created", "blocked", "running", "success", "failed", "canceled", "skipped"])
@pytest.mark.parametrize("state", ALL)
def test_whatever_it_was_it_is_what_was_told_afterwards(standin: GitLab, state: State, before: str) -> None:
    old = standin.deploy(PATH, COMMIT, "prod", before)
    provider = connect(standin)

    handle = provider.deliver(deployment(state, handle=str(old["id"])))

    assert provider.held(FLEET, COMMIT)["prod"] == Held(state, "", handle)
    assert len(told(standin)) <= 2


def test_a_finished_one_that_runs_again_is_another_one(standin: GitLab) -> None:
    provider = connect(standin)
    first = provider.deliver(deployment())

    second = provider.deliver(deployment(State.PENDING, handle=first))

    assert second != first
    assert told(standin) == [("prod", "success"), ("prod", "running")]
    assert [asked.method for asked in standin.asked] == ["POST", "PUT", "GET", "POST"]


def test_what_is_so_already_is_not_made_again(standin: GitLab) -> None:
    provider = connect(standin)
    first = provider.deliver(deployment(State.PENDING))

    assert provider.deliver(deployment(State.PENDING, handle=first, begun=True)) == first
    assert told(standin) == [("prod", "running")]


def test_one_that_was_deleted_is_made_again(standin: GitLab) -> None:
    handle = connect(standin).deliver(deployment(handle="4711"))

    assert told(standin) == [("prod", "success")]
    assert handle != "4711"


@pytest.mark.parametrize(("commit", "environment"), [(OTHER, "prod"), (COMMIT, "stage")])
def test_a_handle_of_another_deployment_does_not_count(standin: GitLab, commit: str, environment: str) -> None:
    old = standin.deploy(PATH, commit, environment, "running")

    error = failure(connect(standin), deployment(handle=str(old["id"])))

    assert "not one of GitLab's API" in error.message


@pytest.mark.parametrize("handle", ["x", "../1", "1/approval", "-1", "1" * 40, "１"])
def test_a_handle_that_is_no_number_is_not_used(standin: GitLab, handle: str) -> None:
    connect(standin).deliver(deployment(handle=handle))

    assert [asked.method for asked in standin.asked] == ["POST"]


@pytest.mark.parametrize(
    ("ref", "sent", "tag"),
    [
        ("main", "main", False),
        ("refs/heads/feature/x", "feature/x", False),
        ("refs/tags/v1.2", "v1.2", True),
        ("refs/merge-requests/7/head", "refs/merge-requests/7/head", False),
        ("", COMMIT, False),
    ],
)
def test_what_flux_follows_is_the_ref(standin: GitLab, ref: str, sent: str, tag: bool) -> None:
    connect(standin).deliver(deployment(ref=ref))

    body = json.loads(standin.asked[0].body)
    assert (body["ref"], body["tag"]) == (sent, tag)


@pytest.mark.parametrize("name", ["prod", "prod/eu-1", "review $x {y} a.b_c", "x" * 255])
def test_names_that_gitlab_takes(standin: GitLab, name: str) -> None:
    connect(standin).deliver(deployment(environment=name))

    assert told(standin) == [(name, "success")]


@pytest.mark.parametrize("name", ["", "/prod", "prod/", "prod:eu", "x" * 256, "prod\n", "☃", "<b>", "a@b"])
def test_names_that_gitlab_does_not_take_are_told_without_a_request(standin: GitLab, name: str) -> None:
    error = failure(connect(standin), deployment(environment=name))

    assert "no name that GitLab takes for an environment" in error.message
    assert "\n" not in error.message
    assert standin.asked == []


def test_an_environment_is_given_its_url_once(standin: GitLab) -> None:
    provider = connect(standin)
    url = "https://prod.example.com/x"
    handle = provider.deliver(deployment(State.PENDING, environment_url=url))
    provider.deliver(deployment(environment_url=url, handle=handle))
    provider.deliver(deployment(environment_url=url, commit=OTHER))

    assert standin.environments[PATH, "prod"]["external_url"] == url
    assert [asked.method for asked in standin.writes] == ["POST", "PUT", "PUT", "POST"]
    assert "/environments/" in standin.writes[1].path


def test_a_superseded_commit_does_not_take_the_environments_url(standin: GitLab) -> None:
    provider = connect(standin)
    provider.deliver(deployment(environment_url="https://new.example.com"))
    provider.deliver(deployment(State.SUPERSEDED, commit=OTHER, environment_url="https://old.example.com"))

    assert standin.environments[PATH, "prod"]["external_url"] == "https://new.example.com"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500])
def test_the_deployment_stands_where_the_url_is_refused(standin: GitLab, code: int) -> None:
    standin.faults.append(answer(code, only="PUT"))
    provider = connect(standin)

    for commit in (COMMIT, OTHER):
        provider.deliver(deployment(commit=commit, environment_url="https://prod.example.com"))

    assert [asked.method for asked in standin.asked] == ["POST", "PUT", "POST"]


def test_an_environment_without_a_url_is_left_alone(standin: GitLab) -> None:
    connect(standin).deliver(deployment())

    assert len(standin.asked) == 1


@pytest.mark.parametrize(("token", "told_so"), [(JOB, False), (JOB, True)])
def test_a_jobs_token_is_enough(standin: GitLab, token: str, told_so: bool) -> None:
    provider = connect(standin, token, job_token=told_so)

    handle = provider.deliver(deployment(State.PENDING, environment_url="https://prod.example.com"))
    provider.deliver(deployment(handle=handle))

    assert provider.held(FLEET, COMMIT) == {"prod": Held(State.SUCCESS, "", handle)}
    assert {asked.headers.get("job-token") for asked in standin.asked} == {JOB}
    assert not [asked for asked in standin.asked if {"private-token", "authorization"} & set(asked.headers)]


@pytest.mark.parametrize("repositories", [[], [FLEET]])
def test_a_jobs_token_is_examined(standin: GitLab, repositories: list[Repository]) -> None:
    (finding,) = connect(standin, JOB).examine(repositories)
    (problem,) = connect(standin, "glcbt-unknown-1").examine(repositories)

    assert (finding.level, problem.level) == ("ok", "problem")
    assert standin.writes == []


def test_a_project_that_does_not_allow_the_job_is_named(standin: GitLab) -> None:
    words = "Authentication by CI/CD job token not allowed from acme/app to acme/platform/fleet."
    standin.faults.append(answer(404, body=json.dumps({"message": f"404 {words} Not Found"})))

    error = failure(connect(standin, JOB))

    assert "does not allow this job's token" in error.message
    assert "Job token permissions" in error.hint


@pytest.mark.parametrize("token", ["", " \n"])
def test_an_empty_token_is_a_configuration_error(standin: GitLab, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        connect(standin, token)


def test_a_token_that_may_not_is_explained(standin: GitLab) -> None:
    reads, reports = failure(connect(standin, READER)), failure(connect(standin, REPORTER))

    assert reads.read_only
    assert reports.read_only
    assert "write deployments" in reports.hint
    assert len(standin.asked) == 2


@pytest.mark.parametrize("handle", ["", "1"])
def test_a_token_that_is_not_accepted_is_explained(standin: GitLab, handle: str) -> None:
    assert "does not accept the token" in failure(connect(standin, "glpat-x"), deployment(handle=handle)).message


@pytest.mark.parametrize("missing", [PATH, COMMIT])
@pytest.mark.parametrize("handle", ["", "1"])
def test_what_is_not_there_is_said(standin: GitLab, missing: str, handle: str) -> None:
    standin.missing.add(missing)

    error = failure(connect(standin), deployment(handle=handle))

    assert ("the commit is not in that repository" if missing == COMMIT else PATH) in error.message


def test_deployments_that_are_not_of_the_commit_or_made_by_a_job_are_not_held(standin: GitLab) -> None:
    standin.deploy(PATH, OTHER, "prod", "success")
    standin.deploy(PATH, COMMIT, "prod", "failed", deployable={"id": 5, "name": "deploy"})
    standin.deploy(PATH, COMMIT, "stage", "success")
    newest = standin.deploy(PATH, COMMIT, "stage", "failed")

    assert connect(standin).held(FLEET, COMMIT) == {"stage": Held(State.FAILURE, "", str(newest["id"]))}


def test_a_thousand_are_looked_through_newest_first(standin: GitLab) -> None:
    standin.deploy(PATH, COMMIT, "too-old", "success")
    standin.deploy(PATH, COMMIT, "prod", "success")
    for _ in range(999):
        standin.deploy(PATH, OTHER, "prod", "success")

    assert set(connect(standin).held(FLEET, COMMIT)) == {"prod"}
    assert len(standin.asked) == 10


@pytest.mark.parametrize(
    "entry",
    [
        {"environment": None}, {"environment": []}, {"environment": {}}, {"status": None}, {"status": "dreaming"},
        {"status": ["success"]}, {"id": "7"}, {"id": True}, {"id": None}, {"sha": None},
    ],
)  # fmt: skip
def test_entries_that_make_no_sense_are_left_out(standin: GitLab, entry: dict[str, Any]) -> None:
    whole = {"id": 7, "sha": COMMIT, "status": "success", "environment": {"id": 1, "name": "prod"}}
    standin.faults.append(answer(200, body=json.dumps([whole | entry, "x", None])))

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", "null", '{"id": 1}', '{"id": 1, "status": "success"}'])
@pytest.mark.parametrize("handle", ["", "1"])
def test_an_answer_that_makes_no_sense_is_no_success(standin: GitLab, body: str, handle: str) -> None:
    standin.faults += [answer(200, body=body)] * 9

    assert "not one of GitLab's API" in failure(connect(standin), deployment(handle=handle)).message


@pytest.mark.parametrize(
    "fault", [lost("POST"), hang_after("POST"), rubbish("POST")], ids=["lost", "hang after acting", "no HTTP"]
)
def test_one_whose_answer_was_lost_is_not_made_twice(standin: GitLab, fault: Fault) -> None:
    standin.faults.append(fault)

    handle = connect(standin).deliver(deployment(environment_url="https://prod.example.com"))

    assert told(standin) == [("prod", "success")]
    assert handle == str(standin.deployments[PATH][0]["id"])
    assert standin.environments[PATH, "prod"]["external_url"] == "https://prod.example.com"


def test_one_that_was_lost_is_made_again(standin: GitLab) -> None:
    standin.deploy(PATH, COMMIT, "prod", "failed")
    standin.faults.append(reset("POST"))

    connect(standin).deliver(deployment())

    assert [asked.method for asked in standin.asked] == ["POST", "GET", "POST"]
    assert told(standin) == [("prod", "failed"), ("prod", "success")]


@pytest.mark.parametrize("fault", [lost("PUT"), reset("PUT"), answer(503, only="PUT")], ids=["lost", "reset", "503"])
def test_a_change_whose_answer_was_lost_is_made_again(standin: GitLab, fault: Fault) -> None:
    old = standin.deploy(PATH, COMMIT, "prod", "running")
    standin.faults.append(fault)

    assert connect(standin).deliver(deployment(handle=str(old["id"]))) == str(old["id"])
    assert told(standin) == [("prod", "success")]


def test_a_change_that_fails_for_now_makes_no_other_one(standin: GitLab) -> None:
    old = standin.deploy(PATH, COMMIT, "prod", "running")
    standin.faults += [answer(500, only="PUT")]

    assert failure(connect(standin), deployment(handle=str(old["id"]))).passing
    assert told(standin) == [("prod", "running")]


@pytest.mark.parametrize("path", ["fleet", "", "../x"])
def test_what_is_no_project_is_told_without_a_request(standin: GitLab, path: str) -> None:
    error = failure(connect(standin), deployment(repository=Repository("gitlab.example.com", path)))

    assert "is not a GitLab repository" in error.message
    assert standin.asked == []


def test_a_foreign_client_reads_what_was_told(standin: GitLab) -> None:
    provider = connect(standin)
    for number in range(101):
        provider.deliver(deployment(environment=f"prod/{number}", environment_url=f"https://{number}.example.com"))

    client = python_gitlab.Gitlab(standin.url.removesuffix("/api/v4"), private_token=WRITER)
    found = client.projects.get(PATH, lazy=True).deployments.list(get_all=True, order_by="id", sort="asc")

    assert [(one.environment["name"], one.environment["external_url"], one.status, one.sha) for one in found] == [
        (f"prod/{number}", f"https://{number}.example.com", "success", COMMIT) for number in range(101)
    ]


def test_what_a_foreign_client_made_is_changed(standin: GitLab) -> None:
    client = python_gitlab.Gitlab(standin.url.removesuffix("/api/v4"), private_token=WRITER)
    project = client.projects.get(PATH, lazy=True)
    made = project.deployments.create(
        {"environment": "prod", "sha": COMMIT, "ref": "main", "tag": False, "status": "running"}
    )
    provider = connect(standin)

    provider.deliver(deployment(State.FAILURE, handle=provider.held(FLEET, COMMIT)["prod"].handle))

    assert project.deployments.get(made.id).status == "failed"
