"""The numbers: what a look and its deliveries do to them, and that Prometheus' own tools read them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from landed.model import (
    Cluster,
    CommitStatus,
    Delivery,
    Kustomization,
    Look,
    Mark,
    ObjectRef,
    Observation,
    Outcome,
    Report,
    Repository,
    Source,
    State,
    Update,
)
from landed.serving import Metrics
from landed.serving.leadtime import KEPT
from landed.serving.metrics import CONTENT_TYPE, NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Repository("github.com", "acme/fleet")
COMMIT, OTHER = "a" * 40, "b" * 40
WEB, DB = (ObjectRef("Kustomization", "apps", name) for name in ("web", "db"))
SOURCE = ObjectRef("GitRepository", "flux-system", "fleet")


def said(state: State, about: ObjectRef = WEB, **more: Any) -> Observation:
    return Observation(about, state, REPOSITORY, COMMIT, **more)


def outcome(*observations: Observation, commit: str = COMMIT, missing: Sequence[ObjectRef] = ()) -> Outcome:
    return Outcome("prod", REPOSITORY, commit, observations, tuple(missing))


def look(*outcomes: Outcome, silent: Sequence[Observation] = (), read: Cluster | None = None) -> Look:
    return Look("prod", outcomes, tuple(silent), read=read)


def update(destination: str = "github.com", commit: str = COMMIT) -> Update:
    payload = CommitStatus(REPOSITORY, commit, "flux/prod", State.SUCCESS, "")
    return Update(destination, (Mark("acme/fleet flux/prod", commit, "success"),), payload)


class Numbers:
    """A process's numbers, and its clock."""

    def __init__(self, leader: bool = True) -> None:
        self.time = 1000.0
        self.metrics = Metrics(leader=lambda: leader, now=lambda: self.time)

    def see(self, *looks: Look, deliveries: Sequence[Delivery] = (), took: float = 0.5, **more: Any) -> None:
        report = Report(looks, tuple(deliveries))
        self.metrics.observe(report, began=self.time, ended=self.time + took, **more)

    def all(self) -> dict[str, float]:
        """Every sample, by how it is written."""
        text = self.metrics.page()[0].decode()
        return {
            sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def some(self, prefix: str) -> dict[str, float]:
        """The samples whose name begins so, without it; of histograms count and sum."""
        found = {name.removeprefix(prefix): value for name, value in self.all().items() if name.startswith(prefix)}
        return {name: value for name, value in found.items() if "bucket" not in name}


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


def test_before_the_first_look(numbers: Numbers) -> None:
    body, content_type = numbers.metrics.page()
    assert content_type == CONTENT_TYPE
    assert b"landed_build_info{version=" in body
    found = numbers.all()
    assert found["landed_leader"] == 1
    assert [found[f"landed_looks_total result={result}"] for result in ("complete", "partial", "failed")] == [0, 0, 0]
    assert Numbers(leader=False).all()["landed_leader"] == 0


def test_looks(numbers: Numbers) -> None:
    lost = Look("edge", error="refuses the connection")
    numbers.see(look(), lost, took=3)
    numbers.see(lost, took=-1)
    numbers.see(look())
    found = numbers.all()
    assert [found[f"landed_looks_total result={result}"] for result in ("complete", "partial", "failed")] == [1, 1, 1]
    assert numbers.some("landed_look_duration_seconds") == {"_count": 3, "_sum": 3.5}
    assert found["landed_last_look_timestamp_seconds"] == 1000.5
    assert numbers.some("landed_cluster_readable") == {" cluster=prod": 1, " cluster=edge": 0}


def test_observations_are_those_of_now(numbers: Numbers) -> None:
    failed = outcome(said(State.FAILURE), said(State.SUCCESS, DB))
    past = outcome(said(State.SUCCESS, past=True), commit=OTHER)
    numbers.see(look(failed, past, silent=[Observation(DB, State.SUSPENDED)]))
    found = numbers.some("landed_observations cluster=prod state=")
    assert {state: count for state, count in found.items() if count} == {"success": 1, "failure": 1, "suspended": 1}
    assert "superseded" not in found
    numbers.see(look(outcome(said(State.SUCCESS))))
    assert numbers.some("landed_observations cluster=prod state=")["failure"] == 0
    numbers.see(Look("prod", error="refuses the connection"))
    assert numbers.some("landed_observations") == {}
    numbers.see(Look("prod", error="refuses the connection"))
    numbers.see(look(outcome(said(State.SUCCESS))))
    assert numbers.some("landed_observations cluster=prod state=")["success"] == 1


class Outlet:
    workers = 3

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def deliver(self, update: Update) -> str:
        self.numbers.time += 2
        if update.destination == "broken":
            raise ZeroDivisionError
        return "handle"


def test_deliveries_by_what_became_of_them(numbers: Numbers) -> None:
    worked: list[float] = []
    outlets = numbers.metrics.timed({"github.com": Outlet(numbers)}, worked=lambda: worked.append(numbers.time))
    told = update()
    began = numbers.time
    assert outlets["github.com"].deliver(told) == "handle"
    assert outlets["github.com"].workers == 3
    with pytest.raises(ZeroDivisionError):
        outlets["github.com"].deliver(update("broken"))
    assert worked == [began + 2, began + 4]
    deliveries = (
        Delivery(told),
        Delivery(update(), error="refused"),
        Delivery(update(), error="may only read", read_only=True),
        Delivery(update("slack")),  # not timed
    )
    numbers.metrics.observe(Report((look(),), deliveries), began=began, ended=numbers.time)
    assert numbers.some("landed_deliveries_total destination=") == {
        "github.com result=delivered": 1,
        "github.com result=failed": 1,
        "github.com result=not_written": 1,
        "slack result=delivered": 1,
    }
    assert numbers.some("landed_delivery_duration_seconds") == {
        "_count destination=github.com": 1,
        "_sum destination=github.com": 2,
    }
    assert numbers.metrics._acknowledged == {}  # another update may come to lie where this one was


def deliver(numbers: Numbers, *outcomes: Outcome) -> None:
    told = update()
    began = numbers.time
    numbers.metrics.timed({"": Outlet(numbers)})[""].deliver(told)
    numbers.metrics.observe(Report((look(*outcomes),), (Delivery(told),)), began=began, ended=numbers.time)


def test_from_the_event_to_its_delivery(numbers: Numbers) -> None:
    deliver(numbers, outcome(said(State.PENDING, since=999)))
    assert numbers.some("landed_event_delivery_seconds") == {}  # how long that was there before, nobody knows
    numbers.time = 2000
    deliver(numbers, outcome(said(State.PENDING, since=900)))
    assert numbers.some("landed_event_delivery_seconds") == {}
    numbers.time = 3000
    deliver(numbers, outcome(said(State.SUCCESS, since=2995), said(State.SUCCESS, DB, since=2990)))
    found = {"_count destination=github.com": 1, "_sum destination=github.com": 7}
    assert numbers.some("landed_event_delivery_seconds") == found
    numbers.time = 4000
    deliver(numbers, outcome(said(State.SUCCESS, since=9999)))  # the cluster's clock is ahead
    assert numbers.some("landed_event_delivery_seconds")["_sum destination=github.com"] == 7


def read(updated: int, revision: str = f"main@sha1:{COMMIT}") -> Cluster:
    source = Source(SOURCE, revision=revision, updated=updated)
    return Cluster("prod", tuple(Kustomization(ref, SOURCE) for ref in (WEB, DB)), {SOURCE: source})


class TestLeadTime:
    def test_from_the_artifact_and_from_when_it_was_seen(self, numbers: Numbers) -> None:
        numbers.see(look())
        numbers.time = 1100
        numbers.see(look(outcome(said(State.PENDING)), read=read(1090)))
        numbers.time = 1200
        numbers.see(look(outcome(said(State.SUCCESS, since=1190), missing=[DB]), read=read(1090)))
        assert numbers.some("landed_lead_time_seconds") == {}  # not all of it is live
        numbers.time = 1300
        live = look(outcome(said(State.SUCCESS, since=1190), said(State.SUCCESS, DB, since=1290)), read=read(1090))
        numbers.see(live, committed={(REPOSITORY, COMMIT): 1000})
        numbers.see(live)
        assert numbers.some("landed_lead_time_seconds") == {
            "_count cluster=prod from=artifact": 1,
            "_sum cluster=prod from=artifact": 200,
            "_count cluster=prod from=seen": 1,
            "_sum cluster=prod from=seen": 200,
            "_count cluster=prod from=commit": 1,
            "_sum cluster=prod from=commit": 290,
        }

    def test_what_was_there_before_us_has_no_beginning(self, numbers: Numbers) -> None:
        numbers.see(look(outcome(said(State.SUCCESS, since=5)), read=read(1)))
        numbers.see(look(outcome(said(State.SUCCESS, since=5)), read=read(1)))
        assert numbers.some("landed_lead_time_seconds") == {}

    def test_what_was_under_way_before_us_is_counted_from_its_artifact_alone(self, numbers: Numbers) -> None:
        numbers.see(look(outcome(said(State.PENDING)), read=read(900)))
        numbers.see(look(outcome(said(State.SUCCESS, since=1000)), read=read(900)))
        found = {"_count cluster=prod from=artifact": 1, "_sum cluster=prod from=artifact": 100}
        assert numbers.some("landed_lead_time_seconds") == found

    def test_what_came_and_was_ready_between_two_looks(self, numbers: Numbers) -> None:
        numbers.see(look())
        numbers.see(look(outcome(said(State.SUCCESS, since=1000)), read=read(990)))
        found = {"_count cluster=prod from=artifact": 1, "_sum cluster=prod from=artifact": 10}
        assert numbers.some("landed_lead_time_seconds") == found

    def test_another_commits_artifact_says_nothing(self, numbers: Numbers) -> None:
        numbers.see(look())
        numbers.see(look(outcome(said(State.SUCCESS, since=1000)), read=read(990, f"main@sha1:{OTHER}")))
        numbers.see(look())
        assert numbers.some("landed_lead_time_seconds") == {}

    def test_a_commit_that_fails_first_counts_when_it_is_live_and_a_rollback_to_it_does_not(
        self, numbers: Numbers
    ) -> None:
        other = outcome(said(State.PENDING), commit=OTHER)
        for seen in (other, outcome(said(State.PENDING)), outcome(said(State.FAILURE))):
            numbers.see(look(seen))
        numbers.time = 1050
        numbers.see(look(outcome(said(State.SUCCESS))))
        numbers.see(look(other))
        numbers.see(look(outcome(said(State.PENDING))))
        numbers.see(look(outcome(said(State.SUCCESS))))
        found = {"_count cluster=prod from=seen": 1, "_sum cluster=prod from=seen": 50}
        assert numbers.some("landed_lead_time_seconds") == found

    def test_a_cluster_that_cannot_be_read_at_first_is_not_new_for_that(self, numbers: Numbers) -> None:
        numbers.see(Look("prod", error="away"))
        numbers.see(look(outcome(said(State.SUCCESS, since=5)), read=read(1)))
        assert numbers.some("landed_lead_time_seconds") == {}

    def test_memory_is_bounded(self, numbers: Numbers) -> None:
        for number in range(3 * KEPT):
            numbers.see(look(outcome(said(State.PENDING), commit=f"{number:040x}")))
        assert len(numbers.metrics._lead_times._seen["prod"]) <= KEPT + 1


def test_names_of_strangers_do_no_harm_and_are_not_without_number(numbers: Numbers) -> None:
    hostile = ['a"} 1\n# EOF\n', "\ud800", "é" * 5000, "\\", "{}"]
    for name in [*hostile, *(f"channel {number}" for number in range(NAMES * 2))]:
        numbers.see(Look(name), deliveries=[Delivery(update(name))])
    numbers.see(Look("one more"))
    found = numbers.some("landed_deliveries_total")
    assert len(found) == NAMES + 1
    assert found[" destination=other result=delivered"] == NAMES + len(hostile)
    assert len(numbers.some("landed_cluster_readable")) == NAMES + 1


def test_no_label_can_grow_with_commits_or_objects(numbers: Numbers) -> None:
    numbers.see(look())
    for number in range(3):
        commit, about = f"{number:040x}", ObjectRef("Kustomization", "apps", f"app-{number}")
        told = update(commit=commit)
        seen = look(outcome(said(State.SUCCESS, about, since=1000), commit=commit))
        numbers.see(seen, deliveries=[Delivery(told)])
        if number == 0:
            before = len(numbers.all())
    assert len(numbers.all()) == before
    names = {label for family in numbers.metrics.registry.collect() for each in family.samples for label in each.labels}
    assert names == {"version", "result", "le", "cluster", "state", "destination"}


def test_names_as_prometheus_wants_them(numbers: Numbers) -> None:
    """https://prometheus.io/docs/practices/naming/"""
    for family in numbers.metrics.registry.collect():
        assert family.name.startswith("landed_")
        assert family.documentation.endswith(".")
        assert family.type != "histogram" or family.name.endswith("_seconds")
    assert not [name for name in numbers.all() if "_created" in name]


def test_promtool_has_nothing_to_say(numbers: Numbers) -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("there is no promtool")
    numbers.see(look())
    numbers.see(look(outcome(said(State.PENDING)), read=read(1090)))
    deliver(numbers, outcome(said(State.SUCCESS, since=1190)))
    done = subprocess.run(
        [promtool, "check", "metrics"], input=numbers.metrics.page()[0], capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_two_processes_parts_do_not_share_a_registry() -> None:
    one, two = Numbers(), Numbers()
    one.see(look())
    assert two.all()["landed_looks_total result=complete"] == 0


def test_the_outlets_stay_what_they_are(numbers: Numbers) -> None:
    outlet = Outlet(numbers)
    timed = cast("Any", numbers.metrics.timed({"github.com": outlet})["github.com"])
    with pytest.raises(AttributeError):
        timed.nothing  # noqa: B018
    assert timed.numbers is numbers
