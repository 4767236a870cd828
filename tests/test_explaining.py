"""Beside the loop: all clusters at once, at most so much, and nothing of it fails a run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from values import FLEET, NOW, A

from landed.explain import Evidence, Question
from landed.explain.values import Below, Container, Pod
from landed.explaining import MOST, doomed, explanations
from landed.model import Cluster, Look, ObjectRef, Observation, Outcome, State
from landed.run import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WEB = ObjectRef("Deployment", "apps", "web")
CRASH = Container("web", "web:1", waiting="CrashLoopBackOff", restarts=3, code=1)
BELOW = Below(WEB, pods=(Pod(ObjectRef("Pod", "apps", "web-1"), phase="Running", containers=(CRASH,)),))


def observation(
    name: str = "web", state: State = State.FAILURE, kind: str = "Kustomization", **more: Any
) -> Observation:
    reason = {"reason": "HealthCheckFailed", "message": "health check failed after 1s: timed out"}
    return Observation(ObjectRef(kind, "apps", name), state, FLEET, A, **(reason | more))


def pending(name: str = "web", message: str = "Reconciling: health checks", **more: Any) -> Observation:
    settings: dict[str, Any] = {"reason": "Progressing", "message": message, "begun": True}
    return observation(name, State.PENDING, **(settings | more))


def look(cluster: str, *observations: Observation) -> Look:
    return Look(cluster, (Outcome(cluster, FLEET, A, observations),))


def reader(cluster: str, answer: Callable[[Sequence[Question], str, float], Sequence[Evidence]] | None) -> Reader:
    return Reader(cluster, lambda _: Cluster(cluster), evidence=answer)


def answers(questions: Sequence[Question], level: str, within: float) -> list[Evidence]:
    return [
        Evidence(q.about, q.message, q.reason, "./apps/web", "prod", (BELOW,), (f"{level} {within:g}",))
        for q in questions
    ]


def test_clusters_are_asked_at_once() -> None:
    together = threading.Barrier(2, timeout=10)

    def ask(questions: Sequence[Question], level: str, within: float) -> list[Evidence]:
        together.wait()
        return answers(questions, level, within)

    looks = [look(name, observation()) for name in ("one", "two")]
    made = explanations(looks, [reader(name, ask) for name in ("one", "two")], "logs", within=3)
    assert [one.cluster for one in made] == ["one", "two"]
    assert {one.lacking for one in made} == {("logs 3",)}
    assert made[0].message.startswith("Deployment apps/web: container web of Pod apps/web-1 exits with code 1")


def test_at_most_twenty() -> None:
    asked: list[Question] = []

    def ask(questions: Sequence[Question], level: str, within: float) -> list[Evidence]:
        asked.extend(questions)
        return answers(questions, level, within)

    looks = [look("one", *(observation(f"k{n:02}") for n in range(30)))]
    assert len(explanations(looks, [reader("one", ask)], "objects")) == len(asked) == MOST == 20


def test_none_asks_nobody() -> None:
    def ask(*_: object) -> list[Evidence]:
        raise AssertionError

    (found,) = explanations([look("one", observation())], [reader("one", ask)], "none")
    assert found.message


def test_whatever_goes_wrong_the_failure_is_told() -> None:
    def ask(*_: object) -> list[Evidence]:
        raise RuntimeError

    for readers in ([reader("one", ask)], [reader("one", None)], []):
        (made,) = explanations([look("one", observation())], readers, "objects")
        assert made.message == "Health check failed after 1s: timed out" or "health check failed" in made.message
        assert doomed([look("one", pending())], readers, now=NOW) == ({}, ())


def test_doom_is_looked_for_where_health_is_waited_for() -> None:
    asked: list[str] = []

    def ask(questions: Sequence[Question], level: str, within: float) -> list[Evidence]:
        asked.extend(question.about.name for question in questions)
        assert not [question for question in questions if question.message or question.reason]
        return answers(questions, level, within)

    seen = look(
        "one",
        pending("web"),
        pending("applying", "Reconciling: applying"),
        pending("again", keeps=True, begun=False),
        pending("gone", past=True),
        pending("up", "Running 'upgrade' action with timeout of 5m0s", kind="HelmRelease"),
        pending("back", "Running 'rollback' action with timeout of 5m0s", kind="HelmRelease"),
        observation("failed"),
    )
    dooms, notes = doomed([seen, look("two", pending())], [reader("one", ask)], now=NOW)
    assert asked == ["web", "up"]
    assert {(cluster, ref.name) for cluster, ref in dooms} == {("one", "web"), ("one", "up")}
    assert "CrashLoopBackOff" in dooms["one", ObjectRef("Kustomization", "apps", "web")][0]
    assert notes == ("one: events 10",)
