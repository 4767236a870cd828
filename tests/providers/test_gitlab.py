"""What is GitLab's own: kinds of tokens, addresses, its state machine, and what python-gitlab would do if let."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import gitlab as python_gitlab
import pytest
import trustme
from standins.gitlab import JOB, OAUTH, READER, REPORTER, WRITER, GitLab, Token
from standins.gitlab_rules import no
from standins.server import Answer as Said
from standins.server import Fault, StandIn, answer, lost

from landed import providers
from landed.errors import ConfigurationError, DeliveryError
from landed.model import CommitStatus, GitHost, Mark, Network, Repository, Secret, State, Update
from landed.providers.git.gitlab import statuses as gitlab
from landed.providers.interface import Held
from landed.providers.outlet import GitOutlet, Turns

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
PATH = "acme/platform/fleet"
FLEET = Repository("gitlab.example.com", PATH)


@pytest.fixture
def standin() -> Iterator[GitLab]:
    with GitLab() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def waits() -> list[float]:
    return []


def host(standin: GitLab, **settings: Any) -> GitHost:
    given: dict[str, Any] = {"api_url": standin.url, "web_url": standin.web_url, "token": Secret(WRITER)}
    return GitHost("gitlab", "gitlab.example.com", **(given | settings))


def connect(standin: GitLab, waits: list[float] | None = None, **settings: Any) -> gitlab.GitLab:
    return gitlab.connect(host(standin, **settings), sleep=([] if waits is None else waits).append)


def status(state: State = State.SUCCESS, context: str = "flux/prod", repository: Repository = FLEET) -> CommitStatus:
    return CommitStatus(repository, COMMIT, context, state, "live", "https://ci.example.com/1")


def failure(provider: gitlab.GitLab, state: State = State.SUCCESS) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(status(state))
    return caught.value


def refused(code: int, message: Any, headers: dict[str, str] | None = None) -> Fault:
    return answer(code, headers, no(code, message).body)


def foreign(standin: GitLab) -> Any:
    """The project as python-gitlab's objects show it: a second reading of what was written."""
    client = python_gitlab.Gitlab(standin.url.removesuffix("/api/v4"), private_token=WRITER)
    return client.projects.get(PATH, lazy=True)


def test_the_request_is_the_one_gitlab_documents(standin: GitLab) -> None:
    connect(standin).deliver(status())

    (asked,) = standin.asked
    assert asked.method == "POST"
    assert asked.target == f"/gitlab/api/v4/projects/acme%2Fplatform%2Ffleet/statuses/{COMMIT}"
    assert json.loads(asked.body) == {
        "state": "success",
        "name": "flux/prod",
        "description": "live",
        "target_url": "https://ci.example.com/1",
    }
    assert asked.headers["private-token"] == WRITER
    assert asked.headers["user-agent"].startswith("landed/")


def test_a_foreign_client_reads_what_was_written(standin: GitLab) -> None:
    provider = connect(standin)
    for number in range(120):
        provider.deliver(status(State.PENDING, f"flux/{number}"))
    provider.deliver(status(State.FAILURE, "flux/7"))

    found = foreign(standin).commits.get(COMMIT, lazy=True).statuses.list(get_all=True)

    assert {one.name: one.status for one in found} == {f"flux/{n}": "pending" for n in range(120)} | {
        "flux/7": "failed"
    }
    assert {one.description for one in found} == {"live"}


def test_what_a_foreign_client_writes_is_read_back(standin: GitLab) -> None:
    commit = foreign(standin).commits.get(COMMIT, lazy=True)
    commit.statuses.create({"state": "running", "name": "a", "description": "going"})
    commit.statuses.create({"state": "success", "name": "b"})

    assert connect(standin).held(FLEET, COMMIT) == {"a": Held(State.PENDING, "going"), "b": Held(State.SUCCESS, "")}


@pytest.mark.parametrize(
    ("path", "asked_for"),
    [
        ("acme/fleet", "acme%2Ffleet"),
        ("acme/a/b/c/d/fleet", "acme%2Fa%2Fb%2Fc%2Fd%2Ffleet"),
        ("acme/fl.eet-x_y", "acme%2Ffl.eet-x_y"),
        ("1234", "1234"),
    ],
)
def test_every_kind_of_path(standin: GitLab, path: str, asked_for: str) -> None:
    connect(standin).deliver(status(repository=Repository("gitlab.example.com", path)))

    assert standin.asked[0].path == f"/gitlab/api/v4/projects/{asked_for}/statuses/{COMMIT}"


