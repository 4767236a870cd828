"""The answer of the gate: is a commit, or a later one, live and healthy everywhere? No I/O, no clock.

At the start everything is Ready on the *old* commit, so Ready alone answers nothing: what counts is which commit each
Kustomization has applied, and how that relates to the one that is asked about. Nothing here guesses that relation. What
nobody knows yet is asked for by name (``Decision.unasked``), and what nobody can say keeps the answer waiting.

``standings`` has the rules for one object, ``lines`` whether a source can still bring the commit, ``failures`` which
failures count at once, and ``memory`` what earlier looks of the same run have shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from landed.model import Answer, Cluster, ObjectRef, Standing, Verdict
from landed.verdict.lines import UNKNOWN
from landed.verdict.memory import Memory, remember
from landed.verdict.question import CONTAINS, DELETING, SETTLES, SUSPENDED, Other, Question, Relations
from landed.verdict.standings import Here

__all__ = [
    "CONTAINS",
    "DELETING",
    "SETTLES",
    "SUSPENDED",
    "UNKNOWN",
    "Decision",
    "Memory",
    "Other",
    "Question",
    "Relations",
    "decide",
    "remember",
    "waited_for",
]


class Decision(Struct, frozen=True):
    """An answer, and what it takes to be sure of it."""

    answer: Answer
    unasked: tuple[Other, ...] = ()
    """Commits and references whose relation to the commit should be looked up; then it is decided again."""
    unmeant: tuple[str, ...] = ()
    """Clusters that were read and have nothing that is meant."""


def decide(
    question: Question,
    clusters: Sequence[Cluster],
    relations: Relations,
    memory: Memory,
    *,
    now: int,
    unread: Iterable[str] = (),
    doomed: Mapping[tuple[str, ObjectRef], str] | None = None,
    final: bool = False,
) -> Decision:
    """What the commit's fate is as far as ``clusters`` show it.

    ``relations`` holds what is known of how other commits relate to it; ``doomed`` what is seen below an object that
    will make it fail; ``unread`` are clusters of which nothing is known. ``final`` says that there is no more time.
    """
    asked: dict[Other, None] = {}
    found: list[Standing] = []
    unmeant = []
    idle = False
    for cluster in clusters:
        asking = Here(question, cluster, relations, memory, now=now, asked=asked, doomed=doomed or {}, final=final)
        here = [*asking.kustomizations(), *asking.releases()]
        found += here
        unmeant += [] if here else [cluster.name]
        idle = idle or (bool(here) and not any(map(waited_for, here)))
    found.sort(key=lambda one: (one.cluster, one.about))
    lacking = tuple(unread)
    complete = not (lacking or idle) and (question.allow_empty or (bool(clusters) and not unmeant))
    verdict = _verdict(found, complete=complete)
    answer = Answer(
        question.repository,
        question.commit,
        verdict,
        tuple(found),
        lacking,
        timed_out=final and verdict is Verdict.WAITING,
        began=question.began,
        ended=now,
    )
    return Decision(answer, tuple(asked), tuple(unmeant))


def waited_for(standing: Standing) -> bool:
    """Whether an object counts: what is suspended or goes away is told, and not waited for."""
    return standing.state not in (SUSPENDED, DELETING)


def _verdict(found: Collection[Standing], *, complete: bool) -> Verdict:
    states = {one.state for one in found if waited_for(one)}
    for verdict in (Verdict.FAILED, Verdict.DIVERGED, Verdict.WAITING):
        if verdict in states:
            return verdict
    return Verdict.LIVE if complete else Verdict.WAITING
