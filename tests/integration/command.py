"""The command itself, as a process of its own, in a folder of its own, between a cluster and stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from integration import fork
from standins.github import WRITER, GitHub
from standins.slack import SlackWebhook
from standins.webhook import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds after which a run that should have ended counts as hanging.
PATIENCE = 120.0


class Run(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str


class Workplace(NamedTuple):
    """Where ``landed`` runs, and whom it tells."""

    folder: Path
    github: GitHub
    slack: SlackWebhook
    generic: Receiver

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.json"

    def configure(self, kubeconfig: str) -> None:
        (self.folder / "kubeconfig").write_text(kubeconfig)

    @property
    def environment(self) -> dict[str, str]:
        """What the options are given by: as in CI, through the environment."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANDED_KUBECONFIG": str(self.folder / "kubeconfig"),
            "LANDED_LEDGER": str(self.ledger),
            "LANDED_GITHUB_API_URL": self.github.url,
            "LANDED_GITHUB_TOKEN": WRITER,
            "LANDED_SLACK_WEBHOOK": self.slack.address,
            "LANDED_GENERIC_WEBHOOK": self.generic.address,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-m", "landed", *arguments]

    def report(self, *arguments: str, stdin: str = "", **environment: str) -> Run:
        """One ``landed report``; variables in capitals are added to its environment, empty ones as well."""
        done = fork.landed(
            ["report", *arguments], {**self.environment, **environment}, self.folder, stdin=stdin, patience=PATIENCE
        )
        return Run(done.returncode, done.stdout, without_progress(done.stderr))

    def start(self, *wrapper: str, **environment: str) -> subprocess.Popen[str]:
        """Start a ``landed report`` and do not wait for it; ``wrapper`` runs it, as ``strace`` does."""
        return subprocess.Popen(
            [*wrapper, *self.command("report")],
            env={**self.environment, **environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stored(self) -> tuple[int, int, bytes]:
        """Which file the ledger is, when it was written and what it says."""
        status = self.ledger.stat()
        return status.st_ino, status.st_mtime_ns, self.ledger.read_bytes()

    def statuses(self) -> dict[tuple[str, str], dict[str, str]]:
        """(repository, commit) → context → state, as the Git host has them."""
        return {
            place: {context: state for context, (state, _) in self.github.contexts(*place).items()}
            for place in self.github.statuses
        }

    def written(self) -> list[tuple[str, str, str]]:
        """(commit, context, state) of every status that was posted, in order."""
        posts = []
        for asked in self.github.writes:
            body = json.loads(asked.body)
            posts.append((asked.path.rpartition("/")[2], body["context"], body["state"]))
        return posts

    def events(self) -> list[dict[str, Any]]:
        """The event objects that the generic receiver took."""
        return list(self.generic.taken)

    def forget(self) -> None:
        """Let the stand-ins forget what they were asked, not what they hold."""
        for standin in (self.github, self.slack, self.generic):
            standin.asked.clear()
        self.slack.taken.clear()
        self.generic.taken.clear()

    def silent(self) -> bool:
        """Whether nobody was asked anything."""
        return not (self.github.asked or self.slack.asked or self.generic.asked)


def without_progress(err: str) -> str:
    """What a run says of itself, without what it says while it takes its time: a slow machine is no fault."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.endswith("…\n"))


@contextmanager
def workplace(folder: Path) -> Iterator[Workplace]:
    """A folder and fresh stand-ins. What they were sent against the rules fails the test at its end."""
    with ExitStack() as stack:
        place = Workplace(
            folder,
            stack.enter_context(GitHub()),
            stack.enter_context(SlackWebhook()),
            stack.enter_context(Receiver()),
        )
        yield place
    assert place.github.violations == []
    assert place.slack.violations == []


def variables(mapping: Mapping[str, str]) -> dict[str, str]:
    """Options as the GitHub runner passes an Action's inputs."""
    return {f"INPUT_{name.upper()}": value for name, value in mapping.items()}
