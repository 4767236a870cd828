"""The whole command over several Git hosts at once, from the objects of a cluster to what each host keeps."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import objects as o
import pytest
from integration.cluster import Cluster
from integration.hosts import READERS, WRITERS, Crowd, Statuses, WholeGitHub, crowd
from objects import LATER, LATEST_B, MAIN_A, MAIN_B, MAIN_C, MAIN_D, A, B, C, D
from standins import gitlab
from standins.azuredevops import AzureDevOps
from standins.bitbucket import Bitbucket
from standins.bitbucketserver import BitbucketServer
from standins.gitea import Gitea
from standins.github import GitHub
from standins.gitlab import GitLab
from standins.server import answer

from landed.sandbox.api import KubernetesApi
from landed.sandbox.store import Store
from landed.sandbox.web import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Object = dict[str, Any]


def _failed(name: str, revision: str, **more: Any) -> Object:
    conditions = [
        o.progress("Running health checks", revision, retrying=True),
        o.condition("Ready", "False", "HealthCheckFailed", "health check failed after 2m0.004s", since=LATER),
    ]
    return o.kustomization(name, applied=MAIN_A, attempted=revision, conditions=conditions, **more)


def _contexts(whole: str = "", **objects: str) -> dict[str, str]:
    """``web="success"`` as contexts; ``whole`` is the state of the whole commit."""
    named = {f"flux/prod/apps/{name}": state for name, state in objects.items()}
    return named | ({"flux/prod": whole} if whole else {})


# ── five repositories on three hosts ────────────────────────────────────────────────────────────────────────────────

#: One repository under two names, of which one object fails; a group in a group, by ssh and a port; a commit that is on
#: its way; a project by its address with a user; and an artifact that says what it was made of.
FIRST: tuple[Object, ...] = (
    o.git_repository("fleet", url="https://github.com/example/fleet.git", revision=MAIN_B),
    o.git_repository("fleet-ssh", url="ssh://git@github.com/example/fleet", revision=MAIN_B),
    o.kustomization("web", applied=MAIN_B, source="fleet"),
    _failed("api", MAIN_B, source="fleet-ssh"),
    o.git_repository("platform", url="ssh://git@gitlab.example.com:2222/acme/platform/fleet.git", revision=MAIN_C),
    o.kustomization("platform", applied=MAIN_C, source="platform"),
    o.git_repository("infra", url="https://gitlab.example.com/gitlab/acme/infra", revision=MAIN_D),
    o.kustomization("late", applied=MAIN_A, source="infra"),
    o.git_repository("azure", url="https://acme@dev.azure.com/acme/platform/_git/fleet", revision=MAIN_B),
    o.kustomization("azure", applied=MAIN_B, source="azure"),
    o.oci_repository(
        "shop",
        revision=LATEST_B,
        origin_revision=MAIN_B,
        origin_url="git@ssh.dev.azure.com:v3/acme/platform/shop",
    ),
    o.kustomization(
        "shop", applied=LATEST_B, applied_origin=MAIN_B, source="shop", source_kind="OCIRepository", history=[]
    ),
)
FIRST_STATUSES: dict[str, Statuses] = {
    "github": {("example/fleet", B): _contexts("failure", web="success", api="failure")},
    "gitlab": {
        ("acme/platform/fleet", C): _contexts("success", platform="success"),
        ("acme/infra", A): _contexts("success", late="success"),
        ("acme/infra", D): _contexts("pending", late="pending"),
    },
    "azuredevops": {
        ("acme/platform/_git/fleet", B): _contexts("success", azure="success"),
        ("acme/platform/_git/shop", B): _contexts("success", shop="success"),
    },
}

#: The other three hosts: every address of theirs has a path before it that ssh lacks.
SECOND: tuple[Object, ...] = (
    o.git_repository("fleet", url="https://robot@bitbucket.org/acme/fleet.git", revision=MAIN_B),
    o.git_repository("fleet-ssh", url="ssh://git@bitbucket.org/acme/fleet.git", revision=MAIN_B),
    o.kustomization("web", applied=MAIN_B, source="fleet"),
    _failed("a-name-much-longer-than-a-key-there-may-be", MAIN_B, source="fleet-ssh"),
    o.git_repository("platform", url="ssh://git@git.example.com:7999/acme/fleet.git", revision=MAIN_C),
    o.kustomization("platform", applied=MAIN_C, source="platform"),
    o.git_repository("tools", url="https://git.example.com/git/scm/~robot/tools.git", revision=MAIN_D),
    o.kustomization("late", applied=MAIN_A, source="tools"),
    o.git_repository("code", url="https://code.example.com/sub/path/acme/fleet.git", revision=MAIN_B),
    o.kustomization("code", applied=MAIN_B, source="code"),
    o.oci_repository(
        "shop",
        revision=LATEST_B,
        origin_revision=MAIN_B,
        origin_url="ssh://git@code.example.com:3022/acme/shop.git",
    ),
    o.kustomization(
        "shop", applied=LATEST_B, applied_origin=MAIN_B, source="shop", source_kind="OCIRepository", history=[]
    ),
)
_LONG = "flux/prod/apps/a-name-much-long~"
SECOND_STATUSES: dict[str, Statuses] = {
    "bitbucket": {("acme/fleet", B): _contexts("failure", web="success") | {_LONG: "failure"}},
    "bitbucketserver": {
        ("projects/ACME/repos/fleet", C): _contexts("success", platform="success"),
        ("projects/~robot/repos/tools", A): _contexts("success", late="success"),
        ("projects/~robot/repos/tools", D): _contexts("pending", late="pending"),
    },
    "gitea": {
        ("acme/fleet", B): _contexts("success", code="success"),
        ("acme/shop", B): _contexts("success", shop="success"),
    },
}


class World:
    """A cluster, what must be said of it, and one change to it with what must be said then."""

    def __init__(self, objects: tuple[Object, ...], statuses: dict[str, Statuses], changed: str) -> None:
        self.objects = objects
        self.statuses = statuses
        self.changed_host = changed

    def count(self, name: str) -> int:
        return sum(map(len, self.statuses[name].values()))

    def changed(self) -> tuple[Object, ...]:
        """What was on its way has arrived."""
        source = next(each for each in self.objects if each["metadata"]["name"] in ("infra", "tools"))
        name = source["metadata"]["name"]
        arrived = o.kustomization("late", applied=MAIN_D, source=name, history=[o.snapshot(MAIN_D), o.snapshot(MAIN_A)])
        return tuple(arrived if each["metadata"]["name"] == "late" else each for each in self.objects)


WORLDS = {
    "GitHub, GitLab, Azure DevOps": World(FIRST, FIRST_STATUSES, "gitlab"),
    "Bitbucket, Bitbucket Server, Gitea": World(SECOND, SECOND_STATUSES, "bitbucketserver"),
}
STANDINS: dict[str, Any] = {
    "azuredevops": AzureDevOps,
    "bitbucket": Bitbucket,
    "bitbucketserver": BitbucketServer,
    "gitea": Gitea,
    "github": GitHub,
    "gitlab": GitLab,
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.fixture
def three(world: World, tmp_path: Path) -> Iterator[Crowd]:
    """The hosts of a world, and a cluster that shows it."""
    with crowd(tmp_path, {name: STANDINS[name]() for name in world.statuses}) as here:
        here.show(*world.objects)
        yield here


def _as_it_must_be(here: Crowd, wanted: dict[str, Statuses]) -> None:
    for name, statuses in wanted.items():
        found = here.statuses(name)
        if name == "bitbucket":  # a key has forty characters: the end of a longer one is a hash
            found = {
                place: {
                    _LONG if key.startswith(_LONG) and len(key) == 40 else key: state for key, state in each.items()
                }
                for place, each in found.items()
            }
        assert found == statuses


def _nothing_new(here: Crowd) -> None:
    """A run that asks nobody anything and does not touch the ledger."""
    here.forget()
    before = here.ledger.read_bytes()
    done = here.report()
    assert (done.code, done.err) == (0, "")
    assert "Nothing new" in done.out
    assert here.asked() == []
    assert here.ledger.read_bytes() == before


def test_every_status_is_written_once_and_then_nobody_is_asked_again(three: Crowd, world: World) -> None:
    done = three.report()

    assert (done.code, done.err) == (0, "")
    _as_it_must_be(three, world.statuses)
    assert three.writes() == {name: world.count(name) for name in world.statuses}
    assert len(three.asked()) == sum(three.writes().values()) + sum(map(len, world.statuses.values())), "reading back"
    _nothing_new(three)


def test_one_change_is_told_where_it_belongs_and_nothing_else(three: Crowd, world: World) -> None:
    three.quick()
    three.forget()
    three.show(*world.changed())

    done = three.report()

    assert (done.code, done.err) == (0, "")
    (arrived,) = (place for place in world.statuses[world.changed_host] if place[1] == D)
    wanted = {**world.statuses[world.changed_host], arrived: _contexts("success", late="success")}
    _as_it_must_be(three, {**world.statuses, world.changed_host: wanted})
    assert {name: count for name, count in three.writes().items() if count} == {world.changed_host: 2}
    assert len(three.asked()) == 2, "what the ledger knows is not read back"
    _nothing_new(three)


def test_a_lost_ledger_is_read_back_and_nothing_is_written(three: Crowd, world: World) -> None:
    three.quick()
    three.forget()
    three.ledger.unlink()

    done = three.report()

    assert (done.code, done.err) == (0, "")
    assert sum(three.writes().values()) == 0
    assert len(three.asked()) == sum(map(len, world.statuses.values())), "each commit once"
    _as_it_must_be(three, world.statuses)
    _nothing_new(three)


def test_from_an_api_server_it_is_the_same(three: Crowd, world: World) -> None:
    server = Server(KubernetesApi(Store()).answer)
    server.start()
    cluster = Cluster(server.url)
    try:
        for each in world.objects:
            cluster.put(each)
        (three.folder / "kubeconfig").write_text(cluster.kubeconfig())
        live = three._replace(source=("--kubeconfig", "kubeconfig"))

        done = live.report()

        assert (done.code, done.err) == (0, "")
        _as_it_must_be(three, world.statuses)
        _nothing_new(live)
    finally:
        cluster.close()
        server.stop()


# ── what a host refuses ─────────────────────────────────────────────────────────────────────────────────────────────


def _many(number: int) -> tuple[Object, ...]:
    """So many objects of one repository on each of two hosts."""
    return (
        o.git_repository("fleet", revision=MAIN_B),
        o.git_repository("infra", url="https://gitlab.example.com/gitlab/acme/infra", revision=MAIN_B),
        *(o.kustomization(f"web-{n:02}", applied=MAIN_B) for n in range(number)),
        *(o.kustomization(f"infra-{n:02}", applied=MAIN_B, source="infra") for n in range(number)),
    )


#: github.com is written to slowly, unless it is said otherwise.
AT_ONCE = ("--rate-limit", "github.com=off")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Crowd]:
    with crowd(tmp_path, {"github": GitHub(), "gitlab": GitLab()}, *AT_ONCE) as here:
        yield here


#: Deliveries that one host may have under way at once.
WORKERS = 8


@pytest.mark.parametrize("type_", ["github", "gitlab"])
def test_a_rate_limit_stops_one_host_and_the_next_run_sends_the_rest(two: Crowd, type_: str) -> None:
    number = 20
    two.show(*_many(number))
    host = two.hosts[type_]
    host.faults.extend([None, None, None, answer(429, {"Retry-After": "3600"})])  # the first reads back
    before = time.time()

    done = two.report()

    assert done.code == 6
    (said,) = (line for line in done.err.splitlines() if "rate limit" in line)
    hour = [time.strftime("%H:%M", time.gmtime(at + 3600)) for at in (before, time.time())]
    assert any(f"until {text}" in said for text in hour)
    assert "1 h" in said or "60 min" in said
    writes = two.writes()
    assert 3 <= writes.pop(type_) <= 2 + WORKERS
    assert list(writes.values()) == [number + 1], "the other host is told"
    kept = sum(map(len, two.statuses(type_).values()))

    two.forget()
    again = two.report()

    assert (again.code, again.err) == (0, "")
    assert two.writes()[type_] == number + 1 - kept, "the rest, and nothing twice"
    assert sum(two.writes().values()) == two.writes()[type_]
    assert len(next(iter(two.statuses(type_).values()))) == number + 1
    _nothing_new(two)


def test_a_rate_limit_stops_those_who_wait_for_their_turn(tmp_path: Path) -> None:
    """After the first eight come five a second: whoever waits when the host says no has sent nothing yet."""
    with crowd(tmp_path, {"github": GitHub()}, "--rate-limit", "github.com=300") as here:
        here.show(*_many(30))
        here.hosts["github"].faults.extend([*[None] * 10, answer(429, {"Retry-After": "3600"})])

        done = here.report()

        assert done.code == 6
        assert here.writes()["github"] == 10


def test_a_rate_limit_is_one_for_everything_that_a_host_is_told(tmp_path: Path) -> None:
    with crowd(tmp_path, {"github": WholeGitHub()}, *EVERYTHING) as here:
        here.show(o.git_repository(revision=MAIN_B), *(_failed(f"web-{n:02}", MAIN_B) for n in range(30)))
        refused = answer(429, {"Retry-After": "3600"})
        here.hosts["github"].faults.extend([*[None] * 4, refused])  # two or more of these read back

        done = here.report()

        assert done.code == 6
        assert len(here.asked()) <= 4 + WORKERS * 4


def test_a_token_that_may_only_read_is_one_warning_for_each_host(three: Crowd, world: World) -> None:
    readers = {f"LANDED_{name.upper()}_TOKEN": READERS[name] for name in world.statuses}

    done = three.report(**readers, **three.job)

    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert all("the token may only read" in line for line in warnings)
    assert len(warnings) == len(world.statuses)
    for name in world.statuses:
        assert three.statuses(name) == {}
    _lists(three.summary.read_text(), world)

    strict = three.report("--strict", **readers)

    assert strict.code == 6

    three.forget()
    good = three.report()

    assert (good.code, good.err) == (0, "")
    _as_it_must_be(three, world.statuses)
    assert three.writes() == {name: world.count(name) for name in world.statuses}
    _nothing_new(three)


def _lists(summary: str, world: World) -> None:
    """The summary names every status that was not written."""
    _, _, table = summary.partition("### Not written, for want of a right")
    rows = [line for line in table.partition("\n###")[0].splitlines() if line.startswith("| ")][1:]
    assert len(rows) == sum(map(world.count, world.statuses))
    for statuses in world.statuses.values():
        for (_, commit), contexts in statuses.items():
            for context, state in contexts.items():
                shown = context.removesuffix("~")
                assert any(commit[:8] in row and shown in row.replace("&#126;", "~") and state in row for row in rows)


def test_a_host_that_repeats_the_token_does_not_get_it_printed(three: Crowd, world: World) -> None:
    """In the words of each kind of host, and in none."""
    for name, host in three.hosts.items():
        text = f"You said {WRITERS[name]}, or {WRITERS[name].rpartition(':')[2]}."
        known = {"message": text, "error": {"message": text}, "errors": [{"message": text}]}
        host.faults.extend([*[None] * 3, answer(422, body=json.dumps(known)), answer(422, body=text)])

    done = three.report("-o", "json", **three.job)

    assert done.code == 6
    assert "You said" in done.out + done.err


@pytest.mark.parametrize("given", [{}, {"LANDED_GITLAB_TOKEN": gitlab.JOB}], ids=["by itself", "as a token"])
def test_a_jobs_token_reports_deployments_and_asks_for_no_status(tmp_path: Path, given: dict[str, str]) -> None:
    with crowd(tmp_path, {"gitlab": GitLab("/gitlab")}) as here:
        host = here.hosts["gitlab"]
        own = f"{host.web_url}/acme/platform/fleet"
        job = {
            "GITLAB_CI": "true",
            "CI_SERVER_URL": host.web_url,
            "CI_API_V4_URL": host.url,
            "CI_JOB_TOKEN": gitlab.JOB,
            "CI_JOB_URL": f"{own}/-/jobs/99",
            "LANDED_GITLAB_TOKEN": "",
            **given,
        }
        here = here._replace(options=())
        here.show(o.git_repository(url=f"{own}.git", revision=MAIN_B), o.kustomization(applied=MAIN_B))

        done = here.report("--deployments", "*", **job)

        assert done.code == 0
        assert "CI_JOB_TOKEN cannot set commit statuses" in done.out + done.err
        (made,) = host.deployments["acme/platform/fleet"]
        assert (made["environment"]["name"], made["sha"], made["status"]) == ("prod", B, "success")
        assert host.statuses == {}
        assert [asked for asked in here.asked() if "statuses" in asked] == []

        here.forget()
        assert here.report("--deployments", "*", **job).code == 0
        assert here.asked() == []


# ── how much, and under which names ─────────────────────────────────────────────────────────────────────────────────


def test_of_many_objects_those_that_fail_and_the_whole_are_told(two: Crowd) -> None:
    well = [o.kustomization(f"web-{number:02}", applied=MAIN_B) for number in range(57)]
    ill = [_failed(f"ill-{number}", MAIN_B) for number in range(3)]
    two.show(o.git_repository(revision=MAIN_B), *well, *ill)

    done = two.report("--max-contexts", "50", **two.job)

    assert done.code == 0
    told = {"ill-0": "failure", "ill-1": "failure", "ill-2": "failure"}
    assert two.statuses("github") == {("example/fleet", B): _contexts("failure", **told)}
    assert two.writes() == {"github": 4, "gitlab": 0}
    assert "57 that have not failed are rolled up" in two.summary.read_text()
    _nothing_new(two)


def test_a_failure_that_is_over_is_told_where_it_was_told(two: Crowd) -> None:
    """What is rolled up at first has no status of its own later; what has failed gets its success."""
    well = [o.kustomization(f"web-{number:02}", applied=MAIN_B) for number in range(59)]
    two.show(o.git_repository(revision=MAIN_B), *well, _failed("ill", MAIN_B))
    two.quick()
    two.forget()
    two.show(o.git_repository(revision=MAIN_B), *well, o.kustomization("ill", applied=MAIN_B))

    two.report()

    assert two.statuses("github") == {("example/fleet", B): _contexts("success", ill="success")}
    assert two.writes() == {"github": 2, "gitlab": 0}
    _nothing_new(two)


EXPRESSION = "'landed/' + event.involvedObject.namespace + '-' + event.involvedObject.name"


def test_statuses_are_named_as_the_expression_says(three: Crowd, world: World) -> None:
    done = three.report("--commit-status-expr", EXPRESSION)

    assert (done.code, done.err) == (0, "")
    for name, statuses in world.statuses.items():
        for place, contexts in statuses.items():
            found = three.statuses(name)[place]
            assert len(found) == len(contexts)
            for context, state in contexts.items():
                named = f"landed/apps-{context.rpartition('/')[2]}" if "/apps/" in context else context
                wanted = {key: each for key, each in found.items() if key.startswith(named.removesuffix("~")[:31])}
                assert list(wanted.values()) == [state]
    three.forget()
    again = three.report("--commit-status-expr", EXPRESSION)
    assert (again.code, three.asked()) == (0, [])


@pytest.mark.parametrize(
    "broken", ["event.involvedObject.", "1 + 1", "nothing.at.all", "x" * 3000], ids=["syntax", "type", "name", "length"]
)
def test_a_broken_expression_ends_the_run_before_anything_is_sent(three: Crowd, broken: str) -> None:
    done = three.report("--commit-status-expr", broken)

    assert done.code == 2
    assert "--commit-status-expr" in done.err
    assert three.asked() == []
    assert not three.ledger.exists()


def test_an_object_without_a_name_is_a_warning_and_the_others_are_told(two: Crowd) -> None:
    two.show(
        o.git_repository(revision=MAIN_B),
        o.kustomization("web", applied=MAIN_B),
        o.kustomization(
            "named", applied=MAIN_B, metadata={"annotations": {"event.toolkit.fluxcd.io/label": "by-itself"}}
        ),
    )

    done = two.report("--commit-status-expr", "event.metadata['label']")

    assert done.code == 0
    assert len([line for line in done.err.splitlines() if "Kustomization/apps/web" in line]) == 1
    assert two.statuses("github") == {("example/fleet", B): {"flux/prod": "success", "by-itself": "success"}}
    two.forget()
    assert two.report("--commit-status-expr", "event.metadata['label']").code == 0
    assert two.asked() == []


def test_an_expression_that_gives_the_name_of_the_whole_commit_does_not_write_for_ever(two: Crowd) -> None:
    two.show(o.git_repository(revision=MAIN_B), o.kustomization("web", applied=MAIN_B), _failed("ill", MAIN_B))
    for _ in range(2):
        two.forget()
        assert two.quick("--commit-status-expr", "'flux/prod'").code == 0

    assert two.asked() == []


# ── everything that one GitHub can be told ──────────────────────────────────────────────────────────────────────────

EVERYTHING = (
    *AT_ONCE,
    *("--github-as", "check-run", "--deployments", "*", "--environment-url", "https://{cluster}.example.com"),
    *("--change-request-comments", "--github-dispatch"),
)
FLEET = "example/fleet"


class Life:
    """A GitHub that is told everything, and the life of commits on it."""

    def __init__(self, here: Crowd, host: WholeGitHub) -> None:
        self.here = here
        self.host = host

    def look(self, *objects: Object) -> tuple[int, str, int]:
        """A run that finds these objects, and after it one that finds nothing new: exit code, errors, and how much was
        written.
        """
        self.here.show(*objects)
        self.here.forget()
        done = self.here.report()
        written = len(self.host.writes)
        _nothing_new(self.here)
        return done.code, done.err, written


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    host = WholeGitHub()
    for commit, number in ((A, 6), (B, 7), (C, 8), (D, 9)):
        host.requesting.pull(
            commit, number, FLEET, merged_at="2026-08-20T09:00:00Z", state="closed", merge_commit_sha=commit
        )
    with crowd(tmp_path, {"github": host}, *EVERYTHING) as here:
        yield Life(here, host)


def _on_its_way(to: str, before: str, phase: str = "Running health checks") -> Object:
    conditions = [o.progress(phase, to), o.condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")]
    return o.kustomization("web", applied=before, attempted=to, conditions=conditions, history=[o.snapshot(before)])


def _live(at: str, before: str) -> Object:
    return o.kustomization("web", applied=at, history=[o.snapshot(at, at=LATER), o.snapshot(before)])


def test_the_life_of_a_commit_in_everything_that_github_is_told(life: Life) -> None:
    host = life.host
    source = o.git_repository(revision=MAIN_B, updated=LATER)

    # On B two runs are queued, a deployment is made and told so, and a comment is written; on A, which is live, two
    # runs, a deployment with its state, and a comment. What was live before the first look is no dispatch.
    assert life.look(source, o.kustomization("web", applied=MAIN_A)) == (0, "", 10)
    assert {name: state for name, (state, _) in host.contexts(FLEET, B).items()} == _contexts("pending", web="pending")
    assert [run["status"] for run in host.runs[FLEET, B]] == ["queued"] * 2
    assert sorted(host.deployed()) == [(A, "prod", ["success"]), (B, "prod", ["queued"])]
    assert len(host.requesting.bodies(7)) == 1
    assert len(host.requesting.bodies(6)) == 1
    assert host.requesting.dispatches == []

    # Two runs, the deployment.
    assert life.look(source, _on_its_way(MAIN_B, MAIN_A)) == (0, "", 3)
    assert [run["status"] for run in host.runs[FLEET, B]] == ["in_progress"] * 2

    # The same, the comment, a dispatch, and A's deployment is over.
    assert life.look(source, _live(MAIN_B, MAIN_A)) == (0, "", 6)
    assert [(run["status"], run["conclusion"]) for run in host.runs[FLEET, B]] == [("completed", "success")] * 2
    assert sorted(host.deployed()) == [
        (A, "prod", ["success", "inactive"]),
        (B, "prod", ["queued", "in_progress", "success"]),
    ]
    (comment,) = host.requesting.bodies(7)
    assert "is live" in comment
    (dispatch,) = host.requesting.dispatches
    assert dispatch["event_type"] == "Kustomization/web.apps"
    assert dispatch["client_payload"]["metadata"]["revision"] == MAIN_B
    assert host.statuses == {}, "check runs are instead of statuses"


def test_a_commit_that_was_passed_over_is_closed_everywhere(life: Life) -> None:
    """B is live; C is on its way when D comes; D becomes live."""
    host = life.host
    life.look(o.git_repository(revision=MAIN_B, updated=LATER), o.kustomization("web", applied=MAIN_B))
    life.look(o.git_repository(revision=MAIN_C, updated=LATER), _on_its_way(MAIN_C, MAIN_B))
    last = life.look(o.git_repository(revision=MAIN_D, updated=LATER), _live(MAIN_D, MAIN_B))

    # Two runs each for C and D; the deployments of B, C and D, of which D's is made first; C's and D's comment; and
    # a dispatch.
    assert last == (0, "", 2 + 2 + 4 + 2 + 1)
    assert {run["name"]: run["conclusion"] for run in host.runs[FLEET, C]} == {
        "flux/prod": "cancelled",
        "flux/prod/apps/web": "cancelled",
    }
    assert [len(host.runs[FLEET, commit]) for commit in (B, C, D)] == [2, 2, 2], "each changed in its place"
    assert sorted(host.deployed()) == sorted(
        [
            (B, "prod", ["success", "inactive"]),
            (C, "prod", ["in_progress", "inactive"]),
            (D, "prod", ["success"]),
        ]
    )
    (passed,), (live,) = host.requesting.bodies(8), host.requesting.bodies(9)
    assert "was superseded" in passed
    assert "is live" in live


def test_a_lost_ledger_makes_nothing_twice_whatever_github_is_told(life: Life) -> None:
    host = life.host
    life.look(o.git_repository(revision=MAIN_B), o.kustomization("web", applied=MAIN_B), _failed("ill", MAIN_B))
    before = len(host.runs[FLEET, B]), host.deployed(), host.requesting.bodies(7)
    assert (before[0], len(before[1]), len(before[2])) == (3, 1, 1)
    life.here.ledger.unlink()

    life.here.report()

    assert (len(host.runs[FLEET, B]), host.deployed(), host.requesting.bodies(7)) == before
    _nothing_new(life.here)


def test_a_token_that_may_only_read_is_one_warning_for_each_thing_it_may_not(life: Life) -> None:
    here = life.here
    here.show(o.git_repository(revision=MAIN_B), o.kustomization("web", applied=MAIN_B), _failed("ill", MAIN_B))

    done = here.report(LANDED_GITHUB_TOKEN=READERS["github"], **here.job)

    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 4
    for name in ("check runs", "deployments", "comments", "dispatches"):
        assert any(line.startswith(f"warning: github.com {name}: the token may only read") for line in warnings)
    table = here.summary.read_text().partition("### Not written, for want of a right")[2].partition("\n###")[0]
    assert len([line for line in table.splitlines() if line.startswith("| ")]) == 1 + 3 + 1 + 1 + 1
    assert life.host.runs == {}
    assert (life.host.deployed(), life.host.requesting.bodies(7), life.host.requesting.dispatches) == ([], [], [])

    assert here.report().code == 0
    assert [len(life.host.runs[FLEET, B]), len(life.host.deployed()), len(life.host.requesting.bodies(7))] == [3, 1, 1]
    assert len(life.host.requesting.dispatches) == 1
    _nothing_new(here)
