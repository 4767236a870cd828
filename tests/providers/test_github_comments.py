"""The comment on a GitHub pull request: found or made, edited in place, and never somebody else's."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from standins.github_requests import APP, CLASSIC, NARROW, PERSON, READER, TOKENS, WORKFLOW, WRITER, GitHubRequests
from standins.server import Answer, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish

from landed import comments
from landed.errors import ConfigurationError, DeliveryError
from landed.http import TokenBucket
from landed.model import Comment, GitHost, Repository, Row, Secret, State
from landed.providers.git.github import comments as github_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
ALL = "/repos/acme/fleet/issues/7/comments"


@pytest.fixture
def standin() -> Iterator[GitHubRequests]:
    with GitHubRequests() as server:
        yield server
        assert server.violations == []


def connect(standin: GitHubRequests, token: str = WRITER, **settings: Any) -> github_comments.GitHubComments:
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(token)} | settings
    turns = given.pop("turns", None)
    waits: list[float] = given.pop("waits", [])
    return github_comments.connect(GitHost("github", "github.com", **given), turns=turns, sleep=waits.append)


def comment(state: State = State.SUCCESS, cluster: str = "prod", **fields: Any) -> Comment:
    said = fields.pop("said", "Applied main@6dcd4ce2")
    rows = (Row(cluster, "apps/web", state, said, "https://ci.example.com/1"),)
    return Comment(FLEET, COMMIT, rows, **({"request": "7"} | fields))


def failure(provider: github_comments.GitHubComments, payload: Comment | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(payload or comment())
    error = caught.value
    shown = f"{error!r} {error} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert not any(token in shown for token in TOKENS)
    assert "\n" not in error.message
    return error


def ways(standin: GitHubRequests) -> list[str]:
    return [asked.method for asked in standin.writes]


# Making and editing


def test_the_requests_are_the_ones_github_documents(standin: GitHubRequests) -> None:
    handle = connect(standin, PERSON).deliver(comment())

    first, second, *_ = standin.asked
    assert (first.method, first.target) == ("GET", f"{ALL}?per_page=100")
    assert (second.method, second.target) == ("POST", ALL)
    assert json.loads(second.body) == {"body": comments.body(comment())}
    assert second.headers["authorization"].split()[1] == PERSON
    assert handle == f"7:{standin.comments[7][0]['id']}"


def test_nothing_is_held_before_it_is_looked_for(standin: GitHubRequests) -> None:
    assert connect(standin).held(FLEET, COMMIT) == {}
    assert standin.asked == []


def test_a_change_is_one_write_and_no_change_is_none(standin: GitHubRequests) -> None:
    handle = connect(standin).deliver(comment(State.PENDING))
    assert ways(standin) == ["POST"]

    assert connect(standin).deliver(comment(handle=handle)) == handle
    assert connect(standin).deliver(comment(handle=handle)) == handle
    assert connect(standin).deliver(comment()) == handle

    assert ways(standin) == ["POST", "PATCH"]
    assert standin.bodies() == [comments.body(comment())]


def test_with_a_handle_one_comment_is_read(standin: GitHubRequests) -> None:
    handle = connect(standin, PERSON).deliver(comment(State.PENDING))
    standin.asked.clear()

    connect(standin, PERSON).deliver(comment(handle=handle))

    id_ = handle.partition(":")[2]
    assert [(asked.method, asked.path) for asked in standin.asked] == [
        ("GET", f"/repos/acme/fleet/issues/comments/{id_}"),
        ("GET", "/user"),
        ("PATCH", f"/repos/acme/fleet/issues/comments/{id_}"),
    ]


def test_other_clusters_keep_their_rows(standin: GitHubRequests) -> None:
    """Each job knows of its own clusters only."""
    connect(standin).deliver(comment(State.FAILURE, "staging", said="Health check failed"))
    connect(standin).deliver(comment(State.PENDING, "prod"))
    connect(standin).deliver(comment(State.SUCCESS, "staging"))

    (body,) = standin.bodies()
    assert ways(standin) == ["POST", "PATCH", "PATCH"]
    assert body.count("`staging`") == body.count("`prod`") == 1
    assert "Health check failed" not in body


def test_ours_is_found_beyond_the_first_hundred(standin: GitHubRequests) -> None:
    for number in range(250):
        standin.comment(f"me too, {number}")
    standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)
    for number in range(60):
        standin.comment(f"me three, {number}")

    handle = connect(standin).deliver(comment())

    assert ways(standin) == ["PATCH"]
    assert standin.reads == [ALL] * 4
    assert handle == f"7:{standin.comments[7][250]['id']}"
    assert standin.bodies()[250] == comments.body(comment())


def test_a_comment_deleted_by_hand_is_made_anew_once(standin: GitHubRequests) -> None:
    handle = connect(standin).deliver(comment(State.PENDING))
    standin.comments[7].clear()

    new = connect(standin).deliver(comment(handle=handle))

    assert new != handle
    assert ways(standin) == ["POST", "POST"]
    assert connect(standin).deliver(comment(handle=new)) == new
    assert len(standin.bodies()) == 1


def test_a_comment_from_which_somebody_took_our_marker_is_left_alone(standin: GitHubRequests) -> None:
    handle = connect(standin).deliver(comment())
    standin.comments[7][0]["body"] = "I have edited this."

    assert connect(standin).deliver(comment(handle=handle)) != handle
    assert standin.bodies() == ["I have edited this.", comments.body(comment())]


def test_a_comment_edited_in_a_browser_is_recognised(standin: GitHubRequests) -> None:
    """Browsers send other line breaks, and GitHub may leave out blank ends."""
    handle = connect(standin).deliver(comment())
    standin.comments[7][0]["body"] = standin.bodies()[0].replace("\n", "\r\n").strip()

    assert connect(standin).deliver(comment(handle=handle)) == handle
    assert ways(standin) == ["POST"]


@pytest.mark.parametrize("handle", ["7", "7:", ":", "x", "7:1/../2", "7:-1", "8:101", "7:²", "7:" + "9" * 400])
def test_a_handle_that_makes_no_sense_is_none(standin: GitHubRequests, handle: str) -> None:
    made = connect(standin).deliver(comment(State.PENDING))

    assert connect(standin).deliver(comment(handle=handle)) == made
    assert set(standin.reads) == {ALL}


def test_a_handle_of_another_request_is_not_followed(standin: GitHubRequests) -> None:
    elsewhere = standin.comment(comments.body(comment(State.PENDING)), WORKFLOW, 8)

    connect(standin).deliver(comment(handle=f"7:{elsewhere}"))

    assert standin.bodies(8) == [comments.body(comment(State.PENDING))]
    assert standin.bodies(7) == [comments.body(comment())]


def test_two_jobs_that_comment_at_the_same_moment_leave_one_comment(standin: GitHubRequests) -> None:
    """The other job's comment appears between our look and our write."""
    theirs = comments.body(comment(State.PENDING, "staging"))
    standin.comment(theirs, WORKFLOW)
    standin.faults.append(answer(200, body="[]", only="GET"))

    handle = connect(standin).deliver(comment(State.SUCCESS, "prod"))

    (body,) = standin.bodies()
    assert ways(standin) == ["POST", "DELETE", "PATCH"]
    assert body.count("`staging`") == body.count("`prod`") == 1
    assert handle == f"7:{standin.comments[7][0]['id']}"


