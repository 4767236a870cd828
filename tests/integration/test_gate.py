"""The first example of the README, a workflow that gates on its own commit: every row of the table below it.

The workflow's inputs are read from the README and given as the GitHub runner gives them; the commits are those of a
real Git repository, and the clusters are real API servers where there are any.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import objects as o
import pytest
import yaml
from integration.command import PATIENCE, Run, Workplace, variables, workplace
from standins import ancestry
from standins.server import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from integration.cluster import Cluster

#: A whole API server where there is one.
_REAL = pytest.param("kube-apiserver", marks=pytest.mark.envtest)
pytestmark = pytest.mark.parametrize(
    "server", [_REAL if os.environ.get("KUBEBUILDER_ASSETS") else "sandbox"], indirect=True, scope="session"
)

README = Path(__file__).parent.parent.parent / "README.md"
REPOSITORY = "example/fleet"
_HEALTH = "health check failed after 2m0.004s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"


class History(NamedTuple):
    """Commits: ``old`` → ``mine`` → ``later``, and ``other``, which follows ``old`` on a line of its own."""

    folder: Path
    old: str
    mine: str
    later: str
    other: str


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("fleet")

    def git(*arguments: str) -> str:
        identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
        identity |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com", "HOME": str(folder)}
        command = ["git", "-c", "init.defaultBranch=main", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | identity, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(message: str) -> str:
        git("commit", "--quiet", "--allow-empty", "--message", message)
        return git("rev-parse", "HEAD")

    git("init", "--quiet")
    git("remote", "add", "origin", f"git@github.com:{REPOSITORY}.git")
    old, mine, later = commit("old"), commit("mine"), commit("later")
    git("checkout", "--quiet", "-b", "forced", old)
    other = commit("other")
    git("checkout", "--quiet", mine)
    return History(folder, old, mine, later, other)


def example() -> dict[str, str]:
    """The inputs of the workflow in the README."""
    found = re.search(r"<!-- gate -->\n```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    (step,) = yaml.safe_load(found[1])["jobs"]["landed"]["steps"]
    return {name: str(value) for name, value in step["with"].items()}


def on(commit: str) -> str:
    return f"main@sha1:{commit}"


class Gate(NamedTuple):
    """The workflow's job, between a cluster and a GitHub."""

    place: Workplace
    cluster: Cluster
    history: History
    remote: dict[str, str]
    """The branches on GitHub."""

    def put(self, *objects: dict[str, Any]) -> None:
        for each in objects:
            self.cluster.put(each)

    def environment(self, **inputs: str) -> dict[str, str]:
        wanted = example() | {"kubeconfig": str(self.place.folder / "kubeconfig"), "github_token": ""} | inputs
        assert wanted.pop("command") == "wait"
        wanted["github_token"] = self.place.environment["LANDED_GITHUB_TOKEN"]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place.folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SHA": self.history.mine,
            "GITHUB_OUTPUT": str(self.place.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.place.folder / "summary"),
            "LANDED_GITHUB_API_URL": self.place.github.url,
            "LANDED_LEDGER": str(self.place.ledger),
            **variables(wanted),
        }

    def start(self, *arguments: str, **inputs: str) -> subprocess.Popen[str]:
        for name in ("output", "summary"):
            (self.place.folder / name).write_text("")
        with self._errors.open("w") as errors:
            return subprocess.Popen(
                self.place.command("wait", *arguments),
                env=self.environment(**inputs),
                cwd=self.history.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def _errors(self) -> Path:
        """What it says while it waits."""
        return self.place.folder / "errors"

    def ends(self, process: subprocess.Popen[str], within: float = 100) -> Run:
        """Wait for its end."""
        out, _ = process.communicate(timeout=within)
        return Run(process.returncode, out, self._errors.read_text())

    def _has_looked(self, process: subprocess.Popen[str]) -> None:
        """Wait until it has said what it waits for."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(r"  apps/\w+  waiting  ", self._errors.read_text()):
            assert process.poll() is None, self._errors.read_text()
            assert time.monotonic() < deadline, self._errors.read_text()
            time.sleep(0.02)

    def wait(self, *arguments: str, meanwhile: Callable[[], None] | None = None, **inputs: str) -> Run:
        process = self.start(*arguments, **inputs)
        try:
            if meanwhile is not None:
                self._has_looked(process)
                meanwhile()
            return self.ends(process)
        except BaseException:
            process.kill()
            process.communicate()
            raise

    def outputs(self) -> dict[str, str]:
        found = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2$", (self.place.folder / "output").read_text(), re.M | re.S)
        return {name: value for name, _, value in found}

    def summary(self) -> str:
        return (self.place.folder / "summary").read_text()

    def verdict(self) -> str:
        return self.outputs()["verdict"]


@pytest.fixture
def gate(cluster: Cluster, history: History, tmp_path: Path) -> Iterator[Gate]:
    with workplace(tmp_path) as place:
        place.configure(cluster.kubeconfig("reader"))
        known = ancestry.History({}, {"refs/heads/main": 0})
        known.refs["refs/heads/main"] = history.later
        known.parents = {history.old: (), history.mine: (history.old,), history.later: (history.mine,)}
        known.parents[history.other] = (history.old,)
        compare = ancestry.on_github(known)
        route = r"/repos/[^/]+/[^/]+/(?:compare|commits)/[^/]+"
        place.github.routes.append(("GET", route, lambda asked, token, match: compare(asked)))
        yield Gate(place, cluster, history, known.refs)


def live(commit: str, name: str = "web") -> dict[str, Any]:
    return o.kustomization(name, applied=on(commit), history=[o.snapshot(on(commit))])


def source(commit: str) -> dict[str, Any]:
    return o.git_repository(revision=on(commit))


def failed(commit: str, old: str, name: str = "web") -> dict[str, Any]:
    conditions = [
        o.progress("Running health checks", on(commit), retrying=True),
        o.condition("Ready", "False", "HealthCheckFailed", _HEALTH, since=o.LATER),
    ]
    return o.kustomization(name, applied=on(old), attempted=on(commit), conditions=conditions)


def waiting(old: str, dependency: str) -> dict[str, Any]:
    message = f"dependency 'apps/{dependency}' revision is not up to date"
    conditions = [o.condition("Ready", "False", "DependencyNotReady", message, since=o.LATER)]
    depends = [{"name": dependency}]
    return o.kustomization("web", applied=on(old), conditions=conditions, depends_on=depends)


def test_live(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), live(history.mine), live(history.mine, "api"))

    done = gate.wait()

    assert done.code == 0, done
    assert gate.verdict() == "live"
    assert gate.outputs()["applied_commit"] == history.mine
    assert gate.place.statuses()[REPOSITORY, history.mine]["flux/production"] == "success"


def test_ready_on_the_old_commit_is_not_live_until_flux_comes_to_it(gate: Gate, history: History) -> None:
    gate.put(source(history.old), live(history.old))

    def land() -> None:
        gate.put(source(history.mine))
        gate.put(live(history.mine))

    done = gate.wait(meanwhile=land)

    assert done.code == 0, done
    assert gate.verdict() == "live"
    assert gate.place.statuses()[REPOSITORY, history.mine]["flux/production"] == "success"


def test_live_by_a_descendant(gate: Gate, history: History) -> None:
    gate.put(source(history.later), live(history.later))

    done = gate.wait()

    assert done.code == 0, done
    assert gate.verdict() == "live"
    assert gate.outputs()["applied_commit"] == history.later


def test_failed(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), failed(history.mine, history.old), live(history.mine, "api"))

    done = gate.wait()

    assert done.code == 1, done
    assert gate.verdict() == "failed"
    assert "Deployment/apps/web" in done.out
    assert gate.place.statuses()[REPOSITORY, history.mine]["flux/production"] == "failure"


def test_waiting_on_a_dependency_that_fails(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), live(history.old, "db"), waiting(history.old, "db"))

    def fail() -> None:
        gate.put(failed(history.mine, history.old, "db"))

    done = gate.wait(meanwhile=fail)

    assert done.code == 1, done
    assert gate.verdict() == "failed"
    assert "apps/db" in done.out


def test_waiting_on_a_dependency_that_fails_and_was_not_asked_for(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), failed(history.mine, history.old, "db"), waiting(history.old, "db"))

    done = gate.wait(kustomization="apps/web")

    assert done.code == 1, done
    assert "apps/db" in done.out


def test_timeout(gate: Gate, history: History) -> None:
    gate.put(source(history.old), live(history.old))

    done = gate.wait(timeout="2s")

    assert done.code == 3, done
    assert gate.verdict() == "waiting"
    assert "ource not fetched yet" in done.out
    assert "interval" in done.out


def test_diverged(gate: Gate, history: History) -> None:
    """The branch was forced to another line, and Flux has followed."""
    gate.put(source(history.old), live(history.old))
    gate.remote["refs/heads/main"] = history.other

    def force() -> None:
        gate.put(source(history.other))
        gate.put(live(history.other))

    done = gate.wait(meanwhile=force)

    assert done.code == 4, done
    assert gate.verdict() == "diverged"


def test_diverged_before_the_job_began(gate: Gate, history: History) -> None:
    """Whether the source will still fetch the commit or has left it looks the same: the branch itself tells."""
    gate.put(source(history.other), live(history.other))
    gate.remote["refs/heads/main"] = history.other

    assert gate.wait().code == 4


def test_forced_to_the_commit_and_not_fetched_yet(gate: Gate, history: History) -> None:
    gate.put(source(history.other), live(history.other))

    done = gate.wait(timeout="3s")

    assert done.code == 3, done
    assert "ource not fetched yet" in done.out


def test_rolled_back_while_it_is_waited_for(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), live(history.old))
    gate.remote["refs/heads/main"] = history.old

    def back() -> None:
        gate.put(source(history.old))

    done = gate.wait(meanwhile=back)

    assert done.code == 4, done


def test_nothing_selected(gate: Gate, history: History) -> None:
    gate.put(o.git_repository(url="https://github.com/example/other", revision=on(history.mine)), live(history.mine))

    done = gate.wait()

    assert done.code == 2, done
    assert "no Kustomization that is meant comes from github.com/example/fleet" in done.err
    assert "There is: github.com/example/other" in done.err
    assert gate.wait(allow_empty="true").code == 0


def test_cluster_down(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), live(history.mine))
    configured = yaml.safe_load((gate.place.folder / "kubeconfig").read_text())
    configured["clusters"].append({"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}})
    configured["contexts"].append({"name": "gone", "context": {"cluster": "gone", "user": "reader"}})
    gate.place.configure(yaml.safe_dump(configured))

    done = gate.wait(context="production\ngone", cluster_name="production\ngone", failure_grace="1s")

    assert done.code == 5, done
    assert gate.verdict() == "waiting"
    assert gate.place.statuses()[REPOSITORY, history.mine]["flux/production"] == "success"
    assert "gone" in done.out


def test_git_host_down_and_the_very_commit_is_live(gate: Gate, history: History) -> None:
    gate.put(source(history.mine), live(history.mine))
    gate.place.github.faults.extend(answer(503) for _ in range(200))

    done = gate.wait()

    assert done.code == 6, done
    assert gate.verdict() == "live"
    gate.place.github.faults.clear()


def test_git_host_down_and_nobody_else_knows_the_ancestry(gate: Gate, history: History, tmp_path: Path) -> None:
    gate.put(source(history.later), live(history.later))
    gate.place.github.faults.extend(answer(503) for _ in range(200))
    elsewhere = gate._replace(history=history._replace(folder=tmp_path))

    done = elsewhere.wait(timeout="4s")

    assert done.code == 3, done
    assert gate.verdict() == "waiting"
    gate.place.github.faults.clear()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_cancelled(gate: Gate, history: History, number: int, code: int) -> None:
    gate.put(source(history.mine), live(history.old))
    process = gate.start()
    end = time.monotonic() + 30
    while not gate.place.statuses() and time.monotonic() < end:
        time.sleep(0.02)

    process.send_signal(number)
    done = gate.ends(process, 20)

    assert done.code == code, done
    assert gate.verdict() == "waiting"
    assert "web" in gate.summary()
    assert json.loads(gate.place.ledger.read_text())["destinations"]["github.com"], done


def test_every_row_of_the_table_has_a_test(server: Cluster) -> None:
    table = README.read_text().partition("<!-- verdicts -->\n")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(table) == 11
