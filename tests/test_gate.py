"""The gate as a stop rule: when it ends the run, with which answer and which exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from msgspec import structs
from values import FLEET, MAIN_A, MAIN_B, MAIN_C, MAIN_D, NOW, A, B, C, D, cluster, git, k, phase, ready

from landed.closing import gated
from landed.errors import ConfigurationError, DeliveryError
from landed.gate import TICK, Gate
from landed.model import (
    Answer,
    Cluster,
    CommitStatus,
    Delivery,
    Explanation,
    Kustomization,
    Look,
    ObjectRef,
    Relation,
    Report,
    State,
    Update,
    Verdict,
)
from landed.relatives import Relatives
from landed.verdict import SETTLES, Question

LIVE, FAILED, WAITING, DIVERGED = Verdict
WEB = ObjectRef("Kustomization", "apps", "web")
KNOWN = {A: Relation.BEFORE, C: Relation.AFTER, D: Relation.APART, "refs/heads/main": Relation.APART}
#: The same, where the branch has the commit.
COMING = {**KNOWN, "refs/heads/main": Relation.SAME}


class Host:
    """A Git host that knows ``KNOWN``, or is down."""

    def __init__(self, known: Mapping[str, Relation] = KNOWN) -> None:
        self.known = known
        self.asked: list[str] = []

    def knows(self, repository: object) -> bool:
        return repository == FLEET

    def relation(self, repository: object, commit: str, other: str) -> Relation:
        self.asked.append(other)
        if other not in self.known:
            raise DeliveryError(f"github.com: {other} is not known.", "Look again.")
        return self.known[other]


class Screen:
    """Takes down what it is told."""

    def __init__(self, due: float = 100.0) -> None:
        self.told: list[tuple[Verdict, float]] = []
        self.due = due

    def tell(self, answer: Answer, left: float) -> None:
        self.told.append((answer.verdict, left))

    def next_in(self) -> float:
        return self.due


class Run:
    """A gate, and the loop around it with a clock that is set by hand."""

    def __init__(
        self, *, host: Host | None = None, timeout: float = 600.0, due: float = 100.0, **question: Any
    ) -> None:
        self.now = float(NOW)
        self.host = host or Host()
        self.screen = Screen(due)
        self.nudged: list[Verdict] = []
        outlets: Any = [self.host]
        self.gate = Gate(
            Question(FLEET, B, NOW, **question),
            Relatives(FLEET, B, outlets, None, lambda: self.now),
            self.screen,
            lambda: self.now,
            timeout=timeout,
            nudge=lambda clusters, answer: self.nudged.append(answer.verdict),
        )

    def look(self, *seen: Cluster | str, after: float = 0.0, deliveries: Sequence[Delivery] = ()) -> float | None:
        """One look, so many seconds after the last one; a name is a cluster that cannot be read."""
        self.now += after
        looks = tuple(
            Look(one, error="no route to host") if isinstance(one, str) else Look(one.name, read=one) for one in seen
        )
        self.gate.see(looks)
        return self.gate(Report(looks, tuple(deliveries)))

    @property
    def verdict(self) -> Verdict:
        assert self.gate.answer is not None
        return self.gate.answer.verdict

    def concluded(self, *, strict: bool = False) -> Report:
        return self.gate.concluded(lambda looks: (Explanation("prod", WEB, "", "because"),), strict=strict)


def at(revision: str, name: str = "prod", **changes: Any) -> Cluster:
    return cluster(k(applied=revision, attempted=revision, **changes), git(revision), name=name)


OLD, MINE = at(MAIN_A), at(MAIN_B)
BROKEN = cluster(k(attempted=MAIN_B, ready=ready("False", "BuildFailed", "no")), git(MAIN_B))


# ── when it ends ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_live_at_first_sight_ends_at_once_and_asks_nobody() -> None:
    run = Run()

    assert run.look(MINE) is None
    assert (run.verdict, run.host.asked, run.nudged, run.screen.told) == (LIVE, [], [], [])


def test_it_waits_and_ends_when_it_is_live_and_stays_so() -> None:
    run = Run()

    assert run.look(OLD) == TICK
    assert run.look(MINE, after=5) == SETTLES
    assert run.look(MINE, after=1) == SETTLES - 1
    assert run.look(MINE, after=1) is None
    assert run.verdict is LIVE


def test_what_was_live_for_a_moment_only_is_waited_for() -> None:
    """A watch may tell that a Kustomization is Ready before it tells of the release that it has changed."""
    run = Run()
    unlike = cluster(
        k(applied=MAIN_B, attempted=MAIN_B), git(MAIN_B), k("db", ready=None, applied="", observed_generation=-1)
    )

    run.look(OLD)
    assert run.look(MINE, after=5) is not None
    assert run.look(unlike, after=1) == TICK
    assert run.look(MINE, after=5) == SETTLES, "it is counted anew"
    assert run.verdict is LIVE
    assert run.look(MINE, after=SETTLES) is None


def test_live_when_time_is_up_is_live() -> None:
    run = Run(timeout=10)

    run.look(OLD)
    assert run.look(MINE, after=11) is None
    assert (run.verdict, run.concluded().exit_code) == (LIVE, 0)


@pytest.mark.parametrize(("seen", "verdict"), [(BROKEN, FAILED), (at(MAIN_D), DIVERGED), (at(MAIN_C), LIVE)])
def test_what_is_certain_ends_it_at_once(seen: Cluster, verdict: Verdict) -> None:
    run = Run()

    assert run.look(seen) is None
    assert run.verdict is verdict


def test_time_is_up() -> None:
    run = Run(timeout=10, host=Host(COMING))

    assert run.look(OLD) == TICK
    assert run.look(OLD, after=9) == 1.0, "not later than the end"
    assert run.look(OLD, after=1) is None
    assert run.gate.answer is not None
    assert (run.verdict, run.gate.answer.timed_out) == (WAITING, True)
    assert run.concluded().exit_code == 3


def test_no_time_at_all_is_one_look() -> None:
    run = Run(timeout=0, host=Host(COMING))

    assert run.look(OLD) is None
    assert run.concluded().exit_code == 3


def test_it_looks_again_when_the_screen_wants_to_say_something() -> None:
    assert Run(due=0.5).look(OLD) == 0.5


def test_the_screen_is_told_while_it_waits() -> None:
    run = Run(timeout=60)

    run.look(OLD)
    run.look(OLD, after=2)
    run.look(BROKEN, after=2)

    assert run.screen.told == [(WAITING, 60.0), (WAITING, 58.0)]


def test_a_passing_failure_lasts_over_looks() -> None:
    def seen(since: int) -> Cluster:
        said = ready("False", "PruneFailed", "no", since=since)
        return cluster(k(attempted=MAIN_B, ready=said), git(MAIN_B))

    run = Run()

    assert run.look(seen(NOW)) == TICK
    assert run.look(seen(NOW), after=31) == TICK
    assert run.look(seen(NOW + 31), after=1) is None
    assert (run.verdict, run.concluded().exit_code) == (FAILED, 1)


def test_an_interval_run_is_remembered_over_looks() -> None:
    again = cluster(
        k(applied=MAIN_B, attempted=MAIN_B, ready=ready("Unknown"), reconciling=phase("Detecting drift", MAIN_B)),
        git(MAIN_B),
    )
    run = Run()

    run.look(MINE, at(MAIN_A, "stage"))
    run.look(again, at(MAIN_B, "stage"), after=5)

    assert run.verdict is LIVE


# ── clusters that cannot be read ────────────────────────────────────────────────────────────────────────────────────


def test_one_that_was_never_read_is_given_up_after_the_grace() -> None:
    run = Run(grace=30.0)

    assert run.look(MINE, "stage") == TICK
    assert run.look(MINE, "stage", after=29) == TICK
    assert run.look(MINE, "stage", after=1) is None
    assert (run.verdict, run.concluded().exit_code) == (WAITING, 5)


def test_one_that_was_never_read_is_not_given_up_while_others_are_waited_for() -> None:
    run = Run(grace=30.0)

    assert run.look(OLD, "stage") == TICK
    assert run.look(OLD, "stage", after=100) == TICK


def test_one_that_was_read_before_is_waited_for_until_time_is_up() -> None:
    run = Run(grace=30.0, timeout=100)

    assert run.look(OLD, at(MAIN_B, "stage")) == TICK
    assert run.look(MINE, "stage", after=50) == TICK, "its reading fails in the look in which the other is live"
    assert run.look(MINE, "stage", after=51) is None
    assert (run.verdict, run.concluded().exit_code) == (WAITING, 5)


def test_one_that_comes_back_is_live() -> None:
    run = Run()

    run.look(MINE, at(MAIN_A, "stage"))
    run.look(MINE, "stage", after=50)
    run.look(MINE, at(MAIN_B, "stage"), after=50)
    assert run.look(MINE, at(MAIN_B, "stage"), after=2) is None
    assert run.verdict is LIVE


def test_none_can_be_read() -> None:
    run = Run(grace=30.0)

    assert run.look("prod") == TICK
    assert run.look("prod", after=31) is None
    assert run.concluded().exit_code == 5


def test_a_failure_counts_though_another_cluster_cannot_be_read() -> None:
    run = Run()

    assert run.look(BROKEN, "stage") is None
    assert run.concluded().exit_code == 1


# ── nothing to wait for ─────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_meant_is_an_error_that_says_what_there_is() -> None:
    run = Run()

    with pytest.raises(ConfigurationError) as caught:
        run.look(cluster(k(), git(url="https://github.com/example/other")))

    assert "prod: no Kustomization that is meant comes from github.com/example/fleet" in caught.value.message
    assert "There is: github.com/example/other." in caught.value.hint
    assert caught.value.exit_code == 2
    assert run.gate.answer is None


def test_nothing_meant_may_be() -> None:
    run = Run(allow_empty=True)

    assert run.look(Cluster("prod")) is None
    assert (run.verdict, run.concluded().exit_code) == (LIVE, 0)


def test_one_cluster_without_anything_is_an_error_too() -> None:
    with pytest.raises(ConfigurationError, match="stage"):
        Run().look(MINE, Cluster("stage"))


def test_nothing_meant_on_a_cluster_that_is_read_later() -> None:
    run = Run()
    run.look(OLD, "stage")

    with pytest.raises(ConfigurationError, match="stage"):
        run.look(OLD, Cluster("stage"), after=5)


@pytest.mark.parametrize(("changes", "word"), [({"suspended": True}, "suspended"), ({"deleting": True}, "deleting")])
def test_nobody_who_applies_it(changes: Mapping[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"all 1 Kustomizations that are meant are {word}"):
        Run().look(at(MAIN_A, **changes))


@pytest.mark.parametrize("gone", [Cluster("stage"), at(MAIN_A, "stage", suspended=True)])
def test_what_is_gone_or_suspended_later_never_makes_it_live(gone: Cluster) -> None:
    run = Run(timeout=60)

    run.look(MINE, at(MAIN_A, "stage"))
    assert run.look(MINE, gone, after=5) is not None
    assert run.verdict is WAITING
    assert run.look(MINE, gone, after=60) is None
    assert run.concluded().exit_code == 3


# ── who is related to whom ──────────────────────────────────────────────────────────────────────────────────────────


def test_each_commit_is_asked_about_once() -> None:
    run = Run()

    for _ in range(5):
        run.look(OLD, at(MAIN_C, "stage"), after=30)

    assert run.host.asked == [A, C]


def test_a_branch_is_asked_about_in_the_same_look() -> None:
    run = Run()

    assert run.look(at(MAIN_D)) is None
    assert (run.verdict, run.host.asked) == (DIVERGED, [D, "refs/heads/main"])


def test_what_nobody_can_say_is_waited_for_and_noted() -> None:
    run = Run(host=Host({}), timeout=60)

    assert run.look(at(MAIN_C)) == TICK
    assert run.look(at(MAIN_C), after=60) is None
    assert run.gate.answer is not None
    assert (run.verdict, run.concluded().exit_code) == (WAITING, 3)
    assert run.gate.answer.notes == (f"github.com: {C} is not known. Look again.",)


def test_a_note_goes_when_it_does_not_matter_any_more() -> None:
    run = Run(host=Host({}))

    run.look(at(MAIN_C))
    run.look(MINE, after=25)
    assert run.look(MINE, after=2) is None
    assert run.gate.answer is not None
    assert (run.verdict, run.gate.answer.notes) == (LIVE, ())


def test_asking_that_brings_nothing_ends() -> None:
    """Whatever the other side does, one look is one look."""

    class Forgetful(Relatives):
        def learn(self, others: object) -> None:
            """Learn nothing."""

    run = Run()
    run.gate._relatives = Forgetful(FLEET, B, (), None, lambda: run.now)

    assert run.look(OLD) == TICK


# ── the nudge ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_nudges_only_while_it_waits() -> None:
    run = Run()

    run.look(OLD)
    run.look(OLD, after=2)
    run.look(BROKEN, after=2)

    assert run.nudged == [WAITING, WAITING]


# ── the report of the whole run ─────────────────────────────────────────────────────────────────────────────────────


def delivery(context: str = "flux/prod", **more: Any) -> Delivery:
    return Delivery(Update("github.com", (), CommitStatus(FLEET, B, context, State.PENDING, "on its way")), **more)


def test_deliveries_of_all_looks_are_reported() -> None:
    run = Run()
    one, two, failed, later = delivery("a"), delivery("b"), delivery("c", error="503"), delivery("c")

    run.look(OLD, deliveries=[one])
    run.look(OLD, after=2, deliveries=[two, failed])
    run.look(MINE, after=2, deliveries=[later])
    run.look(MINE, after=2, deliveries=[])

    report = run.concluded()
    assert report.deliveries == (one, two, later)
    assert report.exit_code == 0


def test_what_is_outstanding_at_the_end_is_reported_once() -> None:
    run = Run()
    failed = delivery("c", error="503")

    run.look(OLD, deliveries=[failed])
    run.look(MINE, after=2, deliveries=[failed])
    run.look(MINE, after=2, deliveries=[failed])

    report = run.concluded()
    assert report.deliveries == (failed,)
    assert report.exit_code == 6


def test_a_run_that_was_cut_short_before_its_first_look() -> None:
    report = Run().concluded()

    assert (report.answer, report.explanations, report.exit_code) == (None, (), 0)


def test_a_run_that_was_cut_short_while_it_delivered() -> None:
    run = Run()
    run.gate.see((Look("prod", read=OLD),))

    report = run.concluded()

    assert report.answer is not None
    assert [look.cluster for look in report.looks] == ["prod"]
    assert report.exit_code == 3


@pytest.mark.parametrize(("seen", "explained"), [(MINE, 0), (BROKEN, 1), (at(MAIN_D), 1), (OLD, 1)])
def test_only_what_is_not_live_is_explained(seen: Cluster, explained: int) -> None:
    run = Run()
    run.look(seen)

    assert len(run.concluded().explanations) == explained


#: Verdict, clusters that could not be read, a delivery that failed, one that may not write, a warning, strict → code.
_FIRST = {FAILED: 1, DIVERGED: 4}


def _code(verdict: Verdict, unread: bool, failed: bool, read_only: bool, warned: bool, strict: bool) -> int:
    if verdict in _FIRST:
        return _FIRST[verdict]
    if unread:
        return 5
    if verdict is WAITING:
        return 3
    if failed or (read_only and strict):
        return 6
    return 2 if warned and strict else 0


@pytest.mark.parametrize("verdict", list(Verdict))
def test_exit_codes(verdict: Verdict) -> None:
    for unread, failed, read_only, warned, strict in product((False, True), repeat=5):
        answer = Answer(FLEET, B, verdict, (), ("stage",) if unread else ())
        deliveries = [delivery(error="503")] * failed + [delivery(error="403", read_only=True)] * read_only
        report = Report(deliveries=tuple(deliveries), warnings=("careful",) * warned)

        done = gated(report, answer, strict=strict)

        assert done.exit_code == _code(verdict, unread, failed, read_only, warned, strict)
        assert structs.replace(done, exit_code=0) == report


def test_a_kustomization_that_is_made_anew_in_the_middle() -> None:
    run = Run()
    made: list[Kustomization] = [
        k(applied=MAIN_B, attempted=MAIN_B, uid="one"),
        k(applied="", attempted="", ready=None, observed_generation=-1, uid="two"),
        k(applied=MAIN_B, attempted=MAIN_B, uid="two"),
    ]
    run.look(*(cluster(made[0], git(MAIN_B)), at(MAIN_A, "stage")))

    verdicts = []
    for each in made:
        run.look(cluster(each, git(MAIN_B)), at(MAIN_B, "stage"), after=5)
        verdicts.append(run.verdict)

    assert verdicts == [LIVE, WAITING, LIVE]