@pytest.mark.parametrize("code", [403, 500])
def test_two_comments_are_left_where_ours_cannot_be_deleted(standin: GitHubRequests, code: int) -> None:
    standin.comment(comments.body(comment(State.PENDING, "staging")), WORKFLOW)
    standin.faults += [answer(200, body="[]", only="GET"), answer(code, body='{"message": "no"}', only="DELETE")]

    handle = connect(standin).deliver(comment())

    assert len(standin.bodies()) == 2
    assert handle == f"7:{standin.comments[7][1]['id']}"


def test_a_delete_whose_answer_was_lost_counts(standin: GitHubRequests) -> None:
    standin.comment(comments.body(comment(State.PENDING, "staging")), WORKFLOW)
    standin.faults += [answer(200, body="[]", only="GET"), lost("DELETE")]

    handle = connect(standin).deliver(comment())

    assert handle == f"7:{standin.comments[7][0]['id']}"
    assert "`prod`" in standin.bodies()[0]


# Whose comment it is


@pytest.mark.parametrize("token", [WRITER, APP, PERSON, CLASSIC])
def test_everybody_recognises_his_own(standin: GitHubRequests, token: str) -> None:
    first = connect(standin, token).deliver(comment(State.PENDING))

    assert connect(standin, token).deliver(comment()) == first
    assert len(standin.bodies()) == 1


