"""What keeps an object from being healthy, as sentences, the most telling first. No I/O, no clock.

The reasons are kubelet's, the scheduler's and the controllers'
(https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from landed.explain.pulls import why_not_pulled
from landed.explain.quoting import quoted
from landed.explain.values import Below, Container, Pod
from landed.model import ObjectRef

#: Reasons for which a container waits and cannot begin without somebody's doing.
PULL = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
CONFIGURATION = frozenset({"CreateContainerConfigError"})
CREATION = frozenset({"CreateContainerError", "RunContainerError", "PostStartHookError", "PreCreateHookError"})
CRASH = "CrashLoopBackOff"

#: Conditions that are bad news where they are True, and those that are where they are False.
_BAD = frozenset({"Stalled", "Failed", "FailureTarget", "ReplicaFailure", "Degraded", "Failure", "Error"})
_GOOD = frozenset({"Ready", "Available", "Healthy", "Progressing", "Synced", "Accepted", "Programmed", "Released"})

#: From the most telling to the least.
IMAGE, SETTINGS, CREATE, CRASHES, QUOTA, CREATES, CLAIM, ROOM, JOB, VOLUME, EVICTED, UNREADY, DEADLINE, SAYS, GONE = (
    range(15)
)


class Cause(Struct, frozen=True, order=True):
    """One thing that is wrong."""

    rank: int
    sentence: str
    """Without the object's name before it."""
    reason: str = ""
    pod: str = ""
    container: str = ""
    crashed: bool = False
    """The container has written a log and ended."""


def causes(below: Below) -> list[Cause]:
    """Everything that is wrong with an object, the most telling first."""
    if below.absent:
        return [Cause(GONE, "it is not in the cluster", "NotFound")]
    if not below.current:
        return []
    found = [*_of_pods(below), *_of_conditions(below), *_of_warnings(below)]
    if below.phase == "Pending":
        why = _warning(below, ("ProvisioningFailed", "FailedBinding"), "PersistentVolumeClaim")
        found.append(Cause(CLAIM, f"no volume is bound to it{_colon(why)}", "Pending"))
    return sorted(_with_the_job(below, set(found)))


def _with_the_job(below: Below, found: set[Cause]) -> Iterator[Cause]:
    """``found``; of a Job that was given up, what its pods say belongs to that."""
    over = next((cause for cause in found if cause.rank == JOB), None)
    for cause in found:
        if over is not None and cause.pod:
            cause = structs.replace(cause, sentence=f"it has failed ({over.reason}): {cause.sentence}")
        yield cause


def called(ref: ObjectRef) -> str:
    """How sentences call it: ``Deployment apps/web``."""
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def complaints(below: Below) -> Iterator[tuple[str, str, str]]:
    """Type, reason and message of the conditions that are bad news."""
    for name, condition in below.conditions.items():
        if name in {"True": _BAD, "False": _GOOD}.get(condition.status, ()):
            yield name, quoted(condition.reason, 60), quoted(condition.message)


def _of_pods(below: Below) -> Iterator[Cause]:
    for pod in below.pods:
        for container in pod.containers:
            cause = trouble(pod, container, below)
            if cause is not None:
                yield cause
        if pod.scheduled is not None and pod.scheduled.status == "False":
            yield _unscheduled(pod, below)
        if pod.phase == "Failed" and pod.reason:
            why = quoted(pod.message)
            yield Cause(EVICTED, f"Pod {_name(pod)} has failed ({pod.reason}){_colon(why)}", pod.reason, pod.ref.name)


def trouble(pod: Pod, container: Container, below: Below) -> Cause | None:
    """What is wrong with a container, if anything is."""
    where, reason = (pod.ref.name, container.name), container.waiting
    if reason in PULL:
        return Cause(IMAGE, _pull(pod, container, below), reason, *where)
    if reason in CONFIGURATION:
        why = quoted(container.message) or _warning(below, ("Failed",), "Pod")
        return Cause(
            SETTINGS, f"{_container(pod, container)} lacks what it refers to ({reason}){_colon(why)}", reason, *where
        )
    if reason in CREATION:
        why = quoted(container.message) or quoted(container.told)
        return Cause(CREATE, f"{_container(pod, container)} cannot be started ({reason}){_colon(why)}", reason, *where)
    failed = container.code not in (None, 0)
    if reason == CRASH or (failed and (container.restarts or container.over) and not container.ready):
        return Cause(CRASHES, _crash(pod, container), reason or container.ended, *where, crashed=True)
    if reason == "" and not container.ready and not container.over and below.awaited and pod.phase == "Running":
        return _unready(pod, container, below)
    return None


def _pull(pod: Pod, container: Container, below: Below) -> str:
    image = quoted(container.image, 120)
    if container.waiting == "InvalidImageName":
        return f"{image} is no name of an image (container {container.name}, InvalidImageName)"
    events = [w.message for w in below.warnings if w.about.name == pod.ref.name and w.reason == "Failed"]
    why = next((cause for cause in map(why_not_pulled, (container.message, *events)) if cause), "")
    return f"the image {image} of container {container.name} cannot be pulled ({container.waiting}){_colon(why)}"


