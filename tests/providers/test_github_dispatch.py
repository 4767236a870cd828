"""Repository dispatches: Flux's event, once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from standins.github_requests import CLASSIC, NARROW, PERSON, READER, TOKENS, WRITER, GitHubRequests
from standins.server import Answer, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish

from landed.errors import ConfigurationError, DeliveryError
from landed.events import body
from landed.http import TokenBucket
from landed.model import Dispatch, Event, GitHost, InvolvedObject, Repository, Secret
from landed.providers.git.github import dispatch as github_dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLEET = Repository("github.com", "acme/fleet")


@pytest.fixture
def standin() -> Iterator[GitHubRequests]:
    with GitHubRequests() as server:
        yield server
        assert server.violations == []


def connect(standin: GitHubRequests, token: str = WRITER, **settings: Any) -> github_dispatch.GitHubDispatch:
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(token)} | settings
    turns = given.pop("turns", None)
    waits: list[float] = given.pop("waits", [])
    return github_dispatch.connect(GitHost("github", "github.com", **given), turns=turns, sleep=waits.append)


def event(
    name: str = "apps",
    message: str = "Reconciliation finished in 1.2s",
    metadata: Mapping[str, str] | None = None,
    kind: str = "Kustomization",
) -> Event:
    about = InvolvedObject(kind, "flux-system", name, "7f1e", "kustomize.toolkit.fluxcd.io/v1")
    given = {"revision": "main@sha1:6dcd4ce2", "cluster": "prod"} if metadata is None else metadata
    return Event(about, "info", "2026-08-20T09:15:42Z", message, "Done", given, "kustomize-controller")


def dispatch(*given: Any, **fields: Any) -> Dispatch:
    return Dispatch(FLEET, event(*given, **fields))


def failure(provider: github_dispatch.GitHubDispatch, payload: Dispatch | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(payload or dispatch())
    error = caught.value
    shown = f"{error!r} {error} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert not any(token in shown for token in TOKENS)
    assert "\n" not in error.message
    return error


def test_the_request_is_the_one_github_documents(standin: GitHubRequests) -> None:
    assert connect(standin).deliver(dispatch()) == ""

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", "/repos/acme/fleet/dispatches")
    assert asked.headers["authorization"].split()[1] == WRITER
    assert standin.dispatches == [
        {"event_type": "Kustomization/apps.flux-system", "client_payload": json.loads(body(event()))}
    ]
    assert list(standin.dispatches[0]["client_payload"]) == [
        "involvedObject", "severity", "timestamp", "message", "reason", "metadata", "reportingController",
    ]  # fmt: skip


@pytest.mark.parametrize("metadata", [{}, {"z": "1", "a": "2"}])
def test_what_comes_with_it_is_what_flux_writes(standin: GitHubRequests, metadata: Mapping[str, str]) -> None:
    connect(standin).deliver(dispatch(metadata=metadata))

    sent = standin.dispatches[0]["client_payload"]
    assert json.dumps(sent) == json.dumps(json.loads(body(event(metadata=metadata))))


def test_a_server_of_ones_own_is_under_api_v3(standin: GitHubRequests) -> None:
    connect(standin, api_url=standin.ghes_url).deliver(dispatch())

    assert standin.asked[0].path == "/api/v3/repos/acme/fleet/dispatches"


def test_nothing_is_held(standin: GitHubRequests) -> None:
    assert connect(standin).held(FLEET, "6dcd4ce2") == {}
    assert standin.asked == []


def test_long_types_are_shortened_stably_and_stay_apart(standin: GitHubRequests) -> None:
    provider = connect(standin)
    for name in ("a" * 253, "a" * 252 + "b", "a" * 253):
        provider.deliver(dispatch(name))
    fits = "a" * (100 - len("Kustomization/.flux-system"))
    provider.deliver(dispatch(fits))

    first, second, third, fourth = (sent["event_type"] for sent in standin.dispatches)
    assert first == third != second
    assert len(first) == len(second) == len(fourth) == 100
    assert fourth == f"Kustomization/{fits}.flux-system"
    assert standin.dispatches[0]["client_payload"]["involvedObject"]["name"] == "a" * 253


@pytest.mark.parametrize("letter", ["x", "é", "😀", "\x00", "\ud800", '"'])
def test_a_message_that_is_too_long_is_cut_and_says_so(standin: GitHubRequests, letter: str) -> None:
    connect(standin).deliver(dispatch(message="Start. " + letter * 100_000))

    (sent,) = standin.dispatches
    message = sent["client_payload"]["message"]
    assert message.startswith(f"Start. {letter}{letter}")
    assert message.endswith("… (cut by landed: GitHub takes 64 KB)")
    assert 59_900 < len(json.dumps(sent["client_payload"])) <= 60_000
    assert len(standin.asked[0].body) < 64 * 1024


def test_a_message_as_long_as_flux_makes_it_is_whole(standin: GitHubRequests) -> None:
    connect(standin).deliver(dispatch(message="x" * 39_000))

    assert standin.dispatches[0]["client_payload"]["message"] == "x" * 39_000


def test_annotations_that_are_too_long_are_an_error(standin: GitHubRequests) -> None:
    error = failure(connect(standin), dispatch(metadata={"summary": "x" * 70_000}))

    assert "64 KB" in error.message
    assert "event.toolkit.fluxcd.io" in error.hint
    assert not error.passing
    assert standin.asked == []


HOSTILE = "<!channel> @everyone ::error::x ##[error]y ${{ secrets.X }} \x1b[31m\u202e `rm` 😀\n[a](http://evil)"


def test_hostile_text_arrives_as_it_is(standin: GitHubRequests) -> None:
    connect(standin).deliver(dispatch(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}))

    sent = standin.dispatches[0]["client_payload"]
    assert (sent["message"], sent["metadata"]) == (HOSTILE, {HOSTILE: HOSTILE})


def test_hostile_names_are_not_repeated_as_they_are(standin: GitHubRequests) -> None:
    standin.missing.add("acme/fleet")

    error = failure(connect(standin), dispatch(f"\x1b[31m\n::error::{HOSTILE * 99}"))

    assert "\x1b" not in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize(
    "fault",
    [
        lost("POST"), hang_after("POST"), rubbish("POST"), reset("POST"), hang("POST"), answer(502), answer(504),
    ],
    ids=["lost", "hang after acting", "no HTTP", "reset", "hang", "502", "504"],
)  # fmt: skip
def test_what_may_have_started_a_workflow_is_not_sent_again(
    standin: GitHubRequests, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_dispatch, "TIMEOUT", 1)
    standin.faults.append(fault)
    waits: list[float] = []

    error = failure(connect(standin, waits=waits))

    assert error.uncertain
    assert error.passing
    assert len(standin.asked) == 1
    assert waits == []


@pytest.mark.parametrize("code", [429, 503])
def test_what_was_refused_is_sent_later(standin: GitHubRequests, code: int) -> None:
    standin.faults.append(answer(code, {"Retry-After": "2"}))
    waits: list[float] = []

    connect(standin, waits=waits).deliver(dispatch())

    assert waits == [2]
    assert len(standin.dispatches) == 1


@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False), (401, 1, False), (403, 1, False), (404, 1, False), (405, 1, False), (409, 1, True),
        (422, 1, False), (429, 4, True), (500, 1, True), (502, 1, True), (503, 4, True), (504, 1, True),
    ],
)  # fmt: skip
def test_refusals(standin: GitHubRequests, code: int, tries: int, passing: bool) -> None:
    retry = {"Retry-After": "1"} if code == 429 else {}
    standin.faults += [answer(code, retry, '{"message": "no"}')] * 12

    error = failure(connect(standin))

    assert len(standin.asked) == tries
    assert error.passing is passing
    assert error.read_only is (code == 403)
    assert error.uncertain is (code in (502, 504))
    assert standin.dispatches == []


def test_a_token_that_may_not_write_is_explained_and_not_tried_again(standin: GitHubRequests) -> None:
    provider = connect(standin, READER)

    error, again = failure(provider), failure(provider, dispatch("infra"))

    assert "the token may not do that" in error.message
    assert "contents: write" in error.hint
    assert error.read_only
    assert again.read_only
    assert "infra" in again.message
    assert len(standin.asked) == 1


def test_a_token_that_is_none_is_explained(standin: GitHubRequests) -> None:
    error = failure(connect(standin, "no-such-token-1234"))

    assert "does not accept the token" in error.message
    assert "no-such-token" not in f"{error!r}{error.hint}"


def test_not_found_may_mean_that_the_token_may_not(standin: GitHubRequests) -> None:
    standin.missing.add("acme/fleet")

    error = failure(connect(standin))

    assert "acme/fleet does not exist, or the token cannot see it" in error.message
    assert "contents: write" in error.hint
    assert not error.passing


def test_an_address_without_an_api_is_explained(standin: GitHubRequests) -> None:
    standin.faults.append(answer(404, {"Content-Type": "text/html"}, "<html>Not here</html>"))

    assert "there is no GitHub API at that address" in failure(connect(standin)).message


@pytest.mark.parametrize(
    "fault",
    [
        answer(200, {"Content-Type": "text/html"}, "<html>Please log in</html>"), answer(200, body="{}"), answer(201),
        answer(302, {"Location": "https://evil.example.com/x"}),
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_no_success(standin: GitHubRequests, fault: Fault) -> None:
    standin.faults.append(fault)

    failure(connect(standin))
    assert len(standin.asked) == 1


def test_a_renamed_repository_is_followed(standin: GitHubRequests) -> None:
    standin.renamed["acme/fleet"] = "acme/clusters"

    connect(standin).deliver(dispatch())

    assert [asked.path for asked in standin.asked] == [
        "/repos/acme/fleet/dispatches",
        "/repos/acme/clusters/dispatches",
    ]
    assert len(standin.dispatches) == 1


def test_a_server_that_is_gone_is_named_and_nothing_is_uncertain(standin: GitHubRequests) -> None:
    with StandIn(lambda asked: Answer(200)) as gone:
        provider = connect(standin, api_url=gone.url)

    error = failure(provider)

    assert "the connection was refused" in error.message
    assert error.passing
    assert not error.uncertain


def test_hostile_answers_are_not_repeated_as_they_are(standin: GitHubRequests) -> None:
    said = json.dumps({"message": f"\x1b[31m::error::{WRITER} {'long ' * 9999}"})
    standin.faults.append(answer(422, body=said))

    error = failure(connect(standin))

    assert "\x1b" not in error.message
    assert len(error.message) < 500


def test_writes_beyond_the_limit_are_left_for_later(standin: GitHubRequests) -> None:
    provider = connect(standin, max_wait=0.0, turns=TokenBucket(1, 1 / 600))

    provider.deliver(dispatch())

    assert "the next turn is in 10 min" in failure(provider).message


@pytest.mark.parametrize("path", ["", "/", "../x", "a/..", "a/b/c"])
def test_a_path_that_is_no_repository_is_not_asked_for(standin: GitHubRequests, path: str) -> None:
    error = failure(connect(standin), Dispatch(Repository("github.com", path), event()))

    assert f"github.com/{path} is not a" in error.message
    assert standin.asked == []


def test_one_provider_serves_many_threads(standin: GitHubRequests) -> None:
    provider = connect(standin)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(dispatch(f"apps-{number}")), range(80)))

    assert len({sent["event_type"] for sent in standin.dispatches}) == len(standin.asked) == 80


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_a_configuration_error(standin: GitHubRequests, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        connect(standin, token)


@pytest.mark.parametrize(
    ("token", "private", "level", "message"),
    [
        (WRITER, False, "ok", "cannot be known"),
        (PERSON, True, "ok", "cannot be known"),
        (CLASSIC, True, "ok", "may send events to workflows"),
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


def test_who_may_not_push_is_told(standin: GitHubRequests) -> None:
    standin.tokens[CLASSIC] = TOKENS[CLASSIC]._replace(push=False)

    assert connect(standin, CLASSIC).examine([FLEET])[0].level == "problem"


def test_without_repositories_the_token_is_looked_at(standin: GitHubRequests) -> None:
    assert [finding.level for finding in connect(standin).examine([])] == ["ok"]
    assert [finding.level for finding in connect(standin, "no-such-token").examine([])] == ["problem"]


@pytest.mark.parametrize("fault", [answer(401), answer(404), answer(500), answer(200, body="[]"), lost()])
def test_an_examination_that_fails_is_a_finding(standin: GitHubRequests, fault: Fault) -> None:
    standin.faults += [fault] * 9

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == "problem"
    assert WRITER not in repr(finding)