@pytest.mark.parametrize("token", [WRITER, APP, PERSON])
@pytest.mark.parametrize("graphql", [True, False])
def test_a_comment_of_somebody_else_with_our_text_is_not_edited(
    standin: GitHubRequests, token: str, graphql: bool
) -> None:
    standin.graphql = graphql
    copied = comments.body(comment(State.FAILURE))
    before = [standin.comment(copied, login) for login in ("mallory", "github-actions", "landed-by-acme", "octocat-")]

    handle = connect(standin, token).deliver(comment())

    assert int(handle.partition(":")[2]) not in before
    assert standin.bodies() == [copied] * 4 + [comments.body(comment())]
    assert connect(standin, token).deliver(comment(State.PENDING, handle=f"7:{before[0]}")) == handle
    assert standin.bodies()[:4] == [copied] * 4


def test_a_person_is_not_an_app_of_his_name(standin: GitHubRequests) -> None:
    standin.tokens[PERSON] = TOKENS[PERSON]._replace(login="octo[bot]")
    standin.comment(comments.body(comment(State.FAILURE)), "octo[bot]")  # an App's

    connect(standin, PERSON).deliver(comment())

    assert len(standin.bodies()) == 2


def test_another_apps_comment_is_not_edited(standin: GitHubRequests) -> None:
    standin.comment(comments.body(comment(State.FAILURE)), WORKFLOW)

    connect(standin, APP).deliver(comment())

    assert standin.bodies() == [comments.body(comment(State.FAILURE)), comments.body(comment())]


def test_where_an_app_cannot_learn_its_name_any_apps_comment_will_do(standin: GitHubRequests) -> None:
    standin.graphql = False
    theirs = comments.body(comment(State.FAILURE))
    standin.comment(theirs, "mallory")
    standin.comment(theirs, "person[bot]")
    standin.comments[7][1]["user"]["type"] = "User"
    standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)

    connect(standin).deliver(comment())

    assert standin.bodies() == [theirs, theirs, comments.body(comment())]


def test_what_says_that_it_is_of_two_apps_is_nobodys(standin: GitHubRequests) -> None:
    standin.graphql = False
    standin.comment(comments.body(comment(State.FAILURE)), WORKFLOW)
    app = {"id": 1, "slug": "other", "node_id": "", "owner": None, "name": "Other", "description": None}
    rest = {"external_url": "https://o.example.com", "html_url": "https://o.example.com", "permissions": {}}
    times = {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "events": []}
    owner = standin.comments[7][0]["user"]
    standin.comments[7][0]["performed_via_github_app"] = app | rest | times | {"owner": owner}

    connect(standin).deliver(comment())

    assert len(standin.bodies()) == 2


def test_a_token_of_an_unknown_kind_is_asked_both_ways(standin: GitHubRequests) -> None:
    """On older servers an App's token does not look like one."""
    standin.tokens["v1.1f699f1069f60xxx"] = TOKENS[WRITER]
    standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)

    connect(standin, "v1.1f699f1069f60xxx", api_url=standin.ghes_url).deliver(comment())

    assert ways(standin) == ["PATCH"]
    assert [asked.path for asked in standin.asked] == [
        f"/api/v3{ALL}",
        "/api/v3/user",
        "/api/graphql",
        f"/api/v3/repos/acme/fleet/issues/comments/{standin.comments[7][0]['id']}",
    ]


