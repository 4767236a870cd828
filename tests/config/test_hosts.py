"""Which Git hosts are served, where their APIs are, and who we are there."""

from __future__ import annotations

from typing import Any

import pytest

from landed import providers
from landed.config.hosts import Settings, git_hosts
from landed.config.places import TYPES
from landed.errors import ConfigurationError
from landed.model import GitHost, GitHubApp, Secret

TOKEN = Secret("t0ken")
OTHER = Secret("0ther")
APP = GitHubApp("12", Secret("key"), "34")
WORKFLOW = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"

GHES = {"GITHUB_API_URL": "https://ghes.example.com/api/v3", "GITHUB_SERVER_URL": "https://ghes.example.com"}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_SERVER_URL": "https://gitlab.example.com:8443/git",
    "CI_API_V4_URL": "https://gitlab.example.com:8443/git/api/v4",
    "CI_SERVER_SHELL_SSH_HOST": "gitlab.example.com",
    "CI_JOB_TOKEN": "glcbt-64_j0b",
}
GITEA = {
    "GITEA_ACTIONS": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://git.example.com/tea",
    "GITHUB_API_URL": "https://git.example.com/tea/api/v1",
}
AZURE = {"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/"}
AZURE_SERVER = {"TF_BUILD": "True", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://az.example.com/tfs/Main/"}


def hosts(*declared: str, environ: Any = None, own: Any = (), **settings: Any) -> dict[str, GitHost]:
    """The hosts that are served; ``github="t"`` gives a token by its type."""
    tokens = {type_: Secret(settings.pop(type_)) for type_ in TYPES if type_ in settings}
    found = git_hosts(
        Settings(tokens=tokens, declared=declared, host_tokens=tuple(Secret(text) for text in own), **settings),
        environ or {},
    )
    assert len({host.host for host in found}) == len(found)
    return {host.host: host for host in found}


def apis(*declared: str, **more: Any) -> dict[str, str]:
    return {name: host.api_url for name, host in hosts(*declared, **more).items()}


def test_the_types_are_the_ones_that_there_are_providers_for() -> None:
    assert set(TYPES) == {kind.host for kind in providers.GIT.values()}


# ── without being declared ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("api_url", "environ", "expected"),
    [
        pytest.param("", {}, {"github.com": "https://api.github.com"}, id="default"),
        pytest.param("https://api.github.com/", {}, {"github.com": "https://api.github.com"}, id="github-with-slash"),
        pytest.param("", GHES, {"ghes.example.com": "https://ghes.example.com/api/v3"}, id="the-runners-own-server"),
        pytest.param(
            "https://ghes.example.com/api/v3",
            {},
            {"ghes.example.com": "https://ghes.example.com/api/v3"},
            id="enterprise-server",
        ),
        pytest.param(
            "https://GHES.example.com:8443/api/v3",
            {},
            {"ghes.example.com:8443": "https://GHES.example.com:8443/api/v3"},
            id="port",
        ),
        pytest.param("https://api.acme.ghe.com", {}, {"acme.ghe.com": "https://api.acme.ghe.com"}, id="data-residency"),
        pytest.param(
            "http://127.0.0.1:8000",
            {},
            {"127.0.0.1:8000": "http://127.0.0.1:8000", "github.com": "http://127.0.0.1:8000"},
            id="a-proxy-answers-for-github",
        ),
        pytest.param(
            "http://127.0.0.1:8000/api/v3",
            {},
            {"127.0.0.1:8000": "http://127.0.0.1:8000/api/v3"},
            id="a-server-answers-for-itself",
        ),
        pytest.param("http://[::1]:80/api/v3", {}, {"[::1]": "http://[::1]:80/api/v3"}, id="ipv6"),
        pytest.param(
            "https://api.github.com", GHES, {"github.com": "https://api.github.com"}, id="given-wins-over-runner"
        ),
        pytest.param("", GITEA, {"github.com": "https://api.github.com"}, id="giteas-variables-are-not-githubs"),
    ],
)
def test_github(api_url: str, environ: dict[str, str], expected: dict[str, str]) -> None:
    assert apis(github=WORKFLOW, github_api_url=api_url, environ=environ) == expected


