"""Which Git host answers for which repositories."""

from __future__ import annotations

import pytest

from landed.config.channels import channels
from landed.config.hosts import git_hosts
from landed.config.surroundings import run_url
from landed.errors import ConfigurationError
from landed.model import Secret

TOKEN = Secret("t0ken")
RUNNER = {"GITHUB_API_URL": "https://ghes.example.com/api/v3", "GITHUB_SERVER_URL": "https://ghes.example.com"}


def served(
    api_url: str = "", *declared: str, environ: dict[str, str] | None = None, token: Secret = TOKEN
) -> dict[str, str]:
    found = git_hosts(token, api_url, declared, environ or {}, ["github"])
    return {host.host: host.api_url for host in found}


@pytest.mark.parametrize(
    ("api_url", "environ", "expected"),
    [
        pytest.param("", {}, {"github.com": "https://api.github.com"}, id="default"),
        pytest.param("https://api.github.com/", {}, {"github.com": "https://api.github.com"}, id="github-with-slash"),
        pytest.param("", RUNNER, {"ghes.example.com": "https://ghes.example.com/api/v3"}, id="the-runners-own-server"),
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
            "https://api.github.com", RUNNER, {"github.com": "https://api.github.com"}, id="given-wins-over-runner"
        ),
    ],
)
def test_github(api_url: str, environ: dict[str, str], expected: dict[str, str]) -> None:
    assert served(api_url, environ=environ) == expected


def test_without_a_token_there_is_no_host() -> None:
    assert served(token=Secret("")) == {}


def test_a_declared_host_comes_first_and_others_stay() -> None:
    assert served("", "git.example.com=github", "github.com=github=https://proxy.example.com/gh") == {
        "git.example.com": "https://git.example.com/api/v3",
        "github.com": "https://proxy.example.com/gh",
    }


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        pytest.param("git.example.com", "HOST=TYPE", id="no-type"),
        pytest.param("https://git.example.com=github", "HOST=TYPE", id="a-url-is-no-host"),
        pytest.param("git.example.com=svn", "'svn'", id="unknown-type"),
        pytest.param("git.example.com=github=ftp://x", "not the address of an API", id="no-web-address"),
        pytest.param("git.example.com=github=https://user:pw@x/api", "not the address of an API", id="user-in-url"),
    ],
)
def test_a_bad_declaration_is_explained(declared: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        served("", declared)
    assert "pw" not in caught.value.message + caught.value.hint


def test_a_declared_host_needs_its_token() -> None:
    with pytest.raises(ConfigurationError, match="no token"):
        served("", "git.example.com=github", token=Secret(""))


@pytest.mark.parametrize("api_url", ["nonsense", "https://", "https://h:99999", "https://[::1", "https://h/?token=pw"])
def test_a_bad_api_url_is_explained(api_url: str) -> None:
    with pytest.raises(ConfigurationError, match="--github-api-url"):
        served(api_url)


def test_channels_are_named_by_their_type() -> None:
    found = channels({"slack": Secret("https://hooks.slack.com/services/T/B/x"), "generic": Secret("")})
    assert [(channel.type, channel.name) for channel in found] == [("slack", "slack")]


@pytest.mark.parametrize(
    "url", ["hooks.slack.com/x", "ftp://h/x", "https://", "https://h/a b", "https://h:x/", "https://[::1/"]
)
def test_a_bad_webhook_is_explained_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--slack-webhook") as caught:
        channels({"slack": Secret(url)})
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "", id="laptop"),
        pytest.param(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_RUN_ID": "7",
                "GITHUB_SERVER_URL": "https://g",
                "GITHUB_REPOSITORY": "a/b",
            },
            "https://g/a/b/actions/runs/7",
            id="github",
        ),
        pytest.param({"GITLAB_CI": "true", "CI_JOB_URL": "https://gl/job/1"}, "https://gl/job/1", id="gitlab"),
        pytest.param({"CI_JOB_URL": "https://gl/job/1"}, "", id="not-in-a-job"),
    ],
)
def test_the_url_of_this_run(environ: dict[str, str], expected: str) -> None:
    assert run_url(environ) == expected
