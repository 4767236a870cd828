"""What the CI system says about the run we are in."""

from __future__ import annotations

import pytest

from landed.config.surroundings import run_url

ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_NUMBER": "3",
    "GITHUB_SERVER_URL": "https://g",
    "GITHUB_REPOSITORY": "a/b",
}
AZURE = {"TF_BUILD": "True", "BUILD_BUILDID": "7", "SYSTEM_TEAMPROJECT": "My Project"}
BITBUCKET = {"BITBUCKET_REPO_FULL_NAME": "a/b", "BITBUCKET_BUILD_NUMBER": "7"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "", id="laptop"),
        pytest.param(ACTIONS, "https://g/a/b/actions/runs/7", id="github"),
        pytest.param({**ACTIONS, "GITHUB_RUN_ID": ""}, "", id="github-without-a-run"),
        pytest.param({**ACTIONS, "GITEA_ACTIONS": "true"}, "https://g/a/b/actions/runs/7", id="gitea"),
        pytest.param(
            {**ACTIONS, "GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "", "GITHUB_SERVER_URL": "https://g/tea/"},
            "https://g/tea/a/b/actions/runs/7",
            id="gitea-below-a-path",
        ),
        pytest.param(
            {**ACTIONS, "GITEA_ACTIONS": "true", "FORGEJO_ACTIONS": "true"},
            "https://g/a/b/actions/runs/3",
            id="forgejo-counts-by-repository",
        ),
        pytest.param({"GITLAB_CI": "true", "CI_JOB_URL": "https://gl/job/1"}, "https://gl/job/1", id="gitlab"),
        pytest.param({"CI_JOB_URL": "https://gl/job/1"}, "", id="not-in-a-job"),
        pytest.param(
            {**AZURE, "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/"},
            "https://dev.azure.com/acme/My%20Project/_build/results?buildId=7",
            id="azure",
        ),
        pytest.param(
            {**AZURE, "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://az/tfs/Main"},
            "https://az/tfs/Main/My%20Project/_build/results?buildId=7",
            id="azure-on-premises",
        ),
        pytest.param(AZURE, "", id="azure-without-an-address"),
        pytest.param(BITBUCKET, "https://bitbucket.org/a/b/pipelines/results/7", id="bitbucket"),
        pytest.param({**BITBUCKET, "BITBUCKET_BUILD_NUMBER": ""}, "", id="bitbucket-without-a-run"),
    ],
)
def test_the_url_of_this_run(environ: dict[str, str], expected: str) -> None:
    assert run_url(environ) == expected
