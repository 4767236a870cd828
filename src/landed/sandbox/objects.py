"""The rules of Kubernetes about an object's life: what a server fills in, what it refuses, when a generation moves.

Pure functions from the stored object and what a client sent to the object to store; the store runs them one at a time.
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from landed.sandbox.kinds import Kind, Object
from landed.sandbox.problem import Problem, bad_request, conflict, invalid

#: What only the server may set, and what it keeps whatever a client sends.
_OURS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def now() -> str:
    """The time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def checked(kind: Kind, namespace: str, name: str, sent: object) -> Object:
    """What a client sent, fit to be worked with, or Problem 400 or 422. The name in the path counts."""
    if not isinstance(sent, dict):
        raise bad_request("the body of the request is not an object")
    if sent.get("apiVersion") != kind.api_version:
        raise bad_request(
            f"the API version in the data ({sent.get('apiVersion')}) does not match the expected API version "
            f"({kind.api_version})"
        )
    obj = copy.deepcopy(sent)
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request("metadata is not an object")
    if sent.get("kind") != kind.kind:
        why = f'Invalid value: "{sent.get("kind")}": must be {kind.kind}'
        raise invalid(str(sent.get("kind")), kind.group, str(metadata.get("name", "")), "kind", why)
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name and metadata.get("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    _check_shape(kind, str(metadata.get("name", name)), obj)
    if namespace:
        metadata["namespace"] = namespace
    return obj


def _check_shape(kind: Kind, name: str, obj: Object) -> None:
    for field in ("spec", "status"):
        if field in obj and not isinstance(obj[field], dict):
            raise invalid(
                kind.kind, kind.group, name, field, f"Invalid value: {_type(obj[field])}: must be of type object"
            )
    for field in ("labels", "annotations"):
        pairs = obj["metadata"].get(field) or {}
        if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
            raise bad_request(f"metadata.{field} must map strings to strings")


def _type(value: object) -> str:
    return {list: '"array"', str: '"string"', type(None): '"null"'}.get(type(value), '"number"')


def created(kind: Kind, obj: Object) -> Object:
    """``obj`` as the server stores a new object. It comes without status, whatever the client says about that."""
    metadata = obj["metadata"]
    if not metadata.get("name"):
        if not metadata.get("generateName"):
            raise invalid(
                kind.kind, kind.group, "", "metadata.name", "Required value: name or generateName is required"
            )
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    for field in (*_OURS, "resourceVersion", "selfLink"):
        metadata.pop(field, None)
    metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
    if kind.has_status:
        obj.pop("status", None)
    if not kind.group:
        del metadata["generation"]
    return defaulted(kind, obj)


def defaulted(kind: Kind, obj: Object) -> Object:
    """``obj`` with the defaults of its kind filled in."""
    if isinstance(obj.get("spec"), dict):
        obj["spec"] = {**kind.spec_defaults, **obj["spec"]}
    if kind.status_default and "status" not in obj:
        obj["status"] = dict(kind.status_default)
    return obj


def replaced(kind: Kind, before: Object, obj: Object) -> Object | None:
    """``before`` after a client put ``obj`` in its place; None where that lets go of the last finalizer."""
    _same_version(kind, before, obj)
    if kind.has_status:
        obj["status"] = before.get("status")
        if obj["status"] is None:
            del obj["status"]
    defaulted(kind, obj)
    _keep_ours(before, obj)
    if kind.group and _desired(obj) != _desired(before):
        obj["metadata"]["generation"] = before["metadata"]["generation"] + 1
    if "deletionTimestamp" in obj["metadata"] and not obj["metadata"].get("finalizers"):
        return None
    return obj


def status_replaced(kind: Kind, before: Object, obj: Object) -> Object:
    """``before`` with the status of ``obj``: nothing else of it counts."""
    _same_version(kind, before, obj)
    after = {**before, "metadata": dict(before["metadata"])}
    after.pop("status", None)
    if obj.get("status") is not None:
        after["status"] = obj["status"]
    return defaulted(kind, after)


def deleted(before: Object) -> Object | None:
    """``before`` after it was told to go: gone, or marked while finalizers hold it."""
    metadata = before["metadata"]
    if not metadata.get("finalizers"):
        return None
    if "deletionTimestamp" in metadata:
        return before
    marks = {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
    if "generation" in metadata:
        marks["generation"] = metadata["generation"] + 1
    return {**before, "metadata": {**metadata, **marks}}


def check_preconditions(kind: Kind, before: Object, options: Mapping[str, Any]) -> None:
    """Raise Problem 409 unless ``before`` is the object that a DeleteOptions means."""
    metadata = before["metadata"]
    for field, expected in (options.get("preconditions") or {}).items():
        if field in ("uid", "resourceVersion") and metadata.get(field) != expected:
            name = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
            why = (
                f"the {name} in the precondition ({expected}) does not match the {name} in record "
                f"({metadata.get(field)}). The object might have been deleted and then recreated"
            )
            raise conflict(kind.kind, kind.group, metadata["name"], why)


def _same_version(kind: Kind, before: Object, obj: Object) -> None:
    sent = obj["metadata"].get("resourceVersion")
    if sent and sent != before["metadata"]["resourceVersion"]:
        raise conflict(kind.plural, kind.group, before["metadata"]["name"])
    uid = obj["metadata"].get("uid")
    if uid and uid != before["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}"
        raise conflict(kind.plural, kind.group, before["metadata"]["name"], why)


def _keep_ours(before: Object, obj: Object) -> None:
    obj["metadata"]["name"] = before["metadata"]["name"]
    for field in (*_OURS, "resourceVersion"):
        obj["metadata"].pop(field, None)
        if field in before["metadata"]:
            obj["metadata"][field] = before["metadata"][field]


def _desired(obj: Object) -> Object:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status")}


def require_version(kind: Kind, obj: Object) -> None:
    """Raise Problem 422 where an update of a custom resource does not say which version it replaces."""
    if kind.group and not obj["metadata"].get("resourceVersion"):
        raise invalid(
            kind.plural, kind.group, str(obj["metadata"].get("name", "")), "metadata.resourceVersion",
            "Invalid value: 0: must be specified for an update",
        )  # fmt: skip


__all__ = [
    "Problem",
    "check_preconditions",
    "checked",
    "created",
    "deleted",
    "now",
    "replaced",
    "require_version",
    "status_replaced",
]