@pytest.mark.parametrize(
    ("type_", "environ", "expected"),
    [
        pytest.param("gitlab", {}, GitHost("gitlab", "gitlab.com", "https://gitlab.com/api/v4", TOKEN), id="gitlab"),
        pytest.param(
            "gitlab",
            GITLAB,
            GitHost(
                "gitlab",
                "gitlab.example.com:8443",
                "https://gitlab.example.com:8443/git/api/v4",
                TOKEN,
                web_url="https://gitlab.example.com:8443/git",
                aliases=("gitlab.example.com",),
            ),
            id="the-pipelines-own-gitlab",
        ),
        pytest.param(
            "gitlab",
            {"GITLAB_CI": "true", "CI_SERVER_URL": "http://gitlab"},
            GitHost("gitlab", "gitlab", "http://gitlab/api/v4", TOKEN, web_url="http://gitlab"),
            id="a-gitlab-by-its-web-address",
        ),
        pytest.param(
            "bitbucket",
            {},
            GitHost("bitbucket", "bitbucket.org", "https://api.bitbucket.org/2.0", TOKEN),
            id="bitbucket",
        ),
        pytest.param(
            "azuredevops", {}, GitHost("azuredevops", "dev.azure.com", "https://dev.azure.com", TOKEN), id="azure"
        ),
        pytest.param(
            "azuredevops",
            AZURE,
            GitHost("azuredevops", "dev.azure.com", "https://dev.azure.com", TOKEN),
            id="an-organization-in-a-pipeline",
        ),
        pytest.param(
            "azuredevops",
            {**AZURE, "SYSTEM_COLLECTIONURI": "https://acme.visualstudio.com/"},
            GitHost("azuredevops", "dev.azure.com", "https://dev.azure.com", TOKEN),
            id="an-organization-under-its-old-name",
        ),
        pytest.param(
            "azuredevops",
            AZURE_SERVER,
            GitHost(
                "azuredevops",
                "az.example.com",
                "https://az.example.com/tfs",
                TOKEN,
                web_url="https://az.example.com/tfs",
            ),
            id="azure-on-premises",
        ),
        pytest.param(
            "azuredevops",
            {**AZURE, "SYSTEM_COLLECTIONURI": "https://az.example.com/DefaultCollection/"},
            GitHost("azuredevops", "az.example.com", "https://az.example.com", TOKEN),
            id="azure-on-premises-without-a-virtual-directory",
        ),
        pytest.param(
            "gitea",
            GITEA,
            GitHost(
                "gitea",
                "git.example.com",
                "https://git.example.com/tea/api/v1",
                TOKEN,
                web_url="https://git.example.com/tea",
            ),
            id="the-workflows-own-gitea",
        ),
        pytest.param(
            "gitea",
            {
                "FORGEJO_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://codeberg.org",
                "GITHUB_API_URL": "https://codeberg.org/api/v1",
            },
            GitHost("gitea", "codeberg.org", "https://codeberg.org/api/v1", TOKEN),
            id="the-workflows-own-forgejo",
        ),
    ],
)
def test_a_host_that_is_known(type_: str, environ: dict[str, str], expected: GitHost) -> None:
    assert hosts(environ=environ, **{type_: "t0ken"}) == {expected.host: expected}


@pytest.mark.parametrize("environ", [{}, GHES, GITLAB, GITEA, AZURE, AZURE_SERVER])
def test_without_a_token_there_is_no_host(environ: dict[str, str]) -> None:
    assert hosts(environ=environ) == {}


@pytest.mark.parametrize("type_", ["gitea", "bitbucketserver"])
def test_a_token_without_a_host_is_an_error(type_: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--{type_}-token: it is not said which host") as caught:
        hosts(**{type_: "t0ken"})
    assert caught.value.hint == f"Add --git-host HOST={type_}."


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        pytest.param({**GITLAB, "CI_SERVER_URL": "nonsense"}, "CI_SERVER_URL", id="gitlab"),
        pytest.param({**GITLAB, "CI_API_V4_URL": "https://u:pw@h/api/v4"}, "CI_API_V4_URL", id="gitlab-api"),
        pytest.param({**GITEA, "GITHUB_API_URL": "x"}, "GITHUB_API_URL", id="gitea"),
        pytest.param({**AZURE, "SYSTEM_COLLECTIONURI": "x"}, "SYSTEM_COLLECTIONURI", id="azure"),
        pytest.param({"GITHUB_API_URL": "x"}, "--github-api-url", id="github"),
    ],
)
def test_a_variable_that_is_no_address_is_named(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}: that is not the address of an API"):
        hosts(environ=environ)


