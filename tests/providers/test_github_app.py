"""Acting as a GitHub App: the signature, the token's life, and what is said when there is none."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from standins.github import GitHub
from standins.github_app import APP_ID, INSTALLATION, Apps, key, pem
from standins.server import answer, lost

from landed.errors import ConfigurationError, DeliveryError
from landed.model import CommitStatus, GitHost, GitHubApp, Repository, Secret, State
from landed.providers.git.github import app as github_app
from landed.providers.git.github import statuses as github

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
TOKENS = f"/app/installations/{INSTALLATION}/access_tokens"


@pytest.fixture
def standin() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def apps(standin: GitHub) -> Apps:
    return Apps(standin)


@pytest.fixture
def waits() -> list[float]:
    return []


def app(**changes: Any) -> GitHubApp:
    given: dict[str, Any] = {"id": APP_ID, "private_key": Secret(key()), "installation_id": str(INSTALLATION)} | changes
    return GitHubApp(**given)


def connect(standin: GitHub, acting: GitHubApp, waits: list[float] | None = None) -> github.GitHub:
    waited = [] if waits is None else waits
    return github.connect(GitHost("github", "github.com", standin.url, app=acting), sleep=waited.append)


def status(context: str = "flux/prod") -> CommitStatus:
    return CommitStatus(FLEET, COMMIT, context, State.SUCCESS, "live")


def failure(provider: github.GitHub) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(status())
    shown = f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "eyJ" not in shown
    assert "BEGIN" not in shown
    assert not any(line in shown for line in key().splitlines()[1:-1])
    return caught.value


def paths(standin: GitHub) -> list[str]:
    return [asked.path.replace(COMMIT, "…") for asked in standin.asked]


def test_the_token_is_fetched_once_and_used(standin: GitHub, apps: Apps) -> None:
    provider = connect(standin, app())
    assert standin.asked == []

    provider.deliver(status("a"))
    provider.deliver(status("b"))

    assert paths(standin) == [TOKENS, "/repos/acme/fleet/statuses/…", "/repos/acme/fleet/statuses/…"]
    assert [asked.headers["authorization"].split()[0] for asked in standin.asked] == ["Bearer", "token", "token"]
    assert len(apps.made) == 1


def test_a_server_of_ones_own_has_its_tokens_under_api_v3_too(standin: GitHub, apps: Apps) -> None:
    host = GitHost("github", "ghes.example.com", standin.ghes_url, app=app())

    github.connect(host).deliver(status())

    assert paths(standin) == [f"/api/v3{TOKENS}", "/api/v3/repos/acme/fleet/statuses/…"]


@pytest.mark.parametrize("written", [key().replace("\n", "\\n"), f"\n {key()}\n\n", key().replace("\n", "\r\n")])
def test_a_key_is_understood_however_its_lines_are_kept(standin: GitHub, apps: Apps, written: str) -> None:
    connect(standin, app(private_key=Secret(written))).deliver(status())

    assert len(apps.made) == 1


@pytest.mark.parametrize("person", [False, True])
def test_the_installation_is_found_by_its_owner(standin: GitHub, person: bool) -> None:
    Apps(standin, "octocat", person=person)
    provider = connect(standin, app(installation_id="", installation_owner="octocat"))

    provider.deliver(status("a"))
    provider.deliver(status("b"))

    found = ["/orgs/octocat/installation", *(["/users/octocat/installation"] if person else []), TOKENS]
    assert paths(standin)[: len(found)] == found
    assert len(standin.asked) == len(found) + 2


def test_an_owner_cannot_leave_its_place(standin: GitHub, apps: Apps) -> None:
    failure(connect(standin, app(installation_id="", installation_owner="../app?x#y")))

    assert standin.asked[0].target == "/orgs/..%2Fapp%3Fx%23y/installation"


def test_eight_threads_fetch_one_token(standin: GitHub, apps: Apps) -> None:
    provider = connect(standin, app())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: provider.deliver(status(f"flux/{number}")), range(40)))

    assert len(apps.made) == 1
    assert len(standin.contexts("acme/fleet", COMMIT)) == 40


def test_eight_threads_hear_of_one_refusal(standin: GitHub, apps: Apps) -> None:
    apps.suspended = True
    provider = connect(standin, app())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: failure(provider), range(8)))

    assert len(standin.asked) == 1


def test_a_token_is_renewed_five_minutes_before_its_end(
    standin: GitHub, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0]
    monkeypatch.setattr(github_app, "time", SimpleNamespace(time=lambda: time.time() + passed[0]))
    provider = connect(standin, app())

    made = []
    for passed[0] in (0, 3200, 3400, 6600):
        apps.lifetime = 3600 + passed[0]
        provider.deliver(status())
        made.append(len(apps.made))

    assert made == [1, 1, 2, 2]
    used = {asked.headers["authorization"].split()[1] for asked in standin.asked if "statuses" in asked.path}
    assert used == set(apps.made)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"private_key": Secret("")}, "private key"),
        ({"private_key": Secret("nonsense")}, "private key"),
        ({"private_key": Secret(key()[:200])}, "private key"),
        ({"private_key": Secret(pem(ec.generate_private_key(ec.SECP256R1())))}, "private key"),
        ({"id": ""}, "id of the GitHub App"),
        ({"id": "my app"}, "id of the GitHub App"),
        ({"installation_id": "12/../x"}, "installation id"),
        ({"installation_id": ""}, "not known where the GitHub App 314159 is installed"),
    ],
)
def test_what_cannot_be_an_app_is_a_configuration_error(
    standin: GitHub, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        connect(standin, app(**changes))

    assert "--github-app-" in caught.value.hint
    shown = f"{caught.value!r}{caught.value.hint}{caught.value.__cause__!r}{caught.value.__context__!r}"
    assert "BEGIN" not in shown
    assert standin.asked == []


def test_a_key_with_a_password_is_a_configuration_error(standin: GitHub) -> None:
    from cryptography.hazmat.primitives import serialization as kept

    private = kept.load_pem_private_key(key().encode(), None)
    closed = private.private_bytes(kept.Encoding.PEM, kept.PrivateFormat.PKCS8, kept.BestAvailableEncryption(b"x"))

    with pytest.raises(ConfigurationError, match="private key"):
        connect(standin, app(private_key=Secret(closed.decode())))


@pytest.mark.parametrize(
    ("changes", "sentence", "hint"),
    [
        ({"id": "1"}, "it knows no App of that id", "--github-app-id"),
        ({"id": "Iv23liAbCd.x9"}, "it knows no App of that id", "--github-app-id"),
        ({"installation_id": "7"}, "the App is not installed there", "--github-app-installation-id"),
        ({"installation_id": "", "installation_owner": "nobody"}, "the App is not installed there", "owner"),
    ],
)
def test_an_app_that_is_not_there_is_explained(
    standin: GitHub, apps: Apps, changes: dict[str, Any], sentence: str, hint: str
) -> None:
    error = failure(connect(standin, app(**changes)))

    assert f"the token of the GitHub App {changes.get('id', APP_ID)} cannot be fetched: {sentence}" in error.message
    assert hint in error.hint
    assert not error.passing
    assert not error.read_only


def test_a_key_of_another_app_is_explained(standin: GitHub, apps: Apps) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    error = failure(connect(standin, app(private_key=Secret(pem(rsa.generate_private_key(65537, 2048))))))

    assert "it does not accept the App's key (A JSON web token could not be decoded)" in error.message
    assert "--github-app-private-key" in error.hint


@pytest.mark.parametrize("minutes", [-8, 3, 8])
def test_a_clock_that_is_wrong_is_explained(
    standin: GitHub, apps: Apps, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = time.time() + minutes * 60
    monkeypatch.setattr("github.Auth.time", SimpleNamespace(time=lambda: wrong))

    error = failure(connect(standin, app()))

    assert "too old or too new" in error.message
    assert "clock" in error.hint


def test_an_installation_that_is_suspended_is_explained(standin: GitHub, apps: Apps) -> None:
    apps.suspended = True

    error = failure(connect(standin, app()))

    assert "the App's installation is suspended" in error.message
    assert not error.read_only


def test_the_token_is_asked_for_with_patience(standin: GitHub, apps: Apps, waits: list[float]) -> None:
    standin.faults += [answer(503, {"Retry-After": "2"}), answer(429, {"Retry-After": "3"}), lost()]

    connect(standin, app(), waits).deliver(status())

    assert waits[:2] == [2, 3]
    assert paths(standin).count(TOKENS) == 4
    assert len(standin.contexts("acme/fleet", COMMIT)) == 1


def test_without_a_token_nothing_is_uncertain(standin: GitHub, apps: Apps) -> None:
    standin.faults += [lost()] * 9

    error = failure(connect(standin, app()))

    assert error.passing
    assert not error.uncertain


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"token": "", "expires_at": "2030-01-01T00:00:00Z"}',
        '{"token": "x\\ny", "expires_at": "2030-01-01T00:00:00Z"}',
        '{"token": 7, "expires_at": "2030-01-01T00:00:00Z"}',
        '{"token": "ghs_x", "expires_at": "soon"}',
        '{"token": "ghs_x", "expires_at": "2030-01-01T00:00:00"}',
        '{"token": "ghs_x"}',
    ],
)
def test_an_answer_that_is_no_token_is_not_used(standin: GitHub, apps: Apps, body: str) -> None:
    standin.faults.append(answer(201, body=body))

    assert "is not one of GitHub's API" in failure(connect(standin, app())).message
    assert len(standin.asked) == 1


def test_an_installation_without_an_id_is_not_used(standin: GitHub, apps: Apps) -> None:
    standin.faults.append(answer(200, body='{"id": "7/../x"}'))

    error = failure(connect(standin, app(installation_id="", installation_owner="acme")))

    assert "is not one of GitHub's API" in error.message


def test_the_installations_token_is_not_quoted(standin: GitHub, apps: Apps) -> None:
    provider = connect(standin, app())
    provider.deliver(status())
    (token,) = apps.made
    standin.faults.append(answer(422, body=json.dumps({"message": f"bad {token} for {key()}"})))

    error = failure(provider)

    assert token not in error.message
    assert "bad ***" in error.message


def test_the_signature_is_not_quoted(standin: GitHub, apps: Apps) -> None:
    original = standin.admit
    standin.admit = lambda given: answer(403, body=json.dumps({"message": f"no {given}"})).answer

    error = failure(connect(standin, app()))

    standin.admit = original
    assert "(no ***)" in error.message


@pytest.mark.parametrize(
    ("permissions", "level", "message"),
    [
        ({"statuses": "write"}, "ok", "The App may write commit statuses."),
        ({"statuses": "read"}, "problem", "The App may not write commit statuses."),
        ({"metadata": "read"}, "problem", "The App may not write commit statuses."),
        ({}, "ok", "cannot be known without writing"),
    ],
)
def test_an_examination_knows_what_the_app_may(
    standin: GitHub, apps: Apps, permissions: dict[str, str], level: str, message: str
) -> None:
    apps.permissions = permissions

    (finding,) = connect(standin, app()).examine([FLEET])

    assert finding.level == level
    assert message in finding.message


@pytest.mark.parametrize("repositories", [[], [FLEET]])
def test_an_examination_of_an_app_without_token_is_a_finding(
    standin: GitHub, apps: Apps, repositories: list[Repository]
) -> None:
    apps.suspended = True

    (finding,) = connect(standin, app()).examine(repositories)

    assert finding.level == "problem"
    assert "suspended" in finding.message