def _crash(pod: Pod, container: Container) -> str:
    times = f"{container.restarts} restart{'' if container.restarts == 1 else 's'}"
    loop = container.waiting == CRASH
    if container.ended == "OOMKilled":
        what = "is killed for taking more memory than its limit"
    elif container.code is None:
        what = "ends"
    else:
        what = f"{'exits' if loop or container.restarts else 'exited'} with code {container.code}"
    again = " again and again" if loop or container.restarts > 1 else ""
    named = [container.waiting or container.ended, times if container.restarts else ""]
    last = quoted(container.told, 160) or (container.log[-1] if container.log else "")
    return f"{_container(pod, container)} {what}{again} ({', '.join(filter(None, named))}){_colon(last)}"


def _unready(pod: Pod, container: Container, below: Below) -> Cause:
    probe = next((w for w in below.warnings if w.reason == "Unhealthy" and w.about.name == pod.ref.name), None)
    if probe is None:
        return Cause(
            UNREADY, f"{_container(pod, container)} runs and is not ready", "NotReady", pod.ref.name, container.name
        )
    why = quoted(probe.message)
    return Cause(
        UNREADY, f"{_container(pod, container)} is not ready: {why}", "Unhealthy", pod.ref.name, container.name
    )


def _unscheduled(pod: Pod, below: Below) -> Cause:
    said = pod.scheduled.message if pod.scheduled is not None else ""
    why = quoted(re.sub(r"[. ]*\bpreemption: .*", "", said[:4096], flags=re.DOTALL)).rstrip(".")
    if "unbound" in why or "persistentvolumeclaim" in why.lower():
        claim = _warning(below, ("ProvisioningFailed", "FailedBinding"), "PersistentVolumeClaim")
        return Cause(CLAIM, f"Pod {_name(pod)} waits for a volume{_colon(claim or why)}", "Unschedulable", pod.ref.name)
    none = "no node has room" if re.search(r"insufficient|too many pods", why, re.IGNORECASE) else "no node takes it"
    reason = pod.scheduled.reason if pod.scheduled is not None else ""
    return Cause(ROOM, f"{none}{_colon(why)}", reason or "Unschedulable", pod.ref.name)


def _of_conditions(below: Below) -> Iterator[Cause]:
    for name, reason, message in complaints(below):
        if name == "ReplicaFailure":
            yield _creation(reason, message)
        elif reason == "ProgressDeadlineExceeded":
            yield Cause(
                DEADLINE, f"its pods did not become ready in time (ProgressDeadlineExceeded){_colon(message)}", reason
            )
        elif below.ref.kind == "Job" and name in ("Failed", "FailureTarget"):
            yield Cause(JOB, f"it has failed ({reason or name}){_colon(message)}", reason or name)
        elif below.ref.kind != "Pod" and (name, reason) != ("Available", "MinimumReplicasUnavailable"):
            yield Cause(SAYS, f"{name} is {below.conditions[name].status} ({reason}){_colon(message)}", reason)


def _creation(reason: str, message: str) -> Cause:
    """Pods that cannot be made (https://kubernetes.io/docs/concepts/policy/resource-quotas/)."""
    plain = re.sub(r"^(?:\(combined from similar events\): )?(?:Error creating: )?", "", message)
    if exceeds_quota(plain):
        return Cause(QUOTA, f"quota: {plain}", reason)
    hook = re.search(r'admission webhook "([^"]{1,253})" denied the request:? ?', plain)
    if hook:
        said = plain[hook.end() :]
        return Cause(CREATES, f"the admission webhook {hook[1]} refuses its pods{_colon(said)}", reason)
    return Cause(CREATES, f"its pods cannot be made ({reason}){_colon(plain)}", reason)


def exceeds_quota(message: str) -> bool:
    """Whether pods are refused because of a quota."""
    return "exceeded quota" in message or "failed quota" in message


def _of_warnings(below: Below) -> Iterator[Cause]:
    """What only Events tell. They are kept for an hour, so they count only while something is missing."""
    if below.settled:
        return
    waiting = {
        p.ref.name
        for p in below.pods
        if any(c.waiting in ("ContainerCreating", "PodInitializing") for c in p.containers)
    }
    for warning in below.warnings:
        if warning.reason == "FailedCreate" and warning.about.kind != "Pod":
            yield _creation(warning.reason, quoted(warning.message))
        elif warning.about.name in waiting and warning.reason in _STARTS:
            what = _STARTS[warning.reason]
            why = quoted(warning.message)
            yield Cause(
                VOLUME,
                f"{what} Pod {_short(warning.about.name)} ({warning.reason}){_colon(why)}",
                warning.reason,
                warning.about.name,
            )


#: What kubelet cannot do before a container begins.
_STARTS = {
    "FailedMount": "a volume cannot be mounted for",
    "FailedAttachVolume": "a volume cannot be attached for",
    "FailedCreatePodSandBox": "the network or the sandbox fails for",
}


def _warning(below: Below, reasons: Iterable[str], kind: str) -> str:
    found = (w.message for w in below.warnings if w.reason in reasons and w.about.kind == kind)
    return quoted(next(found, ""))


def _container(pod: Pod, container: Container) -> str:
    return f"container {container.name} of Pod {_name(pod)}"


def _name(pod: Pod) -> str:
    return _short(pod.ref.namespace + "/" + pod.ref.name)


def _short(text: str) -> str:
    return quoted(text, 120)


def _colon(why: str) -> str:
    return f": {why}" if why else ""