@pytest.mark.parametrize("path", ["gitlab/acme/platform/fleet", "gitlab/1234"])
def test_a_relative_root_is_no_part_of_the_project(path: str) -> None:
    with GitLab("/gitlab") as standin:
        connect(standin).deliver(status(repository=Repository("gitlab.example.com", path)))

        assert standin.contexts(PATH, COMMIT) == {"flux/prod": ("success", "live")}
        assert standin.violations == []


@pytest.mark.parametrize("end", ["", "/"])
def test_a_slash_at_the_end_of_the_address_does_no_harm(standin: GitLab, end: str) -> None:
    connect(standin, api_url=standin.url + end).deliver(status())

    assert len(standin.contexts(PATH, COMMIT)) == 1


def test_what_is_no_project_is_told_without_a_request(standin: GitLab) -> None:
    with pytest.raises(DeliveryError, match="fleet is not a GitLab repository"):
        connect(standin).deliver(status(repository=Repository("gitlab.example.com", "fleet")))

    assert standin.asked == []


@pytest.mark.parametrize(
    ("token", "header", "sent"),
    [
        (WRITER, "private-token", WRITER),
        (f"  {WRITER}\n", "private-token", WRITER),
        (OAUTH, "authorization", f"Bearer {OAUTH}"),
    ],
)
def test_each_kind_of_token_goes_in_its_header(standin: GitLab, token: str, header: str, sent: str) -> None:
    connect(standin, token=Secret(token)).deliver(status())

    known = {"private-token", "authorization", "job-token"} & set(standin.asked[0].headers)
    assert known == {header}
    assert standin.asked[0].headers[header] == sent


@pytest.mark.parametrize(("token", "told"), [("64_abc", True), (JOB, False)])
def test_a_jobs_token_is_refused_at_once(standin: GitLab, token: str, told: bool) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(standin, token=Secret(token), job_token=told)

    assert "CI_JOB_TOKEN cannot set commit statuses" in caught.value.message
    assert "scope `api`" in caught.value.hint
    assert "deployments" in caught.value.hint
    assert token not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("held", ["pending", "running"])
def test_pending_again_is_no_error(standin: GitLab, held: str) -> None:
    standin.store(PATH, COMMIT, context="flux/prod", state=held, description="live")

    connect(standin).deliver(status(State.PENDING))

    assert len(standin.asked) == 1
    assert standin.statuses[PATH, COMMIT][0]["status"] == held


@pytest.mark.parametrize("state", [State.SUCCESS, State.FAILURE, State.SUPERSEDED])
@pytest.mark.parametrize("before", ["pending", "running", "success", "failed", "canceled", "skipped"])
def test_every_result_can_follow_every_state(standin: GitLab, before: str, state: State) -> None:
    standin.store(PATH, COMMIT, context="flux/prod", state=before)
    provider = connect(standin)

    provider.deliver(status(state))

    assert provider.held(FLEET, COMMIT) == {"flux/prod": Held(state, "live")}
    assert len(standin.writes) == 1


@pytest.mark.parametrize("before", ["success", "failed", "canceled"])
def test_a_commit_may_be_looked_at_again(standin: GitLab, before: str) -> None:
    standin.store(PATH, COMMIT, context="flux/prod", state=before)
    provider = connect(standin)

    provider.deliver(status(State.PENDING))
    assert provider.held(FLEET, COMMIT) == {"flux/prod": Held(State.PENDING, "live")}
    provider.deliver(status(State.SUCCESS))
    assert provider.held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "live")}


