"""The one comment on a pull request of Gitea or Forgejo."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from standins.gitea import NARROW, READER, WRITER, Gitea
from standins.server import answer, hang_after, lost, reset

from landed import comments, providers
from landed.errors import ConfigurationError, DeliveryError
from landed.model import Comment, GitHost, Repository, Row, Secret, State
from landed.providers.git.gitea import comments as gitea_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standins.server import Fault

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
HEAD = "2222222222222222222222222222222222222222"
FLEET = Repository("git.example.com", "acme/fleet")
WEB = Row("prod", "apps/web", State.SUCCESS, "Applied main@6dcd4ce2")
STAGING = Row("staging", "apps/web", State.PENDING, "Waiting for infra/dns")


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gitea]:
    monkeypatch.setattr(gitea_comments, "TIMEOUT", 1)
    with Gitea() as server:
        yield server
        assert server.violations == []


def connect(standin: Gitea, token: str = WRITER, **settings: Any) -> gitea_comments.GiteaComments:
    given: dict[str, Any] = {"api_url": standin.url, "web_url": standin.web_url, "token": Secret(token)}
    waits: list[float] = []
    return gitea_comments.connect(GitHost("gitea", "git.example.com", **(given | settings)), sleep=waits.append)


def comment(*rows: Row, request: str = "7", handle: str = "", commit: str = COMMIT) -> Comment:
    return Comment(FLEET, commit, rows or (WEB,), request, handle)


def failure(provider: gitea_comments.GiteaComments, payload: Comment | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(payload or comment())
    assert WRITER not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__!r}"
    return caught.value


def bodies(standin: Gitea, number: int = 7) -> list[str]:
    return [entry["body"] for entry in standin.said(number)]


def test_the_registry_knows_the_limits_of_the_module() -> None:
    entry = providers.GIT["giteapullrequestcomment"]

    assert (entry.description_limit, entry.context_limit) == (
        gitea_comments.DESCRIPTION_LIMIT,
        gitea_comments.CONTEXT_LIMIT,
    )


def test_a_comment_is_made_once_and_then_edited(standin: Gitea) -> None:
    provider = connect(standin)

    handle = provider.deliver(comment(STAGING))
    again = provider.deliver(comment(WEB, STAGING, handle=handle))

    (entry,) = standin.said(7)
    assert handle == again == f"7:{entry['id']}"
    assert entry["body"] == comments.body(comment(WEB, STAGING))
    assert [asked.method for asked in standin.writes] == ["POST", "PATCH"]
    assert standin.writes[1].path == f"/api/v1/repos/acme/fleet/issues/comments/{entry['id']}"


def test_what_is_said_already_is_not_written(standin: Gitea) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment())
    (entry,) = standin.said(7)
    entry["body"] = entry["body"].replace("\n", "\r\n")

    assert provider.deliver(comment(handle=handle)) == handle
    assert provider.deliver(comment()) == handle
    assert len(standin.writes) == 1


def test_what_another_run_said_of_another_cluster_stays(standin: Gitea) -> None:
    connect(standin).deliver(comment(STAGING))

    connect(standin).deliver(comment(WEB))

    assert bodies(standin) == [comments.body(comment(WEB, STAGING))]


def test_below_a_path(standin: Gitea) -> None:
    provider = connect(standin, api_url=standin.sub_url, web_url=f"{standin.web_url}/sub/path")
    here = Repository("git.example.com", "sub/path/acme/fleet")

    provider.deliver(Comment(here, COMMIT, (WEB,), "7"))

    assert {asked.path[:17] for asked in standin.asked} == {"/sub/path/api/v1/"}
    assert len(bodies(standin)) == 1


def test_the_request_that_has_merged_the_commit_is_found(standin: Gitea) -> None:
    standin.pull(8, head=HEAD)
    standin.pull(7, head=HEAD, merged=COMMIT)

    assert connect(standin).deliver(comment(request="")).startswith("7:")
    assert len(bodies(standin)) == 1


def test_an_older_one_is_looked_through_for_it(standin: Gitea) -> None:
    standin.finds_merged = False
    standin.pull(8, head=COMMIT)
    standin.pull(7, head=HEAD, merged=COMMIT)

    assert connect(standin).deliver(comment(request="")).startswith("7:")


def test_the_open_request_whose_head_the_commit_is_is_found(standin: Gitea) -> None:
    standin.pull(9, head=COMMIT, state="closed")
    for number in range(100, 160):
        standin.pull(number, head=HEAD)
    standin.pull(7, head=COMMIT)

    assert connect(standin).deliver(comment(request="")).startswith("7:")


def test_a_commit_of_no_request_is_not_commented(standin: Gitea) -> None:
    for number in range(1, 300):
        standin.pull(number, head=HEAD)

    assert connect(standin).deliver(comment(request="")) == ""
    assert standin.writes == []
    assert len(standin.asked) == 1 + gitea_comments.PAGES


@pytest.mark.parametrize("request_", ["x", "0", "-1", "7/../8", "7\n", "9" * 30, "７"])
def test_what_is_no_number_is_not_asked_for(standin: Gitea, request_: str) -> None:
    error = failure(connect(standin), comment(request=request_))

    assert "is not the number of a pull request" in error.message
    assert "\n" not in error.message
    assert "change_request" in error.hint
    assert standin.asked == []


def test_a_request_that_is_not_there_is_named(standin: Gitea) -> None:
    standin.missing.add("#7")

    error = failure(connect(standin))

    assert "#7" in error.message
    assert "there is no such pull request" in error.message


@pytest.mark.parametrize("paged", [False, True])
def test_ours_is_found_behind_many_others(standin: Gitea, paged: bool) -> None:
    standin.pages_comments = paged
    for number in range(120):
        standin.say(7, f"comment {number}", "somebody")
    ours = standin.say(7, comments.body(comment(STAGING)))

    assert connect(standin).deliver(comment()) == f"7:{ours}"
    assert len(standin.said(7)) == 121


def test_of_two_the_oldest_is_kept(standin: Gitea) -> None:
    first = standin.say(7, comments.body(comment(STAGING)))
    standin.say(7, comments.body(comment(STAGING)))

    assert connect(standin).deliver(comment()) == f"7:{first}"


def test_a_comment_of_somebody_else_with_our_marker_is_left_alone(standin: Gitea) -> None:
    theirs = standin.say(7, comments.body(comment(STAGING)), "mallory")

    handle = connect(standin).deliver(comment(handle=f"7:{theirs}"))

    assert handle != f"7:{theirs}"
    assert bodies(standin) == [comments.body(comment(STAGING)), comments.body(comment())]


def test_what_we_said_otherwise_is_left_alone(standin: Gitea) -> None:
    standin.say(7, "I quote:\n" + comments.body(comment(STAGING)))

    connect(standin).deliver(comment())

    assert len(bodies(standin)) == 2


def test_a_comment_that_was_deleted_is_made_anew(standin: Gitea) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment())
    standin.comments.clear()

    again = provider.deliver(comment(handle=handle))

    assert again != handle
    assert len(standin.said(7)) == 1


def test_a_comment_that_is_deleted_while_it_is_edited_is_made_anew(standin: Gitea) -> None:
    standin.say(7, comments.body(comment(STAGING)))
    provider = connect(standin)
    look = provider._ours

    def late(place: Any) -> Any:
        found = look(place)
        standin.comments.clear()
        return found

    provider._ours = late  # type: ignore[method-assign]
    provider.deliver(comment())

    assert bodies(standin) == [comments.body(comment())]


@pytest.mark.parametrize("handle", ["8:1", "7:", "7", ":", "x:y", "7:0", "7:-1", "7:99", "7:1/../2", "7:" + "9" * 40])
def test_a_handle_that_leads_nowhere_is_no_trouble(standin: Gitea, handle: str) -> None:
    ours = standin.say(7, comments.body(comment(STAGING)))
    standin.say(8, comments.body(comment(STAGING)))

    expected = f"7:{ours}"
    assert connect(standin).deliver(comment(handle=handle)) == expected


def test_a_handle_of_another_request_is_not_followed(standin: Gitea) -> None:
    elsewhere = standin.say(8, comments.body(comment(STAGING)))

    handle = connect(standin).deliver(comment(handle=f"7:{elsewhere}"))

    assert handle != f"7:{elsewhere}"
    assert len(standin.said(7)) == len(standin.said(8)) == 1


@pytest.mark.parametrize("fault", [lost("POST"), hang_after("POST")], ids=["lost", "hang"])
def test_a_comment_whose_answer_was_lost_is_not_made_twice(standin: Gitea, fault: Fault) -> None:
    standin.faults.append(fault)

    handle = connect(standin).deliver(comment())

    (entry,) = standin.said(7)
    assert handle == f"7:{entry['id']}"
    assert len(standin.writes) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_was_lost_on_the_way_is_written_again(standin: Gitea, method: str) -> None:
    if method == "PATCH":
        standin.say(7, comments.body(comment(STAGING)))
    standin.faults.append(reset(method))

    connect(standin).deliver(comment())

    assert [asked.method for asked in standin.writes] == [method, method]
    assert len(standin.said(7)) == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"id": "7"}', '{"id": true}', "<html>"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_answer_that_makes_no_sense_is_no_success(standin: Gitea, method: str, body: str) -> None:
    if method == "PATCH":
        standin.say(7, comments.body(comment(STAGING)))
    standin.faults += [answer(201, body=body, only=method)] * 9

    assert "is not one of Gitea's API" in failure(connect(standin)).message


def test_the_scopes_it_takes_are_named(standin: Gitea) -> None:
    reader, narrow = failure(connect(standin, READER)), failure(connect(standin, NARROW))

    assert "[write:issue]" in reader.message
    assert "[read:issue]" in narrow.message
    assert "`write:issue`" in reader.hint
    assert "`read:user`" in narrow.hint
    assert reader.read_only


def test_without_knowing_who_we_are_nothing_is_written(standin: Gitea) -> None:
    standin.say(7, comments.body(comment(STAGING)))
    standin.faults += [None, answer(403, body='{"message": "required scope(s): [read:user]"}')]

    assert "[read:user]" in failure(connect(standin)).message
    assert standin.writes == []


def test_the_user_is_asked_for_once(standin: Gitea) -> None:
    provider = connect(standin)
    handle = provider.deliver(comment())

    for _ in range(3):
        provider.deliver(comment(handle=handle))

    assert [asked.path for asked in standin.asked].count("/api/v1/user") == 1


def test_two_commits_of_one_request_make_one_comment(standin: Gitea) -> None:
    provider = connect(standin)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(comment(commit=f"{number:040x}")), range(16)))

    assert len(standin.said(7)) == 1


def test_clusters_that_have_left_the_commit_change_a_comment_and_make_none(standin: Gitea) -> None:
    provider = connect(standin)
    gone = Comment(FLEET, COMMIT, (), "7", left=("staging",))

    assert provider.deliver(gone) == ""
    assert standin.writes == []
    handle = provider.deliver(comment(STAGING))
    assert provider.deliver(gone) == handle

    assert "⏭ superseded" in bodies(standin)[0]


def test_hostile_text_stays_text(standin: Gitea) -> None:
    said = "<!-- landed:comment --> @all | #1 `x` </table>\n\n# big" + "x" * 10_000
    provider = connect(standin)

    handle = provider.deliver(comment(Row("prod", said, State.FAILURE, said, "javascript:alert(1)")))

    assert provider.deliver(comment(handle=handle)) == handle
    assert bodies(standin) == [comments.body(comment())]
    first = json.loads(standin.writes[0].body)["body"]
    assert first.count("<!-- landed:comment -->") == 1
    assert "javascript" not in first


def test_an_examination_writes_nothing_and_needs_no_right_to_push(standin: Gitea) -> None:
    standin.push = False

    findings = [*connect(standin).examine([FLEET]), *connect(standin).examine([])]

    assert [finding.level for finding in findings] == ["ok", "ok"]
    assert "`write:issue`" in findings[0].hint
    assert standin.writes == []


def test_nothing_is_read_back_beforehand(standin: Gitea) -> None:
    assert connect(standin).held(FLEET, COMMIT) == {}
    assert standin.asked == []


def test_an_empty_token_is_a_configuration_error(standin: Gitea) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        connect(standin, " ")
