"""The commit and the repository that the CI job at hand is about.

GitHub, Gitea, Forgejo: https://docs.github.com/en/actions/reference/variables-reference
GitLab: https://docs.gitlab.com/ci/variables/predefined_variables/
Bitbucket Pipelines: https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
Azure Pipelines: https://learn.microsoft.com/azure/devops/pipelines/build/variables
"""

from __future__ import annotations

from collections.abc import Mapping


def commit(environ: Mapping[str, str]) -> str:
    """The commit that the job runs for; empty where none is known."""
    for variable in ("GITHUB_SHA", "CI_COMMIT_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION"):
        if environ.get(variable):
            return environ[variable].strip().lower()
    return ""


def repository(environ: Mapping[str, str]) -> str:
    """The URL of the repository that the job belongs to; empty where none is known."""
    server, name = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    if name:
        return f"{(server or 'https://github.com').rstrip('/')}/{name}"
    for variable in ("CI_PROJECT_URL", "BITBUCKET_GIT_HTTP_ORIGIN", "BUILD_REPOSITORY_URI"):
        if environ.get(variable):
            return environ[variable].strip()
    return ""