@pytest.mark.parametrize(
    ("state", "via", "stuck"),
    [
        (State.PENDING, "enqueue", "success"),
        (State.PENDING, "enqueue", "manual"),
        (State.SUCCESS, "success", "canceled"),
        (State.FAILURE, "drop", "success"),
        (State.SUPERSEDED, "cancel", "success"),
    ],
)
def test_a_refusal_that_leaves_another_state_is_an_error(standin: GitLab, state: State, via: str, stuck: str) -> None:
    standin.faults.append(refused(400, f"Cannot transition status via :{via} from :{stuck} (Reason(s): …)"))

    error = failure(connect(standin), state)

    assert f"GitLab holds it as {stuck}, and does not let it go on from there" in error.message
    assert not error.passing


@pytest.mark.parametrize(
    "message",
    [
        "Cannot transition status",
        "x Cannot transition status via :enqueue from :pending",
        "Cannot transition status via :enqueue from :",
        {"description": ["Cannot transition status via :enqueue from :pending"]},
    ],
)
def test_what_only_looks_like_that_refusal_is_an_error(standin: GitLab, message: Any) -> None:
    standin.faults.append(refused(400, message))

    assert "it does not take it" in failure(connect(standin), State.PENDING).message


@pytest.mark.parametrize(("state", "stuck"), [(State.SUCCESS, "success"), (State.SUPERSEDED, "skipped")])
def test_a_refusal_because_it_is_so_already_is_none(standin: GitLab, state: State, stuck: str) -> None:
    standin.faults.append(refused(400, f"Cannot transition status via :x from :{stuck} (Reason(s): …)"))

    connect(standin).deliver(status(state))


@pytest.mark.parametrize("code", [401, 403, 404, 422, 500])
def test_only_a_400_is_that_refusal(standin: GitLab, code: int) -> None:
    standin.faults.append(refused(code, "Cannot transition status via :enqueue from :pending"))

    failure(connect(standin), State.PENDING)


@pytest.mark.parametrize("shown", ["failed", "pending", "dreaming", None, 7, []])
def test_an_answer_that_shows_another_state_is_no_success(standin: GitLab, shown: object) -> None:
    standin.faults.append(answer(201, body=json.dumps({"id": 1, "status": shown})))

    assert "not one of GitLab's API" in failure(connect(standin)).message


def test_another_update_of_the_commit_is_waited_for(standin: GitLab, waits: list[float]) -> None:
    standin.busy = 2

    connect(standin, waits).deliver(status())

    assert len(waits) == 2
    assert len(standin.writes) == 3


def test_another_update_that_does_not_end_is_left_for_later(standin: GitLab) -> None:
    standin.busy = 9

    error = failure(connect(standin))

    assert "another update of that commit is in progress" in error.message
    assert error.passing
    assert not error.uncertain


def test_statuses_of_one_commit_share_a_lane(standin: GitLab) -> None:
    outlet = GitOutlet(host(standin), "gitlab", Turns())
    updates = [Update("gitlab", (Mark(f"{n}", commit, "success"),), status()) for n, commit in enumerate("aab")]

    lanes = [outlet.lane(update) for update in updates]

    assert providers.GIT["gitlab"].lanes
    assert lanes == ["a", "a", "b"]


def test_many_commits_are_written_at_once(standin: GitLab) -> None:
    provider = connect(standin)
    commits = [f"{number:040x}" for number in range(64)]

    def one(commit: str) -> None:
        for state in (State.PENDING, State.SUCCESS):
            provider.deliver(CommitStatus(FLEET, commit, "flux/prod", state, "live"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, commits))

    assert all(standin.contexts(PATH, commit) == {"flux/prod": ("success", "live")} for commit in commits)
    assert standin.server.connections <= 8


def test_the_newest_of_several_pipelines_wins_in_whatever_order(standin: GitLab) -> None:
    new = standin.store(PATH, COMMIT, context="flux/prod", state="success", description="new", pipeline_id=40)
    old = standin.store(PATH, COMMIT, context="flux/prod", state="failed", description="old", pipeline_id=31)
    new["id"], old["id"] = old["id"], new["id"]

    assert connect(standin).held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "new")}
    standin.statuses[PATH, COMMIT].reverse()
    assert connect(standin).held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "new")}


