"""What is GitHub's own: its limits, its kinds of tokens, its addresses, and what PyGithub would do if it were let."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from standins.github import CLASSIC, NARROW, WRITER, GitHub, Token
from standins.server import answer, lost

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, GitHost, Network, Repository, Secret, State
from landed.providers.git.github import statuses as github
from landed.providers.interface import Held

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")


@pytest.fixture
def standin() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def waits() -> list[float]:
    return []


def connect(
    standin: GitHub, waits: list[float] | None = None, turns: TokenBucket | None = None, **settings: Any
) -> github.GitHub:
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(WRITER)}
    waited = [] if waits is None else waits
    return github.connect(GitHost("github", "github.com", **(given | settings)), turns=turns, sleep=waited.append)


def status(context: str = "flux/prod", state: State = State.SUCCESS) -> CommitStatus:
    return CommitStatus(FLEET, COMMIT, context, state, "live", "https://ci.example.com/1")


def failure(provider: github.GitHub) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(status())
    return caught.value


def test_the_request_is_the_one_github_documents(standin: GitHub) -> None:
    connect(standin).deliver(status())

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", f"/repos/acme/fleet/statuses/{COMMIT}")
    assert json.loads(asked.body) == {
        "state": "success",
        "context": "flux/prod",
        "description": "live",
        "target_url": "https://ci.example.com/1",
    }
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["authorization"].split()[1] == WRITER


def test_a_server_of_ones_own_is_under_api_v3(standin: GitHub) -> None:
    provider = connect(standin, api_url=f"{standin.ghes_url}/")
    for number in range(101):
        standin.store("acme/fleet", COMMIT, context=f"flux/{number}")

    provider.deliver(status())

    assert len(provider.held(FLEET, COMMIT)) == 102
    assert [asked.path for asked in standin.asked] == [
        f"/api/v3/repos/acme/fleet/statuses/{COMMIT}",
        f"/api/v3/repos/acme/fleet/commits/{COMMIT}/statuses",
        f"/api/v3/repos/acme/fleet/commits/{COMMIT}/statuses",
    ]


def test_error_is_read_back_as_failure_and_unknown_states_are_left_out(standin: GitHub) -> None:
    standin.store("acme/fleet", COMMIT, context="a", state="error", description="boom")
    standin.store("acme/fleet", COMMIT, context="b", state="dreaming")

    assert connect(standin).held(FLEET, COMMIT) == {"a": Held(State.FAILURE, "boom")}


def test_pages_are_fetched_from_the_same_server_whatever_the_link_says(standin: GitHub) -> None:
    standin.faults.append(
        answer(
            200, {"Link": f'<https://evil.example.com/repos/acme/fleet/commits/{COMMIT}/statuses>; rel="next"'}, "[]"
        )
    )

    assert connect(standin).held(FLEET, COMMIT) == {}
    assert len(standin.asked) == 2


def test_pages_without_end_are_given_up(standin: GitHub) -> None:
    link = f'<{standin.url}/repos/acme/fleet/commits/{COMMIT}/statuses?page=2>; rel="next"'
    standin.faults += [answer(200, {"Link": link}, "[]")] * 200

    with pytest.raises(DeliveryError, match="more than 10000"):
        connect(standin).held(FLEET, COMMIT)


def test_a_renamed_repository_is_followed_on_the_same_server(standin: GitHub) -> None:
    standin.renamed["acme/fleet"] = "acme/clusters"
    provider = connect(standin)

    provider.deliver(status())

    assert provider.held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "live")}
    assert standin.contexts("acme/clusters", COMMIT) == {"flux/prod": ("success", "live")}


def test_a_redirect_in_a_circle_ends(standin: GitHub) -> None:
    standin.renamed |= {"acme/fleet": "acme/b", "acme/b": "acme/fleet"}

    assert "redirect" in failure(connect(standin)).message
    assert len(standin.asked) == 4


def test_a_thousand_statuses_are_the_end(standin: GitHub) -> None:
    for _ in range(1000):
        standin.store("acme/fleet", COMMIT, context="flux/prod")

    error = failure(connect(standin))

    assert "all the statuses GitHub allows" in error.message
    assert not error.passing
    assert len(standin.asked) == 1


def limited(headers: dict[str, str], message: str = "API rate limit exceeded for user ID 1.", code: int = 403) -> Any:
    return answer(code, headers, json.dumps({"message": message}))


def reset_in(seconds: float) -> dict[str, str]:
    return {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time() + seconds))}


@pytest.mark.parametrize("code", [403, 429])
def test_a_limit_that_resets_soon_is_waited_for(standin: GitHub, waits: list[float], code: int) -> None:
    standin.faults.append(limited(reset_in(20), code=code))

    connect(standin, waits).deliver(status())

    assert 18 < waits[0] <= 21
    assert len(standin.contexts("acme/fleet", COMMIT)) == 1


def test_a_limit_that_resets_late_is_not_waited_for(standin: GitHub, waits: list[float]) -> None:
    headers = reset_in(1800)
    standin.faults.append(limited(headers))

    error = failure(connect(standin, waits))

    at = time.strftime("%H:%M", time.gmtime(int(headers["X-RateLimit-Reset"]) + 1))
    assert f"until {at}" in error.message
    assert "30 min from now" in error.message
    assert error.passing
    assert waits == []


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"Retry-After": "9"}, "You have exceeded a secondary rate limit.", 9),
        ({}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", 60),
        ({"Retry-After": "5"}, "Slow down", 5),
        ({}, "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.", 60),
    ],
)
def test_the_secondary_limit_is_recognised(
    standin: GitHub, waits: list[float], headers: dict[str, str], message: str, wait: float
) -> None:
    standin.faults.append(limited(headers, message))

    connect(standin, waits).deliver(status())

    assert waits == [wait]


def test_a_limit_without_a_time_is_a_minute(standin: GitHub, waits: list[float]) -> None:
    standin.faults.append(limited({"X-RateLimit-Remaining": "0"}))

    connect(standin, waits).deliver(status())

    assert waits == [60]


@pytest.mark.parametrize("name", ["X-RateLimit-Reset", "X-RateLimit-Remaining"])
def test_headers_that_pygithub_stumbles_over_are_survived(standin: GitHub, name: str) -> None:
    standin.faults.append(limited({"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", name: "soon"}))

    connect(standin).deliver(status())

    assert len(standin.contexts("acme/fleet", COMMIT)) == 1


@pytest.mark.parametrize(
    ("message", "read_only"),
    [
        ("Resource not accessible by integration", True),
        ("Resource not accessible by personal access token", True),
        ("Must have push access to repository", True),
        ("Repository was archived so is read-only.", False),
        ("Resource protected by organization SAML enforcement.", False),
        ("API rate limit exceeded for installation ID 1.", False),
        ("You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", False),
        ("You have triggered an abuse detection mechanism.", False),
    ],
)
def test_only_a_token_without_the_right_is_read_only(standin: GitHub, message: str, read_only: bool) -> None:
    standin.faults += [limited({}, message)] * 9

    error = failure(connect(standin))

    assert error.read_only is read_only


def test_an_archived_repository_is_not_written_to_again(standin: GitHub) -> None:
    standin.faults.append(limited({}, "Repository was archived so is read-only."))
    provider = connect(standin)

    first, second = failure(provider), failure(provider)

    assert "the repository github.com/acme/fleet is archived" in first.message
    assert "is archived" in second.message
    assert len(standin.asked) == 1


def test_a_ref_that_is_not_there_is_an_unknown_commit(standin: GitHub) -> None:
    standin.faults.append(limited({}, f"No ref found for: {COMMIT}", code=422))

    assert "the commit is not in that repository" in failure(connect(standin)).message


@pytest.mark.parametrize(
    ("api_url", "asked"),
    [
        ("https://api.github.com", "https://api.github.com/repos/acme/fleet"),
        ("https://api.octocorp.ghe.com", "https://api.octocorp.ghe.com/repos/acme/fleet"),
        ("https://ghes.example.com/api/v3", "https://ghes.example.com/api/v3/repos/acme/fleet"),
        ("https://ghes.example.com:8443/api/v3/", "https://ghes.example.com:8443/api/v3/repos/acme/fleet"),
    ],
)
def test_every_kind_of_github_is_asked_at_its_address(
    api_url: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent: what would be is taken where requests hands it to a connection."""
    sent: list[str] = []

    def send(adapter: object, request: Any, **_: object) -> Any:
        sent.append(request.url)
        raise ConnectionRefusedError

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)

    (finding,) = github.connect(GitHost("github", "github.com", api_url, Secret(WRITER)), sleep=lambda _: None).examine(
        [FLEET]
    )

    assert finding.level == "problem"
    assert {url.replace(":443/", "/") for url in sent} == {asked}


