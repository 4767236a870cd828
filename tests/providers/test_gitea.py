"""What is Gitea's and Forgejo's own: paths, pages of any length, orders of any kind, and errors that say nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from standins.gitea import NARROW, READER, WRITER, Gitea
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, GitHost, Repository, Secret, State
from landed.providers.git.gitea import statuses as gitea
from landed.providers.interface import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("git.example.com", "acme/fleet")


@pytest.fixture
def standin() -> Iterator[Gitea]:
    with Gitea() as server:
        yield server
        assert server.violations == []


def connect(
    standin: Gitea, waits: list[float] | None = None, turns: TokenBucket | None = None, **settings: Any
) -> gitea.Gitea:
    given: dict[str, Any] = {"api_url": standin.url, "web_url": standin.web_url, "token": Secret(WRITER)}
    waited = [] if waits is None else waits
    host = GitHost("gitea", "git.example.com", **(given | settings))
    return gitea.connect(host, turns=turns, sleep=waited.append)


def status(context: str = "flux/prod", state: State = State.SUCCESS, **changes: Any) -> CommitStatus:
    told: dict[str, Any] = {
        "repository": FLEET,
        "description": "live",
        "target_url": "https://ci.example.com/1",
    } | changes
    return CommitStatus(commit=COMMIT, context=context, state=state, **told)


def failure(provider: gitea.Gitea, update: CommitStatus | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(update or status())
    assert WRITER not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__!r}"
    return caught.value


def test_the_request_is_the_one_gitea_documents(standin: Gitea) -> None:
    assert connect(standin).deliver(status()) == ""

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", f"/api/v1/repos/acme/fleet/statuses/{COMMIT}")
    assert json.loads(asked.body) == {
        "state": "success",
        "context": "flux/prod",
        "description": "live",
        "target_url": "https://ci.example.com/1",
    }
    assert asked.headers["authorization"] == f"token {WRITER}"
    assert asked.headers["content-type"] == "application/json"


def test_one_that_is_installed_below_a_path(standin: Gitea) -> None:
    provider = connect(standin, api_url=standin.sub_url, web_url=f"{standin.web_url}/sub/path")
    here = Repository("git.example.com", "sub/path/acme/fleet")

    provider.deliver(status(repository=here))

    assert provider.held(here, COMMIT) == {"flux/prod": Held(State.SUCCESS, "live")}
    assert {asked.path.partition("/repos/acme/fleet/")[0] for asked in standin.asked} == {"/sub/path/api/v1"}
    assert (
        "is not a Gitea repository" in failure(provider, status(repository=Repository("git.example.com", "a"))).message
    )


@pytest.mark.parametrize("counts", ["always", "first", "never"])
@pytest.mark.parametrize("largest", [50, 7])
def test_pages_end_where_the_server_ends_them(standin: Gitea, counts: str, largest: int) -> None:
    standin.counts, standin.largest_page = counts, largest
    for number in range(101):
        standin.store("acme/fleet", COMMIT, context=f"flux/{number}")

    assert len(connect(standin).held(FLEET, COMMIT)) == 101
    assert len(standin.asked) == -(-101 // largest) + (counts == "never")
    assert {asked.query["limit"] for asked in standin.asked} == {"50"}


def test_a_list_that_never_ends_is_given_up(standin: Gitea) -> None:
    for page in range(300):
        standin.faults.append(answer(200, body=json.dumps([{"id": page + 1, "status": "success", "context": "c"}])))

    with pytest.raises(DeliveryError, match="more than 200"):
        connect(standin).held(FLEET, COMMIT)


def test_a_server_that_ignores_pages_is_not_asked_for_ever(standin: Gitea) -> None:
    entries = json.dumps([{"id": 1, "status": "success", "context": "c", "description": None}])
    standin.faults += [answer(200, body=entries)] * 9

    assert connect(standin).held(FLEET, COMMIT) == {"c": Held(State.SUCCESS)}
    assert len(standin.asked) == 2


@pytest.mark.parametrize("reverse", [False, True])
def test_the_newest_wins_in_whatever_order_they_come(standin: Gitea, reverse: bool) -> None:
    entries = [
        {"id": 9, "status": "success", "context": "c", "description": "old", "updated_at": "2026-08-20T09:15:42Z"},
        {"id": 10, "status": "failure", "context": "c", "description": "new", "updated_at": "2026-08-20T09:15:42Z"},
    ]
    standin.faults.append(answer(200, {"X-Total-Count": "2"}, json.dumps(entries[:: -1 if reverse else 1])))

    assert connect(standin).held(FLEET, COMMIT) == {"c": Held(State.FAILURE, "new")}


def test_states_that_we_do_not_write(standin: Gitea) -> None:
    standin.store("acme/fleet", COMMIT, context="error", state="error", description="boom")
    standin.store("acme/fleet", COMMIT, context="warning", state="warning")
    standin.store("acme/fleet", COMMIT, context="skipped", state="success")
    standin.store("acme/fleet", COMMIT, context="skipped", state="skipped")

    assert connect(standin).held(FLEET, COMMIT) == {
        "error": Held(State.FAILURE, "boom"),
        "warning": Held(State.SUPERSEDED),
    }


@pytest.mark.parametrize(
    "entries", [[None, 1, "x"], [{"id": "1"}], [{"id": True}], [{}], [{"id": 1}], [{"id": 1, "status": []}]]
)
def test_entries_that_make_no_sense_are_left_out(standin: Gitea, entries: list[Any]) -> None:
    standin.faults += [answer(200, body=json.dumps(entries)), answer(200, body="[]")]

    assert connect(standin).held(FLEET, COMMIT) == {}


def test_a_superseded_commit_is_a_warning(standin: Gitea) -> None:
    connect(standin).deliver(status(state=State.SUPERSEDED))

    assert json.loads(standin.writes[0].body)["state"] == "warning"


def test_blanks_that_gitea_cuts_off_are_not_missed_when_reading_back(standin: Gitea) -> None:
    standin.faults.append(lost("POST"))

    connect(standin).deliver(status("flux/prod ", description=" live "))

    assert [asked.method for asked in standin.asked] == ["POST", "GET"]


@pytest.mark.parametrize("talkative", [False, True])
def test_a_commit_that_is_not_there_is_told_from_a_server_that_fails(standin: Gitea, talkative: bool) -> None:
    standin.missing.add(COMMIT)
    standin.talkative = talkative

    error = failure(connect(standin))

    assert "the commit is not in that repository" in error.message
    assert not error.passing
    assert [asked.method for asked in standin.asked] == ["POST"] if talkative else ["POST", "GET"]


def test_a_server_that_fails_is_not_taken_for_a_commit_that_is_not_there(standin: Gitea) -> None:
    standin.faults.append(answer(500, body='{"message": ""}', only="POST"))

    error = failure(connect(standin))

    assert "it answered 500" in error.message
    assert error.passing


def test_an_older_one_has_an_empty_list_for_a_commit_that_is_not_there(standin: Gitea) -> None:
    standin.missing.add(COMMIT)
    standin.lists_any_commit = True

    assert connect(standin).held(FLEET, COMMIT) == {}


def test_an_archived_repository_is_not_asked_again(standin: Gitea) -> None:
    standin.archived.add("acme/fleet")
    provider = connect(standin)

    assert "the repository is archived" in failure(provider).message
    assert "the repository is archived" in failure(provider).message
    assert len(standin.asked) == 1


def test_the_missing_scope_is_named(standin: Gitea) -> None:
    error = failure(connect(standin, token=Secret(READER)))

    assert "required scope(s): [write:repository]" in error.message
    assert "`write:repository`" in error.hint
    assert error.read_only


def test_an_address_without_an_api_is_explained(standin: Gitea) -> None:
    standin.faults.append(answer(404, {"Content-Type": "text/plain"}, "404 page not found"))

    error = failure(connect(standin))

    assert "there is no Gitea API at that address" in error.message
    assert "/api/v1" in error.hint


@pytest.mark.parametrize("body", ['{"message": null}', '{"message": 7, "errors": "x"}', '{"errors": [1, null]}', "[]"])
def test_strange_refusals_are_still_refusals(standin: Gitea, body: str) -> None:
    standin.faults.append(answer(422, body=body))

    assert "it does not take it" in failure(connect(standin)).message


def test_a_limit_that_a_proxy_sets_is_kept(standin: Gitea) -> None:
    waits: list[float] = []
    standin.faults += [answer(429, {"Retry-After": "9"}), answer(429)]

    connect(standin, waits).deliver(status())

    assert len(waits) == 2
    assert waits[0] == 9


def test_the_token_is_not_quoted(standin: Gitea) -> None:
    standin.faults.append(answer(422, body=json.dumps({"message": f"no: token {WRITER}"})))

    assert "it does not take it (no:" in failure(connect(standin)).message


def test_writes_beyond_the_limit_are_left_for_later(standin: Gitea) -> None:
    provider = connect(standin, max_wait=0.0, turns=TokenBucket(1, 1 / 600))

    provider.deliver(status("a"))

    assert "the next turn is in 10 min" in failure(provider).message
    assert len(standin.asked) == 1


@pytest.mark.parametrize(
    ("push", "archived", "level", "message"),
    [
        (True, False, "ok", "cannot be known without writing"),
        (False, False, "problem", "may not write"),
        (True, True, "problem", "archived"),
    ],
)
def test_what_can_be_known_of_a_token(standin: Gitea, push: bool, archived: bool, level: str, message: str) -> None:
    standin.push = push
    standin.archived = {"acme/fleet"} if archived else set()

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert standin.writes == []


def test_a_token_that_may_not_read_its_own_user_is_known_all_the_same(standin: Gitea) -> None:
    (finding,) = connect(standin, token=Secret(NARROW)).examine([])

    assert (finding.level, finding.message) == ("ok", "The token is accepted.")
