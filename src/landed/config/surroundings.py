"""What the CI system says about the run we are in.

GitHub: https://docs.github.com/en/actions/reference/variables-reference
GitLab: https://docs.gitlab.com/ci/variables/predefined_variables/
Bitbucket Pipelines: https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
Azure Pipelines: https://learn.microsoft.com/azure/devops/pipelines/build/variables
Gitea: https://docs.gitea.com/usage/actions/actions-variables , with GitHub's names
Forgejo: https://forgejo.org/docs/latest/user/actions/ , with GitHub's names
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from landed.config.addresses import authority, server_address
from landed.config.places import GHE_COM, GITHUB, GITHUB_API, Place, azure_collection, place

Environ = Mapping[str, str]


def run_url(environ: Environ) -> str:
    """Where people can watch this very run; empty on a laptop."""
    if environ.get("GITHUB_ACTIONS") == "true" or on_gitea(environ):
        return _actions(environ)
    if environ.get("GITLAB_CI") == "true":
        return environ.get("CI_JOB_URL", "")
    if _on_azure(environ) and environ.get("BUILD_BUILDID"):
        project = quote(environ.get("SYSTEM_TEAMPROJECT", ""), safe="")
        return f"{_collection(environ).rstrip('/')}/{project}/_build/results?buildId={environ['BUILD_BUILDID']}"
    repository, number = environ.get("BITBUCKET_REPO_FULL_NAME", ""), environ.get("BITBUCKET_BUILD_NUMBER", "")
    if repository and number:
        return f"https://bitbucket.org/{repository}/pipelines/results/{number}"
    return ""


def own_server(environ: Environ) -> Place | None:
    """The Git host whose pipeline this is, unless it is a GitHub or Bitbucket: those are known by other means.

    Raises ConfigurationError where its address is none.
    """
    if on_gitea(environ) and environ.get("GITHUB_SERVER_URL"):
        return _of("gitea", environ, "GITHUB_SERVER_URL", "GITHUB_API_URL")
    if environ.get("GITLAB_CI") == "true" and environ.get("CI_SERVER_URL"):
        found = _of("gitlab", environ, "CI_SERVER_URL", "CI_API_V4_URL")
        ssh = environ.get("CI_SERVER_SHELL_SSH_HOST", "").lower()
        return Place(
            found.type, found.host, found.api_url, found.web_url, (ssh,) if ssh not in ("", found.host) else ()
        )
    if _on_azure(environ):
        return azure_collection(_collection(environ), "SYSTEM_COLLECTIONURI")
    return None


def githubs(given: str, environ: Environ) -> list[tuple[str, str]]:
    """The hosts whose repositories are behind GitHub's API, with its address.

    ``api.github.com`` answers for github.com, ``api.TENANT.ghe.com`` for TENANT.ghe.com, and ``HOST/api/v3`` for HOST
    (https://docs.github.com/en/enterprise-server/rest). Any other address is a proxy: it answers for itself and for
    github.com, or for the runner's own server where it is that server's API.
    """
    runner = {} if on_gitea(environ) else environ
    api_url = given or runner.get("GITHUB_API_URL", "") or GITHUB_API
    parts = server_address(api_url, "--github-api-url")
    here = authority(parts)
    if here == "api.github.com":
        hosts = [GITHUB]
    elif here.startswith("api.") and here.endswith(GHE_COM):
        hosts = [here.removeprefix("api.")]
    else:
        server = runner.get("GITHUB_SERVER_URL", "")
        own = authority(urlsplit(server)) if server and api_url == runner.get("GITHUB_API_URL") else ""
        under = parts.path.rstrip("/").endswith("/api/v3")
        hosts = list(dict.fromkeys(host for host in (here, own or ("" if under else GITHUB)) if host))
    return [(host, api_url.rstrip("/")) for host in hosts]


def on_gitea(environ: Environ) -> bool:
    """Whether Gitea or Forgejo Actions run this, under GitHub's variables."""
    return "true" in (environ.get("GITEA_ACTIONS"), environ.get("FORGEJO_ACTIONS"))


def _of(type_: str, environ: Environ, web: str, api: str) -> Place:
    """The server behind two variables; the second may be missing."""
    host = authority(server_address(environ[web], web))
    known = api if environ.get(api) else web
    return place(type_, host, environ[known], where=known)


def _actions(environ: Environ) -> str:
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    # Forgejo's pages know a run by its number in the repository; GitHub's and, since 1.26, Gitea's by its id.
    variable = "GITHUB_RUN_NUMBER" if environ.get("FORGEJO_ACTIONS") == "true" else "GITHUB_RUN_ID"
    run = environ.get(variable, "")
    return f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}" if run else ""


def _on_azure(environ: Environ) -> bool:
    return environ.get("TF_BUILD", "").lower() == "true" and bool(_collection(environ))


def _collection(environ: Environ) -> str:
    return environ.get("SYSTEM_COLLECTIONURI", "") or environ.get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "")
