"""Several Git hosts at once, and the command between them: a cluster in a file, tokens in the environment.

Every run is looked through for every secret, and every request for those of other hosts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import objects as o
from integration import fork
from integration.command import PATIENCE, Run, without_progress
from standins import azuredevops, bitbucket, bitbucketserver, gitea, github, github_requests, gitlab
from standins.github_checks import GitHubChecks
from standins.github_deployments import GitHubDeployments
from standins.github_requests import GitHubRequests

from landed import providers
from landed.cli import enter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from standins.server import Answer, Asked

#: Stand-in → every token that it knows.
TOKENS: dict[str, tuple[str, ...]] = {
    "azuredevops": (azuredevops.WRITER, azuredevops.READER),
    "bitbucket": (bitbucket.WRITER, bitbucket.READER),
    "bitbucketserver": (bitbucketserver.WRITER, bitbucketserver.READER),
    "gitea": (gitea.WRITER, gitea.READER),
    "github": (github.WRITER, github.READER, github_requests.APP),
    "gitlab": (gitlab.WRITER, gitlab.READER, gitlab.JOB),
}
WRITERS = {name: tokens[0] for name, tokens in TOKENS.items()}
READERS = {name: tokens[1] for name, tokens in TOKENS.items()}

#: Variables of CI systems, none of which a run in its own process may see by chance.
_CI = re.compile(
    r"(CI|GITLAB|GITHUB|GITEA|FORGEJO|RUNNER|INPUT|LANDED|BITBUCKET|SYSTEM|TF|BUILD|KUBE)[_A-Z]*$|.*_proxy$"
)

#: Has every provider give up after a second.
_HASTY = """
import sys
from landed import providers
from landed.cli import enter
for type_ in providers.GIT:
    providers.git_module(type_).TIMEOUT = 1
sys.exit(enter(sys.argv[1:]))
"""

#: path and commit → context → state.
Statuses = dict[tuple[str, str], dict[str, str]]


class Crowd(NamedTuple):
    """Where ``landed`` runs, and the Git hosts that it tells."""

    folder: Path
    hosts: Mapping[str, Any]
    """Type → stand-in."""
    options: Sequence[str]
    """What every run is given."""
    source: Sequence[str] = ("--from-file", "cluster.json")

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.json"

    @property
    def summary(self) -> Path:
        """The summary of a GitHub job, for a run that is given ``JOB``."""
        return self.folder / "summary.md"

    @property
    def job(self) -> dict[str, str]:
        """The variables of a GitHub job with a summary."""
        self.summary.write_text("")
        return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(self.summary)}

    def show(self, *objects: dict[str, Any]) -> None:
        """Put this into the cluster, and nothing else."""
        (self.folder / "cluster.json").write_text(json.dumps(o.listing("List", objects)))

    def arguments(self, *more: str) -> list[str]:
        return ["report", *self.source, "--cluster-name", "prod", *self.options, *more]

    def environment(self, **more: str) -> dict[str, str]:
        """Tokens that may write, and what else there is; an empty one is none."""
        tokens = {f"LANDED_{name.upper()}_TOKEN": token for name, token in WRITERS.items() if name in self.hosts}
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANDED_LEDGER": str(self.ledger)}
        return base | tokens | more

    def report(self, *arguments: str, **environment: str) -> Run:
        """One run, as a process of its own."""
        done = fork.landed(self.arguments(*arguments), self.environment(**environment), self.folder, patience=PATIENCE)
        return self._seen(Run(done.returncode, done.stdout, without_progress(done.stderr)))

    def quick(self, *arguments: str, **environment: str) -> Run:
        """One run in this process: the same, but for the start of the interpreter."""
        out, err, here = StringIO(), StringIO(), Path.cwd()
        kept = {name: value for name, value in os.environ.items() if not _CI.match(name)}
        os.chdir(self.folder)
        try:
            with (
                patch.dict(os.environ, kept | self.environment(**environment), clear=True),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                code = enter(self.arguments(*arguments))
        finally:
            os.chdir(here)
        return self._seen(Run(code, out.getvalue(), without_progress(err.getvalue())))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-I", "-c", _HASTY, *self.arguments(*arguments)],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def statuses(self, type_: str) -> Statuses:
        """What a Git host has, in the words of ``model.State``."""
        standin = self.hosts[type_]
        return {
            place: {context: state for context, (state, _) in standin.contexts(*place).items()}
            for place in getattr(standin, "runs", None) or standin.statuses
        }

    def writes(self) -> dict[str, int]:
        """How many requests to write each host got."""
        return {name: len(standin.writes) for name, standin in self.hosts.items()}

    def forget(self) -> None:
        """Let the stand-ins forget what they were asked, not what they hold."""
        self.all_at_home()
        for standin in self.hosts.values():
            standin.asked.clear()
            standin.faults.clear()

    def asked(self) -> list[str]:
        """Every request that any host got, as text."""
        return [f"{name} {each.method} {each.target}" for name, host in self.hosts.items() for each in host.asked]

    def all_at_home(self) -> None:
        """See that no host was sent what is another one's secret."""
        for name, standin in self.hosts.items():
            others = {token for other, tokens in TOKENS.items() if other != name for token in tokens}
            for asked in standin.asked:
                sent = f"{asked.target}\n{asked.body.decode()}\n{asked.headers}\n{_basic(asked)}"
                assert [token for token in others if token in sent] == []
                assert not any(token in f"{asked.target}\n{asked.body.decode()}" for token in TOKENS[name])

    def _seen(self, run: Run) -> Run:
        """``run``, once it is seen that nothing it has left holds a secret, or shows a fault of ours."""
        files = (file.read_text() for file in (self.ledger, self.summary) if file.exists())
        left = [_without_masks(run.out), _without_masks(run.err), *files]
        for text in left:
            for token in (token for tokens in TOKENS.values() for token in tokens):
                assert token not in text
                assert token.partition(":")[2] not in text or ":" not in token
            assert "Traceback" not in text
            assert "this is a fault of landed" not in text
        return run


