"""What an API server says about itself: versions, groups and resources, plain and aggregated.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landed.sandbox.kinds import Kind
from landed.sandbox.web import Request, Response, json_response

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")
REVIEW = "selfsubjectaccessreviews"

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4+landed",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "python",
}
_REVIEW_KIND = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", REVIEW, namespaced=False, has_status=False)


def root(request: Request, kinds: Sequence[Kind], *, core: bool) -> Response:
    """``/api`` (core) or ``/apis``, in the form that the client prefers."""
    chosen = [kind for kind in (*kinds, _REVIEW_KIND) if (kind.group == "") == core]
    if "as=APIGroupDiscoveryList" in request.headers.get("accept", "") and "v=v2" in request.headers["accept"]:
        listed = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
        body = json_response(listed | {"items": [_aggregated(chosen, group) for group in _groups(chosen)]}).body
        return Response(200, body, AGGREGATED, {"Vary": "Accept"})
    if core:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": request.headers.get("host", "")}]
        return json_response({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses})
    groups = [_group(chosen, group) for group in _groups(chosen)]
    return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def group(kinds: Sequence[Kind], name: str) -> Response | None:
    """``/apis/GROUP``."""
    chosen = [*kinds, _REVIEW_KIND]
    if not name or name not in _groups(chosen):
        return None
    return json_response({"kind": "APIGroup", "apiVersion": "v1", **_group(chosen, name)})


def resources(kinds: Sequence[Kind], api_version: str) -> Response | None:
    """``/apis/GROUP/VERSION`` or ``/api/v1``."""
    chosen = [kind for kind in (*kinds, _REVIEW_KIND) if kind.api_version == api_version]
    if not chosen:
        return None
    listed = [entry for kind in chosen for entry in _plain(kind)]
    return json_response(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}
    )


def _groups(kinds: Sequence[Kind]) -> list[str]:
    return list(dict.fromkeys(kind.group for kind in kinds))


def _versions(kinds: Sequence[Kind], group: str) -> list[str]:
    return list(dict.fromkeys(kind.version for kind in kinds if kind.group == group))


def _group(kinds: Sequence[Kind], name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _versions(kinds, name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _verbs(kind: Kind) -> list[str]:
    return ["create"] if kind is _REVIEW_KIND else list(VERBS)


def _plain(kind: Kind) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if not kind.has_status:
        return [entry]
    status = {"name": f"{kind.plural}/status", "singularName": "", "namespaced": kind.namespaced}
    return [entry, status | {"kind": kind.kind, "verbs": list(STATUS_VERBS)}]


def _aggregated(kinds: Sequence[Kind], name: str) -> dict[str, Any]:
    versions = [
        {
            "version": version,
            "freshness": "Current",
            "resources": [_aggregated_kind(k) for k in kinds if (k.group, k.version) == (name, version)],
        }
        for version in _versions(kinds, name)
    ]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _aggregated_kind(kind: Kind) -> dict[str, Any]:
    response_kind = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": response_kind,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.kind.lower(),
        "verbs": _verbs(kind),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.has_status:
        status = {"subresource": "status", "responseKind": response_kind, "verbs": list(STATUS_VERBS)}
        entry["subresources"] = [status]
    return entry
