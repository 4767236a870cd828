"""What is Azure DevOps' own: its tokens, its sign-in pages, its addresses, its states and its rate limits."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from standins.azuredevops import BUILD, READER, SIGN_IN, SIGN_IN_PAGE, WRITER, AzureDevOps, vendor
from standins.server import answer

from landed.errors import DeliveryError
from landed.model import CommitStatus, GitHost, Repository, Secret, State
from landed.providers.git.azuredevops import statuses as azuredevops
from landed.providers.interface import Held
from landed.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
PATH = "acme/platform/_git/fleet"
FLEET = Repository("dev.azure.com", PATH)
STATUSES = f"/acme/platform/_apis/git/repositories/fleet/commits/{COMMIT}/statuses"


@pytest.fixture
def standin() -> Iterator[AzureDevOps]:
    with AzureDevOps() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def waits() -> list[float]:
    return []


def connect(standin: AzureDevOps, waits: list[float] | None = None, **settings: Any) -> azuredevops.AzureDevOps:
    given: dict[str, Any] = {"api_url": standin.url, "token": Secret(WRITER)}
    waited = [] if waits is None else waits
    return azuredevops.connect(GitHost("azuredevops", "dev.azure.com", **(given | settings)), sleep=waited.append)


def status(
    context: str = "flux/prod/apps/web", state: State = State.SUCCESS, repository: Repository = FLEET
) -> CommitStatus:
    return CommitStatus(repository, COMMIT, context, state, "live", "https://ci.example.com/1")


def failure(provider: azuredevops.AzureDevOps, update: CommitStatus | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        provider.deliver(update or status())
    return caught.value


def test_the_request_is_the_one_microsoft_documents(standin: AzureDevOps) -> None:
    connect(standin).deliver(status())

    (asked,) = standin.asked
    assert (asked.method, asked.target) == ("POST", f"{STATUSES}?api-version=5.0")
    assert json.loads(asked.body) == {
        "state": "succeeded",
        "description": "live",
        "context": {"genre": "flux", "name": "prod/apps/web"},
        "targetUrl": "https://ci.example.com/1",
    }
    assert asked.headers["x-tfs-fedauthredirect"] == "Suppress"


def test_every_state_we_write_is_in_the_version_of_the_api_that_we_ask() -> None:
    known = vendor()["definitions"]["GitStatus"]["properties"]["state"]["enum"]

    assert set(azuredevops.STATES.values()) <= set(known)


@pytest.mark.parametrize(
    ("context", "sent"),
    [
        ("flux/prod/apps/web", {"genre": "flux", "name": "prod/apps/web"}),
        ("flux/prod", {"genre": "flux", "name": "prod"}),
        ("deploy", {"name": "deploy"}),
        ("flux/", {"name": "flux/"}),
        ("/prod", {"name": "/prod"}),
        ("a//b", {"genre": "a", "name": "/b"}),
        ("ä b/c d", {"genre": "ä b", "name": "c d"}),
    ],
)
def test_a_context_comes_back_as_it_was(standin: AzureDevOps, context: str, sent: dict[str, str]) -> None:
    provider = connect(standin)

    provider.deliver(status(context))

    assert json.loads(standin.asked[0].body)["context"] == sent
    assert provider.held(FLEET, COMMIT) == {context: Held(State.SUCCESS, "live")}


def test_another_genre_and_name_that_would_read_the_same_is_not_taken_for_ours(standin: AzureDevOps) -> None:
    for context in ({"name": "flux/prod"}, {"genre": "flux/prod", "name": "web"}, {"genre": "", "name": ""}):
        standin.put(PATH, COMMIT, {"state": "succeeded", "description": "theirs", "context": context})
    standin.put(PATH, COMMIT, {"state": "failed", "description": "ours", "context": {"genre": "flux", "name": "prod"}})

    assert connect(standin).held(FLEET, COMMIT) == {"flux/prod": Held(State.FAILURE, "ours")}


@pytest.mark.parametrize("genre", [None, ""])
def test_a_genre_may_be_missing_in_any_way(standin: AzureDevOps, genre: str | None) -> None:
    entry = {"state": "pending", "context": {"genre": genre, "name": "build"}, "description": None}
    standin.faults.append(answer(200, body=json.dumps({"count": 1, "value": [entry]})))

    assert connect(standin).held(FLEET, COMMIT) == {"build": Held(State.PENDING, "")}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("succeeded", State.SUCCESS), ("failed", State.FAILURE), ("error", State.FAILURE), ("pending", State.PENDING),
        ("notApplicable", State.SUPERSEDED), ("partiallySucceeded", State.PENDING), ("notSet", None),
    ],
)  # fmt: skip
def test_how_states_are_read(standin: AzureDevOps, theirs: str, ours: State | None) -> None:
    standin.store(PATH, COMMIT, context="flux/prod", state=theirs, description="x")

    assert connect(standin).held(FLEET, COMMIT) == ({"flux/prod": Held(ours, "x")} if ours else {})


def test_microsoft_has_no_state_that_we_have_not_thought_of() -> None:
    (later,) = vendor()["x-later-states"].values()

    known = {f"{word[:1].lower()}{word[1:]}" for word in later}
    assert known - {"notSet"} == set(azuredevops._READ)


def test_an_unknown_state_hides_the_older_ones(standin: AzureDevOps) -> None:
    standin.store(PATH, COMMIT, context="flux/prod", state="success")
    standin.store(PATH, COMMIT, context="flux/prod", state="notSet")

    assert connect(standin).held(FLEET, COMMIT) == {}


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_wins_however_the_list_is_sorted(standin: AzureDevOps, newest_first: bool) -> None:
    standin.newest_first = newest_first
    for number in range(130):
        standin.store(PATH, COMMIT, context="flux/prod", state="pending", description=str(number))
    standin.store(PATH, COMMIT, context="flux/prod", state="success", description="new")

    assert connect(standin).held(FLEET, COMMIT) == {"flux/prod": Held(State.SUCCESS, "new")}
    assert [asked.query["skip"] for asked in standin.asked] == ["0", "100"]


def test_pages_without_end_are_given_up(standin: AzureDevOps) -> None:
    entry = {"state": "pending", "context": {"name": "x"}}
    standin.faults += [answer(200, body=json.dumps({"value": [entry] * 100}))] * 200

    with pytest.raises(DeliveryError, match="more than 10000"):
        connect(standin).held(FLEET, COMMIT)


@pytest.mark.parametrize(
    "entry",
    [
        None, 7, {}, {"context": "x"}, {"context": {"name": 7}}, {"context": {"name": "x", "genre": []}},
        {"context": {"name": "x"}, "state": {}}, {"context": {"name": "x"}, "state": ["succeeded"]},
        {"context": {"name": "x"}, "state": "succeed", "id": "a", "creationDate": "9" * 99},
    ],
)  # fmt: skip
def test_entries_that_make_no_sense_are_left_out(standin: AzureDevOps, entry: Any) -> None:
    good = {"context": {"name": "y"}, "state": "failed", "description": ["?"], "creationDate": 7, "id": None}
    standin.faults.append(answer(200, body=json.dumps({"value": [entry, good]})))

    assert connect(standin).held(FLEET, COMMIT) == {"y": Held(State.FAILURE, "['?']")}


@pytest.mark.parametrize("token", [WRITER, f"  {WRITER}\n"])
def test_a_personal_access_token_is_the_password_of_nobody(standin: AzureDevOps, token: str) -> None:
    connect(standin, token=Secret(token)).deliver(status())

    assert standin.asked[0].headers["authorization"] == "Basic " + b64encode(f":{WRITER}".encode()).decode()


def test_the_token_of_a_pipeline_is_a_bearer_token(standin: AzureDevOps) -> None:
    connect(standin, token=Secret(BUILD)).deliver(status())

    assert standin.asked[0].headers["authorization"] == f"Bearer {BUILD}"


@pytest.mark.parametrize("how", [401, 203, 302])
def test_however_it_asks_to_sign_in_the_token_is_not_accepted(standin: AzureDevOps, how: int) -> None:
    standin.sign_in = how
    provider = connect(standin, token=Secret("wrong-token"))

    error = failure(provider)
    with pytest.raises(DeliveryError, match="does not accept the token"):
        provider.held(FLEET, COMMIT)

    assert "does not accept the token" in error.message
    assert '"Code (status)"' in error.hint
    assert not error.passing
    assert len(standin.asked) == 2
    assert standin.statuses == {}


def test_an_expired_token_is_said_to_be_so(standin: AzureDevOps) -> None:
    why = "Access%20Denied%3A%20The%20Personal%20Access%20Token%20used%20has%20expired."
    standin.faults.append(answer(401, {"Content-Type": "text/html", "X-TFS-ServiceError": why}, SIGN_IN_PAGE))

    assert "The Personal Access Token used has expired." in failure(connect(standin)).message


@pytest.mark.parametrize("location", [SIGN_IN, "/acme/_signin?reply_to=x", "https://login.microsoftonline.com/common"])
def test_the_ways_to_sign_in_are_known(standin: AzureDevOps, location: str) -> None:
    standin.faults.append(answer(302, {"Location": location}, "<h2>Object moved</h2>"))

    assert "does not accept the token" in failure(connect(standin)).message
    assert len(standin.asked) == 1


def test_a_203_that_holds_what_was_asked_for_is_still_no_acknowledgement(standin: AzureDevOps) -> None:
    standin.faults.append(answer(203, body='{"state": "succeeded"}'))

    assert "203" in failure(connect(standin)).message


def test_a_token_that_one_organization_refuses_is_tried_on_another(standin: AzureDevOps) -> None:
    provider = connect(standin)
    standin.faults.append(answer(401))
    other = Repository("dev.azure.com", "umbrella/platform/_git/fleet")

    failure(provider)
    failure(provider)
    provider.deliver(status(repository=other))

    assert [asked.path.split("/")[1] for asked in standin.asked] == ["acme", "umbrella"]


def test_what_may_not_be_written_is_not_tried_again(standin: AzureDevOps) -> None:
    provider = connect(standin, token=Secret(READER))

    error = failure(provider)
    failure(provider)

    assert error.read_only
    assert "the token may not do that" in error.message
    assert "TF401027" in error.message
    for word in ('"Code (status)"', '"Code (read & write)"', '"Contribute"'):
        assert word in error.hint
    assert len(standin.asked) == 1
    assert provider.held(FLEET, COMMIT) == {}


def refusal(code: int, message: str, key: str = "") -> Any:
    return answer(code, {"Content-Type": "application/json"}, json.dumps({"message": message, "typeKey": key}))


@pytest.mark.parametrize(
    ("fault", "sentence", "hint"),
    [
        (refusal(404, "x", "GitCommitDoesNotExistException"), "the commit is not in that repository", "force-push"),
        (refusal(404, "x", "GitUnresolvableToCommitException"), "the commit is not in that repository", "force-push"),
        (refusal(404, f"TF401035: The object '{COMMIT}' does not exist."), "the commit is not in that", "force-push"),
        (refusal(404, f"Nothing called {COMMIT}", "GitRepositoryNotFoundException"), "or the token cannot see", "Read"),
        (refusal(404, "TF200016: The following project does not exist: x."), "or the token cannot see it", "Read"),
        (answer(404, {}, "<html>no</html>"), "no such organization or collection", "https://dev.azure.com"),
        (refusal(403, "VS403463: The conditional access policy … has failed."), "conditional access", "policy"),
        (refusal(403, "TF400813: Not authorized."), "the token may not do that", "Contribute"),
        (
            refusal(400, "The requested REST API version of 5.0 is out of range for this server."),
            "does not know version 5.0",
            "2019",
        ),
        (refusal(400, "TF400898: An Internal Error Occurred."), "it does not take it", ""),
        (refusal(418, "I am"), "it answered 418", ""),
    ],
)  # fmt: skip
def test_what_refusals_mean(standin: AzureDevOps, fault: Any, sentence: str, hint: str) -> None:
    standin.faults.append(fault)

    error = failure(connect(standin))

    assert sentence in error.message
    assert hint in error.hint
    assert not error.passing
    assert len(standin.asked) == 1


def test_a_project_that_is_missing_is_a_repository_that_is_missing(standin: AzureDevOps) -> None:
    standin.missing.add("platform")

    assert f"dev.azure.com/{PATH} does not exist, or the token cannot see it" in failure(connect(standin)).message


def test_a_limit_without_a_time_is_a_minute(standin: AzureDevOps, waits: list[float]) -> None:
    standin.faults.append(refusal(429, "TF400733: The request has been canceled: Request was blocked"))

    connect(standin, waits).deliver(status())

    assert waits == [60]


def test_an_answer_that_asks_for_patience_is_taken_and_heeded(standin: AzureDevOps, waits: list[float]) -> None:
    provider = connect(standin, waits)
    stored = json.dumps({"state": "succeeded"})
    standin.faults.append(answer(200, {"Retry-After": "20", "X-RateLimit-Delay": "1.5"}, stored))

    provider.deliver(status("flux/a"))
    assert waits == []
    provider.deliver(status("flux/b"))

    (wait,) = waits
    assert 18 < wait <= 20
    assert len(standin.asked) == 2


def test_an_answer_that_asks_for_too_much_patience_ends_the_run(standin: AzureDevOps, waits: list[float]) -> None:
    provider = connect(standin, waits)
    standin.faults.append(answer(200, {"Retry-After": "600"}, json.dumps({"state": "succeeded"})))

    provider.deliver(status("flux/a"))
    first, second = failure(provider), failure(provider)

    assert "its rate limit is used up" in first.message
    assert "its rate limit is used up" in second.message
    assert first.passing
    assert not first.uncertain
    assert len(standin.asked) == 1


@pytest.mark.parametrize("state", ["failed", "", None, 2])
def test_an_answer_with_another_state_is_no_acknowledgement(standin: AzureDevOps, state: Any) -> None:
    standin.faults.append(answer(201, body=json.dumps({"state": state})))

    assert "is not one of Azure DevOps' API" in failure(connect(standin)).message


HOSTILE = "\x1b[31m::error::##vso[task.setvariable variable=x]y \u202e"


@pytest.mark.parametrize("code", [400, 403, 404, 500])
def test_neither_the_token_nor_its_base64_is_repeated(standin: AzureDevOps, code: int) -> None:
    in_base64 = b64encode(f":{WRITER}".encode()).decode()
    with_user = b64encode(f"me:{WRITER}".encode()).decode()
    standin.faults.append(refusal(code, f"{HOSTILE} {WRITER} Basic {in_base64} {with_user}"))

    error = failure(connect(standin))

    shown = f"{error!r}{error.hint}{error.__cause__!r}{error.__context__!r}"
    for part in (WRITER, in_base64, with_user, WRITER[2:-2], in_base64[4:-4], "\x1b", "\u202e"):
        assert part not in shown


def test_a_hostile_header_is_not_repeated_as_it_is(standin: AzureDevOps) -> None:
    standin.faults.append(answer(401, {"X-TFS-ServiceError": f"%1b[31m%0a{WRITER}"}))

    message = failure(connect(standin)).message

    assert "\x1b" not in message
    assert "\n" not in message
    assert WRITER not in message


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://dev.azure.com/acme/platform/_git/fleet", "/acme/platform"),
        ("https://acme@dev.azure.com/acme/platform/_git/fleet", "/acme/platform"),
        ("https://acme.visualstudio.com/platform/_git/fleet", "/acme/platform"),
        ("https://acme.visualstudio.com/DefaultCollection/platform/_git/fleet", "/acme/platform"),
        ("git@ssh.dev.azure.com:v3/acme/platform/fleet", "/acme/platform"),
        ("ssh://git@ssh.dev.azure.com/v3/acme/platform/fleet", "/acme/platform"),
        ("acme@vs-ssh.visualstudio.com:v3/acme/platform/fleet", "/acme/platform"),
        ("https://dev.azure.com/acme/_git/fleet", "/acme/fleet"),
        ("https://dev.azure.com/acme/My%20Project/_git/fleet", "/acme/My%20Project"),
        ("https://dev.azure.com/acme/My Project/_git/fleet", "/acme/My%20Project"),
        ("git@ssh.dev.azure.com:v3/acme/My%20Project/fleet", "/acme/My%20Project"),
        ("https://dev.azure.com/acme/R%26D%20(%C3%A4)/_git/fleet", "/acme/R%26D%20%28%C3%A4%29"),
        ("https://dev.azure.com/acme/100%25/_git/fleet", "/acme/100%25"),
    ],
)
def test_every_form_of_a_url_leads_to_the_same_request(standin: AzureDevOps, url: str, place: str) -> None:
    host = GitHost("azuredevops", "dev.azure.com", standin.url, Secret(WRITER))
    found = Repositories([host])(url)
    assert found is not None

    azuredevops.connect(host).deliver(status(repository=found))

    assert _unreserved(standin.asked[0].path) == _unreserved(
        f"{place}/_apis/git/repositories/fleet/commits/{COMMIT}/statuses"
    )


def _unreserved(path: str) -> str:
    return path.replace("%28", "(").replace("%29", ")")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://azure.example.com/tfs/DefaultCollection/platform/_git/fleet", "/DefaultCollection/platform"),
        ("ssh://azure.example.com:22/tfs/DefaultCollection/platform/_git/fleet", "/DefaultCollection/platform"),
        ("https://azure.example.com/tfs/Main/My%20Project/_git/fleet", "/Main/My%20Project"),
        ("https://azure.example.com/tfs/Main/_git/fleet", "/Main/fleet"),
    ],
)
def test_a_server_on_premises_has_collections_below_its_root(standin: AzureDevOps, url: str, place: str) -> None:
    host = GitHost(
        "azuredevops", "azure.example.com", standin.tfs_url, Secret(WRITER), web_url="https://azure.example.com/tfs"
    )
    found = Repositories([host])(url)
    assert found is not None

    azuredevops.connect(host).deliver(status(repository=found))

    assert standin.asked[0].path == f"/tfs{place}/_apis/git/repositories/fleet/commits/{COMMIT}/statuses"


def test_a_repository_is_examined_with_the_rights_of_a_run(standin: AzureDevOps) -> None:
    (finding,) = connect(standin).examine([FLEET])

    assert finding.level == "ok"
    assert "Code (status)" in finding.hint
    assert standin.asked[0].path.endswith(f"/commits/{'f' * 40}/statuses")
    assert standin.writes == []


@pytest.mark.parametrize("how", [401, 203, 302])
def test_a_token_that_is_not_accepted_is_a_finding(standin: AzureDevOps, how: int) -> None:
    standin.sign_in = how
    provider = connect(standin, token=Secret("wrong-token"))

    findings = [*provider.examine([FLEET]), *provider.examine([])]

    assert {finding.level for finding in findings} == {"problem"}
    assert all("does not accept the token" in finding.message for finding in findings)


def test_what_cannot_be_seen_is_a_finding(standin: AzureDevOps) -> None:
    standin.missing.add(PATH)

    found, strange = connect(standin).examine([FLEET, Repository("dev.azure.com", "acme")])

    assert "cannot see it" in found.message
    assert "is not an Azure DevOps repository" in strange.message
    assert {found.level, strange.level} == {"problem"}


def test_nobody_is_not_a_user(standin: AzureDevOps) -> None:
    nobody = {"authenticatedUser": {"id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}
    standin.faults.append(answer(200, body=json.dumps(nobody)))

    (finding,) = connect(standin).examine([])

    assert finding.level == "problem"


def test_without_a_repository_dev_azure_com_is_not_asked() -> None:
    host = GitHost("azuredevops", "dev.azure.com", "https://dev.azure.com", Secret(WRITER))

    (finding,) = azuredevops.connect(host).examine([])

    assert finding.level == "warning"
    assert "organization" in finding.message


def test_microsofts_own_client_reads_what_we_wrote_and_we_read_what_it_wrote(
    standin: AzureDevOps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))  # else it makes a folder in the home directory

    from azure.devops._models import ApiResourceLocation
    from azure.devops.client import Client
    from azure.devops.v7_1.git.git_client import GitClient
    from azure.devops.v7_1.git.models import GitStatus, GitStatusContext
    from msrest.authentication import BasicAuthentication

    url = f"{standin.url}/acme"
    place = ApiResourceLocation(  # it would ask for it and keep the answer in a file below the home directory
        id="428dd4fb-fda5-4722-af02-9313b80305da",
        area="git",
        resource_name="statuses",
        route_template="{project}/_apis/{area}/repositories/{repositoryId}/commits/{commitId}/{resource}",
        resource_version=1,
        min_version=1.0,
        max_version=7.1,
        released_version="7.1",
    )
    monkeypatch.setitem(Client._locations_cache, url, [place])
    theirs = GitClient(url, BasicAuthentication("", WRITER))
    ours = connect(standin)
    for number, state in enumerate(azuredevops.STATES):
        ours.deliver(status(f"flux/{number}", state))
    status_of_theirs = GitStatus(
        context=GitStatusContext(genre="flux", name="theirs"), state="failed", description="no", target_url="https://x"
    )

    theirs.create_commit_status(status_of_theirs, COMMIT, "fleet", "platform")
    read = theirs.get_statuses(COMMIT, "fleet", "platform", top=100, skip=0)

    assert {f"{one.context.genre}/{one.context.name}": one.state for one in read} == {
        **{f"flux/{number}": state for number, state in enumerate(azuredevops.STATES.values())},
        "flux/theirs": "failed",
    }
    assert {one.target_url for one in read} == {"https://ci.example.com/1", "https://x"}
    assert all(one.creation_date > datetime(2016, 1, 1, tzinfo=UTC) for one in read)
    assert ours.held(FLEET, COMMIT)["flux/theirs"] == Held(State.FAILURE, "no")
