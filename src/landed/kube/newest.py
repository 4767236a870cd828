"""Which pods are of the newest state of a workload: those of an earlier one are on their way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from msgspec import Struct

from landed.kube.below import Meta, Thing, Workload, labels, owned
from landed.kube.inquiry import Looker
from landed.model import Condition

#: What tells the pods that are meant from others.
Test = Callable[[Meta], bool]

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"
_TEMPLATE, _TEMPLATE_OF_POD = "deprecated.daemonset.template.generation", "pod-template-generation"


class _Revision(Struct):
    metadata: Meta
    revision: int = 0


def newest(
    by: Looker, kind: str, workload: Workload, said: Mapping[str, Condition], about: set[tuple[str, str]]
) -> Test | None:
    """What tells the pods of the newest state; None where nobody can say.

    ``said`` are the workload's conditions; a ReplicaSet is added to ``about``, what warnings may be about.
    """
    uid = workload.metadata.uid
    if kind == "Deployment":
        return _of_newest_set(by, workload, said, about)
    if kind == "StatefulSet":
        return _labelled(uid, _HASH, workload.status.updateRevision if workload.status else None)
    if kind == "DaemonSet":
        return _of_newest_revision(by, workload)
    return lambda pod: owned(pod, uid)


def _labelled(uid: str, label: str, value: str | None) -> Test | None:
    return (lambda pod: owned(pod, uid) and (pod.labels or {}).get(label) == value) if value else None


def _of_newest_revision(by: Looker, workload: Workload) -> Test | None:
    """By a DaemonSet's newest ControllerRevision, or, where that may not be read, the number of its template
    (https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/).
    """
    meta = workload.metadata
    revisions: list[_Revision] = []
    if _made_by(by, workload, "controllerrevisions", _Revision, revisions):
        mine = [each for each in revisions if owned(each.metadata, meta.uid)]
        last = max(mine, key=lambda each: each.revision, default=None)
        return _labelled(meta.uid, _HASH, (last.metadata.labels or {}).get(_HASH) if last else None)
    return _labelled(meta.uid, _TEMPLATE_OF_POD, (meta.annotations or {}).get(_TEMPLATE))


def _of_newest_set(
    by: Looker, workload: Workload, said: Mapping[str, Condition], about: set[tuple[str, str]]
) -> Test | None:
    """By a Deployment's newest ReplicaSet, or, where that may not be read, the one that the Deployment speaks of
    (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#updating-a-deployment).
    """
    meta = workload.metadata
    sets: list[Thing] = []
    if _made_by(by, workload, "replicasets", Thing, sets):
        mine = [each for each in sets if owned(each.metadata, meta.uid)]
        last = max(mine, key=lambda each: _number(each.metadata), default=None)
        if last is None or _number(last.metadata) < _number(meta):
            return None
        about.add(("ReplicaSet", last.metadata.name))
        uid = last.metadata.uid
        return lambda pod: owned(pod, uid)
    parts = said["Progressing"].message.split('"') if "Progressing" in said else []
    if len(parts) != 3:  # it says: ReplicaSet "web-5d8c" is progressing.
        return None
    about.add(("ReplicaSet", parts[1]))
    return lambda pod: any(owner.kind == "ReplicaSet" and owner.name == parts[1] for owner in pod.ownerReferences or ())


def _made_by(by: Looker, workload: Workload, plural: str, shape: type, into: list) -> bool:  # type: ignore[type-arg]
    namespace = workload.metadata.namespace or ""
    path = f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/{plural}"
    query = {"labelSelector": labels(workload.spec.selector)}
    return by.listed(("list", f"{plural}.apps", namespace), path, query, shape, into)


def _number(meta: Meta) -> int:
    text = (meta.annotations or {}).get(_REVISION) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