@pytest.mark.parametrize("fault", [answer(503), answer(502), lost("POST"), answer(429, {"Retry-After": "600"})])
@pytest.mark.parametrize("graphql", [True, False])
def test_while_it_is_not_known_who_we_are_nothing_is_written(
    standin: GitHubRequests, fault: Fault, graphql: bool
) -> None:
    standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)
    standin.faults += [None, *[fault._replace(only="") for _ in range(9)]]

    error = failure(connect(standin, WRITER if graphql else PERSON))

    assert error.passing
    assert not error.uncertain
    assert standin.writes == []


def test_a_user_who_cannot_be_asked_for_now_is_not_taken_for_an_app(standin: GitHubRequests) -> None:
    standin.comment(comments.body(comment(State.PENDING)), "octocat")
    standin.faults += [None, *[answer(503, only="GET")] * 4]

    assert failure(connect(standin, PERSON)).passing
    assert standin.writes == []


@pytest.mark.parametrize("body", ["[]", "{}", '{"login": ""}', '{"login": 7}', "<html>"])
def test_a_user_without_a_name_is_nonsense(standin: GitHubRequests, body: str) -> None:
    standin.comment(comments.body(comment(State.PENDING)), "octocat")
    standin.faults += [None, answer(200, body=body)]

    assert "is not one of GitHub's API" in failure(connect(standin, PERSON)).message


@pytest.mark.parametrize("body", ["[]", "{}", "null", '{"data": {"viewer": {"login": null}}}', "<html>"])
def test_an_app_without_a_name_is_some_app(standin: GitHubRequests, body: str) -> None:
    standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)
    standin.faults += [None, answer(200, body=body, only="POST")]

    connect(standin).deliver(comment())

    assert ways(standin) == ["PATCH"]


# Which pull request


def test_without_an_annotation_the_pull_request_is_found_from_the_commit(standin: GitHubRequests) -> None:
    standin.pull(COMMIT, 12)

    handle = connect(standin).deliver(comment(request=""))

    assert handle.startswith("12:")
    assert standin.bodies(12) == [comments.body(comment(request=""))]
    assert standin.asked[0].target == f"/repos/acme/fleet/commits/{COMMIT}/pulls?per_page=100"


MERGED = {"state": "closed", "merged_at": "2026-08-20T09:15:42Z"}


def test_the_pull_request_that_fits_best_is_chosen(standin: GitHubRequests) -> None:
    standin.pull(COMMIT, 1, state="closed")
    standin.pull(COMMIT, 2)
    standin.pull(COMMIT, 3, head=COMMIT)
    standin.pull(COMMIT, 4, **MERGED, merge_commit_sha="f" * 40)
    standin.pull(COMMIT, 5, **MERGED, merge_commit_sha=COMMIT)

    for expected in (5, 4, 3, 2):
        assert connect(standin).deliver(comment(request="")).startswith(f"{expected}:")
        standin.pulls[COMMIT].pop()
    assert connect(standin).deliver(comment(request="")) == ""


def test_the_best_one_may_be_on_a_later_page(standin: GitHubRequests) -> None:
    for number in range(1, 131):
        standin.pull(COMMIT, number)
    standin.pull(COMMIT, 131, **MERGED, merge_commit_sha=COMMIT)

    assert connect(standin).deliver(comment(request="")).startswith("131:")


def test_without_a_pull_request_there_is_nothing_to_do(standin: GitHubRequests) -> None:
    assert connect(standin).deliver(comment(request="")) == ""
    assert standin.writes == []


def test_a_pull_request_is_looked_for_once(standin: GitHubRequests) -> None:
    standin.pull(COMMIT, 7)
    provider = connect(standin)

    handle = provider.deliver(comment(State.PENDING, request=""))
    provider.deliver(comment(request="", handle=handle))

    assert sum("/pulls" in path for path in standin.reads) == 1


