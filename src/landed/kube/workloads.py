"""One object below a Kustomization: what it says of itself, and the pods of its newest state."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from msgspec import structs

from landed.explain.quoting import last_lines
from landed.explain.values import Below, Container, Pod
from landed.kube import below as shapes
from landed.kube.below import PodObject, Thing, Workload
from landed.kube.errors import NotServed
from landed.kube.inquiry import Looker, Unanswered
from landed.kube.kinds import WORKLOADS, Wanted, place
from landed.kube.newest import newest
from landed.kube.warnings import reasons
from landed.model import Condition

#: Pods of one workload whose logs are read, and lines that are asked for: a key that is written among them is seen as
#: such only if its first line is there.
LOGS, LINES, BYTES = 2, 60, 1 << 17

#: Pods of one workload that are kept: those in trouble first.
PODS = 10


def look(by: Looker, wanted: Wanted) -> tuple[Below, frozenset[tuple[str, str]]]:
    """An object, and whatever of its namespace warnings may be about: kind and name. Never raises."""
    found = Below(wanted.ref, wanted.status, wanted.awaited)
    about = {(wanted.ref.kind, wanted.ref.name)}
    where = place(by, wanted)
    if where is None:
        return found, frozenset(about)
    try:
        body = by.inquiry.get(("get", where[0], wanted.ref.namespace), where[1], {}, by.lacks)
    except NotServed:
        return structs.replace(found, absent=True), frozenset(about)
    except Unanswered:
        return found, frozenset(about)
    return _read(by, found, body, about)


def _read(
    by: Looker, found: Below, body: bytes, about: set[tuple[str, str]]
) -> tuple[Below, frozenset[tuple[str, str]]]:
    thing, kind = shapes.one(body, Thing), found.ref.kind
    if thing is None or thing.metadata.name != found.ref.name:
        return found, frozenset(about)
    said = shapes.conditions(thing.status)
    workload = shapes.one(body, Workload) if kind in (*WORKLOADS, "ReplicaSet") else None
    found = structs.replace(
        found,
        read=True,
        current=_current(thing),
        conditions=said,
        settled=_settled(kind, workload) if workload else _at_rest(kind, thing, said),
        phase=str(thing.status.get("phase") or "")
        if kind == "PersistentVolumeClaim" and isinstance(thing.status, dict)
        else "",
    )
    if found.settled or not found.current:
        return found, frozenset(about)
    made: tuple[Pod, ...] = ()
    if kind == "Pod":
        itself = shapes.one(body, PodObject)
        made = tuple(shapes.pods([itself], failed=True)) if itself else ()
    elif workload is not None:
        made = _pods(by, kind, workload, said, about)
    kept = sorted(made, key=lambda p: (not _troubled(p), p.ref))[:PODS]
    about |= {("Pod", p.ref.name) for p in kept} | {
        ("PersistentVolumeClaim", claim) for p in kept for claim in p.claims
    }
    return structs.replace(found, pods=_closer(by, kept)), frozenset(about)


def _current(thing: Thing) -> bool:
    """Whether its controller has seen its latest spec."""
    seen = thing.status.get("observedGeneration") if isinstance(thing.status, dict) else None
    return not isinstance(seen, int) or thing.metadata.generation is None or seen >= thing.metadata.generation


def _settled(kind: str, workload: Workload) -> bool:
    """Whether everything that is wanted is there, of the newest state, and available."""
    status = workload.status or Workload.Status()
    wanted = 1 if workload.spec.replicas is None else workload.spec.replicas
    if kind == "Deployment":
        return (status.replicas or 0) == (status.updatedReplicas or 0) == (status.availableReplicas or 0) == wanted
    if kind == "StatefulSet":
        whole = status.currentRevision == status.updateRevision
        return whole and (status.readyReplicas or 0) == (status.replicas or 0) == wanted
    if kind == "DaemonSet":
        wanted = status.desiredNumberScheduled or 0
        return (
            status.desiredNumberScheduled is not None
            and (status.updatedNumberScheduled or 0) == (status.numberAvailable or 0) == wanted
        )
    return kind == "ReplicaSet" and (status.availableReplicas or 0) == wanted


def _at_rest(kind: str, thing: Thing, said: Mapping[str, Condition]) -> bool:
    if kind == "PersistentVolumeClaim":
        return isinstance(thing.status, dict) and thing.status.get("phase") == "Bound"
    return "Ready" in said and said["Ready"].status == "True"


def _pods(
    by: Looker, kind: str, workload: Workload, said: Mapping[str, Condition], about: set[tuple[str, str]]
) -> tuple[Pod, ...]:
    """The pods of the newest state of a workload; none where it cannot be told which these are."""
    selector = shapes.labels(workload.spec.selector)
    namespace = workload.metadata.namespace or ""
    if not selector or (kind == "Job" and "Complete" in said and said["Complete"].status == "True"):
        return ()
    meant = newest(by, kind, workload, said, about)
    if meant is None:
        return ()
    found: list[PodObject] = []
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
    if not by.listed(("list", "pods", namespace), path, {"labelSelector": selector}, PodObject, found):
        return ()
    return tuple(shapes.pods((each for each in found if meant(each.metadata)), failed=kind == "Job"))


def _troubled(pod: Pod) -> bool:
    placed = pod.scheduled is None or pod.scheduled.status != "False"
    return not placed or any(c.waiting or not c.ready for c in pod.containers)


def _closer(by: Looker, kept: list[Pod]) -> tuple[Pod, ...]:
    """``kept`` with what takes more requests: logs, and whether an autoscaler makes room."""
    logs = 0
    found = []
    for pod in kept:
        homeless = pod.scheduled is not None and pod.scheduled.status == "False"
        if by.events and homeless and not pod.expected:
            pod = structs.replace(pod, expected=_room_is_made(by, pod))
        failing = next((c for c in pod.containers if _wrote(c)), None) if by.logs and logs < LOGS else None
        if failing is not None:
            logs += 1
            told = structs.replace(failing, log=_log(by, pod, failing))
            pod = structs.replace(pod, containers=tuple(told if c is failing else c for c in pod.containers))
        found.append(pod)
    return tuple(found)


def _wrote(container: Container) -> bool:
    """Whether it is in trouble and has run: what it wrote may say why."""
    if container.waiting:
        return container.code is not None
    return not container.ready and not (container.over and container.code == 0)


def _log(by: Looker, pod: Pod, container: Container) -> tuple[str, ...]:
    """The last lines of the run that failed (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/)."""
    namespace = pod.ref.namespace
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod.ref.name, safe='')}/log"
    query = {"container": container.name, "tailLines": str(LINES), "limitBytes": str(BYTES)}
    if container.waiting:
        query["previous"] = "true"
    try:
        body = by.inquiry.get(("get", "pods/log", namespace), path, query, by.lacks)
    except (Unanswered, NotServed):
        return ()
    return last_lines(body[-BYTES:].decode("utf-8", "replace"), hide=by.hide)


#: What autoscalers say of a pod that they make room for.
_MAKES_ROOM = frozenset({"TriggeredScaleUp", "Nominated", "NominatedNode"})


def _room_is_made(by: Looker, pod: Pod) -> bool:
    return bool(_MAKES_ROOM & reasons(by, pod.ref.namespace, pod.ref.name))
