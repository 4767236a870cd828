"""Never two holders: the Lease against a server that loses answers, clocks that disagree, and processes that pause."""

from __future__ import annotations

import json
import threading
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.errors import ClusterError, ConfigurationError
from landed.kube import lease
from landed.kube.errors import Conflict, Forbidden, NotServed, Unanswered
from landed.kube.lease import DEADLINE, DURATION, Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from landed.kube.client import Client


class Endpoint:
    subject = "The API server of prod"


class Store:
    """What an API server keeps of one Lease: the object, its version, and the rule that a write names the last one."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None
        self.version = 0
        self.writes = 0

    def answer(self, method: str, body: bytes | None) -> bytes:
        if method == "GET":
            if self.document is None:
                raise NotServed("no such Lease")
            return json.dumps(self.document).encode()
        new = json.loads(body or b"")
        version = new["metadata"].get("resourceVersion")
        if method == "POST" and self.document is not None:
            raise Conflict("it is there already")
        if method == "PUT" and (self.document is None or version != self.document["metadata"]["resourceVersion"]):
            raise Conflict("it has changed")
        self.version += 1
        self.writes += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self.document = new
        return json.dumps(new).encode()

    @property
    def spec(self) -> dict[str, Any]:
        assert self.document is not None
        return cast("dict[str, Any]", self.document["spec"])


class Asked:
    """A client of that store; ``around`` is called with it before and after it has answered, and may raise."""

    endpoint = Endpoint()

    def __init__(self, store: Store, around: Callable[[str, bool], None] = lambda *_: None) -> None:
        self.store = store
        self.around = around
        self.closed = 0

    def write(self, method: str, path: str, body: bytes | None = None, *, tries: int) -> bytes:
        assert tries == 1
        leases = "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases"
        assert path == (leases if method == "POST" else f"{leases}/landed")
        self.around(method, False)
        answer = self.store.answer(method, body)
        self.around(method, True)
        return answer

    def close(self) -> None:
        self.closed += 1


class World:
    """True time, and the store."""

    def __init__(self) -> None:
        self.time = 0.0
        self.store = Store()

    def lease(self, name: str, *, rate: float = 1.0, offset: float = 0.0, **settings: Any) -> Lease:
        around = settings.pop("around", lambda *_: None)
        client = cast("Client", Asked(self.store, around))
        settings.setdefault("now", lambda: 1e9 + offset)  # an epoch clock that stands still, somewhere
        return Lease(client, "flux-system", "landed", name, clock=lambda: offset + rate * self.time, **settings)


@pytest.fixture
def world() -> World:
    return World()


class TestAlone:
    def test_it_is_made_and_held_for_less_time_than_others_wait(self, world: World) -> None:
        one = world.lease("one")
        assert not one.held
        assert one.attempt()
        assert world.store.spec["holderIdentity"] == "one"
        assert world.store.spec["leaseDurationSeconds"] == DURATION
        assert world.store.spec["leaseTransitions"] == one.term == 0
        assert world.store.spec["acquireTime"] == world.store.spec["renewTime"] == "2001-09-09T01:46:40.000000Z"
        world.time = DEADLINE - 0.1
        assert one.held
        world.time = DEADLINE
        assert not one.held
        assert DEADLINE < DURATION

    def test_time_counts_from_before_it_was_asked_for(self, world: World) -> None:
        def slow(method: str, done: bool) -> None:
            world.time += 6

        one = world.lease("one", around=slow)
        assert not one.attempt()  # two requests of 12 seconds each: confirmed too late
        assert world.store.spec["holderIdentity"] == "one"

    def test_renewing_keeps_what_is_not_ours(self, world: World) -> None:
        one = world.lease("one")
        one.attempt()
        assert world.store.document is not None
        world.store.document["metadata"]["labels"] = {"team": "a"}
        world.store.document["spec"] |= {"strategy": "OldestEmulationVersion"}
        world.time = 5
        assert one.attempt()
        assert world.store.document["metadata"]["labels"] == {"team": "a"}
        assert world.store.spec["strategy"] == "OldestEmulationVersion"

    def test_an_empty_one_that_is_there_is_taken(self, world: World) -> None:
        world.store.document = {
            "metadata": {"resourceVersion": "7", "name": "landed"},
            "spec": {"holderIdentity": None},
        }
        assert world.lease("one").attempt()
        assert world.store.spec["leaseTransitions"] == 0

    def test_a_server_that_keeps_nothing_gives_nothing(self, world: World) -> None:
        said: list[str] = []
        one = world.lease("one", tell=said.append)
        one.attempt()
        world.store.answer = lambda method, body: json.dumps(world.store.document).encode()  # type: ignore[method-assign]
        world.time = DEADLINE
        assert not one.attempt()
        (text,) = said
        assert "does not keep what is written to Lease flux-system/landed." in text

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b"{}", b'{"metadata":{}}', b'{"metadata":{"resourceVersion":1}}', b"<html>", b"[" * 100_000,
         b'{"metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":{}}}', b'{"metadata":{"name":"\xff"}}'],
    )  # fmt: skip
    def test_what_is_no_lease_is_told(self, body: bytes, world: World) -> None:
        said: list[str] = []
        one = world.lease("one", tell=said.append)
        world.store.answer = lambda method, body_: body  # type: ignore[method-assign, assignment]
        assert not one.attempt()
        assert not one.attempt()
        assert len(said) == 1
        assert "answers with something that is no Lease." in said[0]


class TestTwo:
    def test_the_second_waits_until_the_first_has_been_silent_for_long_enough(self, world: World) -> None:
        one, two = world.lease("one"), world.lease("two", offset=-5e6)
        assert one.attempt()
        assert not two.attempt()
        assert two.holder == "one"
        world.time = DURATION - 0.1
        assert not two.attempt()
        world.time = DURATION
        assert two.attempt()
        assert (two.term, world.store.spec["leaseTransitions"]) == (1, 1)
        assert not one.held
        assert not one.attempt()

    def test_only_what_it_has_seen_itself_counts_not_the_others_clock(self, world: World) -> None:
        one = world.lease("one", now=lambda: 0.0)  # its clock says 1970
        one.attempt()
        world.time = 9
        two = world.lease("two")
        assert not two.attempt()
        world.time = 9 + DURATION - 0.1
        assert not two.attempt()

    def test_every_renewal_begins_the_wait_anew(self, world: World) -> None:
        one, two = world.lease("one"), world.lease("two")
        for step in range(100):
            world.time = step * 5
            assert one.attempt()
            assert not two.attempt()

    def test_the_holder_says_how_long_it_is_good_for(self, world: World) -> None:
        spec = {"holderIdentity": "another kind", "leaseDurationSeconds": 60, "acquireTime": "2001-09-09T01:46:40Z"}
        world.store.document = {"metadata": {"resourceVersion": "7"}, "spec": spec}
        one = world.lease("one")
        assert not one.attempt()
        world.time = 59
        assert not one.attempt()
        world.time = 60
        assert one.attempt()

    def test_one_that_is_deleted_is_not_taken_before_its_holder_must_know(self, world: World) -> None:
        one, two = world.lease("one"), world.lease("two")
        assert one.attempt()
        assert not two.attempt()
        world.store.document = None
        world.time = DEADLINE - 1
        assert one.held
        assert not two.attempt()
        world.time = DURATION
        assert two.attempt()

    def test_one_that_somebody_gave_to_another_is_lost_at_once(self, world: World) -> None:
        one = world.lease("one")
        one.attempt()
        assert world.store.document is not None
        world.store.document["metadata"]["resourceVersion"] = "edited"
        world.store.spec["holderIdentity"] = "two"
        assert not one.attempt()
        assert not one.held

    def test_both_write_at_once(self, world: World) -> None:
        two = world.lease("two")

        def around(method: str, done: bool) -> None:
            if method == "POST" and not done:
                assert two.attempt()

        one = world.lease("one", around=around)
        assert not one.attempt()
        assert two.held

    def test_released_it_is_free_at_once(self, world: World) -> None:
        one, two = world.lease("one"), world.lease("two")
        one.attempt()
        assert not two.attempt()
        one.release()
        assert not one.held
        assert world.store.spec["holderIdentity"] == ""
        assert world.store.spec["leaseDurationSeconds"] == 1
        assert two.attempt()
        assert two.term == 1

    def test_what_is_no_longer_ours_is_not_released(self, world: World) -> None:
        one, two = world.lease("one"), world.lease("two")
        one.attempt()
        two.attempt()
        world.time = DURATION
        two.attempt()
        writes = world.store.writes
        one.release()
        assert world.store.writes == writes
        assert world.store.spec["holderIdentity"] == "two"


class TestFailures:
    def test_the_server_is_away_and_comes_back(self, world: World) -> None:
        said: list[str] = []
        away = [False]

        def around(_: str, __: bool) -> None:
            if away[0]:
                raise ClusterError("The API server of prod refuses the connection.")

        one = world.lease("one", around=around, tell=said.append)
        one.attempt()
        away[0] = True
        for world.time in (2, 4, 6, 8, 9.9):
            assert one.attempt()
        world.time = 10
        assert not one.attempt()
        away[0] = False
        assert one.attempt()
        away[0] = True
        one.attempt()
        assert len(said) == 2  # once each time
        one.release()
        assert "could not be released and runs out by itself" in said[2]

    def test_an_answer_that_is_lost_is_no_lease_until_it_is_confirmed(self, world: World) -> None:
        lose = [True]

        def around(method: str, done: bool) -> None:
            if method != "GET" and done and lose.pop():
                raise Unanswered("lost")

        one = world.lease("one", around=around)
        assert not one.attempt()
        assert world.store.spec["holderIdentity"] == "one"
        lose[:] = [False]
        assert one.attempt()

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_right_that_is_missing_ends_the_wait(self, method: str, world: World) -> None:
        def around(asked: str, _: bool) -> None:
            if asked == method:
                raise Forbidden("The API server of prod does not let us.", "To grant it: kubectl ….")

        with pytest.raises(Forbidden) as caught:
            world.lease("one", around=around).acquire(lambda _: True)
        assert caught.value.hint == "deploy/watch/lease.yaml has the Role for it. To grant it: kubectl …."

    def test_a_namespace_that_is_missing_ends_the_wait(self, world: World) -> None:
        def around(asked: str, _: bool) -> None:
            raise NotServed("The API server of prod has no leases.coordination.k8s.io in namespace flux-system (404).")

        with pytest.raises(NotServed, match="cannot be made"):
            world.lease("one", around=around).acquire(lambda _: True)

    def test_a_right_that_is_taken_away_is_told_and_the_lease_runs_out(self, world: World) -> None:
        said: list[str] = []
        forbidden: list[bool] = []

        def around(_: str, __: bool) -> None:
            if forbidden:
                raise Forbidden("The API server of prod does not let us.", "Grant it.")

        one = world.lease("one", around=around, tell=said.append)
        one.attempt()
        forbidden.append(True)
        world.time = 2
        assert one.attempt()
        world.time = DEADLINE
        assert not one.attempt()
        assert said == ["Lease flux-system/landed cannot be renewed. The API server of prod does not let us. Grant it."]


class TestThread:
    """With the renewing thread, and next to no time between two tries."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lease, "RETRY", 0.002)

    def test_it_renews_until_it_is_released(self, world: World) -> None:
        renewed = threading.Event()
        lost: list[bool] = []

        def around(method: str, done: bool) -> None:
            if done and method == "PUT" and world.store.writes > 5:
                renewed.set()

        one = world.lease("one", around=around, on_lost=lambda: lost.append(True))
        assert one.acquire(lambda _: False)
        assert renewed.wait(10)
        one.release()
        assert not one.held
        assert world.store.spec["holderIdentity"] == ""
        assert lost == []
        assert [thread.name for thread in threading.enumerate() if thread.name == "lease"] == []
        one.release()
        assert one.acquire(lambda _: False)  # and it may be had again
        assert one.held
        one.release()

    def test_the_wait_goes_on_while_somebody_has_it_and_ends_when_we_are_to_stop(self, world: World) -> None:
        assert world.lease("two").attempt()
        waits: list[float] = []

        def wait(seconds: float) -> bool:
            waits.append(seconds)
            return len(waits) == 3

        one = world.lease("one")
        assert not one.acquire(wait)
        assert not one.held
        assert all(0.8 * lease.RETRY <= each <= 1.2 * lease.RETRY for each in waits)
        one.release()
        assert world.store.spec["holderIdentity"] == "two"

    def test_losing_it_is_told_once(self, world: World) -> None:
        lost = threading.Event()
        one = world.lease("one", on_lost=lost.set)
        assert one.acquire(lambda _: False)
        world.time = DEADLINE
        assert not one.held  # at once, whatever the thread does
        assert lost.wait(10)
        assert not one.held
        one.release()
        assert world.store.spec["holderIdentity"] == "one"  # it was not ours to give

    def test_a_fault_of_ours_is_a_loss_too(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        lost = threading.Event()
        broken: list[bool] = []

        def around(_: str, __: bool) -> None:
            if broken:
                raise ZeroDivisionError

        monkeypatch.setattr(threading, "excepthook", lambda _: None)
        one = world.lease("one", around=around, on_lost=lost.set)
        assert one.acquire(lambda _: False)
        broken.append(True)
        assert lost.wait(10)
        assert not one.held

    def test_a_request_that_hangs_keeps_nobody_and_does_not_prolong_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease, "TIMEOUT", 0.01)
        hanging, answer = threading.Event(), threading.Event()

        def around(method: str, done: bool) -> None:
            if method == "PUT" and done:
                hanging.set()
                answer.wait(10)

        one = world.lease("one", around=around)
        assert one.acquire(lambda _: False)
        assert hanging.wait(10)
        one.release()
        assert not one.held
        answer.set()
        assert one._thread is not None
        one._thread.join(10)
        assert not one.held


