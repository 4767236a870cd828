"""What is found below a failure, as frozen values: nothing of it is judged yet. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from landed.model import Condition, ObjectRef, Observation


class Container(Struct, frozen=True):
    """A container of a pod, as kubelet last reported it
    (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states).
    """

    name: str
    image: str = ""
    ready: bool = False
    """Ready, or, of an init container, done."""
    waiting: str = ""
    """Why it waits; empty where it does not."""
    message: str = ""
    """What is said of that."""
    restarts: int = 0
    code: int | None = None
    """The exit code of its last end; None where it never ended."""
    ended: str = ""
    """Why it ended: ``OOMKilled``, ``Error``, ``Completed``."""
    told: str = ""
    """What it left behind when it ended (its termination message)."""
    over: bool = False
    """It has ended, and waits for nothing."""
    log: tuple[str, ...] = ()
    """The last lines it has written, without secrets; where they were asked for."""


class Pod(Struct, frozen=True):
    """A pod of the newest state of its workload, neither being deleted nor done."""

    ref: ObjectRef
    born: int = 0
    """When it was made; 0 where unknown, as all times."""
    phase: str = ""
    reason: str = ""
    """Of the pod as a whole: ``Evicted``; so is ``message``."""
    message: str = ""
    scheduled: Condition | None = None
    """``PodScheduled``"""
    expected: bool = False
    """A place is being made for it: by preemption, or by an autoscaler."""
    claims: tuple[str, ...] = ()
    """The PersistentVolumeClaims that it uses."""
    containers: tuple[Container, ...] = ()
    """Init containers first."""


class Warned(Struct, frozen=True):
    """A warning Event."""

    about: ObjectRef
    reason: str
    message: str
    at: int = 0


class Below(Struct, frozen=True):
    """An object that a failing one is made of."""

    ref: ObjectRef
    """Its namespace is empty where it has none."""
    status: str = ""
    """What Flux calls it, where it does: ``InProgress`` …"""
    awaited: bool = True
    """Whether Flux waits for it to be healthy."""
    read: bool = False
    """Whether it was there and could be read."""
    absent: bool = False
    """It is not there."""
    current: bool = True
    """Its controller has seen its latest spec: what it says of itself is true of that."""
    settled: bool = False
    """By its own numbers everything of it is there and ready."""
    phase: str = ""
    """Of a PersistentVolumeClaim."""
    conditions: Mapping[str, Condition] = {}
    pods: tuple[Pod, ...] = ()
    warnings: tuple[Warned, ...] = ()
    """About it, its ReplicaSet, its pods and their claims; newest first."""


class Question(Struct, frozen=True):
    """What is asked about."""

    about: ObjectRef
    message: str = ""
    """What Flux says; empty of what has not failed yet. So is the ``reason``."""
    reason: str = ""


class Evidence(Struct, frozen=True):
    """What was found below one Kustomization or HelmRelease."""

    about: ObjectRef
    message: str = ""
    """What Flux says."""
    reason: str = ""
    path: str = ""
    """``spec.path``"""
    context: str = ""
    """The kubeconfig's context, where there is one."""
    objects: tuple[Below, ...] = ()
    lacking: tuple[str, ...] = ()
    """Permissions that would tell more, and what was left out; each as a sentence."""


class Root(Struct, frozen=True):
    """A failure that is not the consequence of another one."""

    cluster: str
    failure: Observation
    waiting: tuple[ObjectRef, ...] = ()
    """Everything that waits for it, directly or through others; sorted."""
    path: str = ""
    """Of a Kustomization, where it is known already."""