def test_a_pull_request_opened_during_the_run_is_found(standin: GitHubRequests) -> None:
    provider = connect(standin)
    assert provider.deliver(comment(request="")) == ""

    standin.pull(COMMIT, 7)

    assert provider.deliver(comment(request="")).startswith("7:")


def test_a_pull_request_of_another_repository_is_not_taken_for_ours(standin: GitHubRequests) -> None:
    standin.pull(COMMIT, 7, "upstream/fleet")

    assert connect(standin).deliver(comment(request="")) == ""
    assert standin.writes == []


def test_a_renamed_repository_has_the_pull_requests_it_had(standin: GitHubRequests) -> None:
    standin.renamed["acme/fleet"] = "acme/clusters"
    standin.pull(COMMIT, 9, "upstream/fleet")
    standin.pull(COMMIT, 7, "acme/clusters")

    handle = connect(standin).deliver(comment(request=""))

    assert handle.startswith("7:")
    assert len(standin.bodies(7)) == 1


@pytest.mark.parametrize("number", ["#7", "7 ", "-7", "0", "7.0", "seven", "../../8", "٧", "²", "9" * 40, "\ud800"])
def test_an_annotation_that_is_no_number_is_named(standin: GitHubRequests, number: str) -> None:
    error = failure(connect(standin), comment(request=number))

    assert "event.toolkit.fluxcd.io/change_request" in error.message
    assert "event.toolkit.fluxcd.io/change_request" in error.hint
    assert not error.passing
    assert standin.asked == []


def test_a_hostile_annotation_is_not_repeated_as_it_is(standin: GitHubRequests) -> None:
    error = failure(connect(standin), comment(request=f"\x1b[31m\n::error::{WRITER} {'long ' * 999}"))

    assert "\x1b" not in error.message
    assert len(error.message) < 900


def test_an_annotation_with_zeros_in_front_is_the_same_number(standin: GitHubRequests) -> None:
    assert connect(standin).deliver(comment(request="007")).startswith("7:")


def test_an_unknown_commit_is_said_so(standin: GitHubRequests) -> None:
    standin.missing.add(COMMIT)

    assert "the commit is not in that repository" in failure(connect(standin), comment(request="")).message


def test_a_commit_that_is_none_is_quoted_in_the_address(standin: GitHubRequests) -> None:
    connect(standin).deliver(Comment(FLEET, "../x?y", ()))

    assert standin.asked[0].path == "/repos/acme/fleet/commits/..%2Fx%3Fy/pulls"


@pytest.mark.parametrize("path", ["", "/", "../x", "a/..", "a/b/c"])
def test_a_path_that_is_no_repository_is_not_asked_for(standin: GitHubRequests, path: str) -> None:
    for request in ("7", ""):
        error = failure(connect(standin), Comment(Repository("github.com", path), COMMIT, (), request))
        assert f"github.com/{path} is not a" in error.message
    assert standin.asked == []


# What may go wrong


@pytest.mark.parametrize("fault", [lost("POST"), hang_after("POST"), rubbish("POST")], ids=["lost", "hang", "no HTTP"])
def test_a_comment_whose_answer_was_lost_is_not_made_twice(
    standin: GitHubRequests, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_comments, "TIMEOUT", 1)
    standin.faults.append(fault)

    handle = connect(standin, PERSON).deliver(comment())

    assert ways(standin) == ["POST"]
    assert handle == f"7:{standin.comments[7][0]['id']}"


@pytest.mark.parametrize("fault", [reset("POST"), hang("POST"), answer(502, only="POST"), answer(504, only="POST")])
def test_a_comment_that_was_lost_is_made_after_another_look(
    standin: GitHubRequests, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_comments, "TIMEOUT", 1)
    standin.faults.append(fault)

    connect(standin, PERSON).deliver(comment())

    assert [asked.method for asked in standin.asked[:4]] == ["GET", "POST", "GET", "POST"]
    assert len(standin.bodies()) == 1


