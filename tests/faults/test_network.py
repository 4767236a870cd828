"""The network may die between any request and its answer, on every kind of Git host and for all that it is told: the
next run completes what the first one began, nothing is there twice, and the run after that has nothing left to send.

Either one answer is lost, and the run sees to it itself, or the host is gone from then on until the run has ended.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import objects as o
import pytest
from integration.hosts import Crowd, WholeGitHub, crowd, hasty
from objects import LATER, MAIN_B, B
from standins.azuredevops import AzureDevOps
from standins.bitbucket import Bitbucket
from standins.bitbucketserver import BitbucketServer
from standins.gitea import Gitea
from standins.github import GitHub
from standins.gitlab import GitLab
from standins.server import Answer, Asked, Fault, StandIn, hang_after, lost, reset, rubbish

#: What a Git host keeps, however often it keeps it: what it is about, and its state.
Kept = list[tuple[str, ...]]

#: What gives the methods of the requests of a case's first run, in order.
Undisturbed = Callable[["Case"], list[str]]


class Case(NamedTuple):
    """One thing that one kind of Git host is told."""

    name: str
    host: str
    make: Callable[[], Any]
    url: str
    """Of the source."""
    kept: Callable[[Any], Kept]
    wanted: Kept
    options: tuple[str, ...] = ()
    prepare: Callable[[Any], None] = lambda host: None
    idle: int = 0
    """Requests at the end of which it does not matter what becomes of them."""
    most: int = 1
    """How often a thing may be there: what cannot be looked up may be repeated once."""


def _entries(host: Any) -> Iterator[dict[str, Any]]:
    for kept in host.statuses.values():
        yield from kept.values() if isinstance(kept, dict) else kept


def _azure(host: Any) -> Kept:
    return [(f"{each['context']['genre']}/{each['context']['name']}", each["state"]) for each in _entries(host)]


def _runs(host: Any) -> Kept:
    return [(run["name"], run["conclusion"]) for runs in host.runs.values() for run in runs]


def _deployed(host: Any) -> Kept:
    return [(sha, environment, *states) for sha, environment, states in host.deployed()]


def _gitlab_deployed(host: Any) -> Kept:
    return [
        (each["sha"], each["environment"]["name"], each["status"])
        for all_ in host.deployments.values()
        for each in all_
    ]


def _said(bodies: list[str]) -> Kept:
    """Each comment by whether it says what it must."""
    return [("comment", "failed" if "❌ failed" in body and "apps/web" in body else body) for body in bodies]


def _github_pull(host: Any) -> None:
    host.requesting.pull(
        B, 7, "acme/fleet", merged_at="2026-08-20T09:00:00Z", state="closed", merge_commit_sha=B, head=B
    )


COMMENTS = ("--change-request-comments",)
CASES = (
    Case(
        "azuredevops",
        "azuredevops",
        AzureDevOps,
        "https://dev.azure.com/acme/platform/_git/fleet",
        _azure,
        [("flux/prod", "failed"), ("flux/prod/apps/web", "failed")],
    ),
    Case(
        "bitbucket",
        "bitbucket",
        Bitbucket,
        "https://bitbucket.org/acme/fleet.git",
        lambda host: [(each["key"], each["state"]) for each in _entries(host)],
        [("flux/prod", "FAILED"), ("flux/prod/apps/web", "FAILED")],
    ),
    Case(
        "bitbucketserver",
        "bitbucketserver",
        BitbucketServer,
        "ssh://git@git.example.com:7999/acme/fleet.git",
        lambda host: [(each["key"], each["state"]) for each in _entries(host)],
        [("flux/prod", "FAILED"), ("flux/prod/apps/web", "FAILED")],
    ),
    Case(
        "gitea",
        "gitea",
        Gitea,
        "https://code.example.com/sub/path/acme/fleet.git",
        lambda host: [(each["context"], each["status"]) for each in _entries(host)],
        [("flux/prod", "failure"), ("flux/prod/apps/web", "failure")],
    ),
    Case(
        "giteapullrequestcomment",
        "gitea",
        Gitea,
        "https://code.example.com/sub/path/acme/fleet.git",
        lambda host: _said([each["body"] for each in host.said(7)]),
        [("comment", "failed")],
        COMMENTS,
        lambda host: host.pull(7, head="0" * 40, merged=B),
    ),
    Case(
        "github",
        "github",
        GitHub,
        "https://github.com/acme/fleet.git",
        lambda host: [(each["context"], each["state"]) for each in _entries(host)],
        [("flux/prod", "failure"), ("flux/prod/apps/web", "failure")],
    ),
    Case(
        "github-check-run",
        "github",
        WholeGitHub,
        "https://github.com/acme/fleet.git",
        _runs,
        [("flux/prod", "failure"), ("flux/prod/apps/web", "failure")],
        ("--github-as", "check-run"),
    ),
    Case(
        "github-deployments",
        "github",
        WholeGitHub,
        "https://github.com/acme/fleet.git",
        _deployed,
        [(B, "prod", "failure")],
        ("--deployments", "*"),
    ),
    Case(
        "githubdispatch",
        "github",
        WholeGitHub,
        "https://github.com/acme/fleet.git",
        lambda host: [(each["event_type"], each["client_payload"]["reason"]) for each in host.requesting.dispatches],
        [("Kustomization/web.apps", "HealthCheckFailed")],
        ("--github-dispatch",),
        most=2,
    ),
    Case(
        "githubpullrequestcomment",
        "github",
        WholeGitHub,
        "https://github.com/acme/fleet.git",
        lambda host: _said(host.requesting.bodies(7)),
        [("comment", "failed")],
        COMMENTS,
        _github_pull,
        idle=2,  # whether another job has written a comment just before
    ),
    Case(
        "gitlab",
        "gitlab",
        GitLab,
        "https://gitlab.example.com/gitlab/acme/fleet.git",
        lambda host: [(each["name"], each["status"]) for each in _entries(host)],
        [("flux/prod", "failed"), ("flux/prod/apps/web", "failed")],
    ),
    Case(
        "gitlab-deployments",
        "gitlab",
        GitLab,
        "https://gitlab.example.com/gitlab/acme/fleet.git",
        _gitlab_deployed,
        [(B, "prod", "failed")],
        ("--deployments", "*", "--environment-url", "https://{cluster}.example.com"),
        idle=1,  # the environment gets its address
    ),
    Case(
        "gitlabmergerequestcomment",
        "gitlab",
        GitLab,
        "https://gitlab.example.com/gitlab/acme/fleet.git",
        lambda host: _said([each["body"] for notes in host.notes.values() for each in notes]),
        [("comment", "failed")],
        COMMENTS,
        lambda host: host.merge_request("acme/fleet", B, 7, merge_commit_sha=B),
    ),
)


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with hasty():
        yield


class Scene:
    """A cluster that fails on a commit, and a host that is to be told so."""

    def __init__(self, case: Case, here: Crowd) -> None:
        self.case = case
        self.here = here
        self.host = here.hosts[case.host]
        case.prepare(self.host)
        self.show(failed=True)

    def show(self, *, failed: bool) -> None:
        """Let the commit have failed, or be on its way."""
        ready = o.condition("Ready", "Unknown", "Progressing", "Reconciliation in progress", since=LATER)
        if failed:
            ready = o.condition("Ready", "False", "HealthCheckFailed", "health check failed after 2m0s", since=LATER)
        progress = o.progress("Running health checks", MAIN_B, retrying=failed)
        self.here.show(
            o.git_repository(url=self.case.url, revision=MAIN_B),
            o.kustomization(applied="", attempted=MAIN_B, conditions=[progress, ready], observed_generation=1),
        )

    @property
    def server(self) -> StandIn:
        server: StandIn = getattr(self.host, "github", self.host).server
        return server

    def complete(self, wanted: Kept | None = None) -> None:
        """Run again, unharmed, and see that everything is as if nothing had happened."""
        wanted = self.case.wanted if wanted is None else wanted
        self.here.forget()
        done = self.here.quick()
        assert (done.code, done.err) == (0, "")
        found = Counter(self.case.kept(self.host))
        assert sorted(found) == sorted(wanted)
        assert max(found.values()) <= self.case.most
        self.here.forget()
        again = self.here.quick()
        assert (again.code, again.err) == (0, "")
        assert self.here.asked() == []


def _scene(case: Case, folder: Path, number: int) -> Any:
    place = folder / str(number)
    place.mkdir()
    return crowd(place, {case.host: case.make()}, *case.options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    known: dict[str, list[str]] = {}

    def methods(case: Case) -> list[str]:
        if case.name not in known:
            with _scene(case, tmp_path_factory.mktemp("undisturbed"), 0) as here:
                scene = Scene(case, here)
                assert here.quick().code == 0
                asked = scene.host.asked
                known[case.name] = ["GET" if each.path.endswith("/graphql") else each.method for each in asked]
                assert Counter(case.kept(scene.host)) == Counter(case.wanted)
                scene.complete()
        return known[case.name]

    return methods


def _named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


LOST = pytest.param(lost(), False, id="lost after it acted")
GARBLED = pytest.param(rubbish(), False, id="garbled after it acted")
RESET = pytest.param(reset(), False, id="reset before it acted")
LOST_AND_GONE = pytest.param(lost(), True, id="lost after it acted, and gone")
RESET_AND_GONE = pytest.param(reset(), True, id="reset before it acted, and gone")
#: One for each client: PyGithub, python-gitlab and none.
CLIENTS = ("github", "gitlab", "gitea")


@pytest.mark.parametrize(("fault", "gone"), [LOST, LOST_AND_GONE, RESET_AND_GONE])
def test_the_network_dies_at_any_request(
    case: Case, fault: Fault, gone: bool, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    _at_any_request(case, fault, gone, tmp_path, len(undisturbed(case)))


@pytest.mark.parametrize(("fault", "gone"), [GARBLED, RESET])
@pytest.mark.parametrize("case", [*map(_named, CLIENTS)], ids=lambda case: case.name)
def test_an_answer_that_is_none(case: Case, fault: Fault, gone: bool, tmp_path: Path, undisturbed: Undisturbed) -> None:
    _at_any_request(case, fault, gone, tmp_path, len(undisturbed(case)))


def _at_any_request(case: Case, fault: Fault, gone: bool, folder: Path, requests: int) -> None:
    for number in range(1, requests + 1):
        with _scene(case, folder, number) as here:
            scene = Scene(case, here)
            scene.host.faults.extend([*[None] * (number - 1), fault, *([reset()] * 100 if gone else [])])
            done = here.quick()
            try:
                assert done.code == (6 if gone and number <= requests - case.idle else done.code)
                assert done.code in (0, 6)
                scene.complete()
            except AssertionError as error:
                error.add_note(f"at request {number} of {requests}, after which: {done}")
                raise


#: Where more is kept, once what was on its way has failed, than if it had failed at once.
CHANGED: dict[str, Kept] = {
    "azuredevops": [
        (context, state) for context in ("flux/prod", "flux/prod/apps/web") for state in ("pending", "failed")
    ],
    "github-deployments": [(B, "prod", "in_progress", "failure")],
}


@pytest.mark.parametrize(
    "fault", [pytest.param(lost(), id="lost after it acted"), pytest.param(reset(), id="reset before it acted")]
)
@pytest.mark.parametrize(
    "type_",
    [
        "azuredevops",
        "github-check-run",
        "github-deployments",
        "githubpullrequestcomment",
        "gitlab",
        "gitlab-deployments",
        "gitlabmergerequestcomment",
    ],
)
def test_the_network_dies_while_a_change_is_told(type_: str, fault: Fault, tmp_path: Path) -> None:
    """What was told before is changed where it is, or ended and followed: by number, which may be refused by now."""
    case = _named(type_)
    number, requests = 1, 1
    while number <= requests:
        with _scene(case, tmp_path, number) as here:
            scene = Scene(case, here)
            scene.show(failed=False)
            assert here.quick().code == 0
            here.forget()
            scene.show(failed=True)
            scene.host.faults.extend([*[None] * (number - 1), fault, *[reset()] * 100])
            done = here.quick()
            requests = len(scene.host.asked)
            try:
                assert done.code in (0, 6)
                scene.complete(CHANGED.get(type_))
            except AssertionError as error:
                error.add_note(f"at request {number}, after which: {done}")
                raise
        number += 1
    assert number > 2


def test_a_deployment_that_was_made_is_told_its_first_state_by_the_next_run(tmp_path: Path) -> None:
    case = _named("github-deployments")
    with _scene(case, tmp_path, 0) as here:
        scene = Scene(case, here)
        scene.show(failed=False)
        handle = scene.server.handle

        def deaf(asked: Asked) -> tuple[str, Answer]:
            told = asked.method == "POST" and re.search("/deployments/[0-9]+/statuses$", asked.path)
            return ("reset", Answer(500)) if told else handle(asked)

        with patch.object(scene.server, "handle", deaf):
            assert here.quick().code == 6
        assert case.kept(scene.host) == [(B, "prod")]
        scene.complete([(B, "prod", "in_progress")])


def test_a_host_that_falls_silent_after_it_acted(case: Case, tmp_path: Path, undisturbed: Undisturbed) -> None:
    """At the last write: it is the one that everything before has led to."""
    methods = undisturbed(case)
    last = max(number for number, method in enumerate(methods, 1) if method != "GET")
    with _scene(case, tmp_path, last) as here:
        scene = Scene(case, here)
        scene.host.faults.extend([*[None] * (last - 1), hang_after(), *[reset()] * 100])
        assert here.quick().code in (0, 6)
        scene.complete()


@pytest.mark.parametrize(
    "type_",
    [
        "azuredevops",
        "github-check-run",
        "github-deployments",
        "githubpullrequestcomment",
        "gitlab",
        "gitlab-deployments",
        "gitlabmergerequestcomment",
        "giteapullrequestcomment",
    ],
)
def test_killed_while_a_write_that_was_carried_out_has_no_answer(
    type_: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    case = _named(type_)
    methods = undisturbed(case)
    writes = [number for number, method in enumerate(methods, 1) if method != "GET"]
    for number in sorted({writes[0], writes[-1]}):
        with _scene(case, tmp_path, number) as here:
            scene = Scene(case, here)
            _kill_at(scene, number)
            scene.complete()


@pytest.mark.parametrize("type_", CHANGED)
def test_killed_while_a_change_that_was_carried_out_has_no_answer(type_: str, tmp_path: Path) -> None:
    """The ledger knows that it was pending: only what was announced says that it must be read back."""
    case = _named(type_)
    with _scene(case, tmp_path, 0) as here:
        scene = Scene(case, here)
        scene.show(failed=False)
        assert here.quick().code == 0
        here.forget()
        scene.show(failed=True)
        _kill_at(scene, 1)
        scene.complete(CHANGED[type_])


def _kill_at(scene: Scene, number: int) -> None:
    """Kill a run when the host has acted on its request of that number, and says nothing."""
    scene.host.faults.extend([*[None] * (number - 1), hang_after(), *[reset()] * 100])
    process = scene.here.start()
    deadline = time.monotonic() + 30
    while len(scene.host.asked) < number and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    with scene.server._lock:  # it has acted
        assert len(scene.host.asked) >= number, "the run ended before it could be hit"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
