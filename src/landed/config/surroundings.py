"""What the CI system says about the run we are in."""

from __future__ import annotations

from collections.abc import Mapping


def run_url(environ: Mapping[str, str]) -> str:
    """Where people can watch this very run; empty on a laptop.

    https://docs.github.com/en/actions/reference/variables-reference ,
    https://docs.gitlab.com/ci/variables/predefined_variables/
    """
    if environ.get("GITHUB_ACTIONS") == "true" and environ.get("GITHUB_RUN_ID"):
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        return f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{environ['GITHUB_RUN_ID']}"
    return environ.get("CI_JOB_URL", "") if environ.get("GITLAB_CI") == "true" else ""
