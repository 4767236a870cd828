"""Runs a container action the way the GitHub runner does, with any Docker-like engine, and reads what it left behind.

https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support , and where that page is silent,
the runner's own source, https://github.com/actions/runner (ContainerActionHandler, DockerCommandManager).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import uuid4

from image.action import Action, arguments, evaluate, inputs_of, variable
from image.commands import ContractError, Log, key_values, read_log, summary
from msgspec import Struct

#: The user that everything on a hosted runner belongs to; the container itself runs as root.
RUNNER_UID = 1001
#: A stand-in for the token that the runner makes for each job.
TOKEN = "ghs_ThisJobsOwnToken"
FILES = ("output", "env", "state", "path", "step_summary")


class EngineError(RuntimeError):
    """The container did not start: never a result of the action."""


class Engine(Struct, frozen=True):
    """A container engine's client and how containers are run with it."""

    client: str
    image: str

    def run(
        self, options: Iterable[str], command: Iterable[str] = (), environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one container to its end. Standard output and standard error come as one, as in a job's log."""
        done = subprocess.run(
            [self.client, "run", "--rm", *options, self.image, *command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        if done.returncode in (125, 126, 127):
            raise EngineError(done.stdout.decode(errors="replace")[-1000:])
        return done


class Step(Struct, frozen=True):
    """What a step left behind, read as the runner reads it."""

    exit_code: int
    log: Log
    outputs: Mapping[str, str]
    environment: Mapping[str, str]
    summary: str
    warnings: tuple[str, ...]
    raw: str


class Job(Struct):
    """One job on one runner: its folders, and what the container sees of them."""

    engine: Engine
    action: Action
    root: Path
    github: dict[str, str]
    options: tuple[str, ...] = ("--network", "none")

    @property
    def workspace(self) -> Path:
        return self.root / "repository" / "repository"

    @property
    def temp(self) -> Path:
        return self.root / "_temp"

    @property
    def mounts(self) -> dict[Path, str]:
        """Host folder → container folder, the innermost first: the order in which values are translated."""
        return {
            self.workspace: "/github/workspace",
            self.temp / "_runner_file_commands": "/github/file_commands",
            self.temp / "_github_workflow": "/github/workflow",
            self.temp / "_github_home": "/github/home",
            self.temp: "/github/runner_temp",
        }

    def step(self, given: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None) -> Step:
        """Run the action once, with ``given`` as the step's ``with`` and ``env`` as its ``env``."""
        inputs, warnings = inputs_of(self.action, given or {}, {"github": self.github})
        files = self.prepare()
        environment = {**self.environment(files), **self.own_environment(inputs), **(env or {})}
        environment = {name: self.translated(value) for name, value in environment.items()}
        options = ["--workdir", "/github/workspace", *self.options]
        for name in environment:
            options += ["--env", name]  # the value travels in the client's environment
        for host, inside in reversed(self.mounts.items()):
            options += ["--volume", f"{host}:{inside}"]
        done = self.engine.run(options, arguments(self.action.args, inputs), environment)
        return self.judge(done, files, warnings)

    def prepare(self) -> dict[str, Path]:
        """Make the folders and the step's files; all of it belongs to the runner's user."""
        for folder in self.mounts:
            folder.mkdir(parents=True, exist_ok=True)
        (self.temp / "_github_workflow" / "event.json").write_text("{}")
        step = uuid4()
        files = {name: self.temp / "_runner_file_commands" / f"{name}_{step}" for name in FILES}
        for file in files.values():
            file.touch()
        if os.getuid() == 0:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, RUNNER_UID, RUNNER_UID, follow_symlinks=False)
        return files

    def environment(self, files: Mapping[str, Path]) -> dict[str, str]:
        hidden = {"token"}
        github = {**self.github, **{name: str(file) for name, file in files.items()}, "workspace": str(self.workspace)}
        github["event_path"] = str(self.temp / "_github_workflow" / "event.json")
        variables = {f"GITHUB_{name.upper()}": value for name, value in github.items() if name not in hidden}
        return {
            **variables,
            "HOME": str(self.temp / "_github_home"),
            "GITHUB_ACTIONS": "true",
            "CI": "true",
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_WORKSPACE": str(self.workspace.parent),
        }

    def own_environment(self, inputs: Mapping[str, str]) -> dict[str, str]:
        own = {name: evaluate(value, "env", {"inputs": inputs}) for name, value in self.action.env.items()}
        return {**own, **{variable(name): value for name, value in inputs.items()}}

    def translated(self, value: str) -> str:
        """A value that is, or starts with, a mounted folder is told in the container's terms."""
        for host, inside in self.mounts.items():
            if value == str(host) or value.startswith(f"{host}/"):
                return inside + value.removeprefix(str(host))
        return value

    def judge(self, done: subprocess.CompletedProcess[bytes], files: Mapping[str, Path], warnings: list[str]) -> Step:
        raw = done.stdout.decode()
        log = read_log(raw.split("\n"), [self.github["token"]])
        outputs = key_values(files["output"].read_text())
        if undeclared := outputs.keys() - self.action.outputs.keys():
            raise ContractError(f"outputs that action.yml does not declare: {sorted(undeclared)}")
        if files["path"].read_text() or key_values(files["state"].read_text()):
            raise ContractError("the step changes the PATH of later steps, or leaves a state")
        return Step(
            exit_code=done.returncode,
            log=log,
            outputs=outputs,
            environment=key_values(files["env"].read_text()),
            summary=summary(files["step_summary"].read_text(), log.masks),
            warnings=tuple(warnings + log.warnings),
            raw=raw,
        )

    def can_be_cached(self, folder: str) -> bool:
        """Whether the runner's own user can read all of a folder of the workspace, as the cache step must."""
        done = subprocess.run(
            ["tar", "-C", self.workspace, "-cf", "-", folder],
            user=RUNNER_UID,
            group=RUNNER_UID,
            extra_groups=[],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return done.returncode == 0 and not done.stderr


def github_context(
    api_url: str = "https://api.github.invalid", server_url: str = "https://github.invalid"
) -> dict[str, str]:
    """The ``github`` context of a push to the default branch."""
    return {
        "token": TOKEN,
        "repository": "example/fleet",
        "repository_owner": "example",
        "sha": "0" * 40,
        "ref": "refs/heads/main",
        "ref_name": "main",
        "event_name": "schedule",
        "job": "landed",
        "workflow": "Landed",
        "run_id": "4711",
        "run_attempt": "1",
        "run_number": "7",
        "actor": "octocat",
        "server_url": server_url,
        "api_url": api_url,
        "graphql_url": f"{api_url}/graphql",
    }