def test_states_that_say_nothing_are_left_out(standin: GitLab) -> None:
    for number, state in enumerate(["manual", "skipped", "created", "running"]):
        standin.store(PATH, COMMIT, context=str(number), state=state)

    assert connect(standin).held(FLEET, COMMIT) == {
        "1": Held(State.SUPERSEDED), "2": Held(State.PENDING), "3": Held(State.PENDING)
    }  # fmt: skip


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("link", ["", "https://evil.example.com", "http://[::1", "http://internal:8080/other"])
def test_pages_are_followed_on_the_same_server_counted_or_not(standin: GitLab, totals: bool, link: str) -> None:
    standin.totals, standin.strange_links = totals, link
    for number in range(205):
        standin.store(PATH, COMMIT, context=f"flux/{number}")

    assert len(connect(standin).held(FLEET, COMMIT)) == 205
    assert len(standin.asked) == 3


def test_pages_without_end_are_given_up(standin: GitLab) -> None:
    standin.faults += [answer(200, {"X-Next-Page": "2"}, "[]")] * 200

    with pytest.raises(DeliveryError, match="more than 10000"):
        connect(standin).held(FLEET, COMMIT)


def test_a_limit_that_resets_soon_is_waited_for(standin: GitLab, waits: list[float]) -> None:
    standin.faults.append(answer(429, {"RateLimit-Reset": str(int(time.time() + 20))}, "Retry later\n"))

    connect(standin, waits).deliver(status())

    assert 18 < waits[0] <= 21


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "9", "RateLimit-Reset": "1893456000"}, 9),
        ({}, 60),
        ({"RateLimit-Reset": "soon"}, 60),
        ({"Retry-After": "tomorrow"}, 60),
    ],
)
def test_how_long_a_limit_lasts(standin: GitLab, waits: list[float], headers: dict[str, str], wait: float) -> None:
    standin.faults.append(
        answer(429, headers, '{"message": {"error": "This endpoint has been requested too many times."}}')
    )

    connect(standin, waits).deliver(status())

    assert waits == [wait]


def test_a_limit_that_resets_late_is_left_for_later(standin: GitLab, waits: list[float]) -> None:
    standin.faults.append(answer(429, {"RateLimit-Reset": str(int(time.time() + 1800))}))

    error = failure(connect(standin, waits))

    assert "30 min from now" in error.message
    assert error.passing
    assert waits == []


@pytest.mark.parametrize(
    ("fault", "sentence", "hint"),
    [
        (refused(404, "404 References for commit Not Found"), "the commit is on no branch", "force-pushed"),
        (refused(404, "404 Project Not Found"), "does not exist, or the token cannot see it", "scope `api`"),
        (answer(404, {}, "<html>"), "there is no GitLab API at that address", "--git-host"),
        (refused(403, "403 Forbidden"), "the token may not do that", "Developer"),
        (refused(403, "403 Forbidden - IP address is not allowed"), "address is not allowed", "Run where"),
        (answer(401, {}, '{"error": "x", "error_description": "Token is expired."}'), "Token is expired", "revoked"),
        (refused(400, {"name": ["is too long"], "base": [["x"]]}), "name is too long; base x", ""),
        (refused(400, [[[[["deep"]]]]]), "it does not take it.", ""),
        (answer(400, {}, '{"message": 7, "error": 8, "error_description": []}'), "it does not take it.", ""),
        (answer(400, {}, "[]"), "it does not take it.", ""),
    ],
)  # fmt: skip
def test_why_something_is_refused(standin: GitLab, fault: Fault, sentence: str, hint: str) -> None:
    standin.faults.append(fault)

    error = failure(connect(standin))

    assert sentence in error.message
    assert hint in error.hint
    assert not error.passing
    assert len(standin.asked) == 1


def test_a_project_that_has_moved_is_said_so(standin: GitLab) -> None:
    standin.moved.add(PATH)

    error = failure(connect(standin))

    assert "has been moved" in error.message
    assert "new URL" in error.hint


def test_a_token_without_the_scope_closes_the_repository_only(standin: GitLab) -> None:
    provider = connect(standin, token=Secret(READER))

    first, second = failure(provider), failure(provider)

    assert "it lacks a scope" in first.message
    assert first.read_only
    assert second.read_only
    assert len(standin.asked) == 1
    assert provider.held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_token_does_not_follow_a_redirect_to_another_host(standin: GitLab, code: int) -> None:
    with StandIn(lambda asked: Said(200, b"[]")) as other:
        standin.faults.append(answer(code, {"Location": f"{other.url}/api/v4/projects/1"}))

        with pytest.raises(DeliveryError, match=r"redirects to 127\.0\.0\.1"):
            connect(standin).held(FLEET, COMMIT)

        assert other.asked == []