# ── declared ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("declared", "api_url", "web_url"),
    [
        ("git.example.com=github", "https://git.example.com/api/v3", ""),
        ("git.example.com=github=https://git.example.com", "https://git.example.com/api/v3", ""),
        ("git.example.com=github=https://git.example.com/api/v3/", "https://git.example.com/api/v3", ""),
        ("git.example.com=github=http://git.example.com", "http://git.example.com/api/v3", "http://git.example.com"),
        ("git.example.com=github=https://proxy.example.com/gh", "https://proxy.example.com/gh", ""),
        ("github.com=github", "https://api.github.com", ""),
        ("github.com=github=https://www.github.com/", "https://api.github.com", ""),
        ("github.com=github=https://proxy.example.com/gh/", "https://proxy.example.com/gh", ""),
        ("acme.ghe.com=github", "https://api.acme.ghe.com", ""),
        ("acme.ghe.com=github=https://api.acme.ghe.com", "https://api.acme.ghe.com", ""),
        ("git.example.com=gitlab", "https://git.example.com/api/v4", ""),
        ("git.example.com:8443=gitlab", "https://git.example.com:8443/api/v4", ""),
        ("git.example.com=gitlab=https://git.example.com/api/v4", "https://git.example.com/api/v4", ""),
        (
            "git.example.com=gitlab=https://git.example.com/relative/root/",
            "https://git.example.com/relative/root/api/v4",
            "https://git.example.com/relative/root",
        ),
        (
            "git.example.com=gitlab=http://10.0.0.1:8080/gitlab/api/v4",
            "http://10.0.0.1:8080/gitlab/api/v4",
            "https://git.example.com/gitlab",
        ),
        (
            "git.example.com:8080=gitlab=http://git.example.com:8080",
            "http://git.example.com:8080/api/v4",
            "http://git.example.com:8080",
        ),
        ("git.example.com=gitea", "https://git.example.com/api/v1", ""),
        (
            "git.example.com=gitea=https://git.example.com/tea",
            "https://git.example.com/tea/api/v1",
            "https://git.example.com/tea",
        ),
        ("codeberg.org=gitea=https://codeberg.org/api/v1/", "https://codeberg.org/api/v1", ""),
        ("git.example.com=bitbucketserver", "https://git.example.com/rest", ""),
        (
            "git.example.com=bitbucketserver=https://git.example.com:443/ctx/rest/api/latest",
            "https://git.example.com:443/ctx/rest",
            "https://git.example.com:443/ctx",
        ),
        (
            "git.example.com=bitbucketserver=http://git.example.com/ctx",
            "http://git.example.com/ctx/rest",
            "http://git.example.com/ctx",
        ),
        ("bitbucket.org=bitbucket", "https://api.bitbucket.org/2.0", ""),
        ("bitbucket.org=bitbucket=https://api.bitbucket.org", "https://api.bitbucket.org/2.0", ""),
        ("bitbucket.org=bitbucket=http://127.0.0.1:8000/2.0", "http://127.0.0.1:8000/2.0", ""),
        ("dev.azure.com=azuredevops", "https://dev.azure.com", ""),
        ("dev.azure.com=azuredevops=https://dev.azure.com/acme", "https://dev.azure.com", ""),
        ("dev.azure.com=azuredevops=http://127.0.0.1:8000", "http://127.0.0.1:8000", ""),
        (
            "az.example.com=azuredevops=https://az.example.com/tfs",
            "https://az.example.com/tfs",
            "https://az.example.com/tfs",
        ),
        (
            "az.example.com=azuredevops=https://az.example.com/tfs/DefaultCollection",
            "https://az.example.com/tfs",
            "https://az.example.com/tfs",
        ),
        ("gitlab.example.com", "https://gitlab.example.com/api/v4", ""),
        ("GitLab.Example.com", "https://gitlab.example.com/api/v4", ""),
        ("codeberg.org", "https://codeberg.org/api/v1", ""),
        ("github.com", "https://api.github.com", ""),
    ],
)
def test_an_address_of_either_kind_will_do(declared: str, api_url: str, web_url: str) -> None:
    name = declared.partition("=")[0].lower()
    found = hosts(declared, own=(f"{name}=t0ken",))[name]
    assert (found.api_url, found.web_url) == (api_url, web_url)


