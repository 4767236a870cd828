"""What is a host's own in what a commit is called. What all have in common is in ``contract/test_git_providers.py``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gitlab as python_gitlab
import pytest
from contract.hosts import HOSTS
from github import Auth, Github
from standins.azuredevops import BUILD, AzureDevOps
from standins.azuredevops import WRITER as AZURE_WRITER
from standins.commits import Pushed
from standins.github import BLIND, WRITER, GitHub
from standins.github_app import APP_ID, INSTALLATION, Apps, key
from standins.github_checks import GitHubChecks
from standins.gitlab import WRITER as GITLAB_WRITER
from standins.gitlab import GitLab
from standins.server import hang

from landed import providers
from landed.errors import DeliveryError
from landed.model import CommitStatus, Described, GitHost, GitHubApp, Network, Repository, Secret, State
from landed.providers import commits
from landed.providers.outlet import GitOutlet, Turns

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
PLACE = "git.example.com"
FLEET = Repository(PLACE, "acme/fleet")


def connect(type_: str, standin: Any, token: str = "", **settings: Any) -> Any:
    given = {"api_url": standin.url, "web_url": standin.web_url, "token": Secret(token or HOSTS[type_].writer)}
    host = GitHost(providers.GIT[type_].host, PLACE, **(given | settings))
    return providers.git_module(type_).connect(host, sleep=lambda seconds: None)


def status(type_: str) -> CommitStatus:
    return CommitStatus(Repository(PLACE, HOSTS[type_].path), COMMIT, "flux/prod", State.SUCCESS, "live")


@pytest.mark.parametrize(("type_", "make"), [("github", GitHub), ("github-check-run", GitHubChecks)])
def test_a_github_token_that_may_write_statuses_only_goes_on_writing_them(type_: str, make: Any) -> None:
    with make() as standin:
        provider = connect(type_, standin, BLIND)

        for _ in range(2):
            with pytest.raises(DeliveryError, match="may not do that") as caught:
                provider.described(FLEET, COMMIT)
            provider.deliver(status(type_))

        assert "contents: read" in caught.value.hint
        assert [asked.method for asked in standin.asked] == ["GET", "POST", "GET", "POST"]
        assert list(standin.contexts("acme/fleet", COMMIT)) == ["flux/prod"]
        assert standin.violations == []


def test_an_azure_devops_token_for_statuses_only_goes_on_writing_them() -> None:
    with AzureDevOps() as standin:
        standin.blind.add(BUILD)
        provider = connect("azuredevops", standin, BUILD)

        with pytest.raises(DeliveryError, match="does not accept the token"):
            provider.described(status("azuredevops").repository, COMMIT)
        provider.deliver(status("azuredevops"))

        assert standin.contexts("acme/platform/_git/fleet", COMMIT) == {"flux/prod": ("success", "live")}
        assert standin.violations == []


@pytest.mark.parametrize("type_", ["bitbucket", "bitbucketserver", "gitea"])
def test_a_user_whom_the_host_knows_is_called_as_people_see_it_there(type_: str) -> None:
    with HOSTS[type_].make() as standin:
        standin.display_name = "Dr. Jane Doe"

        shown = connect(type_, standin).described(status(type_).repository, COMMIT)

        assert (shown.author, shown.known_as) == ("Dr. Jane Doe", ("jane@example.com", "jdoe"))
        assert standin.violations == []


@pytest.mark.parametrize(
    ("type_", "email", "login"),
    [
        ("github", "1234567+octo-cat@users.noreply.github.com", "octo-cat"),
        ("github", "octocat@users.noreply.github.example.com", "octocat"),
        ("gitlab", "1234567-jane.doe@users.noreply.gitlab.com", "jane.doe"),
        ("github", "octocat@noreply.github.com", ""),
        ("azuredevops", "", ""),
    ],
)
def test_a_private_address_has_the_login_in_it(type_: str, email: str, login: str) -> None:
    with HOSTS[type_].make() as standin:
        repository = status(type_).repository
        where = "acme/platform/_git/fleet" if type_ == "azuredevops" else repository.path
        standin.commits[where, COMMIT] = Pushed(email=email)

        shown = connect(type_, standin).described(repository, COMMIT)

        assert shown.known_as == tuple(filter(None, (email, login)))


def test_the_requests_are_the_ones_that_are_documented() -> None:
    asked = {}
    for type_ in HOSTS:
        with HOSTS[type_].make() as standin:
            connect(type_, standin).described(status(type_).repository, COMMIT)
            asked[type_] = standin.asked[0].target.replace(COMMIT, "SHA")

    assert asked == {
        "azuredevops": "/acme/platform/_apis/git/repositories/fleet/commits/SHA?api-version=5.0",
        "bitbucket": "/2.0/repositories/acme/fleet/commit/SHA"
        "?fields=hash,message,author.raw,author.user.display_name,author.user.nickname,links.html.href",
        "bitbucketserver": "/rest/api/latest/projects/ACME/repos/fleet/commits/SHA",
        "gitea": "/api/v1/repos/acme/fleet/git/commits/SHA?stat=false&verification=false&files=false",
        "github": "/repos/acme/fleet/git/commits/SHA",
        "github-check-run": "/repos/acme/fleet/git/commits/SHA",
        "gitlab": "/gitlab/api/v4/projects/acme%2Fplatform%2Ffleet/repository/commits/SHA?stats=false",
    }


def test_github_enterprise_server_is_asked_below_its_own_path() -> None:
    with GitHub() as standin:
        connect("github", standin, api_url=standin.ghes_url).described(FLEET, COMMIT)

        assert standin.asked[0].path == f"/api/v3/repos/acme/fleet/git/commits/{COMMIT}"


def test_a_renamed_repository_is_followed() -> None:
    with GitHub() as standin:
        standin.renamed["acme/fleet"] = "acme/clusters"

        assert connect("github", standin).described(FLEET, COMMIT).url.endswith(f"/acme/clusters/commit/{COMMIT}")


@pytest.mark.parametrize("reads_first", [True, False])
def test_an_app_takes_one_token_for_both(reads_first: bool) -> None:
    acting = GitHubApp(APP_ID, Secret(key()), str(INSTALLATION))
    with GitHub() as standin:
        apps = Apps(standin)
        provider = connect("github", standin, token=" ", app=acting)

        if reads_first:
            provider.described(FLEET, COMMIT)
        provider.deliver(status("github"))

        assert provider.described(FLEET, COMMIT).author == "Jane Doe"
        assert len(apps.made) == 1


def test_a_title_that_gitlab_cuts_is_shown_whole() -> None:
    with GitLab() as standin:
        standin.commits["acme/platform/fleet", COMMIT] = Pushed("word " * 50)

        shown = connect("gitlab", standin).described(status("gitlab").repository, COMMIT)

        assert shown.subject == ("word " * 50).strip()


def test_a_project_known_by_its_number_has_a_page() -> None:
    with GitLab() as standin:
        shown = connect("gitlab", standin).described(Repository(PLACE, "1234"), COMMIT)

        assert shown.url == f"{standin.web_url}/acme/platform/fleet/-/commit/{COMMIT}"


def test_python_gitlab_reads_the_same() -> None:
    with GitLab() as standin:
        theirs = python_gitlab.Gitlab(standin.url.removesuffix("/api/v4"), private_token=GITLAB_WRITER)

        read = theirs.projects.get("acme/platform/fleet", lazy=True).commits.get(COMMIT)

        shown = connect("gitlab", standin).described(status("gitlab").repository, COMMIT)
        assert shown == Described(read.title, read.author_name, read.web_url, (read.author_email,))


def test_pygithub_reads_the_same() -> None:
    with GitHub() as standin:
        theirs = Github(auth=Auth.Token(WRITER), base_url=standin.url, lazy=True, retry=None)

        read = theirs.get_repo("acme/fleet").get_git_commit(COMMIT)

        shown = connect("github", standin).described(FLEET, COMMIT)
        assert shown == Described(read.message.splitlines()[0], read.author.name, read.html_url, (read.author.email,))


def test_microsofts_own_client_reads_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))  # else it makes a folder in the home directory

    from azure.devops._models import ApiResourceLocation
    from azure.devops.client import Client
    from azure.devops.v7_1.git.git_client import GitClient
    from msrest.authentication import BasicAuthentication

    with AzureDevOps() as standin:
        url = f"{standin.url}/acme"
        place = ApiResourceLocation(  # it would ask for it and keep the answer in a file below the home directory
            id="c2570c3b-5b3f-41b8-98bf-5407bfde8d58",
            area="git",
            resource_name="commits",
            route_template="{project}/_apis/{area}/repositories/{repositoryId}/{resource}/{commitId}",
            resource_version=1,
            min_version=1.0,
            max_version=7.1,
            released_version="7.1",
        )
        monkeypatch.setitem(Client._locations_cache, url, [place])

        read = GitClient(url, BasicAuthentication("", AZURE_WRITER)).get_commit(COMMIT, "fleet", "platform")

        shown = connect("azuredevops", standin).described(status("azuredevops").repository, COMMIT)
        assert shown == Described(read.comment.splitlines()[0], read.author.name, read.remote_url, (read.author.email,))


@pytest.mark.parametrize("type_", sorted(HOSTS))
@pytest.mark.parametrize("own", [0.0, 4.0])
def test_a_host_that_hangs_is_given_up_soon(type_: str, own: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever time the host is usually given."""
    monkeypatch.setattr(commits, "TIMEOUT", 0.2)
    with HOSTS[type_].make() as standin:
        standin.faults += [hang()] * 9
        provider = connect(type_, standin, network=Network(timeout=own))

        begun = time.monotonic()
        with pytest.raises(DeliveryError):
            provider.described(status(type_).repository, COMMIT)

        assert time.monotonic() - begun < 4
        assert len(standin.asked) == 2


