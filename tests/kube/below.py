"""Workloads and pods as API servers have them: what controllers, the scheduler and kubelet write."""

from __future__ import annotations

from typing import Any

from objects import Object, kustomization

THEN = "2026-08-20T09:14:00Z"
IMAGE = "registry.example.com/acme/web:9.9"

#: Inventory ids, as Flux writes them.
WEB = "apps_web_apps_Deployment"


def applied(*ids: str, wait: bool = True, **spec: Any) -> Object:
    """A Kustomization that has applied these."""
    entries = [{"id": each, "v": "v1"} for each in ids]
    status = {"inventory": {"entries": entries}}
    return kustomization(spec={"path": "./apps/web", "wait": wait, **spec}, status=status)


def head(name: str, owner: Object | None = None, **more: Any) -> Object:
    """An object's metadata, with who made it."""
    made: Object = {"name": name, "namespace": "apps", "uid": f"uid-{name}", "creationTimestamp": THEN, "generation": 2}
    if owner is not None:
        made["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return made | more


def template(name: str = "web") -> Object:
    """A pod template."""
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": IMAGE}]}}


def workload(kind: str = "Deployment", name: str = "web", **status: Any) -> Object:
    """A workload whose pods are not all there; ``status`` adds to its status."""
    annotations = {"deployment.kubernetes.io/revision": "2", "deprecated.daemonset.template.generation": "2"}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": head(name, annotations=annotations),
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template(name)},
        "status": {
            "observedGeneration": 2,
            "replicas": 2,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            **status,
        },
    }


def replica_set(owner: Object, name: str = "web-7d9f8b", revision: int = 2) -> Object:
    """One of a Deployment's."""
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": head(name, owner, annotations=annotations, labels={"app": "web"}),
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()},
    }


def pod(owner: Object, name: str = "", *, state: Object, last: Object | None = None, **more: Any) -> Object:
    """A pod of which one container is in a state; ``more`` adds to its metadata, ``restarts`` is of the container."""
    restarts = more.pop("restarts", 0)
    status = {
        "phase": more.pop("phase", "Running"),
        "startTime": THEN,
        "conditions": [
            {"type": "Initialized", "status": "True", "lastProbeTime": None, "lastTransitionTime": THEN},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": THEN},
            {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": THEN},
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": IMAGE,
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": restarts,
                "state": state,
                "lastState": last or {},
            }
        ],
        "qosClass": "BestEffort",
    }
    labels = {"app": "web", **more.pop("labels", {})}
    named = name or f"{owner['metadata']['name']}-m3nrw"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": head(named, owner, labels=labels, **more),
        "spec": template()["spec"] | {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
        "status": status,
    }


PULLS = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{IMAGE}"'}}
CRASHES = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=web"}}
CRASHED = {
    "terminated": {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": THEN,
        "finishedAt": THEN,
        "containerID": "containerd://x",
    }
}


def homeless(owner: Object, message: str = "0/3 nodes are available: 3 Insufficient cpu.") -> Object:
    """A pod that the scheduler has no node for."""
    made = pod(owner, state={}, phase="Pending")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    made["status"] = {"phase": "Pending", "conditions": [condition | {"lastTransitionTime": THEN}]}
    return made


def warning(kind: str, name: str, reason: str, message: str, **more: Any) -> Object:
    """A warning Event of kubelet or a controller."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{abs(hash((reason, message))):x}"[:200], "namespace": "apps"},
        "involvedObject": {"kind": kind, "namespace": "apps", "name": name, "apiVersion": "v1"},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "source": {"component": "kubelet"},
        "firstTimestamp": THEN,
        "lastTimestamp": THEN,
        "count": 3,
        **more,
    }
