"""The GitLab component, run as a job in the image by gitlab-ci-local, with its cache."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from image.cluster import BEARER, cluster
from msgspec import Struct
from objects import MAIN_B, condition, git_repository, kustomization
from standins.webhook import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from image.runner import Engine

pytestmark = pytest.mark.image

ROOT = Path(__file__).parents[2]
FAILED = condition(status="False", reason="BuildFailed", message="no such file")
BROKEN = (git_repository(revision=MAIN_B), kustomization(attempted=MAIN_B, conditions=[FAILED]))


class Project(Struct, frozen=True):
    """A project that includes the component, and a runner for it."""

    root: Path
    command: tuple[str, ...]
    inputs: dict[str, str]

    def run(self, variables: dict[str, Any], **inputs: str) -> subprocess.CompletedProcess[str]:
        """Write the pipeline and the project's CI/CD variables, and run the one job."""
        include = {"local": "templates/landed.yml", "inputs": {**self.inputs, **inputs}}
        self.write(".gitlab-ci.yml", {"stages": ["deploy"], "include": [include]})
        self.write(".gitlab-ci-local-variables.yml", variables)
        return subprocess.run(
            self.command,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def write(self, name: str, content: object) -> None:
        (self.root / name).write_text(json.dumps(content, indent=1))


def file_variable(content: str) -> dict[str, Any]:
    """A CI/CD variable of type File: the job gets the path of a file that holds the value."""
    return {"type": "file", "values": {"*": content}}


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=ci", "-c", "user.email=ci@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def project(engine: Engine, folder: Path) -> Iterator[Project]:
    """A fresh project on a runner that has the image."""
    runner = os.environ.get("LANDED_TEST_GITLAB_CI_LOCAL", "")
    if not runner:
        pytest.skip("LANDED_TEST_GITLAB_CI_LOCAL names no gitlab-ci-local")
    command = [str(Path(runner).absolute()), "landed", "--container-executable", engine.client]
    command += ["--pull-policy", "if-not-present", "--network", "host", "--home", str(folder / "home")]
    if helper := os.environ.get("LANDED_TEST_GITLAB_HELPER"):
        command += ["--helper-image", helper]
    root = folder / "project"
    (root / "templates").mkdir(parents=True)
    (root / "templates" / "landed.yml").write_bytes((ROOT / "templates" / "landed.yml").read_bytes())
    (root / ".gitignore").write_text(".gitlab-ci-local*\n.landed/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "A project")
    git(root, "remote", "add", "origin", "git@gitlab.example.com:example/fleet.git")
    yield Project(root, tuple(command), {"image": engine.image, "cluster_name": "production"})
    for kind, remove in (("ps --all --quiet", "rm --force"), ("volume ls --quiet", "volume rm --force")):
        left = subprocess.run(
            [engine.client, *kind.split(), "--filter", "name=gcl-"], stdout=subprocess.PIPE, check=True, text=True
        ).stdout.split()
        if left:
            subprocess.run([engine.client, *remove.split(), *left], check=True, stdout=subprocess.DEVNULL)


def test_what_was_told_is_remembered_by_the_next_job_even_if_the_job_failed(project: Project) -> None:
    with Receiver() as channel, cluster(*BROKEN) as kubeconfig:
        variables = {"LANDED_KUBECONFIG": file_variable(kubeconfig), "LANDED_GENERIC_WEBHOOK": channel.address}
        first = project.run(variables, fail_on="failure")
        told = len(channel.taken)
        second = project.run(variables, fail_on="failure")
    assert (first.returncode != 0, told) == (True, 1), first.stdout
    assert (second.returncode != 0, len(channel.taken)) == (True, 1), second.stdout
    assert "no such file" in first.stdout
    assert "1 failing" in second.stdout
    for log in (first.stdout, second.stdout):
        assert channel.address not in log
        assert BEARER not in log


def test_a_broken_rollout_fails_the_job_only_where_that_is_wanted(project: Project) -> None:
    with cluster(*BROKEN) as kubeconfig:
        done = project.run({"LANDED_KUBECONFIG": file_variable(kubeconfig)})
    assert done.returncode == 0, done.stdout


def test_an_input_reaches_the_command_whole(project: Project) -> None:
    several = [kustomization(name) for name in ("one", "two", "three")]
    with cluster(git_repository(), *several) as kubeconfig:
        variables = {"LANDED_KUBECONFIG": file_variable(kubeconfig)}
        done = project.run(variables, command="status", kustomization="apps/one\nt*o\n", output="table")
    assert done.returncode == 0, done.stdout
    assert "apps/one" in done.stdout
    assert "apps/two" in done.stdout
    assert "apps/three" not in done.stdout


def test_a_variable_of_the_project_takes_precedence_over_an_input(project: Project) -> None:
    with cluster(git_repository(), kustomization()) as kubeconfig:
        variables = {"LANDED_KUBECONFIG": file_variable(kubeconfig), "LANDED_CLUSTER_NAME": "staging"}
        done = project.run(variables, command="status", output="json")
    assert done.returncode == 0, done.stdout
    assert "staging" in done.stdout