def test_the_time_is_short() -> None:
    assert commits.TIMEOUT == 5
    assert commits.hurried(GitHost("gitea", PLACE, "https://x", network=Network(timeout=2.0))).network.timeout == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com.evil.example/x",
        "https://git.example.com@evil.example/x",
        "https://user:password@git.example.com/x",
        "https://git.example.com:8443/x",
        "https://git.example.com\\@evil.example/x",
        "javascript:alert(1)//git.example.com",
        "//git.example.com/x",
        "https://git.example.com/x|y>",
        "https://git.example.com/x y",
        "https://git.example.com/\n",
        "https://git.example.com/" + "x" * 2000,
        "https://git.example.com/é",
        "https://[git.example.com/x",
    ],
)
def test_a_page_that_may_lead_elsewhere_is_not_linked(url: str) -> None:
    host = GitHost("gitea", PLACE, "https://git.example.com/api/v1")

    assert commits._page(host, url) == ""
    assert commits._page(host, "https://git.example.com/acme/fleet/commit/1")


def test_an_outlet_passes_it_on() -> None:
    with GitHub() as standin:
        host = GitHost("github", PLACE, standin.url, Secret(WRITER), web_url=standin.web_url)

        shown = GitOutlet(host, "github", Turns()).described(FLEET, COMMIT)

        page = f"{standin.web_url}/acme/fleet/commit/{COMMIT}"
        assert shown == Described("Raise the image to 6.5.0", "Jane Doe", page, ("jane@example.com",))


@pytest.mark.parametrize("type_", sorted(type_ for type_, kind in providers.GIT.items() if kind.takes != "statuses"))
def test_an_outlet_for_something_else_is_not_asked(type_: str) -> None:
    with GitHub() as standin:
        host = GitHost(providers.GIT[type_].host, PLACE, standin.url, Secret(WRITER))

        with pytest.raises(DeliveryError, match="is not asked"):
            GitOutlet(host, type_, Turns()).described(FLEET, COMMIT)
        assert standin.asked == []


@pytest.mark.parametrize("type_", sorted(type_ for type_, kind in providers.GIT.items() if kind.takes == "statuses"))
def test_an_outlet_for_statuses_can_be_asked(type_: str) -> None:
    with HOSTS[type_].make() as standin:
        host = GitHost(providers.GIT[type_].host, PLACE, standin.url, Secret(HOSTS[type_].writer))

        assert GitOutlet(host, type_, Turns()).described(status(type_).repository, COMMIT).author == "Jane Doe"