def test_where_it_is_another_jobs_comment_that_is_found_it_is_edited(standin: GitHubRequests) -> None:
    standin.comment(comments.body(comment(State.PENDING, "staging")), "octocat")
    standin.faults += [answer(200, body="[]", only="GET"), reset("POST")]

    connect(standin, PERSON).deliver(comment())

    (body,) = standin.bodies()
    assert ways(standin) == ["POST", "PATCH"]
    assert "`staging`" in body
    assert "`prod`" in body


def test_where_looking_again_fails_too_the_doubt_is_told(standin: GitHubRequests) -> None:
    standin.faults += [lost("POST"), *[answer(500)] * 4]

    error = failure(connect(standin, PERSON))

    assert error.uncertain
    assert error.passing
    assert ways(standin) == ["POST"]


@pytest.mark.parametrize("fault", [lost("PATCH"), reset("PATCH"), answer(502, only="PATCH"), rubbish("PATCH")])
def test_an_edit_that_was_lost_is_repeated(standin: GitHubRequests, fault: Fault) -> None:
    handle = connect(standin).deliver(comment(State.PENDING))
    standin.faults.append(fault)

    connect(standin).deliver(comment(handle=handle))

    assert standin.bodies() == [comments.body(comment())]


@pytest.mark.parametrize("way", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False), (401, 1, False), (403, 1, False), (404, 1, False), (405, 1, False), (409, 1, True),
        (410, 1, False), (422, 1, False), (429, 4, True), (500, 1, True), (502, 4, True), (503, 4, True),
        (504, 4, True),
    ],
)  # fmt: skip
def test_refusals(standin: GitHubRequests, way: str, code: int, tries: int, passing: bool) -> None:
    if way == "PATCH":
        standin.comment(comments.body(comment(State.PENDING)), WORKFLOW)
    before = standin.bodies()
    retry = {"Retry-After": "1"} if code == 429 else {}
    if way == "PATCH":
        standin.faults += [None, None]
    standin.faults += [answer(code, retry, '{"message": "no"}', only=way)] * 12

    error = failure(connect(standin))

    tried = [asked for asked in standin.asked if asked.method == way and asked.path != "/graphql"]
    assert len(tried) == tries
    assert error.passing is passing
    assert error.read_only is (code == 403)
    assert error.hint or code in (400, 405, 422, 500, 502, 503, 504)
    assert standin.bodies() == before


def test_a_token_that_may_not_write_is_explained_and_not_tried_again(standin: GitHubRequests) -> None:
    provider = connect(standin, READER)

    error = failure(provider)
    again = failure(provider, comment(request="7"))

    assert "the token may not do that" in error.message
    assert "pull-requests: write" in error.hint
    assert error.read_only
    assert again.read_only
    assert len(standin.writes) == 1


def test_a_token_that_is_none_is_explained(standin: GitHubRequests) -> None:
    error = failure(connect(standin, "no-such-token-1234"))

    assert "does not accept the token" in error.message
    assert "no-such-token" not in f"{error!r}{error.hint}"
    assert len(standin.asked) == 1


def test_a_token_that_goes_bad_between_two_requests_ends_it(standin: GitHubRequests) -> None:
    standin.faults += [answer(401, body='{"message": "Bad credentials"}')]

    assert "does not accept the token" in failure(connect(standin), comment(handle="7:101")).message
    assert len(standin.asked) == 1


@pytest.mark.parametrize(("code", "text"), [(403, "issue is locked"), (410, "Locked"), (422, "it is locked")])
def test_a_locked_conversation_is_told_and_does_not_close_the_repository(
    standin: GitHubRequests, code: int, text: str
) -> None:
    standin.comments[8] = []
    provider = connect(standin)
    standin.faults.append(answer(code, body=json.dumps({"message": f"Unable to create comment: {text}."}), only="POST"))

    error = failure(provider)
    provider.deliver(comment(request="8"))

    assert "the conversation is locked" in error.message
    assert not error.passing
    assert not error.read_only
    assert len(standin.bodies(8)) == 1


def test_a_locked_conversation_as_github_tells_it(standin: GitHubRequests) -> None:
    standin.locked.add(7)

    assert "acme/fleet#7 cannot be written: the conversation is locked" in failure(connect(standin)).message


