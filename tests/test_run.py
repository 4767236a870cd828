"""The loop: what is told, what is remembered, and what happens when something on the way fails."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, NOW, B, C, cluster, git, k, phase, ready

from landed.delivery import Parts
from landed.errors import ClusterError, DeliveryError
from landed.ledger.file import FileLedger
from landed.model import (
    Cluster,
    CommitStatus,
    Described,
    Destination,
    Digest,
    Held,
    Relation,
    Report,
    Repository,
    Snapshot,
    State,
    Update,
)
from landed.plan import Wording
from landed.run import Line, Reader, once_only, run
from landed.told import Told

LIVE = cluster(k(applied=MAIN_B, attempted=MAIN_B), git(MAIN_B))
RUNNING = cluster(
    k(ready=ready("Unknown"), reconciling=phase("Building manifests", MAIN_B), attempted=MAIN_B), git(MAIN_B)
)
FAILED = cluster(k(ready=ready("False", "BuildFailed", "no"), attempted=MAIN_B), git(MAIN_B))


class Host:
    """A Git host in memory that keeps what it is given, and fails as it is told."""

    workers = 4

    def __init__(
        self, name: str = "github.com", fails: Callable[[CommitStatus], Exception | None] = lambda _: None
    ) -> None:
        self.destination = Destination(name, "statuses", name)
        self.written: list[CommitStatus] = []
        self.asked: list[tuple[Repository, str]] = []
        self.fails = fails
        self.mute: DeliveryError | None = None
        self._lock = threading.Lock()

    def lane(self, update: Update) -> str:
        return ""

    def deliver(self, update: Update) -> str:
        assert isinstance(update.payload, CommitStatus)
        error = self.fails(update.payload)
        if error is not None:
            raise error
        with self._lock:
            self.written.append(update.payload)
        return ""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        if self.mute:
            raise self.mute
        self.asked.append((repository, commit))
        return {s.context: Held(s.state, s.description) for s in self.written if s.commit == commit}

    def knows(self, repository: Repository) -> bool:
        return repository.host == self.destination.host

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        raise NotImplementedError

    def described(self, repository: Repository, commit: str) -> Described:
        return Described("Upgrade ingress-nginx", "Ada Lovelace")

    def states(self) -> list[tuple[str, State]]:
        return sorted((s.context, s.state) for s in self.written)


class Chat:
    """A channel in memory."""

    workers = 1
    destination = Destination("slack", "digests")

    def __init__(self) -> None:
        self.messages: list[Digest] = []
        self.error: BaseException | None = None

    def lane(self, update: Update) -> str:
        return ""

    def deliver(self, update: Update) -> str:
        if self.error:
            raise self.error
        assert isinstance(update.payload, Digest)
        self.messages.append(update.payload)
        return ""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        return {}

    def knows(self, repository: Repository) -> bool:
        return False

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        raise NotImplementedError

    def described(self, repository: Repository, commit: str) -> Described:
        raise NotImplementedError


class Silence:
    def warn(self, text: str) -> None:
        raise AssertionError(text)

    def progress(self, text: str) -> None: ...


class World:
    """A run's surroundings: change ``seen`` and run again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.json"
        self.host, self.chat = Host(), Chat()
        self.seen: dict[str, Cluster | ClusterError] = {"prod": LIVE}
        self.since: list[int] = []
        self.settings: dict[str, Any] = {}

    def read(self, name: str) -> Callable[[int], Cluster]:
        def read(since: int) -> Cluster:
            self.since.append(since)
            found = self.seen[name]
            if isinstance(found, ClusterError):
                raise found
            return structs.replace(found, name=name)

        return read

    def told(self) -> Told:
        """What the ledger on the disk says."""
        return FileLedger(str(self.path), warn=print, progress=print).peek()

    def run(self, **settings: Any) -> Report:
        ledger = FileLedger(str(self.path), lock_timeout=1, warn=print, progress=print)
        line = Line(
            readers=[Reader(name, self.read(name)) for name in self.seen],
            parts=Parts(
                ledger, {self.host.destination.name: self.host, "slack": self.chat}, Silence(), lambda: float(NOW)
            ),
            wording=Wording(),
            pause=lambda _: None,
            **settings,
        )
        return run(line, once_only)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


BOTH = [("flux/prod", State.SUCCESS), ("flux/prod/apps/web", State.SUCCESS)]