def test_an_organizations_old_name_is_azures() -> None:
    assert apis("acme.visualstudio.com=azuredevops", azuredevops="t") == {"dev.azure.com": "https://dev.azure.com"}


@pytest.mark.parametrize("declared", ["git.example.com:443=gitlab", "git.example.com:80=gitlab=http://git.example.com"])
def test_a_usual_port_is_none(declared: str) -> None:
    assert list(hosts(declared, gitlab="t")) == ["git.example.com"]


def test_githubs_token_is_for_declared_hosts_and_for_the_others() -> None:
    assert apis("git.example.com=github", github="t") == {
        "git.example.com": "https://git.example.com/api/v3",
        "github.com": "https://api.github.com",
    }
    assert apis("github.com=github=https://proxy.example.com/gh", github="t") == {
        "github.com": "https://proxy.example.com/gh"
    }


@pytest.mark.parametrize("environ", [{}, GITLAB])
def test_another_types_token_is_for_its_declared_hosts_alone(environ: dict[str, str]) -> None:
    assert list(hosts("git.example.com=gitlab", gitlab="t", environ=environ)) == ["git.example.com"]


def test_a_declared_host_with_a_token_of_its_own_takes_the_types_token_from_nobody() -> None:
    found = hosts("git.example.com=gitlab", gitlab="t0ken", own=("git.example.com=0ther",))
    assert {name: host.token for name, host in found.items()} == {"git.example.com": OTHER, "gitlab.com": TOKEN}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        pytest.param("git.example.com=", "HOST=TYPE", id="no-type"),
        pytest.param("=github", "HOST=TYPE", id="no-host"),
        pytest.param("git.example.com", "its name does not give away its type", id="a-name-that-says-nothing"),
        pytest.param("https://git.example.com=github", "HOST=TYPE", id="a-url-is-no-host"),
        pytest.param("https://user:pw@git.example.com=github", "HOST=TYPE", id="a-url-with-a-password"),
        pytest.param("git.example.com:x=github", "HOST=TYPE", id="no-port"),
        pytest.param("git.example.com=svn", "'svn'", id="unknown-type"),
        pytest.param("git.example.com=GitHub", "'GitHub'", id="types-are-lower-case"),
        pytest.param("git.example.com=github=ftp://x", "not the address of an API", id="no-web-address"),
        pytest.param("git.example.com=github=https://user:pw@x/api", "not the address of an API", id="user-in-url"),
        pytest.param("git.example.com=gitlab=https://:pw@x/api", "not the address of an API", id="password-in-url"),
        pytest.param("git.example.com=gitea=https://x/?t=pw", "not the address of an API", id="query-in-url"),
        pytest.param("git.example.com=gitea=https://x/#pw", "not the address of an API", id="fragment-in-url"),
        pytest.param("git.example.com=gitea=https://x/a b", "not the address of an API", id="blank-in-url"),
    ],
)
def test_a_bad_declaration_is_explained(declared: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        hosts(declared, github="t")
    assert "pw" not in caught.value.message + caught.value.hint


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        hosts("git.example.com=svn")
    assert all(type_ in caught.value.hint for type_ in TYPES)


@pytest.mark.parametrize("second", ["git.example.com=gitlab", "GIT.example.com=gitlab", "git.example.com:443=gitea"])
def test_a_host_is_declared_once(second: str) -> None:
    with pytest.raises(ConfigurationError, match=r"given twice for git\.example\.com"):
        hosts("git.example.com=gitlab", second, gitlab="t", gitea="t")


@pytest.mark.parametrize("type_", TYPES)
def test_a_declared_host_needs_a_token(type_: str) -> None:
    with pytest.raises(ConfigurationError, match=r"git\.example\.com: there is no token") as caught:
        hosts(f"git.example.com={type_}")
    assert f"--{type_}-token" in caught.value.hint


@pytest.mark.parametrize("api_url", ["nonsense", "https://", "https://h:99999", "https://[::1", "https://h/?token=pw"])
def test_a_bad_api_url_is_explained(api_url: str) -> None:
    with pytest.raises(ConfigurationError, match="--github-api-url"):
        hosts(github="t", github_api_url=api_url)


# ── tokens of one host ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "api_url"),
    [
        ("github.com", "https://api.github.com"),
        ("gitlab.com", "https://gitlab.com/api/v4"),
        ("bitbucket.org", "https://api.bitbucket.org/2.0"),
        ("dev.azure.com", "https://dev.azure.com"),
        ("codeberg.org", "https://codeberg.org/api/v1"),
        ("gitlab.example.com", "https://gitlab.example.com/api/v4"),
    ],
)
def test_a_token_of_its_own_is_enough_where_the_name_says_the_type(name: str, api_url: str) -> None:
    assert apis(own=(f"{name}=t0ken",)) == {name: api_url}


