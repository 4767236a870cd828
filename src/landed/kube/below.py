"""The shapes of what stands below a Kustomization, as far as they say why it is not healthy. What is odd is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from landed.decoding import decode
from landed.explain.values import Container, Pod
from landed.flux.times import seconds
from landed.model import Condition, ObjectRef

T = TypeVar("T")


class Owner(Struct, gc=False):
    """Who made an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Meta(Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ ."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    generation: int | None = None
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    ownerReferences: list[Owner] | None = None


class Says(Struct, gc=False):
    """A condition."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    lastTransitionTime: str | None = None


class Thing(Struct):
    """Any object, as far as all have that in common (https://github.com/kubernetes-sigs/cli-utils, kstatus)."""

    metadata: Meta
    status: Any = None


class Requirement(Struct, gc=False):
    """A part of a selector."""

    key: str
    operator: str
    values: list[str] | None = None


class Selector(Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ ."""

    matchLabels: dict[str, str] | None = None
    matchExpressions: list[Requirement] | None = None


class Workload(Struct):
    """A Deployment, StatefulSet, DaemonSet, ReplicaSet or Job."""

    class Spec(Struct, frozen=True):
        """What is wanted."""

        replicas: int | None = None
        selector: Selector | None = None

    class Status(Struct):
        """What there is."""

        replicas: int | None = None
        updatedReplicas: int | None = None
        readyReplicas: int | None = None
        availableReplicas: int | None = None
        desiredNumberScheduled: int | None = None
        updatedNumberScheduled: int | None = None
        numberAvailable: int | None = None
        currentRevision: str | None = None
        updateRevision: str | None = None

    metadata: Meta
    spec: Spec = Spec()
    status: Status | None = None


class State(Struct):
    """Of a container: at most one of them is there."""

    class Waiting(Struct):
        """It has not begun."""

        reason: str | None = None
        message: str | None = None

    class Terminated(Struct):
        """It has ended."""

        exitCode: int | None = None
        reason: str | None = None
        message: str | None = None

    waiting: Waiting | None = None
    running: dict[str, Any] | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus ."""

    name: str
    image: str | None = None
    ready: bool | None = None
    restartCount: int | None = None
    state: State | None = None
    lastState: State | None = None


class PodObject(Struct):
    """A Pod."""

    class Spec(Struct, frozen=True):
        """What is wanted."""

        class Named(Struct):
            """A container."""

            name: str = ""
            image: str | None = None

        class Volume(Struct):
            """A volume."""

            persistentVolumeClaim: dict[str, Any] | None = None

        containers: list[Named] | None = None
        initContainers: list[Named] | None = None
        volumes: list[Volume] | None = None

    class Status(Struct):
        """What there is."""

        phase: str | None = None
        reason: str | None = None
        message: str | None = None
        nominatedNodeName: str | None = None
        conditions: list[Says] | None = None
        initContainerStatuses: list[ContainerStatus] | None = None
        containerStatuses: list[ContainerStatus] | None = None

    metadata: Meta
    spec: Spec = Spec()
    status: Status | None = None


class _Continue(Struct, rename={"continue_": "continue"}):
    continue_: str | None = None


class _List(Struct):
    items: list[Raw] | None = None
    metadata: _Continue | None = None


def one(body: bytes, shape: type[T]) -> T | None:
    """An object of this shape; None for anything else."""
    try:
        return decode(body, shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def page(body: bytes, shape: type[T], into: list[T]) -> str:
    """Add the objects of a page, without those of another shape, and give its continue token.

    Raises ValueError if it is no list.
    """
    try:
        read = decode(body, _List)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("It is not a list of Kubernetes objects.") from None
    into += [found for item in read.items or () if (found := one(bytes(item), shape)) is not None]
    return (read.metadata and read.metadata.continue_) or ""


def conditions(status: Any) -> Mapping[str, Condition]:
    """The conditions of a status, whatever it is."""
    given = status.get("conditions") if isinstance(status, dict) else None
    found = {}
    for item in given if isinstance(given, list) else ():
        try:
            said = msgspec.convert(item, Says)
        except msgspec.ValidationError:
            continue
        found[said.type] = condition(said)
    return found


def condition(said: Says) -> Condition:
    """A condition as a value."""
    return Condition(said.status, said.reason or "", said.message or "", 0, seconds(said.lastTransitionTime))


def labels(selector: Selector | None) -> str:
    """A selector as a query has it; empty where it selects nothing that can be named
    (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api).
    """
    if selector is None:
        return ""
    parts = [f"{key}={value}" for key, value in (selector.matchLabels or {}).items()]
    for need in selector.matchExpressions or ():
        values = ",".join(need.values or ())
        shapes = {"In": f"{need.key} in ({values})", "NotIn": f"{need.key} notin ({values})"}
        shapes |= {"Exists": need.key, "DoesNotExist": f"!{need.key}"}
        if need.operator not in shapes:
            return ""
        parts.append(shapes[need.operator])
    return ",".join(parts)


def owned(meta: Meta, uid: str) -> bool:
    """Whether an object was made by the one with this uid."""
    return any(owner.uid == uid for owner in meta.ownerReferences or ())


def pods(objects: Iterable[PodObject], *, failed: bool = False) -> Iterator[Pod]:
    """Pods that are neither being deleted nor done; with ``failed`` also those that have failed."""
    for each in objects:
        phase = (each.status and each.status.phase) or ""
        if not each.metadata.deletionTimestamp and phase != "Succeeded" and (failed or phase != "Failed"):
            yield pod(each)


def pod(each: PodObject) -> Pod:
    """A pod as a value."""
    status = each.status or PodObject.Status()
    images = {c.name: c.image or "" for c in (*(each.spec.initContainers or ()), *(each.spec.containers or ()))}
    claims = (v.persistentVolumeClaim.get("claimName") for v in each.spec.volumes or () if v.persistentVolumeClaim)
    return Pod(
        ObjectRef("Pod", each.metadata.namespace or "", each.metadata.name),
        seconds(each.metadata.creationTimestamp),
        status.phase or "",
        status.reason or "",
        status.message or "",
        next((condition(said) for said in status.conditions or () if said.type == "PodScheduled"), None),
        bool(status.nominatedNodeName),
        tuple(claim for claim in claims if isinstance(claim, str)),
        tuple(
            _container(said, images.get(said.name, ""))
            for said in (*(status.initContainerStatuses or ()), *(status.containerStatuses or ()))
        ),
    )


def _container(said: ContainerStatus, image: str) -> Container:
    state, last = said.state or State(), said.lastState or State()
    ended = state.terminated or last.terminated
    return Container(
        said.name,
        image or said.image or "",
        bool(said.ready),
        (state.waiting and state.waiting.reason) or "",
        (state.waiting and state.waiting.message) or "",
        max(0, said.restartCount or 0),
        ended.exitCode if ended else None,
        (ended and ended.reason) or "",
        (ended and ended.message) or "",
        state.terminated is not None,
    )