def test_a_request_that_does_not_exist_is_named(standin: GitHubRequests) -> None:
    error = failure(connect(standin), comment(request="99"))

    assert "acme/fleet#99" in error.message
    assert "does not exist, or the token cannot see it" in error.message
    assert standin.writes == []


def test_a_repository_that_does_not_exist_is_named(standin: GitHubRequests) -> None:
    standin.missing.add("acme/fleet")

    for payload in (comment(), comment(request="")):
        error = failure(connect(standin), payload)
        assert "acme/fleet" in error.message
        assert "does not exist, or the token cannot see it" in error.message


def test_comments_that_come_too_fast_are_left_for_later(standin: GitHubRequests) -> None:
    body = {"message": "Validation Failed", "errors": [{"message": "was submitted too quickly"}]}
    standin.faults.append(answer(422, body=json.dumps(body), only="POST"))

    error = failure(connect(standin))

    assert "too fast" in error.message
    assert error.passing


def test_a_server_that_is_gone_is_named(standin: GitHubRequests) -> None:
    with StandIn(lambda asked: Answer(200)) as gone:
        provider = connect(standin, api_url=gone.url)

    error = failure(provider)

    assert "the connection was refused" in error.message
    assert error.passing
    assert not error.uncertain


NONSENSE = [
    answer(200, {"Content-Type": "text/html"}, "<html>Please log in</html>"),
    answer(200, body=""),
    answer(201, body="{}"),
    answer(201, body='{"id": "x"}'),
    answer(201, body='{"id": true}'),
    answer(201, body='{"id": -1}'),
    answer(204),
    answer(302, {"Location": "https://evil.example.com/x"}),
]


@pytest.mark.parametrize("fault", NONSENSE)
@pytest.mark.parametrize("way", ["POST", "PATCH"])
def test_an_answer_that_makes_no_sense_is_no_success(standin: GitHubRequests, fault: Fault, way: str) -> None:
    if way == "PATCH":
        standin.comment(comments.body(comment(State.PENDING)), "octocat")
    standin.faults += [fault._replace(only=way)] * 9

    failure(connect(standin, PERSON))


@pytest.mark.parametrize("fault", NONSENSE)
@pytest.mark.parametrize("payload", [comment(), comment(request=""), comment(handle="7:101")])
def test_a_list_that_makes_no_sense_is_not_empty(standin: GitHubRequests, fault: Fault, payload: Comment) -> None:
    standin.faults += [fault] * 9

    failure(connect(standin), payload)
    assert standin.writes == []


STRANGE: list[Any] = [
    None, 7, "x", [], {}, {"id": 1}, {"id": 1, "body": None}, {"id": 1, "body": 7, "user": "x"},
    {"id": "1/2", "body": comments.MARKER, "user": {"login": WORKFLOW, "type": "Bot"}},
    {"id": 5, "body": comments.MARKER, "user": None}, {"id": 5, "body": comments.MARKER, "user": {}},
]  # fmt: skip


def test_strange_comments_are_passed_over(standin: GitHubRequests) -> None:
    standin.faults.append(answer(200, body=json.dumps(STRANGE)))

    connect(standin).deliver(comment())

    assert ways(standin) == ["POST"]


def test_strange_pull_requests_are_passed_over(standin: GitHubRequests) -> None:
    strange = [*STRANGE, {"number": "8/../9", "state": "open"}, {"number": 8, "base": 7}, {"number": 8, "head": "x"}]
    standin.faults.append(answer(200, body=json.dumps(strange)))

    assert connect(standin).deliver(comment(request="")) == ""
    assert standin.writes == []


HOSTILE = "<!-- landed:comment --> @everyone #1 ::error::x <b>&amp;</b> | `rm` \x1b[31m\x00\u202e 😀 [a](http://evil)\n"


