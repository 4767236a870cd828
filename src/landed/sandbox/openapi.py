"""As much OpenAPI as ``kubectl apply`` asks for: that kinds exist, and that the server checks fields itself.

Schemas are open: the sandbox judges the shape of an object, not its fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landed.sandbox.kinds import Kind
from landed.sandbox.web import Request, Response, json_response

_INFO = {"title": "landed sandbox", "version": "v1"}
_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_QUERY = tuple(
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
)


def v3_index(kinds: Sequence[Kind]) -> Response:
    """``/openapi/v3``: where each group version is described."""
    paths = {kind.root[1:]: {"serverRelativeURL": f"/openapi/v3{kind.root}?hash=1"} for kind in kinds}
    return json_response({"paths": paths})


def v3_document(kinds: Sequence[Kind], root: str) -> Response | None:
    """``/openapi/v3/apis/GROUP/VERSION``; ``root`` is what follows ``/openapi/v3``."""
    chosen = [kind for kind in kinds if kind.root == root]
    if not chosen:
        return None
    paths = {path: item for kind in chosen for path, item in _paths(kind).items()}
    schemas = {_schema_name(kind): _schema(kind) for kind in chosen}
    document = {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}
    return json_response(document)


def v2_document(request: Request) -> Response:
    """``/openapi/v2``: an empty description, in protobuf where that is asked for."""
    if "protobuf" not in request.headers.get("accept", ""):
        return json_response({"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": {}})
    info = _field(1, _INFO["title"].encode()) + _field(2, _INFO["version"].encode())
    body = _field(1, b"2.0") + _field(2, info) + _field(8, b"") + _field(9, b"")
    return Response(200, body, _PROTOBUF)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field shorter than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


def _schema_name(kind: Kind) -> str:
    reversed_group = ".".join(reversed((kind.group or "core.k8s.io").split(".")))
    return f"{reversed_group}.{kind.version}.{kind.kind}"


def _identity(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(kind: Kind) -> dict[str, Any]:
    open_object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": open_object,
        "status": open_object,
    }
    return {
        **open_object,
        "properties": properties,
        "x-kubernetes-group-version-kind": [_identity(kind)],
    }


def _paths(kind: Kind) -> dict[str, Any]:
    namespace = "/namespaces/{namespace}" if kind.namespaced else ""
    operation = {
        "parameters": list(_QUERY),
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-group-version-kind": _identity(kind),
    }
    collection = f"{kind.root}{namespace}/{kind.plural}"
    return {
        collection: {"post": operation | {"x-kubernetes-action": "post"}},
        f"{collection}/{{name}}": {"patch": operation | {"x-kubernetes-action": "patch"}},
    }