def test_a_token_of_its_own_wins_over_the_types() -> None:
    assert hosts(github="t0ken", own=("GitHub.com = 0ther",))["github.com"].token == OTHER
    assert hosts(github="t0ken", own=("ghes.example.com=0ther",), environ=GHES)["ghes.example.com"].token == OTHER


def test_a_token_may_hold_what_separates() -> None:
    assert hosts(own=("github.com=a=b=",))["github.com"].token.reveal() == "a=b="


@pytest.mark.parametrize(
    ("own", "said"),
    [
        pytest.param(("s3cr3t",), "value 1 is not of the form HOST=TOKEN", id="no-host"),
        pytest.param(("github.com=t", "github.com="), "value 2 is not of the form HOST=TOKEN", id="no-token"),
        pytest.param(("https://u:s3cr3t@h=t",), "value 1 is not of the form", id="a-url"),
        pytest.param(("glpat-s3cr3t.01=",), "value 1 is not of the form", id="a-token-that-ends-in-an-equals-sign"),
        pytest.param(("glpat-s3cr3t.01==",), "value 1 is for a host whose name", id="a-token-that-ends-in-two"),
        pytest.param(("github.com=a", "GITHUB.com=s3cr3t"), "value 2 names a host that has a token", id="twice"),
    ],
)
def test_a_bad_token_of_a_host_is_counted_and_not_shown(own: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        hosts(own=own)
    assert "s3cr3t" not in caught.value.message + caught.value.hint


# ── a GitHub App ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_app_is_for_every_github_that_has_no_token() -> None:
    found = hosts("ghes.example.com=github", app=APP, own=("ghes.example.com=t0ken",), gitlab="t")
    assert {name: (host.app, host.token) for name, host in found.items()} == {
        "ghes.example.com": (None, TOKEN),
        "github.com": (APP, Secret("")),
        "gitlab.com": (None, Secret("t")),
    }
    assert hosts("ghes.example.com=github", app=APP)["ghes.example.com"].app == APP


def test_a_token_wins_over_an_app() -> None:
    assert (hosts(app=APP, github="ghp_x")["github.com"].app, hosts(app=APP)["github.com"].app) == (None, APP)


@pytest.mark.parametrize(
    ("token", "environ", "wins"),
    [
        pytest.param(WORKFLOW, {"GITHUB_ACTIONS": "true", "INPUT_GITHUB_TOKEN": WORKFLOW}, True, id="the-default"),
        pytest.param("ghp_x", {"GITHUB_ACTIONS": "true", "INPUT_GITHUB_TOKEN": "ghp_x"}, False, id="a-users-token"),
        pytest.param(WORKFLOW, {"GITHUB_ACTIONS": "true"}, False, id="given-as-an-option"),
        pytest.param(WORKFLOW, {"INPUT_GITHUB_TOKEN": WORKFLOW}, False, id="elsewhere"),
    ],
)
def test_an_app_wins_over_the_token_that_the_action_takes_by_default(
    token: str, environ: dict[str, str], wins: bool
) -> None:
    found = hosts(app=APP, github=token, environ=environ)["github.com"]
    assert (found.app == APP, bool(found.token)) == (wins, not wins)


# ── tokens of a job ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "environ", "expected"),
    [
        pytest.param({"gitlab": "glpat-x"}, GITLAB, False, id="a-token"),
        pytest.param({"gitlab": "glcbt-64_j0b"}, GITLAB, True, id="the-jobs-own"),
        pytest.param({"gitlab": "glcbt-64_other"}, {}, True, id="by-its-prefix"),
        pytest.param({"gitlab": "old"}, {**GITLAB, "CI_JOB_TOKEN": "old"}, True, id="the-jobs-own-without-a-prefix"),
        pytest.param({"gitlab": "old"}, {"CI_JOB_TOKEN": "old"}, False, id="not-in-gitlab"),
        pytest.param({"own": ("gitlab.example.com:8443=glcbt-64_j0b",)}, GITLAB, True, id="as-the-hosts-token"),
        pytest.param({"deployments": True}, GITLAB, True, id="taken-for-deployments"),
        pytest.param({"deployments": True, "gitlab": "glpat-x"}, GITLAB, False, id="not-where-there-is-a-token"),
    ],
)
def test_gitlabs_job_token(settings: dict[str, Any], environ: dict[str, str], expected: bool) -> None:
    assert [host.job_token for host in hosts(environ=environ, **settings).values()] == [expected]


