"""What is Bitbucket Server's own: its projects and users, its two places for build statuses, its refusals."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from standins.bitbucketserver import READER, USER, WRITER, BitbucketServer
from standins.server import answer, lost, reset

from landed.errors import DeliveryError
from landed.model import CommitStatus, GitHost, Repository, Secret, State
from landed.providers.git.bitbucketserver import statuses as bitbucketserver
from landed.providers.interface import Held
from landed.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
HOST = "bitbucket.example.com"
FLEET = Repository(HOST, "projects/ACME/repos/fleet")
BUILDS = f"/rest/api/latest/projects/ACME/repos/fleet/commits/{COMMIT}/builds"


@pytest.fixture
def standin() -> Iterator[BitbucketServer]:
    with BitbucketServer() as server:
        yield server
        assert server.violations == []


def connect(
    standin: BitbucketServer, token: str = WRITER, waits: list[float] | None = None, **settings: Any
) -> bitbucketserver.BitbucketServer:
    waited = [] if waits is None else waits
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(token)}
    return bitbucketserver.connect(GitHost("bitbucketserver", HOST, **(given | settings)), sleep=waited.append)


def status(state: State = State.SUCCESS, repository: Repository = FLEET, **changes: Any) -> CommitStatus:
    told: dict[str, Any] = {"description": "live", "target_url": "https://ci.example.com/1"} | changes
    return CommitStatus(repository, COMMIT, told.pop("context", "flux/prod"), state, **told)


def failure(provider: bitbucketserver.BitbucketServer, update: CommitStatus | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(update or status())
    return caught.value


def refused(code: int, message: str = "no", exception: str = "", headers: dict[str, str] | None = None) -> Any:
    error = {"context": None, "message": message, "exceptionName": f"com.atlassian.bitbucket.{exception}"}
    return answer(code, headers, json.dumps({"errors": [error]}))


def test_the_request_is_the_one_bitbucket_documents(standin: BitbucketServer) -> None:
    connect(standin).deliver(status())

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", BUILDS)
    assert json.loads(asked.body) == {
        "key": "flux/prod",
        "state": "SUCCESSFUL",
        "url": "https://ci.example.com/1",
        "name": "flux/prod",
        "description": "live",
    }
    assert asked.headers["x-atlassian-token"] == "no-check"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.PENDING, "INPROGRESS"),
        (State.SUCCESS, "SUCCESSFUL"),
        (State.FAILURE, "FAILED"),
        (State.SUPERSEDED, "CANCELLED"),
    ],
)
def test_states_in_bitbuckets_words(standin: BitbucketServer, state: State, word: str) -> None:
    connect(standin).deliver(status(state))

    assert json.loads(standin.asked[0].body)["state"] == word


def test_before_8_0_there_is_no_word_for_a_superseded_commit(standin: BitbucketServer) -> None:
    standin.words -= {"CANCELLED"}

    error = failure(connect(standin), status(State.SUPERSEDED))

    assert "since 8.0" in error.hint
    assert not error.passing


@pytest.mark.parametrize(
    ("token", "header"),
    [
        pytest.param(WRITER, f"Bearer {WRITER}", id="HTTP access token"),
        pytest.param(f"{WRITER}\n", f"Bearer {WRITER}", id="HTTP access token from a file"),
        pytest.param(USER, f"Basic {b64encode(USER.encode()).decode()}", id="user and password with colons"),
    ],
)
def test_how_a_token_is_shown(standin: BitbucketServer, token: str, header: str) -> None:
    connect(standin, token).deliver(status())

    assert standin.asked[0].headers["authorization"] == header


@pytest.mark.parametrize("token", [WRITER, USER])
@pytest.mark.parametrize("code", [400, 401, 403, 404, 418, 500])
def test_a_token_is_never_repeated_whole_in_halves_or_in_base64(
    standin: BitbucketServer, token: str, code: int
) -> None:
    user, _, password = token.partition(":")
    encoded = b64encode(token.encode()).decode()
    parts = [part for part in (token, encoded, user, password) if part]
    standin.faults.append(refused(code, " ".join([*parts, f"x{encoded}y"])))

    error = failure(connect(standin, token))

    shown = f"{error!r} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert not [part for part in parts if part in shown]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://bitbucket.example.com/scm/acme/fleet.git", "ACME/repos/fleet"),
        ("https://robot@bitbucket.example.com/scm/ACME/fleet.git", "ACME/repos/fleet"),
        ("ssh://git@bitbucket.example.com:7999/acme/fleet.git", "ACME/repos/fleet"),
        ("https://bitbucket.example.com/projects/ACME/repos/fleet/browse", "ACME/repos/fleet"),
        ("https://bitbucket.example.com/scm/~jane/fleet.git", "~jane/repos/fleet"),
        ("ssh://git@bitbucket.example.com:7999/~jane/fleet.git", "~jane/repos/fleet"),
        ("https://bitbucket.example.com/users/jane/repos/fleet", "~jane/repos/fleet"),
    ],
)
@pytest.mark.parametrize("root", ["", "/git"])
def test_every_spelling_of_a_repository(standin: BitbucketServer, url: str, place: str, root: str) -> None:
    if not url.startswith("ssh"):
        url = url.replace(f"{HOST}/", f"{HOST}{root}/")
    host = GitHost("bitbucketserver", HOST, f"https://{HOST}{root}/rest", web_url=f"https://{HOST}{root}")
    found = Repositories([host])(url)
    assert found is not None
    below = f"{standin.web_url}{root}/rest"

    connect(standin, api_url=below, web_url=host.web_url).deliver(status(repository=found, target_url=""))

    (asked,) = standin.asked
    project, _, name = place.split("/")
    owner = f"users/{project[1:]}" if project.startswith("~") else f"projects/{project}"
    assert asked.target == f"{root}/rest/api/latest/projects/{place}/commits/{COMMIT}/builds"
    assert json.loads(asked.body)["url"] == f"https://{HOST}{root}/{owner}/repos/{name}/commits/{COMMIT}"


def test_a_repository_of_another_form_is_not_asked_for(standin: BitbucketServer) -> None:
    with pytest.raises(DeliveryError, match=r"bitbucket\.example\.com/acme is not a Bitbucket Server repository"):
        connect(standin).held(Repository(HOST, "acme"), COMMIT)

    assert standin.asked == []


def test_odd_names_are_quoted(standin: BitbucketServer) -> None:
    odd = Repository(HOST, "users/j é?/repos/a#b")

    connect(standin).deliver(status(repository=odd, target_url=""))

    (asked,) = standin.asked
    assert asked.target == f"/rest/api/latest/projects/~j%20%C3%A9%3F/repos/a%23b/commits/{COMMIT}/builds"
    link = json.loads(asked.body)["url"]
    assert link == f"https://{HOST}/users/j%20%C3%A9%3F/repos/a%23b/commits/{COMMIT}"


def test_a_link_that_is_too_long_gives_way_to_the_commits_page(standin: BitbucketServer) -> None:
    for length in (450, 451):
        connect(standin).deliver(status(target_url="https://ci.example.com/".ljust(length, "x")))

    links = [json.loads(asked.body)["url"] for asked in standin.asked]
    assert len(links[0]) == 450
    assert links[1] == f"https://{HOST}/projects/ACME/repos/fleet/commits/{COMMIT}"


def test_descriptions_are_counted_as_java_counts(standin: BitbucketServer) -> None:
    connect(standin).deliver(status(description="\N{ROCKET}" * 200))
    connect(standin).deliver(status(description="\N{ROCKET}" * 127 + "!"))

    cut, whole = (json.loads(asked.body)["description"] for asked in standin.asked)
    assert cut == "\N{ROCKET}" * 127 + "…"
    assert whole == "\N{ROCKET}" * 127 + "!"


def test_the_newest_hundred_are_all_that_the_real_one_lists(standin: BitbucketServer) -> None:
    standin.newest = 100
    for number in range(130):
        standin.store(FLEET.path, COMMIT, context=f"flux/{number}", state="success", description="d")

    held = connect(standin).held(FLEET, COMMIT)

    assert held == {f"flux/{number}": Held(State.SUCCESS, "d") for number in range(30, 130)}


def test_reading_back_goes_page_by_page_from_the_newest(standin: BitbucketServer) -> None:
    for number in range(101):
        standin.store(FLEET.path, COMMIT, context=f"flux/{number}", state="pending")

    connect(standin).held(FLEET, COMMIT)

    start = f"/rest/build-status/latest/commits/{COMMIT}?orderBy=NEWEST&limit=100&start="
    assert [asked.target for asked in standin.asked] == [f"{start}0", f"{start}100"]


def test_of_two_statuses_with_one_key_the_newer_is_told(standin: BitbucketServer) -> None:
    """The same commit may be in another repository, under the same key."""
    standin.store("projects/FORK/repos/fleet", COMMIT, context="flux/prod", state="failure")
    standin.store(FLEET.path, COMMIT, context="flux/prod", state="success")

    assert connect(standin).held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "")}


PAGES = [
    {"values": [], "isLastPage": False},
    {"values": [], "isLastPage": False, "nextPageStart": 0},
    {"values": [], "isLastPage": False, "nextPageStart": "9"},
    {"values": []},
    {"values": {}, "isLastPage": True},
    {"isLastPage": True},
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_makes_no_sense_is_not_the_end(standin: BitbucketServer, page: dict[str, Any]) -> None:
    standin.faults.append(answer(200, body=json.dumps(page)))

    with pytest.raises(DeliveryError, match="not one of Bitbucket Server's API"):
        connect(standin).held(FLEET, COMMIT)


def test_pages_without_end_are_given_up(standin: BitbucketServer) -> None:
    for page in range(1, 201):
        body = {"values": [], "isLastPage": False, "nextPageStart": page * 100}
        standin.faults.append(answer(200, body=json.dumps(body)))

    with pytest.raises(DeliveryError, match="more than 10000"):
        connect(standin).held(FLEET, COMMIT)


def test_strange_entries_are_left_out(standin: BitbucketServer) -> None:
    entries = [None, 7, {}, {"key": "a", "state": "UNKNOWN"}, {"key": "b", "state": ["FAILED"], "updatedDate": "x"}]
    good = {"key": "c", "state": "FAILED", "description": None, "dateAdded": 1}
    standin.faults.append(answer(200, body=json.dumps({"values": [*entries, good], "isLastPage": True})))

    assert connect(standin).held(FLEET, COMMIT) == {"c": Held(State.FAILURE, "")}


def test_after_a_lost_answer_it_is_looked_for_the_key_in_its_repository(standin: BitbucketServer) -> None:
    standin.faults.append(lost("POST"))

    connect(standin).deliver(status(context="flux/a&b c"))

    assert [asked.target for asked in standin.asked] == [BUILDS, f"{BUILDS}?key=flux%2Fa%26b%20c"]


def test_the_same_key_in_another_repository_is_not_taken_for_ours(standin: BitbucketServer) -> None:
    standin.store("projects/FORK/repos/fleet", COMMIT, context="flux/prod", state="success", description="live")
    standin.faults.append(reset("POST"))

    connect(standin).deliver(status())

    assert standin.contexts(FLEET.path, COMMIT) == {"flux/prod": ("success", "live")}


@pytest.mark.parametrize("code", [404, 405])
def test_where_one_key_cannot_be_looked_for_it_is_written_again(standin: BitbucketServer, code: int) -> None:
    standin.faults += [lost("POST"), answer(code)]

    connect(standin).deliver(status())

    assert [asked.method for asked in standin.asked] == ["POST", "GET", "POST"]
    assert standin.contexts(FLEET.path, COMMIT) == {"flux/prod": ("success", "live")}


@pytest.mark.parametrize("fault", [answer(200, body="[]"), answer(200, body="<html>"), answer(401), lost()])
def test_nonsense_about_one_key_leaves_the_doubt(standin: BitbucketServer, fault: Any) -> None:
    standin.faults += [lost("POST"), fault]

    error = failure(connect(standin))

    assert error.uncertain
    assert len(standin.writes) == 1


@pytest.mark.parametrize("code", [200, 201, 202])
def test_only_204_says_that_it_was_taken(standin: BitbucketServer, code: int) -> None:
    standin.faults.append(answer(code, body="{}"))

    assert "not one of Bitbucket Server's API" in failure(connect(standin)).message


@pytest.mark.parametrize(
    ("fault", "sentence", "hint"),
    [
        (refused(404, "gone", "commit.NoSuchCommitException"), "the commit is not in that repository", "force-push"),
        (refused(404, "gone", "repository.NoSuchRepositoryException"), "does not exist, or the token", "REPO_READ"),
        (answer(404, body="<html>"), "there is no Bitbucket Server 7.4 or later at that address", "context path"),
        (answer(404, body='{"message": "x", "status-code": 404}'), "no Bitbucket Server 7.4", "/rest"),
        (refused(401, "Authentication failed."), "does not accept the token", "USER:PASSWORD"),
        (refused(401, "No.", headers={"X-AUSERNAME": "robot"}), "the token may not do that (No.)", "Repository read"),
        (refused(403, "XSRF check failed"), "the token may not do that (XSRF check failed)", "Repository read"),
        (refused(409), "busy", "next run"),
        (answer(400, body='{"errors": [7, null, {}, {"message": null}, {"message": 5}]}'), "not take it (5)", ""),
        (answer(400, body='{"errors": "x"}'), "it does not take it.", ""),
    ],
)
def test_what_refusals_mean(standin: BitbucketServer, fault: Any, sentence: str, hint: str) -> None:
    standin.faults.append(fault)

    error = failure(connect(standin))

    assert sentence in error.message
    assert hint in error.hint


def test_a_password_that_is_refused_is_not_tried_again(standin: BitbucketServer) -> None:
    """Bitbucket asks for a CAPTCHA after a few."""
    provider = connect(standin, "robot:wrong")

    failure(provider)
    error = failure(provider)

    assert "does not accept the token" in error.message
    assert len(standin.asked) == 1


def test_a_user_without_rights_is_told_from_an_unknown_one(standin: BitbucketServer) -> None:
    error = failure(connect(standin, READER))

    assert "the token may not do that" in error.message
    assert error.read_only


def test_a_limit_without_a_time_is_a_moment(standin: BitbucketServer) -> None:
    waits: list[float] = []
    standin.faults.append(answer(429))

    connect(standin, waits=waits).deliver(status())

    assert waits == [10]


@pytest.mark.parametrize(
    ("public", "message"), [(False, "which is all that build statuses take"), (True, "cannot be known without writing")]
)
def test_what_can_be_known_of_a_token(standin: BitbucketServer, public: bool, message: str) -> None:
    standin.public = {FLEET.path} if public else set()

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == "ok"
    assert message in finding.message
    assert standin.writes == []


def test_a_token_that_may_not_read_is_a_problem(standin: BitbucketServer) -> None:
    (finding,) = connect(standin, READER).examine([FLEET])

    assert finding.level == "problem"
    assert "REPO_READ" in finding.hint
