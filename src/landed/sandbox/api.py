"""A Kubernetes API: enough of one for kubectl and for every client that reads Flux's objects.

It keeps to what a real server does where a client can tell the difference: versions, pages, watches, refusals.
It does not admit, authorise or collect garbage, and creates any namespace that is named.
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import gzip
import hmac
from collections.abc import Callable, Sequence

import msgspec

from landed.sandbox import discovery, openapi, writing
from landed.sandbox.address import Address, locate
from landed.sandbox.kinds import KINDS, Kind, Object
from landed.sandbox.listing import page, selection, version_in, whole
from landed.sandbox.objects import created
from landed.sandbox.problem import Problem, bad_request, invalid, not_found, problem_response
from landed.sandbox.store import Store
from landed.sandbox.table import partial, table
from landed.sandbox.watch import LASTS, Watch, events
from landed.sandbox.web import Request, Response, json_response, text_response

#: Bytes above which an answer is compressed for those who can take it.
COMPRESS_ABOVE = 128 * 1024
_ACCEPTED = ("application/json", "application/*", "*/*")


class KubernetesApi:
    """Answers requests from a store. With a token, everything but health needs it as bearer."""

    def __init__(self, store: Store, kinds: Sequence[Kind] = KINDS, token: str = "") -> None:
        self.store = store
        self.kinds = kinds
        self._token = token
        for name in ("default", "flux-system", "kube-system"):
            ensure_namespace(store, kinds, name)

    def answer(self, request: Request) -> Response:
        """The answer to one request; never raises."""
        try:
            return _compressed(request, self._route(request))
        except Problem as problem:
            return problem_response(problem)

    def _route(self, request: Request) -> Response:
        if request.path in ("/readyz", "/livez", "/healthz"):
            return text_response("ok")
        self._authenticate(request)
        about = _about(self.kinds, request)
        if about is not None:
            return about
        address = locate(self.kinds, request.path)
        if address is None:
            return _nothing(request.path)
        return self._resource(address, request)

    def _authenticate(self, request: Request) -> None:
        sent = request.headers.get("authorization", "")
        if self._token and not hmac.compare_digest(sent.encode(), f"Bearer {self._token}".encode()):
            raise Problem(401, "Unauthorized", "Unauthorized")

    def _resource(self, address: Address, request: Request) -> Response:
        if address.subresource and (address.subresource != "status" or not address.kind.has_status):
            raise not_found(address.kind.plural, address.kind.group, address.name)
        if not address.name:
            return self._collection(address, request)
        if request.method in ("GET", "HEAD"):
            return self._get(address, request)
        change = _CHANGES.get(request.method)
        if change is None:
            raise Problem(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        known = self.store.get(address.kind, address.key)
        obj = change(self.store, address, request)
        return _shaped(address.kind, obj, request, 201 if known is None and request.method != "DELETE" else 200)

    def _get(self, address: Address, request: Request) -> Response:
        obj = self.store.get(address.kind, address.key)
        if obj is None:
            raise not_found(address.kind.plural, address.kind.group, address.name)
        return _shaped(address.kind, obj, request)

    def _collection(self, address: Address, request: Request) -> Response:
        if request.method == "POST":
            if address.kind.namespaced and not address.namespace:
                return _nothing(request.path)
            ensure_namespace(self.store, self.kinds, address.namespace)
            return _shaped(address.kind, writing.create(self.store, address, request), request, 201)
        if request.method == "DELETE":
            return json_response(writing.delete_all(self.store, address, request))
        if request.method not in ("GET", "HEAD"):
            raise bad_request("name must be provided")
        if request.query.get("watch", "") in ("true", "1"):
            return self._watch(address, request)
        return self._list(address, request)

    def _list(self, address: Address, request: Request) -> Response:
        kind = address.kind
        listed, metadata = page(self.store, kind, address.namespace, request.query)
        form = _form(request)
        if form == "Table":
            return json_response(table(kind, listed, metadata))
        if form == "PartialObjectMetadata":
            head: Object = {"kind": f"{form}List", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            return json_response(head | {"items": [partial(obj) for obj in listed]})
        head = {"apiVersion": kind.api_version, "items": listed, "kind": f"{kind.kind}List", "metadata": metadata}
        return json_response(head)

    def _watch(self, address: Address, request: Request) -> Response:
        query, kind = request.query, address.kind
        initial = query.get("sendInitialEvents") == "true"
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise invalid("ListOptions", "meta.k8s.io", "", "resourceVersionMatch", why)
        form = _form(request)
        watch = Watch(
            kind,
            selection(kind, address.namespace, query),
            None if initial else version_in(query),
            float(whole(query, "timeoutSeconds")) or LASTS,
            query.get("allowWatchBookmarks") in ("true", "1"),
            initial,
            lambda obj, first: _in_form(kind, obj, form, columns=first),
        )
        return Response(stream=events(self.store, watch))


_CHANGES: dict[str, Callable[[Store, Address, Request], Object]] = {
    "PUT": writing.replace,
    "PATCH": writing.patch,
    "DELETE": writing.delete,
}


def ensure_namespace(store: Store, kinds: Sequence[Kind], name: str) -> None:
    """Make sure that there is a namespace of that name, if namespaces are served."""
    kind = next((kind for kind in kinds if (kind.group, kind.plural) == ("", "namespaces")), None)
    if kind is None or not name or store.get(kind, ("", name)):
        return
    metadata = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
    obj = created(kind, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    obj |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    store.write(kind, ("", name), lambda before: before or obj)


def _about(kinds: Sequence[Kind], request: Request) -> Response | None:
    """What the server says about itself; None if the request is about something else."""
    path = request.path.rstrip("/")
    if path == "/version":
        return json_response(discovery.VERSION)
    if path in ("/api", "/apis"):
        return discovery.root(request, kinds, core=path == "/api")
    if path == "/openapi/v2":
        return openapi.v2_document(request)
    if path == "/openapi/v3":
        return openapi.v3_index(kinds)
    if path.startswith("/openapi/v3/"):
        return openapi.v3_document(kinds, path.removeprefix("/openapi/v3"))
    if path == f"/apis/authorization.k8s.io/v1/{discovery.REVIEW}" and request.method == "POST":
        return json_response(_review(request), 201)
    parts = path.split("/")[1:]
    if parts[0] == "apis" and len(parts) == 2:
        return discovery.group(kinds, parts[1])
    if (parts[0] == "apis" and len(parts) == 3) or path == "/api/v1":
        return discovery.resources(kinds, "/".join(parts[1:]))
    return None


def _review(request: Request) -> Object:
    """Whoever may come in may do everything. kubectl asks in protobuf: the answer is the same, so it is not read."""
    head = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
    in_protobuf = "protobuf" in request.headers.get("content-type", "")
    asked = {"spec": {}} if in_protobuf else writing.body_of(request)
    status = {"allowed": True, "reason": "everything is allowed in the sandbox"}
    return {**head, "spec": asked.get("spec", {}), "status": status}


def _nothing(path: str) -> Response:
    """A group or resource that is not served: plain text, except in the core group."""
    if path.startswith("/api/v1/"):
        raise Problem(404, "NotFound", "the server could not find the requested resource")
    return text_response("404 page not found\n", 404)


def _form(request: Request) -> str:
    """In which form the client takes objects: ``Table``, ``PartialObjectMetadata`` or as they are (empty)."""
    for clause in (request.headers.get("accept") or "*/*").split(","):
        media_type, *parameters = (part.strip() for part in clause.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        form = options.get("as", "").removesuffix("List")
        if media_type in _ACCEPTED and form in ("", "Table", "PartialObjectMetadata"):
            return form
    raise Problem(
        406, "NotAcceptable", "only the following media types are accepted: application/json, application/yaml"
    )


def _in_form(kind: Kind, obj: Object, form: str, *, columns: bool = True) -> Object:
    if form == "Table":
        version = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return table(kind, [obj], version, columns=columns)
    return partial(obj) if form else obj


def _shaped(kind: Kind, obj: Object, request: Request, status: int = 200) -> Response:
    form = "" if obj.get("kind") == "Status" else _form(request)
    return json_response(_in_form(kind, obj, form), status)


def _compressed(request: Request, response: Response) -> Response:
    if len(response.body) <= COMPRESS_ABOVE or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    headers = {**response.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return msgspec.structs.replace(response, body=gzip.compress(response.body, 1), headers=headers)