@pytest.mark.parametrize(
    ("headers", "message", "sentence"),
    [
        ({"X-GitHub-SSO": "required; url=https://github.com/orgs/a/sso"}, "Resource protected", "single sign-on"),
        ({}, "Resource protected by organization SAML enforcement.", "single sign-on"),
        ({}, "your IP address is not permitted: the organization has an IP allow list enabled", "IP allow list"),
        ({}, "Resource not accessible by integration", "the token may not do that"),
        ({}, "Must have admin rights to Repository.", "the token may not do that"),
    ],
)
def test_why_something_is_forbidden(standin: GitHub, headers: dict[str, str], message: str, sentence: str) -> None:
    standin.faults.append(limited(headers, message))

    error = failure(connect(standin))

    assert sentence in error.message
    assert error.hint
    assert not error.passing
    assert len(standin.asked) == 1


def test_what_github_asks_for_is_passed_on(standin: GitHub) -> None:
    standin.faults.append(answer(403, {"X-Accepted-GitHub-Permissions": "statuses=write"}, '{"message": "no"}'))

    hint = failure(connect(standin)).hint

    assert "statuses: write" in hint
    assert "GitHub asks for: statuses=write." in hint


def test_an_address_without_an_api_is_explained(standin: GitHub) -> None:
    standin.faults.append(answer(404, {"Content-Type": "text/html"}, "<html>Not here</html>"))

    error = failure(connect(standin))

    assert "there is no GitHub API at that address" in error.message
    assert "--github-api-url" in error.hint