@pytest.mark.parametrize(
    ("settings", "environ"),
    [
        pytest.param({}, GITLAB, id="nobody-asked-for-deployments"),
        pytest.param({"deployments": True}, {"CI_JOB_TOKEN": "x"}, id="not-in-gitlab"),
        pytest.param({"deployments": True}, {**GITLAB, "CI_JOB_TOKEN": ""}, id="no-job-token"),
    ],
)
def test_gitlabs_job_token_is_not_taken_without_need(settings: dict[str, Any], environ: dict[str, str]) -> None:
    assert hosts(environ=environ, **settings) == {}


def test_gitlabs_job_token_stays_at_home() -> None:
    found = hosts("git.example.com=gitlab", own=("git.example.com=t0ken",), deployments=True, environ=GITLAB)
    assert {name: host.job_token for name, host in found.items()} == {
        "git.example.com": False,
        "gitlab.example.com:8443": True,
    }


def test_what_a_gitea_workflow_calls_githubs_token_is_giteas() -> None:
    found = hosts(github="3b7c0f", environ=GITEA)
    assert {name: (host.type, host.token.reveal()) for name, host in found.items()} == {
        "git.example.com": ("gitea", "3b7c0f")
    }
    assert hosts(github="3b7c0f", gitea="t0ken", environ=GITEA)["git.example.com"].token == TOKEN


@pytest.mark.parametrize(
    "settings", [{"github": "github_pat_x"}, {"github": "3b7c0f", "github_api_url": "https://api.github.com"}]
)
def test_a_token_of_github_stays_githubs_in_a_gitea_workflow(settings: dict[str, str]) -> None:
    assert list(hosts(environ=GITEA, **settings)) == ["github.com"]


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

USUAL = ((80, 60.0), (500, 3600.0))


@pytest.mark.parametrize(
    ("limits", "host", "expected"),
    [
        pytest.param((), "github.com", USUAL, id="github"),
        pytest.param((), "acme.ghe.com", USUAL, id="data-residency"),
        pytest.param((), "ghes.example.com", (), id="enterprise-server"),
        pytest.param((), "gitlab.com", (), id="gitlab"),
        pytest.param(("gitlab.com=300",), "gitlab.com", ((300, 60.0),), id="a-minute"),
        pytest.param(("GitLab.com = 20/1000",), "gitlab.com", ((20, 60.0), (1000, 3600.0)), id="a-minute-and-an-hour"),
        pytest.param(("github.com=off",), "github.com", (), id="off"),
    ],
)
def test_how_much_is_written(limits: tuple[str, ...], host: str, expected: object) -> None:
    declared = ("acme.ghe.com=github", "ghes.example.com=github")
    assert hosts(*declared, github="t", gitlab="t", rate_limits=limits)[host].writes == expected


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        *((f"github.com={bad}", "not of the form") for bad in ("", "0", "x", "-1", "1/0", "1/", "1.5", "OFF", "٣")),
        ("github.com", "not of the form"),
        ("=80", "not of the form"),
        ("gitlab.com=80", "gitlab.com: there is no such Git host"),
        ("github.com=1\ngithub.com=2", "twice for github.com"),
    ],
)
def test_a_bad_limit_is_explained(limits: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--rate-limit.*{said}"):
        hosts(github="t", rate_limits=limits.split("\n"))


def test_how_long_a_delivery_waits_is_for_every_host() -> None:
    assert {host.max_wait for host in hosts(github="t", gitlab="t", max_wait=7.0).values()} == {7.0}
