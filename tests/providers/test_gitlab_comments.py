"""The one comment on a merge request of GitLab's: found again, edited in place, never somebody else's."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import gitlab as python_gitlab
import pytest
from msgspec import structs
from standins.gitlab import JOB, READER, REPORTER, WRITER, GitLab, Token
from standins.server import answer, hang_after, lost, reset, rubbish

from landed import comments, providers
from landed.errors import ConfigurationError, DeliveryError
from landed.model import Comment, GitHost, Repository, Row, Secret, State
from landed.providers.git.gitlab import comments as gitlab_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standins.server import Fault

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
OTHER = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
PATH = "acme/platform/fleet"
FLEET = Repository("gitlab.example.com", PATH)
#: Whom the tokens are of.
OURS, SOMEBODY = 7, 99


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    monkeypatch.setattr(gitlab_comments, "TIMEOUT", 1)
    with GitLab() as server:
        yield server
        assert server.violations == []


def connect(standin: GitLab, token: str = WRITER, **settings: Any) -> gitlab_comments.GitLabComments:
    host = GitHost("gitlab", "gitlab.example.com", standin.url, Secret(token), web_url=standin.web_url, **settings)
    return gitlab_comments.connect(host, sleep=lambda _: None)


def row(state: State = State.SUCCESS, cluster: str = "prod", said: str = "Applied") -> Row:
    return Row(cluster, "apps/web", state, said)


def comment(*rows: Row, **changes: Any) -> Comment:
    return structs.replace(Comment(FLEET, COMMIT, rows or (row(),), request="12"), **changes)


def failure(provider: gitlab_comments.GitLabComments, what: Comment | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(what or comment())
    error = caught.value
    assert WRITER not in f"{error!r} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert "\n" not in error.message
    return error


def bodies(standin: GitLab, request: int = 12) -> list[str]:
    return [note["body"] for note in standin.notes.get((PATH, str(request)), [])]


def asked(standin: GitLab) -> list[str]:
    return [f"{one.method} {one.path.rpartition('fleet/')[2] or one.path}" for one in standin.asked]


def test_the_registry_knows_the_limits_of_the_module() -> None:
    entry = providers.GIT["gitlabmergerequestcomment"]

    assert entry.takes == "comments"
    assert (entry.description_limit, entry.context_limit) == (
        gitlab_comments.DESCRIPTION_LIMIT,
        gitlab_comments.CONTEXT_LIMIT,
    )


def test_a_comment_is_made_and_then_edited_in_place(standin: GitLab) -> None:
    provider = connect(standin)

    handle = provider.deliver(comment(row(State.PENDING)))
    again = provider.deliver(comment(row(State.SUCCESS), handle=handle))

    (note,) = standin.notes[PATH, "12"]
    assert handle == again == f"12:{note['id']}"
    assert "✅" in note["body"]
    assert [one.method for one in standin.writes] == ["POST", "PUT"]
    assert json.loads(standin.writes[0].body) == {"body": comments.body(comment(row(State.PENDING)))}


def test_it_is_found_again_without_a_handle(standin: GitLab) -> None:
    first = connect(standin).deliver(comment(row(State.PENDING)))

    assert connect(standin).deliver(comment()) == first
    assert len(bodies(standin)) == 1


@pytest.mark.parametrize("known", [True, False])
def test_what_says_so_already_is_not_written(standin: GitLab, known: bool) -> None:
    handle = connect(standin).deliver(comment())
    (note,) = standin.notes[PATH, "12"]
    note["body"] = note["body"].strip().replace("\n", "\r\n")

    connect(standin).deliver(comment(handle=handle if known else ""))

    assert len(standin.writes) == 1


def test_it_is_found_behind_hundreds_of_notes(standin: GitLab) -> None:
    for number in range(250):
        standin.note(PATH, 12, f"note {number}", user=SOMEBODY)
    ours = standin.note(PATH, 12, comments.body(comment(row(State.PENDING))))
    for number in range(60):
        standin.note(PATH, 12, f"later {number}")

    assert connect(standin).deliver(comment()) == f"12:{ours['id']}"
    assert len(bodies(standin)) == 311
    assert [one.method for one in standin.writes] == ["PUT"]


def test_with_a_handle_the_notes_are_not_listed(standin: GitLab) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment(row(State.PENDING)))
    standin.asked.clear()

    connect(standin).deliver(comment(handle=handle))

    note = handle.partition(":")[2]
    assert asked(standin) == [
        f"GET merge_requests/12/notes/{note}", "GET /gitlab/api/v4/user", f"PUT merge_requests/12/notes/{note}"
    ]  # fmt: skip


def test_one_that_was_deleted_by_hand_is_made_again(standin: GitLab) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment())
    standin.notes.clear()

    again = provider.deliver(comment(handle=handle))

    assert again != handle
    assert len(bodies(standin)) == 1


def test_what_other_runs_said_of_other_clusters_stays(standin: GitLab) -> None:
    connect(standin).deliver(comment(row(State.FAILURE, "stage", "timeout")))
    connect(standin).deliver(comment(row(State.SUCCESS, "prod")))

    (body,) = bodies(standin)
    assert "stage" in body
    assert "prod" in body


@pytest.mark.parametrize("known", [True, False])
def test_somebody_elses_note_with_our_marker_is_not_edited(standin: GitLab, known: bool) -> None:
    forged = standin.note(PATH, 12, comments.body(comment(row(State.SUCCESS, "forged"))), user=SOMEBODY)
    before = forged["body"]

    handle = connect(standin).deliver(comment(handle=f"12:{forged['id']}" if known else ""))

    assert handle != f"12:{forged['id']}"
    assert forged["body"] == before
    assert "forged" not in bodies(standin)[1]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("state", ["ours without the marker", "system"])
def test_notes_that_are_not_the_comment_are_left_alone(standin: GitLab, known: bool, state: str) -> None:
    text = comments.body(comment(row(State.PENDING))) if state == "system" else "I have seen to it."
    note = standin.note(PATH, 12, text, system=state == "system")

    connect(standin).deliver(comment(handle=f"12:{note['id']}" if known else ""))

    assert note["body"] == text
    assert len(bodies(standin)) == 2


@pytest.mark.parametrize("handle", ["", "12", "12:", ":5", "12:x", "12:-1", "x:y", "12:5:6", "../1:5", "13:1", "12:１"])
def test_a_handle_of_something_else_is_not_used(standin: GitLab, handle: str) -> None:
    standin.note(PATH, 13, comments.body(comment(row(State.PENDING))))

    connect(standin).deliver(comment(handle=handle))

    assert len(bodies(standin, 12)) == 1
    assert len(bodies(standin, 13)) == 1


def test_the_handle_tells_the_request_where_nothing_else_does(standin: GitLab) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment(row(State.PENDING)))

    assert provider.deliver(comment(request="", handle=handle)) == handle
    assert not [one for one in standin.asked if "/commits/" in one.path]


def test_who_we_are_is_asked_once(standin: GitLab) -> None:
    provider = connect(standin)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(comment(request=str(number))), range(1, 41)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(comment(row(cluster="x"), request=str(number))), range(1, 41)))

    assert [one.path for one in standin.asked].count("/gitlab/api/v4/user") == 1
    assert all(len(bodies(standin, number)) == 1 for number in range(1, 41))


def test_commits_of_one_request_share_the_comment(standin: GitLab) -> None:
    provider = connect(standin)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(comment(row(cluster=f"c{number}"))), range(16)))

    (body,) = bodies(standin)
    assert all(f"`c{number}`" in body for number in range(16))


def test_where_gitlab_does_not_say_who_we_are_only_the_handle_counts(standin: GitLab) -> None:
    standin.faults += [None, answer(403)]  # the notes, then who we are
    provider = connect(standin)
    look_alike = standin.note(PATH, 12, comments.body(comment(row(State.PENDING))))

    handle = provider.deliver(comment(row(State.PENDING)))
    again = provider.deliver(comment(handle=handle))

    assert handle == again != f"12:{look_alike['id']}"
    assert len(bodies(standin)) == 2


@pytest.mark.parametrize(
    "fault", [lost("POST"), hang_after("POST"), rubbish("POST")], ids=["lost", "hang after acting", "no HTTP"]
)
def test_one_whose_answer_was_lost_is_not_made_twice(standin: GitLab, fault: Fault) -> None:
    standin.faults.append(fault)

    handle = connect(standin).deliver(comment())

    (note,) = standin.notes[PATH, "12"]
    assert handle == f"12:{note['id']}"
    assert [one.method for one in standin.writes] == ["POST"]


def test_one_that_was_lost_is_made_again(standin: GitLab) -> None:
    standin.faults.append(reset("POST"))

    connect(standin).deliver(comment())

    assert len(bodies(standin)) == 1
    assert [one.method for one in standin.writes] == ["POST", "POST"]


@pytest.mark.parametrize(
    ("requests", "number"),
    [
        pytest.param(
            [(3, "merged", {"sha": OTHER}), (4, "merged", {"merge_commit_sha": COMMIT})], 4, id="merge commit"
        ),
        pytest.param([(3, "merged", {}), (4, "merged", {"squash_commit_sha": COMMIT})], 4, id="squashed"),
        pytest.param([(3, "merged", {}), (4, "merged", {"sha": COMMIT})], 4, id="fast-forward"),
        pytest.param([(3, "opened", {"sha": COMMIT}), (4, "merged", {"sha": OTHER})], 4, id="merged before open"),
        pytest.param([(3, "opened", {"sha": OTHER}), (4, "opened", {"sha": COMMIT})], 4, id="open at the commit"),
        pytest.param([(5, "opened", {}), (3, "closed", {"sha": COMMIT}), (4, "opened", {})], 4, id="the first open"),
        pytest.param([(9, "closed", {})], 9, id="closed, if there is no other"),
    ],
)
def test_the_merge_request_is_found_by_the_commit(
    standin: GitLab, requests: list[tuple[int, str, dict[str, str]]], number: int
) -> None:
    for iid, state, shas in requests:
        standin.merge_request(PATH, COMMIT, iid, state, **shas)

    handle = connect(standin).deliver(comment(request=""))

    assert handle.startswith(f"{number}:")
    assert len(bodies(standin, number)) == 1


def test_a_commit_without_a_merge_request_is_no_error(standin: GitLab) -> None:
    assert connect(standin).deliver(comment(request="")) == ""
    assert asked(standin) == [f"GET repository/commits/{COMMIT}/merge_requests"]


@pytest.mark.parametrize("request_", ["!12", "12"])
def test_the_number_may_be_written_as_gitlab_does(standin: GitLab, request_: str) -> None:
    assert connect(standin).deliver(comment(request=request_)).startswith("12:")


@pytest.mark.parametrize("request_", ["x", "12/notes", "../1", "1\n2", "-1", "!!1", "１２", "#12", "1" * 30])
def test_what_is_no_number_is_told_without_a_request(standin: GitLab, request_: str) -> None:
    error = failure(connect(standin), comment(request=request_))

    assert "is not the number of a merge request" in error.message
    assert standin.asked == []


HOSTILE = "\n/merge\n/close @all <!-- x --> | `a` [b](javascript:x) \x1b[31m\x00\u202e <script> 😀\r\n/approve"


def test_hostile_text_gives_no_orders(standin: GitLab) -> None:
    provider = connect(standin)
    rows = tuple(Row(f"{HOSTILE}{number}", HOSTILE, State.FAILURE, HOSTILE * 40, HOSTILE) for number in range(300))

    handle = provider.deliver(comment(*rows))
    provider.deliver(comment(*rows, handle=handle))

    (body,) = bodies(standin)
    assert len(body) < 1_000_000
    assert not [line for line in body.splitlines() if line.lstrip().startswith("/")]


@pytest.mark.parametrize(("token", "told_so"), [("64_abc", True), (JOB, False)])
def test_a_jobs_token_is_refused_at_once(standin: GitLab, token: str, told_so: bool) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(standin, token, job_token=told_so)

    assert "CI_JOB_TOKEN cannot comment on merge requests" in caught.value.message


def test_a_reporter_may_comment_and_a_guest_is_told(standin: GitLab) -> None:
    connect(standin, REPORTER).deliver(comment())
    standin.tokens[WRITER] = Token(OURS, level=10)

    error = failure(connect(standin))

    assert "the token may not do that" in error.message
    assert "Reporter" in error.hint
    assert error.read_only


def test_a_token_that_only_reads_is_told(standin: GitLab) -> None:
    assert "lacks a scope" in failure(connect(standin, READER)).message


def test_a_token_that_is_not_accepted_is_explained(standin: GitLab) -> None:
    for handle in ("", "12:5"):
        assert "does not accept the token" in failure(connect(standin, "glpat-x"), comment(handle=handle)).message


@pytest.mark.parametrize("handle", ["", "12:5"])
def test_an_unknown_repository_is_named(standin: GitLab, handle: str) -> None:
    standin.missing.add(PATH)

    error = failure(connect(standin), comment(handle=handle))

    assert PATH in error.message
    assert not error.passing


def test_a_failure_that_passes_makes_no_second_comment(standin: GitLab) -> None:
    handle = connect(standin).deliver(comment(row(State.PENDING)))
    for number in range(2):
        standin.faults += [None] * number + [answer(500, only="GET")]

        assert failure(connect(standin), comment(handle=handle)).passing

    assert len(bodies(standin)) == 1
    assert len(standin.writes) == 1


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", "null", '{"id": "x"}', "<html>"])
def test_an_answer_that_makes_no_sense_is_no_success(standin: GitLab, body: str) -> None:
    standin.faults.append(answer(201, body=body, only="POST"))

    assert "not one of GitLab's API" in failure(connect(standin)).message


@pytest.mark.parametrize(
    "notes",
    [[None, 1, "x", []], [{"id": 1}], [{"id": 1, "body": None}], [{"id": None, "body": comments.body(comment())}],
     [{"id": 1, "body": comments.body(comment()), "author": None}],
     [{"id": 1, "body": comments.body(comment()), "author": {"id": None}}]],
)  # fmt: skip
def test_notes_that_make_no_sense_are_not_ours(standin: GitLab, notes: list[Any]) -> None:
    standin.faults.append(answer(200, body=json.dumps(notes), only="GET"))

    connect(standin).deliver(comment())

    assert len(bodies(standin)) == 1


@pytest.mark.parametrize(("token", "level"), [(WRITER, "ok"), (REPORTER, "ok"), (READER, "problem")])
def test_an_examination_asks_for_what_comments_take(standin: GitLab, token: str, level: str) -> None:
    (finding,) = connect(standin, token).examine([FLEET])

    assert finding.level == level
    assert standin.writes == []


def test_a_foreign_client_reads_what_was_said(standin: GitLab) -> None:
    for number in range(130):
        standin.note(PATH, 12, f"note {number}", user=SOMEBODY)
    handle = connect(standin).deliver(comment())

    client = python_gitlab.Gitlab(standin.url.removesuffix("/api/v4"), private_token=WRITER)
    request = client.projects.get(PATH, lazy=True).mergerequests.get(12, lazy=True)
    (note,) = [one for one in request.notes.list(get_all=True) if comments.is_ours(one.body)]

    assert handle == f"12:{note.id}"
    note.body += "\nedited elsewhere"
    note.save()
    connect(standin).deliver(comment(handle=handle))
    assert request.notes.get(note.id).body == comments.body(comment())


def test_nothing_is_read_back(standin: GitLab) -> None:
    assert connect(standin).held(FLEET, COMMIT) == {}
    assert standin.asked == []