@pytest.mark.parametrize(
    "body",
    ['{"message": null}', '{"message": 7, "errors": "x"}', '{"errors": [1, null, {"code": "custom"}]}', "[]", "null"],
)
def test_strange_refusals_are_still_refusals(standin: GitHub, body: str) -> None:
    standin.faults.append(answer(422, body=body))

    assert "it does not take it" in failure(connect(standin)).message


@pytest.mark.parametrize(
    ("token", "private", "level", "message"),
    [
        pytest.param(Token(), False, "ok", "cannot be known without writing", id="GITHUB_TOKEN"),
        pytest.param(Token(push=False), False, "warning", "no right to push", id="fine-grained, reading user"),
        pytest.param(Token(scopes="repo:status", push=True), True, "ok", "may write", id="classic"),
        pytest.param(Token(scopes="public_repo", push=True), False, "ok", "may write", id="classic, public"),
        pytest.param(Token(scopes="public_repo", push=True), True, "problem", "no scope", id="classic, private"),
        pytest.param(Token(scopes="", push=True), False, "problem", "no scope", id="classic, nothing"),
        pytest.param(Token(scopes="repo", push=False), False, "problem", "may not write", id="classic, reading user"),
    ],
)
def test_what_can_be_known_of_a_token(standin: GitHub, token: Token, private: bool, level: str, message: str) -> None:
    standin.tokens[WRITER] = token
    standin.private = {"acme/fleet"} if private else set()

    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == level
    assert message in finding.message
    assert standin.writes == []


@pytest.mark.parametrize(("token", "level"), [(CLASSIC, "ok"), (NARROW, "problem")])
def test_classic_tokens_are_judged_by_their_scopes(standin: GitHub, token: str, level: str) -> None:
    (finding,) = connect(standin, token=Secret(token)).examine([FLEET])

    assert finding.level == level


def test_writes_beyond_the_limit_are_left_for_later(standin: GitHub) -> None:
    provider = connect(standin, max_wait=0.0, turns=TokenBucket(2, 1 / 600))

    provider.deliver(status("a"))
    provider.deliver(status("b"))
    error = failure(provider)

    assert "the next turn is in 10 min" in error.message
    assert error.passing
    assert len(standin.asked) == 2
    assert len(provider.held(FLEET, COMMIT)) == 2


def test_every_try_counts_as_a_write(standin: GitHub) -> None:
    provider = connect(standin, turns=TokenBucket(2, 1 / 600))
    standin.faults += [answer(503), answer(503)]

    assert "the next turn" in failure(provider).message
    assert len(standin.asked) == 2


def test_pygithub_does_not_slow_us_down_nor_say_anything(
    standin: GitHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own throttle would take a second a status; its handler prints to stderr."""
    slept: list[float] = []
    monkeypatch.setattr("github.Requester.time.sleep", slept.append)
    provider = connect(standin)
    standin.faults.append(answer(503))

    for number in range(10):
        provider.deliver(status(f"flux/{number}"))

    assert slept == []
    assert len(standin.contexts("acme/fleet", COMMIT)) == 10
    assert len(standin.writes) == 11
    assert logging.getLogger("github").handlers == []
    assert WRITER not in caplog.text


def test_pygithub_does_not_retry_behind_our_back(standin: GitHub, waits: list[float]) -> None:
    standin.faults += [answer(502, only="POST")] * 20

    failure(connect(standin, waits))

    assert len(standin.writes) == 4
    assert len(waits) == 3


def test_after_a_gateways_failure_it_is_looked_whether_the_status_arrived(standin: GitHub) -> None:
    standin.store("acme/fleet", COMMIT, context="flux/prod", state="success", description="live")
    standin.faults.append(answer(504, only="POST"))

    connect(standin).deliver(status())

    assert [asked.method for asked in standin.asked] == ["POST", "GET"]


def test_reads_that_were_lost_are_repeated(standin: GitHub, waits: list[float]) -> None:
    standin.faults += [lost(), lost()]

    assert connect(standin, waits).held(FLEET, COMMIT) == {}
    assert len(waits) == 2


def test_netrc_does_not_replace_the_token(standin: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    connect(standin).deliver(status())

    assert len(standin.contexts("acme/fleet", COMMIT)) == 1


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

    with GitHub(context=server_side) as standin:
        distrusted = failure(connect(standin))
        connect(standin, network=Network(ca=authority.cert_pem.bytes().decode())).deliver(status())

    assert "its certificate is not trusted" in distrusted.message
    assert not distrusted.passing
    assert len(standin.writes) == 1
