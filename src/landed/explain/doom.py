"""What is certain to fail, before Flux gives up waiting. No I/O; the time is given.

Only what cannot come right by waiting counts. That takes the newest state of a workload, as its controller has seen it:
a pod of an earlier one that crashes while its successor comes up is on its way out.
"""

from __future__ import annotations

from landed.explain.causes import CONFIGURATION, CRASH, CREATION, DEADLINE, JOB, QUOTA, Cause, called, causes
from landed.explain.quoting import SENTENCE, quoted
from landed.explain.values import Below, Evidence, Pod

#: Seconds that must pass before what is sometimes only slow (a Secret that is made by an operator, pods that make room
#: as they go) counts; and before a pod that finds no node does.
LASTS, FINDS_NO_NODE = 10, 20

_AT_ONCE = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", CRASH, "ProgressDeadlineExceeded"})


def doomed(evidence: Evidence, now: int) -> tuple[str, ...]:
    """Why it is certain to fail, a sentence for each object; empty where it may still come right.

    ``now`` is in epoch seconds.
    """
    return tuple(sentence for below in evidence.objects if (sentence := _doom(below, now)))


def _doom(below: Below, now: int) -> str:
    if not below.awaited or not below.current or below.settled or below.absent:
        return ""
    for cause in causes(below):
        if _certain(below, cause, now):
            return quoted(f"{called(below.ref)}: {cause.sentence}", SENTENCE)
    return ""


def _certain(below: Below, cause: Cause, now: int) -> bool:
    pod = next((pod for pod in below.pods if pod.ref.name == cause.pod), None)
    if cause.reason in _AT_ONCE:
        return True
    if cause.rank == JOB or cause.rank == DEADLINE:
        return True
    if cause.reason in CONFIGURATION | CREATION:
        return pod is not None and _old(pod.born, LASTS, now)
    if cause.rank == QUOTA:
        failure = below.conditions.get("ReplicaFailure")
        since = failure.since if failure is not None else _first_refusal(below)
        return _old(since, LASTS, now)
    return pod is not None and _homeless(pod, now)


def _homeless(pod: Pod, now: int) -> bool:
    scheduled = pod.scheduled
    if scheduled is None or scheduled.status != "False" or scheduled.reason != "Unschedulable" or pod.expected:
        return False
    return _old(scheduled.since or pod.born, FINDS_NO_NODE, now)


def _first_refusal(below: Below) -> int:
    return min((w.at for w in below.warnings if w.reason == "FailedCreate" and w.at), default=0)


def _old(since: int, seconds: int, now: int) -> bool:
    """Whether it lasts; of what nobody knows the age of it is taken to."""
    return now - since >= seconds