def test_the_first_run_tells_and_the_second_is_silent(world: World) -> None:
    assert world.run().exit_code == 0
    assert world.host.states() == BOTH
    before = world.path.stat()
    asked = list(world.host.asked)
    again = world.run()
    assert again.deliveries == ()
    assert world.host.states() == BOTH
    assert world.host.asked == asked
    assert (world.path.stat().st_mtime_ns, world.path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_an_interval_run_changes_nothing(world: World) -> None:
    world.run()
    content = world.path.read_bytes()
    world.seen["prod"] = cluster(
        k(applied=MAIN_B, attempted=MAIN_B, ready=ready("Unknown"), reconciling=phase("Fetching manifests", MAIN_B)),
        git(MAIN_B),
    )
    assert world.run().deliveries == ()
    assert world.path.read_bytes() == content


def test_a_lost_ledger_repeats_nothing(world: World) -> None:
    world.run()
    world.path.unlink()
    assert [d.error for d in world.run().deliveries] == []
    assert world.host.states() == BOTH
    assert world.chat.messages == []
    world.seen["prod"] = FAILED
    assert {d.update.destination for d in world.run().deliveries} == {"github.com", "slack"}


def test_what_was_read_back_is_not_asked_for_again(world: World) -> None:
    world.run()
    world.seen["prod"] = cluster(k(applied=MAIN_C, attempted=MAIN_C), git(MAIN_C))
    for context, said in (("flux/prod", "1 object live"), ("flux/prod/apps/web", "Applied main@32096c2e")):
        world.host.written.append(CommitStatus(FLEET, C, context, State.SUCCESS, said))
    world.run()
    world.host.asked.clear()
    assert world.run().deliveries == ()
    assert world.host.asked == []


def test_pending_does_not_hide_what_a_lost_ledger_knew(world: World) -> None:
    world.run()
    world.path.unlink()
    world.seen["prod"] = RUNNING
    assert world.run().deliveries == ()


def test_a_failed_delivery_stays_news_and_the_others_are_told(world: World) -> None:
    world.seen["prod"] = FAILED
    world.host.fails = lambda s: DeliveryError("HTTP 500", passing=True) if s.context == "flux/prod" else None
    report = world.run()
    assert report.exit_code == 6
    assert [(d.error, d.passing) for d in report.deliveries if d.error] == [("HTTP 500", True)]
    assert len(world.chat.messages) == 1
    world.host.fails = lambda _: None
    assert [d.update.marks[0].line for d in world.run().deliveries] == ["example/fleet flux/prod"]
    assert len(world.chat.messages) == 1


def test_a_channel_that_refuses_does_not_hold_up_the_git_host(world: World) -> None:
    world.seen["prod"] = FAILED
    world.chat.error = DeliveryError("HTTP 404")
    assert world.run().exit_code == 6
    assert len(world.host.written) == 2
    world.chat.error = None
    world.run()
    assert len(world.chat.messages) == 1


def test_a_fault_of_ours_in_one_destination_is_told_and_not_raised(world: World) -> None:
    world.seen["prod"] = FAILED
    world.chat.error = ZeroDivisionError()
    report = world.run()
    assert [d.error for d in report.deliveries if d.error] == [
        "slack: an unexpected ZeroDivisionError; this is a fault of landed"
    ]
    assert report.exit_code == 6


def test_a_host_that_cannot_be_asked_gets_nothing_written(world: World) -> None:
    world.host.mute = DeliveryError("no answer", "Try later.", passing=True)
    report = world.run()
    assert world.host.written == []
    assert {(d.error, d.hint) for d in report.deliveries} == {("no answer", "Try later.")}
    assert report.exit_code == 6
    world.host.mute = None
    assert world.run().exit_code == 0
    assert world.host.states() == BOTH


def test_what_may_have_been_done_is_asked_for_before_it_is_repeated(world: World) -> None:
    world.run()
    world.seen["prod"] = FAILED

    def done_but_unheard(status: CommitStatus) -> Exception | None:
        world.host.written.append(status)
        return DeliveryError("connection lost", passing=True, uncertain=True)

    world.host.fails = done_but_unheard
    assert world.run().exit_code == 6
    world.host.fails = lambda _: None
    world.host.asked.clear()
    assert world.run().exit_code == 0
    assert world.host.asked == [(FLEET, B)]
    assert len(world.host.written) == 4
    assert world.told().begun == []


def test_what_is_about_to_be_sent_is_written_down_first(world: World) -> None:
    begun: list[int] = []

    def look_into_the_ledger(_: CommitStatus) -> None:
        begun.append(len(world.told().begun))

    world.host.fails = look_into_the_ledger
    world.run()
    assert begun == [2, 2]
    assert world.told().begun == []


def test_cut_short_it_remembers_what_was_acknowledged(world: World) -> None:
    world.seen["prod"] = cluster(*(k(f"k{n}", applied=MAIN_B, attempted=MAIN_B) for n in range(20)), git(MAIN_B))

    released = threading.Event()

    def slow(status: CommitStatus) -> Exception | None:
        if len(world.host.written) < 3:
            return None
        released.wait(10)
        return DeliveryError("too late")

    class Cut(BaseException): ...

    seen = 0
    world.host.fails = slow

    class Impatient(Silence):
        def progress(self, text: str) -> None:
            nonlocal seen
            seen += "delivered" in text
            if seen == 3:
                raise Cut

    ledger = FileLedger(str(world.path), lock_timeout=1, warn=print, progress=print)
    line = Line(
        [Reader("prod", world.read("prod"))],
        Parts(ledger, {"github.com": world.host}, Impatient(), lambda: NOW),
        Wording(),
        print,
    )
    with pytest.raises(Cut):
        run(line, once_only)
    told = ledger.peek()
    assert told.begun
    known = sum(len(lines) for lines in told.destinations.values())
    assert known >= 3
    released.set()
    world.host.fails = lambda _: None
    world.run()
    contexts = [s.context for s in world.host.written]
    assert len(contexts) == len(set(contexts)) == 21


class Watched(FileLedger):
    """A ledger that is being written at the moment when a signal comes."""

    nth = 0
    """Of the writes that follow the first delivery, the one before which and after which it comes."""
    delivered: Callable[[], bool]

    def save(self, told: Told) -> None:
        if not self.delivered():
            return super().save(told)
        self.nth -= 1
        if self.nth == 0:
            signal.raise_signal(signal.SIGTERM)
        super().save(told)
        if self.nth == 0:
            signal.raise_signal(signal.SIGTERM)
        return None


@pytest.mark.parametrize("nth", [1, 2])
def test_told_to_stop_while_it_takes_down_what_was_acknowledged_it_loses_nothing(world: World, nth: int) -> None:
    class Terminated(BaseException): ...

    def terminate(*_: object) -> None:
        raise Terminated

    world.seen["prod"] = RUNNING
    world.run()
    assert (world.chat.messages, len(world.host.written)) == ([], 2)
    world.host.written.clear()
    world.seen["prod"] = LIVE
    ledger = Watched(str(world.path), lock_timeout=1, warn=print, progress=print)
    ledger.nth = nth
    ledger.delivered = lambda: len(world.chat.messages) == 1 and len(world.host.written) == 2
    parts = Parts(ledger, {"github.com": world.host, "slack": world.chat}, Silence(), lambda: NOW)
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises(Terminated):
            run(Line([Reader("prod", world.read("prod"))], parts, Wording(), print), once_only)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert world.told().begun == []
    world.host.asked.clear()
    assert world.run().deliveries == ()
    assert (len(world.chat.messages), len(world.host.written), world.host.asked) == (1, 2, [])


def test_cut_short_at_the_very_first_run_it_does_not_tell_old_news_later(world: World) -> None:
    world.seen["prod"] = cluster(k("a", ready=ready("False", "BuildFailed", "no"), attempted=MAIN_B), git(MAIN_B))
    world.seen["stage"] = LIVE

    class Cut(BaseException): ...

    class Watcher(Silence):
        def progress(self, text: str) -> None:
            if "delivered" in text:
                raise Cut

    ledger = FileLedger(str(world.path), lock_timeout=1, warn=print, progress=print)
    readers = [Reader(name, world.read(name)) for name in world.seen]
    with pytest.raises(Cut):
        run(Line(readers, Parts(ledger, {"slack": world.chat}, Watcher(), lambda: NOW), Wording(), print), once_only)
    world.run()
    stories = [(s.outcome.cluster, s.outcome.state) for digest in world.chat.messages for s in digest.stories]
    assert stories == [("prod", State.FAILURE)]


def test_in_quiet_hours_a_cluster_that_is_new_is_looked_at_from_then_on(world: World) -> None:
    """Or what comes and goes there in its first night is nobody's news."""
    world.run()
    reached = world.told().seen
    world.chat.destination = structs.replace(world.chat.destination, quiet=lambda now: (now - 60, now + 60))
    world.seen["stage"] = LIVE
    report = world.run()
    assert (len(report.notes), world.chat.messages) == (1, [])
    assert world.told().seen == reached | {"stage": reached["prod"]}


# ── clusters ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unreadable_cluster_does_not_stop_the_others(world: World) -> None:
    world.seen = {"prod": ClusterError("refused", "Look at it."), "stage": LIVE}
    report = world.run()
    assert report.exit_code == 5
    assert [(look.cluster, look.error, look.hint) for look in report.looks] == [
        ("prod", "refused", "Look at it."),
        ("stage", "", ""),
    ]
    assert {s.context for s in world.host.written} == {"flux/stage", "flux/stage/apps/web"}


def test_if_no_cluster_can_be_read_the_ledger_is_left_alone(world: World) -> None:
    world.run()
    content = world.path.read_bytes()
    world.seen["prod"] = ClusterError("refused")
    assert world.run().exit_code == 5
    assert world.path.read_bytes() == content


def test_histories_are_wanted_since_everything_was_told(world: World) -> None:
    world.seen["prod"] = structs.replace(LIVE, seen=100)
    world.run()
    world.seen["prod"] = structs.replace(FAILED, seen=200)
    world.host.fails = lambda _: DeliveryError("down", passing=True)
    world.run()
    world.host.fails = lambda _: None
    world.run()
    world.run()
    assert world.since == [0, 101, 101, 140]


def test_what_had_come_and_gone_before_the_first_look_is_nobodys_news(world: World) -> None:
    gone = (Snapshot(MAIN_C, "", "HealthCheckFailed", NOW - 60),)
    world.seen["prod"] = cluster(k(applied=MAIN_B, attempted=MAIN_B, history=gone), git(MAIN_B), seen=NOW - 60)
    world.run()
    assert world.run().deliveries == ()


def test_what_came_and_went_while_nobody_looked_is_told_before_what_is_current(world: World) -> None:
    world.seen["prod"] = structs.replace(LIVE, seen=NOW - 90)
    world.run()
    gone = (Snapshot(MAIN_C, "", "HealthCheckFailed", NOW - 60),)
    world.seen["prod"] = cluster(k(history=gone), git(MAIN_A))
    world.run()
    [digest] = world.chat.messages
    assert [(s.outcome.commit[:4], s.outcome.state, s.outcome.past) for s in digest.stories] == [
        ("3209", State.FAILURE, True),
        ("6dcd", State.SUCCESS, False),
    ]


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_says_what_would_be_sent_and_touches_nothing(world: World, tmp_path: Path) -> None:
    report = world.run(dry_run=True)
    assert len(report.planned) == 2
    assert (world.host.written, world.host.asked) == ([], [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seen", "settings", "code"),
    [
        pytest.param(FAILED, {}, 0, id="a-failed-rollout-is-no-failure-of-ours"),
        pytest.param(FAILED, {"fail_on_failure": True}, 1, id="unless-asked"),
        pytest.param(LIVE, {"fail_on_failure": True}, 0, id="live"),
        pytest.param(
            Cluster("prod", (k(ready=ready("False", "ArtifactFailed", "not found")),)),
            {"fail_on_failure": True},
            1,
            id="failure-that-no-commit-can-be-blamed-for",
        ),
        pytest.param(structs.replace(LIVE, warnings=("odd",)), {}, 0, id="warning"),
        pytest.param(structs.replace(LIVE, warnings=("odd",)), {"strict": True}, 2, id="strict"),
    ],
)
def test_exit_code(world: World, seen: Cluster, settings: dict[str, Any], code: int) -> None:
    world.seen["prod"] = seen
    assert world.run(**settings).exit_code == code


def test_the_stop_rule_decides_how_often_it_looks(world: World) -> None:
    pauses: list[float] = []
    answers: list[float | None] = [5.0, 7.0, None]
    ledger = FileLedger(str(world.path), lock_timeout=1, warn=print, progress=print)
    line = Line(
        [Reader("prod", world.read("prod"))], Parts(ledger, {}, Silence(), lambda: NOW), Wording(), pauses.append
    )
    run(line, lambda _: answers.pop(0))
    assert pauses == [5.0, 7.0]


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 6)])
def test_a_token_that_may_only_read_is_one_warning(world: World, strict: bool, code: int) -> None:
    world.host.fails = lambda _: DeliveryError("the token may not do that", "Give it the right.", read_only=True)

    report = world.run(strict=strict)

    assert report.exit_code == code
    (warning,) = report.warnings
    assert warning.startswith("github.com: the token may only read, so 2 updates")
    assert warning.endswith("Give it the right.")
    world.host.fails = lambda _: None
    assert len([d for d in world.run().deliveries if not d.error]) == 2
