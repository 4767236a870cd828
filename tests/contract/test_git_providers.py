"""What every Git host's provider must do, whatever it speaks. A new one joins by its line in ``HOSTS``."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import pytest
from contract.hosts import HOSTS, STATUS_TYPES
from standins.commits import Pushed
from standins.server import Answer, Fault, StandIn, answer, hang, hang_after, lost, reset, rubbish

from landed import providers
from landed.errors import ConfigurationError, DeliveryError
from landed.http import TokenBucket
from landed.model import CommitStatus, Described, GitHost, Repository, Secret, State
from landed.providers import commits
from landed.providers.interface import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landed.providers.interface import CommitReader, GitProvider

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
PLACE = "git.example.com"


class World:
    """A provider and the host it speaks to."""

    def __init__(self, type_: str, standin: Any) -> None:
        self.type = type_
        self.standin = standin
        self.waits: list[float] = []
        self.path = HOSTS[type_].path
        self.repository = Repository(PLACE, self.path)

    @property
    def contexts(self) -> dict[str, tuple[str, str]]:
        """What the commit has."""
        found: dict[str, tuple[str, str]] = self.standin.contexts(self.path, COMMIT)
        return found

    @property
    def port(self) -> int | None:
        return urlsplit(str(self.standin.url)).port

    def store(self, **status: str) -> None:
        """Put a status there, as if somebody had written it."""
        self.standin.store(self.path, COMMIT, **status)

    def status(self, state: State = State.SUCCESS, context: str = "flux/prod/apps/web", **changes: str) -> CommitStatus:
        told: dict[str, Any] = {"description": "Applied main@6dcd4ce2", "target_url": "https://ci.example.com/run/1"}
        told |= changes
        return CommitStatus(self.repository, COMMIT, context, state, **told)

    def held(self, provider: GitProvider | None = None) -> dict[str, Held]:
        """What is read back, handles apart."""
        found = (provider or self.connect()).held(self.repository, COMMIT)
        return {context: Held(held.state, held.description) for context, held in found.items()}

    def described(self, provider: GitProvider | None = None, commit: str = COMMIT) -> Described:
        """What the commit is called."""
        return cast("CommitReader", provider or self.connect()).described(self.repository, commit)

    def connect(self, token: str = "", turns: TokenBucket | None = None, **settings: Any) -> GitProvider:
        chosen = Secret(token or HOSTS[self.type].writer)
        settings = {"api_url": self.standin.url, "web_url": self.standin.web_url, "token": chosen} | settings
        host = GitHost(providers.GIT[self.type].host, PLACE, **settings)
        return providers.git_module(self.type).connect(host, turns=turns, sleep=self.waits.append)


@pytest.fixture(params=STATUS_TYPES)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(providers.git_module(request.param), "TIMEOUT", 1)
    monkeypatch.setattr(commits, "TIMEOUT", 0.5)
    with HOSTS[request.param].make() as standin:
        yield World(request.param, standin)
        assert standin.violations == []


def failure(world: World, provider: GitProvider | None = None, update: CommitStatus | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        (provider or world.connect()).deliver(update or world.status())
    return hiding(world, caught.value)


def hiding(world: World, error: DeliveryError) -> DeliveryError:
    """``error``, once it is certain that no token is in it, not even in what it came from."""
    shown = f"{error!r} {error} {error.message} {error.hint} {error.__cause__!r} {error.__context__!r}"
    assert HOSTS[world.type].writer not in shown
    assert HOSTS[world.type].reader not in shown
    assert "\n" not in error.message
    return error


def test_every_registered_type_is_tested_here() -> None:
    assert set(HOSTS) == set(STATUS_TYPES)


@pytest.mark.parametrize("type_", STATUS_TYPES)
def test_the_registry_knows_the_limits_of_the_module(type_: str) -> None:
    entry, module = providers.GIT[type_], providers.git_module(type_)

    assert (entry.description_limit, entry.context_limit) == (module.DESCRIPTION_LIMIT, module.CONTEXT_LIMIT)


@pytest.mark.parametrize("state", [State.SUCCESS, State.FAILURE, State.PENDING])
def test_every_state_is_written_and_read_back(world: World, state: State) -> None:
    provider = world.connect()

    provider.deliver(world.status(state))

    assert world.held(provider) == {"flux/prod/apps/web": Held(state, "Applied main@6dcd4ce2")}


def test_a_superseded_commit_is_written_where_there_is_a_word_for_it(world: World) -> None:
    if not providers.GIT[world.type].superseded:
        return
    provider = world.connect()
    handle = provider.deliver(world.status(State.PENDING))

    provider.deliver(world.status(State.SUPERSEDED, handle=handle))

    assert world.held(provider) == {"flux/prod/apps/web": Held(State.SUPERSEDED, "Applied main@6dcd4ce2")}


def test_a_status_is_one_request(world: World) -> None:
    provider = world.connect()

    for number in range(10):
        provider.deliver(world.status(context=f"flux/prod/{number}"))

    assert len(world.standin.asked) == len(world.standin.writes) == 10
    assert len(world.contexts) == 10
    assert world.waits == []


def test_a_status_without_a_target_is_written(world: World) -> None:
    world.connect().deliver(world.status(target_url=""))

    assert b"target_url" not in world.standin.writes[0].body


def test_the_same_status_gives_the_same_bytes(world: World) -> None:
    provider = world.connect()

    provider.deliver(world.status())
    provider.deliver(world.status())

    first, second = world.standin.writes
    assert first == second


def test_all_pages_are_read_back_and_the_newest_wins(world: World) -> None:
    for number in range(250):
        world.store(context=f"flux/{number % 125}", state="pending", description="old")
    for number in range(125):
        world.store(context=f"flux/{number}", state="success", description="new")

    assert world.held() == {f"flux/{number}": Held(State.SUCCESS, "new") for number in range(125)}
    assert len(world.standin.asked) > 1


def test_a_commit_without_statuses_has_none(world: World) -> None:
    assert world.held() == {}


def test_an_unknown_commit_is_said_so(world: World) -> None:
    if not HOSTS[world.type].unknown_commit:
        return
    world.standin.missing.add(COMMIT)
    provider = world.connect()

    with pytest.raises(DeliveryError, match="the commit is not in that repository") as caught:
        provider.held(world.repository, COMMIT)
    assert not hiding(world, caught.value).passing
    assert "the commit is not in that repository" in failure(world, provider).message


def test_an_unknown_repository_is_named(world: World) -> None:
    world.standin.missing.add(world.path)

    error = failure(world)

    assert world.path in error.message
    assert not error.passing
    assert error.hint
    assert len(world.standin.asked) == 1


@pytest.mark.parametrize("path", ["", "/", "../x", "a/..", "own"])
def test_a_path_that_is_no_repository_is_not_asked_for(world: World, path: str) -> None:
    path = HOSTS[world.type].no_path if path == "own" else path

    error = failure(world, update=CommitStatus(Repository(PLACE, path), COMMIT, "c", State.SUCCESS, "d"))

    assert f"{PLACE}/{path} is not a" in error.message
    assert world.standin.asked == []


@pytest.mark.parametrize("end", ["?x", "#x", "%2e%2e", " y", "é"])
def test_a_path_cannot_leave_its_place(world: World, end: str) -> None:
    """However the repository is called, it is the same place of the API that is asked."""
    odd = Repository(PLACE, world.path + end)
    plain, provider = world.status(), world.connect()
    provider.deliver(plain)

    with suppress(DeliveryError):
        provider.deliver(CommitStatus(odd, COMMIT, plain.context, State.SUCCESS, "d", plain.target_url))

    first, second = world.standin.asked[0], world.standin.asked[-1]
    if first is not second:
        assert unquote(second.path).replace(end, "").replace(unquote(end), "") == unquote(first.path)
        assert second.query == first.query


@pytest.mark.parametrize(
    ("token", "sentence"),
    [("no-such-token-1234", "does not accept the token"), ("reader", "the token may not do that")],
)
def test_a_token_that_will_not_do_is_explained(world: World, token: str, sentence: str) -> None:
    error = failure(world, world.connect(HOSTS[world.type].reader if token == "reader" else token))

    assert sentence in error.message
    assert "no-such-token" not in f"{error!r}{error.hint}"
    assert error.hint
    assert not error.passing
    assert len(world.standin.asked) == 1


@pytest.mark.parametrize("token", ["", "  ", "\n"])
def test_an_empty_token_is_a_configuration_error(world: World, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token is empty"):
        providers.git_module(world.type).connect(
            GitHost(providers.GIT[world.type].host, PLACE, world.standin.url, Secret(token))
        )


@pytest.mark.parametrize("token", ["two\nlines-of-token", "snow☃man-token"])
def test_a_token_that_no_header_can_hold_is_not_sent(world: World, token: str) -> None:
    error = failure(world, world.connect(token))

    assert "token" in error.message
    assert token not in f"{error!r} {error.__context__!r} {error.__cause__!r}"
    assert world.standin.asked == []


@pytest.mark.parametrize("address", ["", "git.example.com", "ftp://git.example.com", "https://", "https://[::1"])
def test_an_address_that_is_no_url_is_a_configuration_error(world: World, address: str) -> None:
    with pytest.raises(ConfigurationError, match="not a URL"):
        world.connect(api_url=address)


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_later_is_tried_again(world: World, code: int) -> None:
    world.standin.faults += [answer(code, {"Retry-After": "2"})]

    world.connect().deliver(world.status())

    assert world.waits == [2]
    assert world.contexts == {"flux/prod/apps/web": ("success", "Applied main@6dcd4ce2")}


@pytest.mark.parametrize(
    ("code", "tries", "passing"),
    [
        (400, 1, False), (401, 1, False), (403, 1, False), (404, 1, False), (405, 1, False), (409, 1, True),
        (422, 1, False), (429, 4, True), (500, 1, True), (502, 4, True), (503, 4, True), (504, 4, True),
    ],
)  # fmt: skip
def test_refusals(world: World, code: int, tries: int, passing: bool) -> None:
    tries = HOSTS[world.type].tries.get(code, tries)
    passing = HOSTS[world.type].passing.get(code, passing)
    retry = {"Retry-After": "1"} if code == 429 else {}
    world.standin.faults += [answer(code, retry, '{"message": "no"}', only="POST")] * 12

    error = failure(world)

    assert len(world.standin.writes) == tries
    assert error.passing is passing
    assert world.contexts == {}


@pytest.mark.parametrize("code", [429, 503])
def test_a_wait_that_is_too_long_is_not_begun(world: World, code: int) -> None:
    world.standin.faults += [answer(code, {"Retry-After": "3600"})]

    error = failure(world)

    assert error.passing
    assert world.waits == []
    assert "60 min" in error.message
    assert len(world.standin.asked) == 1


@pytest.mark.parametrize(
    "fault", [lost("POST"), hang_after("POST"), rubbish("POST")], ids=["lost", "hang after acting", "no HTTP"]
)
def test_a_status_whose_answer_was_lost_is_not_written_twice(world: World, fault: Fault) -> None:
    world.standin.faults.append(fault)

    world.connect().deliver(world.status())

    assert len(world.standin.writes) == 1
    assert len(world.standin.asked) == 2
    assert len(world.contexts) == 1


@pytest.mark.parametrize("fault", [reset("POST"), hang("POST")], ids=["reset", "hang"])
def test_a_status_that_was_lost_is_written_again(world: World, fault: Fault) -> None:
    world.standin.faults.append(fault)

    world.connect().deliver(world.status())

    assert [asked.method for asked in world.standin.asked] == ["POST", "GET", "POST"]
    assert len(world.contexts) == 1


def test_an_older_status_is_not_taken_for_the_one_that_was_lost(world: World) -> None:
    world.store(context="flux/prod/apps/web", state="pending", description="")
    world.standin.faults.append(reset("POST"))

    world.connect().deliver(world.status())

    assert world.contexts["flux/prod/apps/web"][0] == "success"


def test_where_reading_back_fails_too_the_doubt_is_told(world: World) -> None:
    world.standin.faults += [lost("POST"), *[answer(500)] * 4]

    error = failure(world)

    assert error.uncertain
    assert error.passing
    assert len(world.standin.writes) == 1


def test_a_server_that_is_gone_is_named(world: World) -> None:
    with StandIn(lambda asked: Answer(200)) as gone:
        provider = world.connect(api_url=gone.url)

    error = failure(world, provider)

    assert PLACE in error.message
    assert "the connection was refused" in error.message
    assert error.passing
    assert not error.uncertain
    assert len(world.waits) == 3


@pytest.mark.parametrize("code", [301, 302, 307, 308])
@pytest.mark.parametrize("where", ["https://evil.example.com/x", "other port", "", "//"])
def test_a_redirect_elsewhere_is_refused(world: World, code: int, where: str) -> None:
    with StandIn(lambda asked: Answer(201, b"{}")) as other:
        location = f"{other.url}/repos/acme/fleet" if where == "other port" else where
        world.standin.faults += [answer(code, {"Location": location}, only="POST")] * 9

        error = failure(world)

        assert other.asked == []
    assert "redirect" in error.message
    assert world.contexts == {}


NONSENSE = [
    pytest.param(answer(302, {"Location": "http://[::1"}), id="redirect to nowhere"),
    pytest.param(answer(200, {"Content-Type": "text/html"}, "<html>Please log in</html>"), id="HTML"),
    pytest.param(answer(200, body=""), id="empty"),
    pytest.param(answer(200, body="{"), id="half JSON"),
    pytest.param(answer(201, body="[]"), id="other JSON"),
    pytest.param(answer(201, body=b"\xff\xfe\x00"), id="no text"),
    pytest.param(answer(200, {"X-RateLimit-Remaining": "many", "X-RateLimit-Limit": "?"}, "{}"), id="strange headers"),
    pytest.param(answer(200, {"Content-Length": "99", "Connection": "close"}, "[]"), id="broken off"),
]


@pytest.mark.parametrize("fault", NONSENSE)
def test_an_answer_that_makes_no_sense_is_no_success(world: World, fault: Fault) -> None:
    world.standin.faults += [fault] * 9

    failure(world)


@pytest.mark.parametrize("fault", [fault for fault in NONSENSE if fault.id != "other JSON"])
def test_reading_back_nonsense_is_no_empty_list(world: World, fault: Fault) -> None:
    world.standin.faults += [fault] * 9

    with pytest.raises(DeliveryError) as caught:
        world.connect().held(world.repository, COMMIT)
    hiding(world, caught.value)


HOSTILE = "<!channel> @everyone ::error::x ##[error]y <b>&amp;</b> **z** [a](http://evil) \x1b[31m\x00\u202e `rm` 😀"


def test_hostile_descriptions_arrive_as_they_are_within_the_limit(world: World) -> None:
    provider = world.connect()

    provider.deliver(world.status(description=HOSTILE + "x" * 100_000))

    module = providers.git_module(world.type)
    ((_, description),) = world.contexts.values()
    assert len(description) <= module.DESCRIPTION_LIMIT
    assert description.startswith("<!channel> @everyone ::error::x")


def test_hostile_answers_are_not_repeated_as_they_are(world: World) -> None:
    writer = HOSTS[world.type].writer
    body = json.dumps({"message": f"\x1b[31m::error::{writer} {'long ' * 9999}"})
    world.standin.faults += [answer(422, body=body)]

    error = failure(world)

    assert "\x1b" not in error.message
    assert len(error.message) < 500


def test_one_provider_serves_many_threads(world: World) -> None:
    provider = world.connect()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(world.status(context=f"flux/{number}")), range(80)))

    assert len(world.contexts) == 80
    assert len(world.standin.writes) == 80


def test_an_examination_writes_nothing(world: World) -> None:
    findings = world.connect().examine([world.repository])

    assert [finding.level for finding in findings] == ["ok"]
    assert world.standin.writes == []


def test_an_examination_without_repositories_looks_at_the_token(world: World) -> None:
    assert [finding.level for finding in world.connect().examine([])] == ["ok"]
    assert [finding.level for finding in world.connect("no-such-token").examine([])] == ["problem"]


def test_an_examination_looks_at_five_repositories(world: World) -> None:
    repositories = [Repository(PLACE, f"{world.path}{number}") for number in range(9)]

    findings = world.connect().examine(repositories)

    assert len(findings) == 6
    assert "4 more repositories" in findings[-1].message


@pytest.mark.parametrize(
    "fault",
    [answer(401), answer(404), answer(500), answer(200, body="[]"), answer(200, body="<html>"), lost(), rubbish()],
)
@pytest.mark.parametrize("repositories", [[], [None]], ids=["token", "repository"])
def test_an_examination_that_fails_is_a_finding(world: World, fault: Fault, repositories: list[None]) -> None:
    world.standin.faults += [fault] * 9

    (finding,) = world.connect().examine([world.repository for _ in repositories])

    assert finding.level == "problem"
    assert HOSTS[world.type].writer not in repr(finding)


def test_a_commit_is_described_with_one_request(world: World) -> None:
    provider = world.connect()

    shown = world.described(provider)

    page = HOSTS[world.type].shown_at.format(path=world.path, commit=COMMIT)
    place = f"{world.standin.web_url}{page}" if page else ""
    assert shown == Described("Raise the image to 6.5.0", "Jane Doe", place, ("jane@example.com",))
    assert [asked.method for asked in world.standin.asked] == ["GET"]
    assert world.waits == []


def undescribed(world: World, provider: GitProvider, commit: str = COMMIT) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        world.described(provider, commit)
    return hiding(world, caught.value)


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        pytest.param(answer(401, body='{"message": "no"}'), 1, id="401"),
        pytest.param(answer(403, body='{"message": "no"}'), 1, id="403"),
        pytest.param(answer(403, body="no"), 1, id="403 without words"),
        pytest.param(answer(404, body='{"message": "Not Found"}'), 1, id="404"),
        pytest.param(answer(404), 1, id="404 without words"),
        pytest.param(answer(410), 1, id="410"),
        pytest.param(answer(500), 2, id="500"),
        pytest.param(answer(502), 2, id="502"),
        pytest.param(answer(503, {"Retry-After": "0"}), 2, id="503, at once"),
        pytest.param(answer(503, {"Retry-After": "30"}), 2, id="503, later"),
        pytest.param(answer(301, {"Location": "https://evil.example.com/x"}), 1, id="elsewhere"),
        pytest.param(reset(), 2, id="reset"),
        pytest.param(lost(), 2, id="lost"),
        pytest.param(hang(), 2, id="hang"),
    ],
)
def test_a_commit_that_cannot_be_described_keeps_no_status_from_being_written(
    world: World, fault: Fault, tries: int
) -> None:
    provider = world.connect()
    world.standin.faults += [fault] * tries

    error = undescribed(world, provider)
    shown = len(world.standin.asked)
    provider.deliver(world.status())

    assert shown == tries
    assert error.passing is (tries == 2)
    assert sum(world.waits) <= 1
    assert world.contexts == {"flux/prod/apps/web": ("success", "Applied main@6dcd4ce2")}


def test_what_is_no_http_describes_nothing(world: World) -> None:
    provider = world.connect()
    world.standin.faults += [rubbish()] * 2

    undescribed(world, provider)

    assert len(world.standin.asked) <= 2
    provider.deliver(world.status())


def test_a_rate_limit_is_not_waited_for_and_kept_by_what_is_written_next(world: World) -> None:
    provider = world.connect(turns=TokenBucket.without_limit())
    world.standin.faults += [answer(429, {"Retry-After": "20"})]

    assert undescribed(world, provider).passing
    assert undescribed(world, provider).passing
    assert len(world.standin.asked) == 1
    assert max(world.waits, default=0) <= 1
    provider.deliver(world.status())

    assert 19 < max(world.waits) <= 20


def test_a_rate_limit_of_no_time_is_asked_once_more(world: World) -> None:
    provider = world.connect()
    world.standin.faults += [answer(429, {"Retry-After": "0"})] * 9

    undescribed(world, provider)

    assert len(world.standin.asked) == 2


def test_a_second_try_may_bring_it(world: World) -> None:
    provider = world.connect()
    world.standin.faults += [reset()]

    assert world.described(provider).subject == "Raise the image to 6.5.0"


def test_a_host_that_gives_no_answers_is_asked_twice_only_at_first(world: World) -> None:
    provider = world.connect()
    world.standin.faults += [reset()] * 4

    for _ in range(3):
        undescribed(world, provider)
    assert len(world.standin.asked) == 4

    world.described(provider)
    world.standin.faults += [reset()] * 2
    undescribed(world, provider)
    assert len(world.standin.asked) == 7


@pytest.mark.parametrize("fault", NONSENSE)
def test_nonsense_describes_no_commit(world: World, fault: Fault) -> None:
    provider = world.connect()
    world.standin.faults += [fault] * 2

    undescribed(world, provider)


DEEP = '{"sha": ' + "[" * 100_000


@pytest.mark.parametrize("body", ["null", "[]", "{}", '"x"', "NaN", '{"message": 1}', DEEP], ids=lambda body: body[:16])
def test_json_that_is_no_commit_describes_none(world: World, body: str) -> None:
    provider = world.connect()
    world.standin.faults += [answer(200, {"Content-Type": "application/json"}, body)]

    assert "the answer (200 OK) is not one of" in undescribed(world, provider).message


def test_another_commit_than_the_one_that_was_asked_for_describes_none(world: World) -> None:
    provider = world.connect()
    world.described(provider)
    other = world.standin.asked[-1].target.replace(COMMIT, "a" * 40)
    world.standin.faults += [answer(302, {"Location": f"http://127.0.0.1:{world.port}{other}"})]

    error = undescribed(world, provider)

    assert world.standin.asked[-1].target == other
    assert "is not one of" in error.message


def test_an_unknown_commit_has_no_description(world: World) -> None:
    provider = world.connect()
    world.standin.missing.add(COMMIT)

    error = undescribed(world, provider)

    assert not error.passing
    assert len(world.standin.asked) == 1


@pytest.mark.parametrize("path", ["", "a/..", "own"])
def test_a_path_that_is_no_repository_is_not_described(world: World, path: str) -> None:
    path = HOSTS[world.type].no_path if path == "own" else path

    with pytest.raises(DeliveryError, match="is not a"):
        cast("CommitReader", world.connect()).described(Repository(PLACE, path), COMMIT)
    assert world.standin.asked == []


@pytest.mark.parametrize("title", [HOSTILE, HOSTILE * 1000, "x" * 100_000], ids=["odd", "odd and long", "long"])
def test_hostile_commits_come_through_as_text_within_the_limit(world: World, title: str) -> None:
    pushed = Pushed(f"\n  \n{title}\n\nrest", title.replace("<", "("))
    world.standin.commits[world.path, COMMIT] = pushed

    shown = world.described()

    for text, whole in ((shown.subject, title), (shown.author, title.replace("<", "("))):
        assert text == whole or (len(text) <= commits.LIMIT and whole.startswith(text[:200]) and text.endswith("…"))
    assert "rest" not in shown.subject


@pytest.mark.parametrize("author", ["", "jane@example.com", " "])
def test_an_author_without_a_name_has_none(world: World, author: str) -> None:
    world.standin.commits[world.path, COMMIT] = Pushed(author=author)

    assert world.described().author == ""


def test_a_commit_without_a_message_is_described(world: World) -> None:
    world.standin.commits[world.path, COMMIT] = Pushed(message="")

    assert (world.described().subject, world.described().author) == ("", "Jane Doe")


def test_no_address_is_shown(world: World) -> None:
    world.standin.commits[world.path, COMMIT] = Pushed(author="Jane <jane@example.com>")

    shown = world.described()
    assert "@" not in shown.subject + shown.author + shown.url


def test_a_page_elsewhere_is_not_linked(world: World) -> None:
    assert world.described(world.connect(web_url="https://git.example.com")).url == ""


def test_reading_takes_no_turns_of_the_writes(world: World) -> None:
    provider = world.connect(turns=TokenBucket(1, 0.001, ((1, 1000.0),)), max_wait=0)

    for _ in range(5):
        world.described(provider)
    provider.deliver(world.status())

    assert world.waits == []
    assert world.contexts
