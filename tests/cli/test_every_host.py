"""Every kind of Git host through the command line: from a URL in a cluster to a status, and to a content doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from contract.hosts import HOSTS, STATUS_TYPES
from objects import MAIN_B, B, git_repository, kustomization, listing
from standins.gitlab import JOB, GitLab

from landed import providers
from landed.cli import enter


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_API_URL", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITLAB_CI", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=STATUS_TYPES)
def type_(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def standin(type_: str) -> Iterator[Any]:
    with GitLab("/gitlab") if type_ == "gitlab" else HOSTS[type_].make() as it:  # people's and programs' root are one
        yield it
    assert it.violations == []


@pytest.fixture
def options(type_: str, standin: Any, tmp_path: Path) -> list[str]:
    """The address that people see is what is given, and what the Flux source has, with its port."""
    host = HOSTS[type_]
    kind = providers.GIT[type_].host
    there = urlsplit(standin.web_url)
    path = {"bitbucketserver": "scm/acme/fleet"}.get(kind, host.path)
    source = git_repository(revision=MAIN_B)
    source["spec"]["url"] = f"{there.scheme}://{there.netloc}{there.path.rstrip('/')}/{path}"
    web = kustomization("web", applied=MAIN_B, attempted=MAIN_B)
    (tmp_path / "cluster.json").write_text(json.dumps(listing("List", [web, source])))
    url = standin.url if kind in ("bitbucket", "github") else standin.web_url
    return [
        *("--from-file", "cluster.json", "--cluster-name", "prod", "--target-url", "https://ci.example.com/{commit}"),
        *("--git-host", f"{there.netloc}={kind}={url}", "--git-token", f"{there.netloc}={host.writer}"),
        *(("--github-as", "check-run") if type_ == "github-check-run" else ()),
    ]


def test_a_status_arrives(type_: str, standin: Any, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["report", *options]) == 0, capsys.readouterr().err
    found = standin.contexts(HOSTS[type_].path, B)
    assert {name: state for name, (state, _) in found.items()} == {
        "flux/prod": "success",
        "flux/prod/apps/web": "success",
    }
    assert HOSTS[type_].writer not in "".join(capsys.readouterr())


def test_the_doctor_is_content(standin: Any, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(["doctor", *options, "-o", "json"]) == 0
    levels = {finding["level"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert "problem" not in levels
    assert standin.writes == []


def test_gitlabs_job_token_reports_a_deployment_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with GitLab("/gitlab") as gitlab:
        for name, value in (
            ("GITLAB_CI", "true"),
            ("CI_SERVER_URL", gitlab.web_url),
            ("CI_API_V4_URL", gitlab.url),
            ("CI_JOB_TOKEN", JOB),
        ):
            monkeypatch.setenv(name, value)
        source = git_repository(revision=MAIN_B)
        source["spec"]["url"] = f"{gitlab.web_url}/acme/platform/fleet.git"
        web = kustomization("web", applied=MAIN_B, attempted=MAIN_B)
        (tmp_path / "cluster.json").write_text(json.dumps(listing("List", [web, source])))
        given = ["--from-file", "cluster.json", "--cluster-name", "prod", "--gitlab-token", JOB]
        assert enter(["report", *given]) == 0
        said = capsys.readouterr()
        assert "CI_JOB_TOKEN cannot set commit statuses" in said.err
        assert JOB not in said.out + said.err
        assert gitlab.contexts("acme/platform/fleet", B) == {}
        (deployment,) = gitlab.deployments["acme/platform/fleet"]
        assert (deployment["environment"]["name"], deployment["sha"], deployment["status"]) == ("prod", B, "success")
        assert enter(["doctor", *given]) == 0
        assert gitlab.violations == []
