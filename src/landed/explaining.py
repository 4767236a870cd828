"""Beside the loop: why things have failed, and which will, on all clusters at once. None of it can fail a run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from landed.explain import Evidence, Question, Root, explained, roots
from landed.explain import doomed as sentences
from landed.model import Explanation, Look, ObjectRef, Observation, State
from landed.pool import at_once

if TYPE_CHECKING:
    from landed.run import Reader

#: Explanations of one run, objects that are looked below while they are waited for, and seconds that either may take.
MOST, MOST_PENDING, WITHIN = 20, 50, 10.0

#: What is asked of a cluster: questions, level (``objects``, ``events``, ``logs``) and seconds → as many answers.
Search = Callable[[Sequence[Question], str, float], Sequence[Evidence]]

#: What helm-controller is doing while it waits for what it has made.
_WAITS = re.compile(r"running '(?:install|upgrade|test)' action", re.IGNORECASE)

#: (cluster, what is asked about)
_Key = tuple[str, ObjectRef]


def explanations(
    looks: Sequence[Look], readers: Iterable[Reader], level: str, *, within: float = WITHIN
) -> tuple[Explanation, ...]:
    """The root causes of what has failed, at most twenty, of several clusters in turn.

    All clusters are asked at once, within so many seconds; with the level ``none`` nobody is, and the causes are what
    Flux itself says. Never raises.
    """
    causes = roots(looks)[:MOST]
    questions = [(root.cluster, _question(root.failure)) for root in causes if level != "none"]
    found = _ask(questions, readers, level, within)
    return tuple(explained(root, _of(root, found)) for root in causes)


def doomed(
    looks: Sequence[Look], readers: Iterable[Reader], *, now: int, level: str = "events", within: float = WITHIN
) -> tuple[Mapping[_Key, tuple[str, ...]], tuple[str, ...]]:
    """What is certain to fail of everything that waits for the health of what it applied: sentences by cluster and
    object; and what could not be seen, as sentences. ``now`` is in epoch seconds. Never raises.
    """
    pending = [(look.cluster, Question(o.about)) for look in looks for o in _observations(look) if _waits(o)]
    found = _ask(list(dict.fromkeys(pending))[:MOST_PENDING], readers, level, within)
    dooms = {key: doom for key, evidence in found.items() if (doom := sentences(evidence, now))}
    notes = dict.fromkeys(f"{cluster}: {note}" for (cluster, _), e in found.items() for note in e.lacking)
    return dooms, tuple(notes)


def _ask(
    questions: Iterable[tuple[str, Question]], readers: Iterable[Reader], level: str, within: float
) -> dict[_Key, Evidence]:
    """What stands below each, of those clusters that can be asked."""
    by_cluster: dict[str, list[Question]] = defaultdict(list)
    for cluster, question in questions:
        by_cluster[cluster].append(question)
    found: dict[_Key, Evidence] = {}

    def ask(reader: Reader) -> None:
        asked = by_cluster[reader.cluster]
        with suppress(Exception):  # whatever is wrong: a failure that is not explained is still told
            answers = reader.evidence(asked, level, within) if reader.evidence is not None else ()
            found.update({(reader.cluster, one.about): one for one in answers})

    wanted = [reader for reader in readers if reader.evidence is not None and reader.cluster in by_cluster]
    at_once(ask, wanted, workers=max(1, len(wanted)))
    return found


def _of(root: Root, found: Mapping[_Key, Evidence]) -> Evidence:
    failure = root.failure
    return found.get((root.cluster, failure.about)) or Evidence(
        failure.about, failure.message, failure.reason, root.path
    )


def _question(failure: Observation) -> Question:
    return Question(failure.about, failure.message, failure.reason)


def _observations(look: Look) -> Iterable[Observation]:
    return chain(chain.from_iterable(outcome.observations for outcome in look.outcomes), look.silent)


def _waits(o: Observation) -> bool:
    """Whether it has applied everything and waits for the health of that."""
    if o.state is not State.PENDING or o.past or not o.begun:
        return False
    if o.about.kind == "HelmRelease":
        return _WAITS.search(o.message[:500]) is not None
    return o.about.kind == "Kustomization" and o.message.endswith("health checks")