def test_a_redirect_on_the_same_host_is_followed(standin: GitLab) -> None:
    standin.store("acme/clusters", COMMIT, context="a")
    place = f"/gitlab/api/v4/projects/acme%2Fclusters/repository/commits/{COMMIT}/statuses?per_page=100"
    standin.faults.append(answer(301, {"Location": standin.server.url + place}))

    assert connect(standin).held(FLEET, COMMIT) == {"a": Held(State.SUCCESS)}


@pytest.mark.parametrize(
    ("token", "level", "message"),
    [
        pytest.param(Token(7), "ok", "may write commit statuses", id="all there is"),
        pytest.param(Token(7, level=40), "ok", "may write commit statuses", id="maintainer"),
        pytest.param(Token(7, scopes=()), "ok", "scopes cannot be known", id="OAuth"),
        pytest.param(Token(7, scopes=("granular",)), "ok", "scopes cannot be known", id="fine-grained"),
        pytest.param(Token(7, scopes=("read_api", "read_user")), "problem", "lacks the scope `api`", id="reads"),
        pytest.param(Token(7, level=20), "problem", "role is too low", id="reporter"),
        pytest.param(Token(7, level=0), "warning", "no role", id="stranger"),
    ],
)
def test_what_can_be_known_of_a_token(standin: GitLab, token: Token, level: str, message: str) -> None:
    standin.tokens[WRITER] = token

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert standin.writes == []
    assert WRITER not in repr(finding)


def test_a_reporter_is_told_the_role_it_takes(standin: GitLab) -> None:
    assert "Developer" in failure(connect(standin, token=Secret(REPORTER))).hint


def test_an_expired_token_is_a_problem(standin: GitLab) -> None:
    (finding,) = connect(standin, token=Secret("glpat-unknown-to-them-1")).examine([FLEET])

    assert finding.level == "problem"
    assert "does not accept the token" in finding.message


def test_python_gitlab_neither_waits_nor_retries_nor_speaks(
    standin: GitLab, waits: list[float], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("gitlab.utils.time.sleep", slept.append)
    standin.faults += [answer(429, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"})]

    failure(connect(standin, waits))
    standin.faults += [answer(502, only="POST")] * 9
    failure(connect(standin, waits))

    assert slept == []
    assert len(standin.writes) == 1 + 4
    assert capfd.readouterr() == ("", "")


def test_reads_that_were_lost_are_repeated(standin: GitLab, waits: list[float]) -> None:
    standin.faults += [lost(), lost()]

    assert connect(standin, waits).held(FLEET, COMMIT) == {}
    assert len(waits) == 2


@pytest.mark.parametrize("token", [WRITER, OAUTH])
def test_netrc_does_not_replace_the_token(
    standin: GitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    connect(standin, token=Secret(token)).deliver(status())

    assert len(standin.contexts(PATH, COMMIT)) == 1
    assert "Basic" not in str(standin.asked[0].headers)


def test_files_and_variables_of_python_gitlab_are_not_heard(
    standin: GitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "python-gitlab.cfg"
    file.write_text("[global]\ndefault = x\n[x]\nurl = https://evil.example.com\nprivate_token = other\n")
    monkeypatch.setenv("PYTHON_GITLAB_CFG", str(file))
    monkeypatch.setenv("CI_JOB_TOKEN", "other")
    monkeypatch.setenv("CI_SERVER_URL", "https://evil.example.com")

    connect(standin).deliver(status())

    assert len(standin.contexts(PATH, COMMIT)) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_private_authority_is_trusted_when_given_whatever_the_environment_says(
    server_side: ssl.SSLContext, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))

    with GitLab(context=server_side) as standin:
        distrusted = failure(connect(standin))
        connect(standin, network=Network(ca=authority.cert_pem.bytes().decode())).deliver(status())

    assert "its certificate is not trusted" in distrusted.message
    assert not distrusted.passing
    assert len(standin.writes) == 1