def test_the_clock_goes_on_and_names_are_unlike() -> None:
    assert 0 <= lease.clock() - lease.clock() + 1 <= 1
    assert lease.identity("pod-1").startswith("pod-1_")
    assert lease.identity("pod-1") != lease.identity("pod-1")


@pytest.mark.parametrize("text", ["flux-system/landed", "a/b", "1/landed.example.com"])
def test_what_names_a_lease(text: str) -> None:
    assert "/".join(lease.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "landed",
        "/landed",
        "flux-system/",
        "a/b/c",
        "A/b",
        "a/b_c",
        "../x",
        "a/..",
        "a\n/b",
        "a/b\n",
        "a/" + "b" * 300,
    ],
)
def test_what_names_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name a Lease"):
        lease.parse(text)


# ── never two ───────────────────────────────────────────────────────────────────────────────────────────────────────

#: Clocks that run up to a tenth too fast or too slow, and are set to anything.
CLOCKS = st.tuples(st.floats(0.9, 1.1), st.floats(-1e6, 1e6))


class Simulation:
    """Three processes on one server, and an invariant that is looked at whenever anything has happened.

    Around each request time may pass, its answer may be lost, somebody else may take a turn. Between requests a process
    may pause, be killed and started anew (the one that was killed counts on), or release what it has.
    """

    def __init__(self, clocks: list[tuple[float, float]], chance: Random | None = None) -> None:
        self.world = World()
        self.chance = chance
        self.clocks = clocks
        self.names = iter(range(10_000))
        self.leases = [self.new(number) for number in range(len(clocks))]
        self.pauses = [0.0] * len(clocks)
        self.gone: list[Lease] = []
        self.busy: set[int] = set()
        self.terms = 0

    def new(self, number: int) -> Lease:
        rate, offset = self.clocks[number]
        return self.world.lease(f"{number}-{next(self.names)}", rate=rate, offset=offset, around=self.around)

    def check(self) -> None:
        holders = [each.identity for each in (*self.leases, *self.gone) if each.held]
        assert len(holders) <= 1, holders

    def around(self, method: str, done: bool) -> None:
        if self.chance is None:
            return
        act = self.chance.random()
        if act < 0.05:
            self.pass_(self.chance.uniform(0, 20))
        elif act < 0.1:
            raise Unanswered("lost")
        elif act < 0.2 and len(self.busy) < 3:
            self.turn(self.chance)
        elif act < 0.22 and self.world.store.document is not None:  # somebody annotates it
            self.world.store.version += 1
            self.world.store.document["metadata"]["resourceVersion"] = str(self.world.store.version)
        self.check()

    def pass_(self, seconds: float) -> None:
        """In small steps, for something held may overlap for a moment only."""
        for _ in range(8):
            self.world.time += seconds / 8
            self.check()

    def turn(self, chance: Random) -> None:
        number = chance.randrange(len(self.leases))
        if number in self.busy or self.pauses[number] > self.world.time:
            return
        self.busy.add(number)
        try:
            self.act(number, chance.random(), chance)
        finally:
            self.busy.discard(number)
        self.check()

    def act(self, number: int, act: float, chance: Random) -> None:
        if act < 0.04:
            self.pauses[number] = self.world.time + chance.uniform(0, 25)
        elif act < 0.06:
            self.leases[number].release()
            self.leases[number]._done.clear()
        elif act < 0.08:
            self.gone.append(self.leases[number])
            self.leases[number] = self.new(number)
        else:
            self.leases[number].attempt()
            self.terms = max(self.terms, self.leases[number].term)


@settings(max_examples=50)  # each is a history of minutes
@given(st.lists(CLOCKS, min_size=3, max_size=3), st.integers(0, 2**32))
def test_never_two_holders(clocks: list[tuple[float, float]], seed: int) -> None:
    chance = Random(seed)
    simulation = Simulation(clocks, chance)
    for _ in range(400):
        simulation.turn(chance)
        simulation.pass_(chance.uniform(0, 1.5))
    assert simulation.terms > 1  # it did change hands


@settings(max_examples=50)
@given(st.lists(CLOCKS, min_size=2, max_size=2), st.floats(0, 5), st.integers(0, 30))
def test_somebody_always_takes_over_in_the_end(
    clocks: list[tuple[float, float]], between: float, renewals: int
) -> None:
    simulation = Simulation(clocks)
    one, two = simulation.leases
    for _ in range(renewals + 1):
        assert one.attempt()
        two.attempt()
        simulation.pass_(between)
    for _ in range(10):  # the first one has crashed
        two.attempt()
        simulation.pass_(2)
    assert two.held
    assert two.term == 1
