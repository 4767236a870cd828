"""From options to what each Git host is told."""

from __future__ import annotations

import pytest

from landed import providers
from landed.cli import compose, githosts
from landed.cli.options import STATUS_CONTEXT, Options
from landed.errors import ConfigurationError
from landed.model import Secret
from landed.providers.outlet import GitOutlet

GITLAB = {"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_JOB_TOKEN": "glcbt-64_j0b"}
EVERYWHERE = {
    "github_token": Secret("ghp_x"),
    "gitlab_token": Secret("glpat-x"),
    "bitbucket_token": Secret("b"),
    "bitbucketserver_token": Secret("s"),
    "azuredevops_token": Secret("a"),
    "gitea_token": Secret("t"),
    "git_host": ("gitea.example.com", "bitbucket.example.com"),
    "status_context": STATUS_CONTEXT,
    "status_context_commit": "flux/{cluster}",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GITHUB_ACTIONS",
        "GITHUB_API_URL",
        "GITHUB_SERVER_URL",
        "GITEA_ACTIONS",
        "FORGEJO_ACTIONS",
        "TF_BUILD",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in GITLAB:
        monkeypatch.delenv(name, raising=False)


def options(**more: object) -> Options:
    return Options(**{**EVERYWHERE, **more})  # type: ignore[arg-type]


def told(o: Options) -> dict[str, tuple[str, ...]]:
    return {host.host: githosts.told(o, host) for host in githosts.hosts(o)}


STATUSES = {
    "azuredevops": ("azuredevops",),
    "bitbucket": ("bitbucket",),
    "bitbucketserver": ("bitbucketserver",),
    "gitea": ("gitea",),
    "github": ("github",),
    "gitlab": ("gitlab",),
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, {}, id="statuses"),
        pytest.param({"github_as": "check-run"}, {"github": ("github-check-run",)}, id="check-runs"),
        pytest.param(
            {"deployments": ("prod",)},
            {"github": ("github", "github-deployments"), "gitlab": ("gitlab", "gitlab-deployments")},
            id="deployments",
        ),
        pytest.param(
            {"change_request_comments": True},
            {
                "gitea": ("gitea", "giteapullrequestcomment"),
                "github": ("github", "githubpullrequestcomment"),
                "gitlab": ("gitlab", "gitlabmergerequestcomment"),
            },
            id="comments",
        ),
        pytest.param({"github_dispatch": True}, {"github": ("github", "githubdispatch")}, id="dispatches"),
    ],
)
def test_what_each_host_is_told(more: dict[str, object], expected: dict[str, tuple[str, ...]]) -> None:
    o = options(**more)
    by_type = {host.type: set(githosts.told(o, host)) for host in githosts.hosts(o)}
    assert by_type == {type_: set(names) for type_, names in {**STATUSES, **expected}.items()}
    assert all(providers.GIT[name].host == type_ for type_, names in by_type.items() for name in names)


def test_there_is_an_outlet_for_everything_and_they_share_their_turns() -> None:
    o = options(github_as="check-run", deployments=("*",), change_request_comments=True, github_dispatch=True)
    found = [outlet for outlet in compose.outlets(o).values() if isinstance(outlet, GitOutlet)]
    assert len(found) == sum(len(names) for names in told(o).values()) == 12
    assert len({id(outlet._turns) for outlet in found}) == 1
    assert {(outlet.destination.host, outlet.destination.takes) for outlet in found} >= {
        ("github.com", "statuses"),
        ("github.com", "deployments"),
        ("github.com", "comments"),
        ("github.com", "dispatches"),
        ("gitlab.com", "comments"),
        ("gitea.example.com", "comments"),
    }


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        pytest.param({"gitlab_token": Secret("glcbt-64_j0b")}, True, id="given-as-a-token"),
        pytest.param({"gitlab_token": Secret(""), "deployments": ("prod",)}, False, id="taken-for-deployments"),
    ],
)
def test_gitlabs_job_token_tells_deployments_alone(
    more: dict[str, object], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GITLAB.items():
        monkeypatch.setenv(name, value)
    o = options(change_request_comments=True, **more)
    assert told(o)["gitlab.example.com"] == ("gitlab-deployments",)
    assert compose.wording(o).environments == (o.deployments or ("*",))
    warnings, notes = githosts.remarks(o, githosts.hosts(o))
    assert (len(warnings), any("CI_JOB_TOKEN cannot set commit statuses" in text for text in notes)) == (
        warned,
        not warned,
    )
    assert any("gitlab.example.com gets no comments" in note for note in notes)
    assert Secret("glcbt-64_j0b") in compose.secrets(o)


def test_what_a_host_cannot_be_told_is_only_noted() -> None:
    o = options(deployments=("prod",))
    warnings, notes = githosts.remarks(o, githosts.hosts(o))
    assert warnings == ()
    assert sorted(note.partition(" ")[0] for note in notes) == [
        "bitbucket.example.com",
        "bitbucket.org",
        "dev.azure.com",
        "gitea.example.com",
    ]


def test_how_statuses_are_named() -> None:
    o = options(deployments=("prod",), environment_url="https://{cluster}.example.com", max_contexts=7, target_url="u")
    wording = compose.wording(o)
    assert (wording.environments, wording.environment_url) == (("prod",), "https://{cluster}.example.com")
    assert (wording.max_contexts, wording.expression, wording.target_url) == (7, None, "u")
    assert compose.wording(options(commit_status_expr="event.involvedObject.name")).expression is not None


def test_an_expression_or_a_context_but_not_both() -> None:
    with pytest.raises(ConfigurationError, match="contradict"):
        compose.wording(options(commit_status_expr="'x'", status_context="{namespace}/{name}"))


def test_everything_secret_is_hidden() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"
    o = options(
        bitbucket_token=Secret("user:app-password"),
        git_token=(Secret("git.example.com=of-its-own"),),
        github_app_private_key=Secret(key),
        slack_webhook=Secret("https://hooks.slack.com/x"),
    )
    hidden = {secret.reveal() for secret in compose.secrets(o)}
    assert hidden >= {
        "ghp_x",
        "glpat-x",
        "user:app-password",
        "app-password",
        "of-its-own",
        key,
        "https://hooks.slack.com/x",
    }
    assert "git.example.com" not in hidden


def test_a_repository_is_found_as_its_host_has_it() -> None:
    o = options(
        git_host=("git.example.com=gitlab=https://git.example.com/root",),
        gitea_token=Secret(""),
        bitbucketserver_token=Secret(""),
    )
    find = compose.locate(o)
    assert find("ssh://git@git.example.com:2222/group/project.git") == find(
        "https://git.example.com/root/group/project"
    )
    (wanted,) = compose.repositories(Options(repository=("git.example.com/acme/fleet",)))
    assert str(wanted) == "git.example.com/acme/fleet"
