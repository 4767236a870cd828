"""Creating, replacing, patching and deleting, as requests ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import yaml

from landed.sandbox import objects
from landed.sandbox.address import Address
from landed.sandbox.apply import applied
from landed.sandbox.kinds import Object
from landed.sandbox.listing import selection
from landed.sandbox.patch import merged, patched
from landed.sandbox.problem import Problem, already_exists, bad_request, invalid, not_found
from landed.sandbox.store import Store
from landed.sandbox.web import Request

_MERGE = "application/merge-patch+json"
_JSON = "application/json-patch+json"
_APPLY = "application/apply-patch+yaml"
#: For kinds of the core group only. Those served here have no lists to merge, so it comes to the same as a merge patch.
_STRATEGIC = "application/strategic-merge-patch+json"


def create(store: Store, address: Address, request: Request) -> Object:
    """POST to a collection. Raises Problem."""
    kind = address.kind
    obj = objects.created(kind, objects.checked(kind, address.namespace, "", body_of(request)))
    name = obj["metadata"]["name"]

    def put(before: Object | None) -> Object:
        if before is not None:
            raise already_exists(kind.plural, kind.group, name)
        return obj

    return _write(store, Address(kind, address.namespace, name), put, request)


def replace(store: Store, address: Address, request: Request) -> Object:
    """PUT of an object or its status. Raises Problem."""
    kind = address.kind
    obj = objects.checked(kind, address.namespace, address.name, body_of(request))
    _existing(address, store.get(kind, address.key))
    objects.require_version(kind, obj)
    return _write(store, address, lambda before: _change(address, _existing(address, before), obj), request)


def patch(store: Store, address: Address, request: Request) -> Object:
    """PATCH of an object or its status. Raises Problem."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type == _APPLY:
        return _apply(store, address, request)
    change = {_MERGE: merged, _JSON: patched, _STRATEGIC: merged}.get(media_type)
    if change is None or (media_type == _STRATEGIC and address.kind.group):
        raise Problem(
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            f"{_JSON}, {_MERGE}, {_APPLY}",
        )  # fmt: skip
    wanted = body_of(request)

    def put(before: Object | None) -> Object | None:
        current = _existing(address, before)
        obj = objects.checked(address.kind, address.namespace, address.name, change(current, wanted))
        return _change(address, current, obj)

    return _write(store, address, put, request)


def _apply(store: Store, address: Address, request: Request) -> Object:
    kind = address.kind
    manager = request.query.get("fieldManager")
    if not manager:
        raise invalid("PatchOptions", "meta.k8s.io", "", "fieldManager", "Required value: is required for apply patch")
    sent = objects.checked(kind, address.namespace, address.name, body_of(request))
    sent["metadata"]["name"] = address.name
    force = request.query.get("force") == "true"

    def put(before: Object | None) -> Object | None:
        obj = applied(kind, before, sent, manager, force=force)
        if before is None:
            return objects.created(kind, obj)
        after = _change(address, before, obj)
        return before if after and _same_but_time(before, after) else after

    return _write(store, address, put, request)


def _same_but_time(before: Object, after: Object) -> bool:
    def timeless(obj: Object) -> Object:
        fields = obj["metadata"].get("managedFields", ())
        managed = [{name: value for name, value in entry.items() if name != "time"} for entry in fields]
        return {**obj, "metadata": {**obj["metadata"], "managedFields": managed}}

    return timeless(before) == timeless(after)


def delete(store: Store, address: Address, request: Request) -> Object:
    """DELETE of an object: itself while finalizers hold it, else a Status. Raises Problem."""
    options = body_of(request) if request.body else {}
    left = _delete(store, address, options, request)
    metadata = left["metadata"]
    if metadata.get("finalizers"):
        return left
    kind = address.kind
    details = {"name": address.name, "group": kind.group, "kind": kind.plural, "uid": metadata["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def delete_all(store: Store, address: Address, request: Request) -> Object:
    """DELETE of a collection: the list of what was there."""
    snapshot, version = store.snapshot(address.kind)
    matches = selection(address.kind, address.namespace, request.query)
    chosen = [(key, obj) for key, obj in sorted(snapshot.items()) if matches(obj)]
    for (namespace, name), _ in chosen:
        _delete(store, Address(address.kind, namespace, name), {}, request)
    return {
        "kind": f"{address.kind.kind}List", "apiVersion": address.kind.api_version,
        "metadata": {"resourceVersion": str(version)}, "items": [obj for _, obj in chosen],
    }  # fmt: skip


def _delete(store: Store, address: Address, options: Mapping[str, Any], request: Request) -> Object:
    def put(before: Object | None) -> Object | None:
        current = _existing(address, before)
        objects.check_preconditions(address.kind, current, options)
        return objects.deleted(current)

    return _write(store, address, put, request, dry=options.get("dryRun"))


def body_of(request: Request) -> Any:
    """The decoded body. Raises Problem 400 or 415."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if "json" not in media_type and "yaml" not in media_type:
        message = "the body of the request was in an unknown format - accepted media types include: application/json"
        raise Problem(415, "UnsupportedMediaType", f"{message}, application/yaml")
    try:
        if "yaml" in media_type:
            return yaml.safe_load(request.body)
        return request.json()
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise bad_request(f"the body of the request could not be decoded: {error}") from None


def _existing(address: Address, before: Object | None) -> Object:
    if before is None:
        raise not_found(address.kind.plural, address.kind.group, address.name)
    return before


def _change(address: Address, before: Object, obj: Object) -> Object | None:
    if address.subresource == "status":
        return objects.status_replaced(address.kind, before, obj)
    return objects.replaced(address.kind, before, obj)


def _write(
    store: Store,
    address: Address,
    put: Callable[[Object | None], Object | None],
    request: Request,
    dry: object = None,
) -> Object:
    """Carry ``put`` out, or only see what it would do. Gives what is stored, or what was there if it is gone."""
    current = store.get(address.kind, address.key)
    if dry or request.query.get("dryRun"):
        return put(current) or current or {}
    return store.write(address.kind, address.key, put) or current or {}