def _without_masks(text: str) -> str:
    """``text`` as the runner shows it, which takes out what it is told to hide."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("::add-mask::"))


def _basic(asked: Asked) -> str:
    """What is in a header for Basic authentication."""
    scheme, _, content = asked.headers.get("authorization", "").partition(" ")
    return b64decode(content).decode() if scheme == "Basic" else ""


@contextmanager
def crowd(folder: Path, hosts: Mapping[str, Any], *options: str) -> Iterator[Crowd]:
    """A folder and these stand-ins. What they were sent against the rules fails the test at its end."""
    with ExitStack() as stack:
        for standin in hosts.values():
            stack.enter_context(standin)
        here = Crowd(folder, hosts, ["--target-url", "https://ci.example.com/{commit}", *options, *_addresses(hosts)])
        yield here
        here.all_at_home()
    assert {name: standin.violations for name, standin in hosts.items() if standin.violations} == {}


def _addresses(hosts: Mapping[str, Any]) -> list[str]:
    """Where the hosts are, that clusters know by the names people do."""
    declared = {
        "azuredevops": "dev.azure.com=azuredevops={url}",
        "bitbucket": "bitbucket.org=bitbucket={url}",
        "bitbucketserver": "git.example.com=bitbucketserver={web_url}/git",
        "gitea": "code.example.com=gitea={web_url}/sub/path",
        "gitlab": "gitlab.example.com=gitlab={web_url}/gitlab",
    }
    given = []
    for name, standin in hosts.items():
        if name == "github":
            given += ["--github-api-url", standin.url]
        else:
            given += ["--git-host", declared[name].format(url=standin.url, web_url=standin.web_url)]
    return given


@contextmanager
def hasty() -> Iterator[None]:
    """Let every provider give up after a second, and wait for nothing before it tries again."""
    from landed.http import Patience
    from landed.providers import asking

    with ExitStack() as stack:
        for type_ in providers.GIT:
            stack.enter_context(patch.object(providers.git_module(type_), "TIMEOUT", 1))
        stack.enter_context(patch.object(asking, "Patience", lambda most, _: Patience(most, lambda seconds: None)))
        yield


class WholeGitHub:
    """A GitHub that keeps statuses, check runs, deployments and comments, and takes dispatches: all at one address."""

    def __init__(self) -> None:
        self.checks = GitHubChecks()
        self.github = self.checks.github
        self.deploying = GitHubDeployments()
        self.requesting = GitHubRequests()
        self.github.routes += self.deploying.github.routes
        self._plain = self.github.server._act
        self.github.server._act = self._act
        for spare in (self.deploying.github.server, self.requesting.server):
            spare._server.server_close()
        self.url = self.web_url = self.github.url
        self.asked = self.github.asked
        self.faults = self.github.faults
        self.runs = self.checks.runs
        self.contexts = self.checks.contexts

    def __enter__(self) -> WholeGitHub:
        self.github.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.github.__exit__(*problem)

    @property
    def statuses(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        return self.github.statuses

    @property
    def violations(self) -> list[str]:
        return self.github.violations + self.requesting.violations

    @property
    def writes(self) -> list[Asked]:
        """What was to change something: the questions to GraphQL are not."""
        return [asked for asked in self.github.writes if not asked.path.endswith("/graphql")]

    def deployed(self) -> list[tuple[str, str, list[str]]]:
        """Commit, environment and the states it was given, oldest first, of every deployment."""
        return [
            (
                each["sha"],
                each["environment"],
                [status["state"] for status in self.deploying.statuses[each["id"]]][::-1],
            )
            for each in reversed(self.deploying.deployments)
        ]

    def _act(self, asked: Asked) -> Answer:
        theirs = re.search(r"/(graphql|dispatches|pulls|user)$|/issues/", asked.path)
        return self.requesting._act(asked) if theirs else self._plain(asked)
