"""What is Bitbucket Cloud's own: its kinds of tokens, its keys and pages, its refusals."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from standins.bitbucket import ACCESS, APP, NARROW, READER, WRITER, Bitbucket
from standins.server import answer

from landed.errors import DeliveryError
from landed.model import CommitStatus, GitHost, Repository, Secret, State
from landed.providers.git.bitbucket import statuses as bitbucket
from landed.providers.interface import Held
from landed.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("bitbucket.org", "acme/fleet")
BUILD = f"/2.0/repositories/acme/fleet/commit/{COMMIT}/statuses/build"


@pytest.fixture
def standin() -> Iterator[Bitbucket]:
    with Bitbucket() as server:
        yield server
        assert server.violations == []


def connect(
    standin: Bitbucket, token: str = WRITER, waits: list[float] | None = None, **settings: Any
) -> bitbucket.Bitbucket:
    waited = [] if waits is None else waits
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(token)}
    return bitbucket.connect(GitHost("bitbucket", "bitbucket.org", **(given | settings)), sleep=waited.append)


def status(state: State = State.SUCCESS, **changes: Any) -> CommitStatus:
    told: dict[str, Any] = {"description": "live", "target_url": "https://ci.example.com/1"} | changes
    return CommitStatus(FLEET, COMMIT, told.pop("context", "flux/prod"), state, **told)


def failure(provider: bitbucket.Bitbucket) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(status())
    return caught.value


def refused(code: int, message: str = "no", **more: Any) -> Any:
    return answer(code, body=json.dumps({"type": "error", "error": {"message": message, **more}}))


def test_the_request_is_the_one_bitbucket_documents(standin: Bitbucket) -> None:
    connect(standin).deliver(status())

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", BUILD)
    assert json.loads(asked.body) == {
        "key": "flux/prod",
        "state": "SUCCESSFUL",
        "name": "flux/prod",
        "description": "live",
        "url": "https://ci.example.com/1",
    }


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.PENDING, "INPROGRESS"),
        (State.SUCCESS, "SUCCESSFUL"),
        (State.FAILURE, "FAILED"),
        (State.SUPERSEDED, "STOPPED"),
    ],
)
def test_states_in_bitbuckets_words(standin: Bitbucket, state: State, word: str) -> None:
    connect(standin).deliver(status(state))

    assert json.loads(standin.asked[0].body)["state"] == word


def test_a_key_is_overwritten(standin: Bitbucket) -> None:
    provider = connect(standin)

    provider.deliver(status(State.PENDING))
    provider.deliver(status(State.FAILURE))

    assert provider.held(FLEET, COMMIT) == {"flux/prod": Held(State.FAILURE, "live")}
    assert len(standin.asked) == 3


@pytest.mark.parametrize(
    ("token", "header"),
    [
        pytest.param(WRITER, f"Basic {b64encode(WRITER.encode()).decode()}", id="API token with its e-mail"),
        pytest.param(APP, f"Basic {b64encode(APP.encode()).decode()}", id="app password with its user"),
        pytest.param(ACCESS, f"Bearer {ACCESS}", id="access token"),
        pytest.param(f"  {ACCESS}\n", f"Bearer {ACCESS}", id="access token from a file"),
    ],
)
def test_how_a_token_is_shown(standin: Bitbucket, token: str, header: str) -> None:
    connect(standin, token).deliver(status())

    assert standin.asked[0].headers["authorization"] == header


@pytest.mark.parametrize("token", [WRITER, APP, ACCESS])
@pytest.mark.parametrize("code", [400, 401, 403, 404, 418, 500])
def test_a_token_is_never_repeated_whole_in_halves_or_in_base64(standin: Bitbucket, token: str, code: int) -> None:
    user, _, password = token.partition(":")
    encoded = b64encode(token.encode()).decode()
    parts = [part for part in (token, encoded, user, password) if part]
    standin.faults.append(refused(code, " ".join(parts), fields={"key": [f"x{encoded}y", password]}))

    error = failure(connect(standin, token))

    shown = f"{error!r} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert not [part for part in parts if part in shown]


@pytest.mark.parametrize(
    "url",
    [
        "https://bitbucket.org/acme/fleet",
        "https://bitbucket.org/acme/fleet.git",
        "https://robot@bitbucket.org/acme/fleet.git/",
        "https://x-token-auth:secret@bitbucket.org/acme/fleet.git",
        "git@bitbucket.org:acme/fleet.git",
        "ssh://git@bitbucket.org/acme/fleet.git",
        "ssh://git@altssh.bitbucket.org:443/acme/fleet.git",
    ],
)
def test_every_spelling_of_a_repository(standin: Bitbucket, url: str) -> None:
    host = GitHost("bitbucket", "bitbucket.org", "https://api.bitbucket.org/2.0")
    found = Repositories([host])(url)
    assert found is not None

    connect(standin).deliver(CommitStatus(found, COMMIT, "flux/prod", State.SUCCESS, "live"))

    assert standin.asked[0].target == BUILD


def test_a_repository_of_another_form_is_not_asked_for(standin: Bitbucket) -> None:
    with pytest.raises(DeliveryError, match=r"bitbucket\.org/acme is not a Bitbucket repository: its path"):
        connect(standin).held(Repository("bitbucket.org", "acme"), COMMIT)

    assert standin.asked == []


def test_without_a_target_the_commits_page_is_linked(standin: Bitbucket) -> None:
    odd = Repository("bitbucket.org", "acme/fl{ee}t?x")

    connect(standin).deliver(status(target_url=""))
    connect(standin).deliver(CommitStatus(odd, COMMIT, "flux/prod", State.SUCCESS, "live"))

    links = [json.loads(asked.body)["url"] for asked in standin.asked]
    assert links == [
        f"https://bitbucket.org/acme/fleet/commits/{COMMIT}",
        f"https://bitbucket.org/acme/fl%7Bee%7Dt%3Fx/commits/{COMMIT}",
    ]


def test_bitbucket_does_not_fill_in_what_a_link_has_in_braces(standin: Bitbucket) -> None:
    connect(standin).deliver(status(target_url="https://ci.example.com/{repository.full_name}"))

    assert json.loads(standin.asked[0].body)["url"] == "https://ci.example.com/%7Brepository.full_name%7D"


def test_pages_are_fetched_from_the_same_place_whatever_the_answer_says(standin: Bitbucket) -> None:
    evil = json.dumps({"values": [], "next": "https://evil.example.com/2.0/user?page=2&pagelen=100"})
    standin.faults.append(answer(200, body=evil))

    assert connect(standin).held(FLEET, COMMIT) == {}

    assert [asked.target for asked in standin.asked] == [
        f"{BUILD.removesuffix('/build')}?pagelen=100",
        f"{BUILD.removesuffix('/build')}?page=2&pagelen=100",
    ]


@pytest.mark.parametrize("following", ["https://[::1", "x", 7, {"a": 1}])
def test_a_next_page_that_makes_no_sense_is_not_the_end(standin: Bitbucket, following: object) -> None:
    standin.faults.append(answer(200, body=json.dumps({"values": [], "next": following})))

    with pytest.raises(DeliveryError, match="not one of Bitbucket Cloud's API"):
        connect(standin).held(FLEET, COMMIT)


def test_pages_without_end_are_given_up(standin: Bitbucket) -> None:
    page = json.dumps({"values": [], "next": f"{standin.url}/x?page=2"})
    standin.faults += [answer(200, body=page)] * 200

    with pytest.raises(DeliveryError, match="more than 10000"):
        connect(standin).held(FLEET, COMMIT)


def test_strange_entries_are_left_out(standin: Bitbucket) -> None:
    entries = [None, 7, {}, {"key": "a", "state": "DREAMING"}, {"key": "b", "state": ["FAILED"]}]
    good = {"key": "c", "state": "FAILED", "description": None}
    standin.faults.append(answer(200, body=json.dumps({"values": [*entries, good]})))

    assert connect(standin).held(FLEET, COMMIT) == {"c": Held(State.FAILURE, "")}


@pytest.mark.parametrize(
    "value", [{}, {"key": "other", "state": "SUCCESSFUL"}, {"key": "flux/prod", "state": "FAILED"}, [], None]
)
def test_the_answer_must_be_the_status(standin: Bitbucket, value: object) -> None:
    standin.faults.append(answer(201, body=json.dumps(value)))

    assert "not one of Bitbucket Cloud's API" in failure(connect(standin)).message


def test_a_key_that_is_too_long_is_explained_in_bitbuckets_words(standin: Bitbucket) -> None:
    text = "Ensure this value has at most 40 characters (it has 48)."
    standin.faults.append(refused(400, f"key: {text}", fields={"key": [text], "url": ["required key not provided"]}))

    message = failure(connect(standin)).message

    assert f"it does not take it (key: {text}; url: required key not provided)" in message


@pytest.mark.parametrize(
    ("fault", "sentence", "hint"),
    [
        (
            refused(404, "Commit not found", data={"shas": [COMMIT]}),
            "the commit is not in that repository",
            "force-push",
        ),
        (refused(404, "Nope", data={"shas": [COMMIT]}), "the commit is not in that repository", "force-push"),
        (refused(404, "Repository acme/fleet not found"), "does not exist, or the token cannot see it", "`repository`"),
        (refused(404, "Resource not found", detail="There is no API hosted at this URL."), "no Bitbucket API", "2.0"),
        (answer(404, body="<html>"), "there is no Bitbucket API at that address", "https://api.bitbucket.org/2.0"),
        (refused(401, "Token is invalid"), "does not accept the token", "EMAIL:TOKEN"),
        (refused(403, "Forbidden"), "the token may not do that (Forbidden)", "read:repository:bitbucket"),
        (refused(409), "busy", "next run"),
        (answer(400, body='{"type": "error", "error": "text"}'), "it does not take it.", ""),
    ],
)
def test_what_refusals_mean(standin: Bitbucket, fault: Any, sentence: str, hint: str) -> None:
    standin.faults.append(fault)

    error = failure(connect(standin))

    assert sentence in error.message
    assert hint in error.hint


def test_the_scope_that_bitbucket_asks_for_is_passed_on(standin: Bitbucket) -> None:
    error = failure(connect(standin, READER))

    assert error.read_only
    assert "Bitbucket asks for: repository." in error.hint
    assert "privilege scopes" in error.message


def test_a_refused_token_is_not_shown_again(standin: Bitbucket) -> None:
    provider = connect(standin, "robot@example.com:gone")

    failure(provider)
    error = failure(provider)

    assert "does not accept the token" in error.message
    assert len(standin.asked) == 1


def test_a_limit_without_a_time_is_a_minute(standin: Bitbucket) -> None:
    waits: list[float] = []
    standin.faults.append(answer(429))

    connect(standin, waits=waits).deliver(status())

    assert waits == [60]


@pytest.mark.parametrize("token", [WRITER, ACCESS, NARROW])
def test_a_token_is_known_even_where_it_may_not_say_whose_it_is(standin: Bitbucket, token: str) -> None:
    (finding,) = connect(standin, token).examine([])

    assert (finding.level, finding.message) == ("ok", "The token is accepted.")


@pytest.mark.parametrize(
    ("token", "level", "message"),
    [
        (WRITER, "ok", "The repository is visible; whether"),
        (APP, "ok", "The repository is visible; whether"),
        (NARROW, "warning", "it shows no scope for repositories"),
    ],
)
def test_what_can_be_known_of_a_token(standin: Bitbucket, token: str, level: str, message: str) -> None:
    (finding,) = connect(standin, token).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert standin.writes == []


def test_scopes_of_api_tokens_are_understood(standin: Bitbucket) -> None:
    shown = json.dumps({"type": "repository", "full_name": "acme/fleet"})
    standin.faults.append(answer(200, {"X-OAuth-Scopes": "read:user:bitbucket, read:repository:bitbucket"}, shown))

    assert [finding.level for finding in connect(standin).examine([FLEET])] == ["ok"]