def test_hostile_text_stays_one_row_and_within_the_limit(standin: GitHubRequests) -> None:
    rows = tuple(Row(f"c{n}{HOSTILE}", HOSTILE, State.FAILURE, HOSTILE * 99, "javascript:x") for n in range(400))
    provider = connect(standin)

    handle = provider.deliver(Comment(FLEET, COMMIT, rows, "7"))
    assert provider.deliver(Comment(FLEET, COMMIT, rows, "7", handle)) == handle

    (body,) = standin.bodies()
    assert len(body) <= 65_536
    assert comments.is_ours(body)
    assert ways(standin) == ["POST"]


def test_hostile_answers_are_not_repeated_as_they_are(standin: GitHubRequests) -> None:
    said = json.dumps({"message": f"\x1b[31m::error::{WRITER} {'long ' * 9999}"})
    standin.faults.append(answer(422, body=said, only="POST"))

    error = failure(connect(standin))

    assert "\x1b" not in error.message
    assert len(error.message) < 500


def test_writes_beyond_the_limit_are_left_for_later(standin: GitHubRequests) -> None:
    provider = connect(standin, max_wait=0.0, turns=TokenBucket(1, 1 / 600))

    handle = provider.deliver(comment(State.PENDING))
    provider.deliver(comment(State.PENDING, handle=handle))
    error = failure(provider, comment(handle=handle))

    assert "the next turn is in 10 min" in error.message
    assert error.passing


def test_one_provider_serves_many_threads(standin: GitHubRequests) -> None:
    commits = [f"{number:040x}" for number in range(1, 41)]
    for number, commit in enumerate(commits, 1):
        standin.pull(commit, 100 + number)
        standin.comment(comments.body(Comment(FLEET, commit, ())), WORKFLOW, 100 + number)
    provider = connect(standin)
    rows = comment().rows

    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(lambda commit: provider.deliver(Comment(FLEET, commit, rows)), commits))

    assert [handle.partition(":")[0] for handle in handles] == [str(100 + number) for number in range(1, 41)]
    assert ways(standin) == ["PATCH"] * 40
    assert sum(asked.path == "/graphql" for asked in standin.asked) == 1


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_a_configuration_error(standin: GitHubRequests, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        connect(standin, token)


# What landed doctor finds


@pytest.mark.parametrize(
    ("token", "private", "level", "message"),
    [
        (WRITER, False, "ok", "cannot be known without writing"),
        (PERSON, True, "ok", "cannot be known without writing"),
        (CLASSIC, True, "ok", "may write comments on pull requests"),
        (NARROW, False, "problem", "no scope"),
        ("no-such-token", False, "problem", "does not accept the token"),
    ],
)
def test_what_can_be_known_of_a_token(
    standin: GitHubRequests, token: str, private: bool, level: str, message: str
) -> None:
    standin.private = {"acme/fleet"} if private else set()

    (finding,) = connect(standin, token).examine([FLEET])

    assert (finding.level, message in finding.message) == (level, True), finding
    assert standin.writes == []


def test_public_scopes_are_not_enough_for_private_repositories(standin: GitHubRequests) -> None:
    standin.tokens[CLASSIC] = TOKENS[CLASSIC]._replace(scopes="public_repo")
    assert connect(standin, CLASSIC).examine([FLEET])[0].level == "ok"

    standin.private = {"acme/fleet"}
    assert connect(standin, CLASSIC).examine([FLEET])[0].level == "problem"


def test_without_repositories_the_token_is_looked_at(standin: GitHubRequests) -> None:
    assert [finding.level for finding in connect(standin).examine([])] == ["ok"]
    assert [finding.level for finding in connect(standin, "no-such-token").examine([])] == ["problem"]


def test_five_repositories_are_looked_at(standin: GitHubRequests) -> None:
    findings = connect(standin).examine([Repository("github.com", f"acme/fleet{number}") for number in range(9)])

    assert "4 more repositories" in findings[-1].message


@pytest.mark.parametrize("fault", [answer(401), answer(404), answer(500), answer(200, body="[]"), lost()])
def test_an_examination_that_fails_is_a_finding(standin: GitHubRequests, fault: Fault) -> None:
    standin.faults += [fault] * 9

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == "problem"
    assert WRITER not in repr(finding)
