"""Flux objects as an API server gives them, for tests: plain dicts with realistic defaults.

Every builder takes ``spec``, ``status`` and ``metadata``: members to put there; ``...`` takes a member away.
Revisions are Flux's strings (``MAIN_A``); the bare hashes are ``A`` to ``D``. Every call gives fresh dicts.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Object = dict[str, Any]

DATA = Path(__file__).parent / "data"

#: Four commits, oldest first, and the revisions of branch ``main`` at them.
A = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
B = "ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec"
C = "32096c2e0eff33d844ee6d675407ace18289357d"
D = "50c9e8d5fc98727b4bbc93cf5d64a68db647f04f"
MAIN_A = f"main@sha1:{A}"
MAIN_B = f"main@sha1:{B}"
MAIN_C = f"main@sha1:{C}"
MAIN_D = f"main@sha1:{D}"
#: What an OCIRepository calls the same things: digests.
LATEST_A = "latest@sha256:7e887edb52b723997076a9f5a72bef4473227a303cbc2cf5118e7be261f41c13"
LATEST_B = "latest@sha256:153812ae5fea0b73a011bf28bd7cea93644437c3fe3260b7b2d7e1e2f9f46bde"
URL = "https://github.com/example/fleet.git"
#: The times used throughout: objects are made, then something happens to them.
CREATED = "2026-08-01T10:00:00Z"
THEN = "2026-08-20T09:00:14Z"
LATER = "2026-08-20T09:13:40Z"

_KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
_SOURCE = "source.toolkit.fluxcd.io"


def condition(
    type: str = "Ready",
    status: str = "True",
    reason: str = "ReconciliationSucceeded",
    message: str = f"Applied revision: {MAIN_A}",
    *,
    generation: int | None = 1,
    since: str = THEN,
) -> Object:
    """One entry of ``.status.conditions``; ``generation=None`` leaves ``observedGeneration`` out."""
    entry: Object = {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }
    if generation is not None:
        entry["observedGeneration"] = generation
    return entry


def progress(phase: str, revision: str, *, retrying: bool = False, generation: int = 1, since: str = LATER) -> Object:
    """The Reconciling condition. ``phase`` is how its message starts, ``Detecting drift``."""
    return condition(
        "Reconciling",
        "True",
        "ProgressingWithRetry" if retrying else "Progressing",
        f"{phase} for revision {revision} with a timeout of 2m0s",
        generation=generation,
        since=since,
    )


def snapshot(
    revision: str = MAIN_A,
    status: str = "ReconciliationSucceeded",
    *,
    at: str = THEN,
    first: str = "",
    duration: str = "13.118402s",
    origin: str = "",
    total: int = 4,
) -> Object:
    """One entry of a Kustomization's ``.status.history``."""
    metadata = {"revision": revision} | ({"originRevision": origin} if origin else {})
    return {
        "digest": "sha256:" + (revision[-32:] * 2),
        "firstReconciled": first or at,
        "lastReconciled": at,
        "lastReconciledDuration": duration,
        "lastReconciledStatus": status,
        "totalReconciliations": total,
        "metadata": metadata,
    }


def kustomization(
    name: str = "web",
    namespace: str = "apps",
    *,
    applied: str = MAIN_A,
    attempted: str | None = None,
    applied_origin: str = "",
    conditions: Sequence[Object] | None = None,
    history: Sequence[Object] | None = None,
    inventory: Sequence[str] = ("apps_web__Service", "apps_web_apps_Deployment"),
    source: str = "fleet",
    source_kind: str = "GitRepository",
    source_namespace: str = "flux-system",
    depends_on: Sequence[Mapping[str, str]] = (),
    generation: int = 1,
    observed_generation: int | None = None,
    suspend: bool | None = None,
    labels: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Object:
    """A Kustomization; by default one that applied ``MAIN_A`` with success and stands still.

    ``attempted`` is ``applied`` unless given; ``history`` one success of ``applied`` unless given;
    ``conditions`` a Ready=True unless given. ``applied=""`` means never applied; with nothing else given, not
    even seen by Flux yet.
    """
    if conditions is None:
        ready = condition(generation=generation, message=f"Applied revision: {applied}")
        conditions = [ready] if applied else []
    if observed_generation is None:
        observed_generation = generation if applied else -1
    if history is None:
        history = [snapshot(applied, origin=applied_origin)] if applied else []
    return _object(
        f"{_KUSTOMIZE}/v1",
        "Kustomization",
        _metadata(name, namespace, generation, labels),
        {
            "interval": "10m0s",
            "path": f"./deploy/{name}",
            "prune": True,
            "sourceRef": {"kind": source_kind, "name": source, "namespace": source_namespace},
            "timeout": "2m0s",
            "wait": True,
            **({"dependsOn": [dict(dependency) for dependency in depends_on]} if depends_on else {}),
            **({} if suspend is None else {"suspend": suspend}),
        },
        {
            "observedGeneration": observed_generation,
            "conditions": list(conditions),
            "lastAppliedRevision": applied or ...,
            "lastAppliedOriginRevision": applied_origin or ...,
            "lastAttemptedRevision": (applied if attempted is None else attempted) or ...,
            "inventory": {"entries": [{"id": entry, "v": "v1"} for entry in inventory]},
            "history": list(history),
        },
        spec,
        status,
        metadata,
    )


def git_repository(
    name: str = "fleet",
    namespace: str = "flux-system",
    *,
    url: str = URL,
    ref: Mapping[str, str] | None = None,
    revision: str = MAIN_A,
    conditions: Sequence[Object] | None = None,
    generation: int = 1,
    suspend: bool | None = None,
    updated: str = THEN,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Object:
    """A GitRepository that stored ``revision``; ``revision=""`` means that there is no artifact."""
    return _source(
        "GitRepository",
        _metadata(name, namespace, generation, None),
        {"url": url, "ref": dict(ref or {"branch": "main"}), "timeout": "60s"},
        _stored(name, namespace, "gitrepository", revision, updated),
        _ready(conditions, f"stored artifact for revision '{revision}'", generation),
        suspend,
        (spec, status, metadata),
    )


def oci_repository(
    name: str = "fleet",
    namespace: str = "flux-system",
    *,
    url: str = "oci://registry.example.com/example/fleet",
    ref: Mapping[str, str] | None = None,
    revision: str = LATEST_A,
    origin_revision: str = MAIN_A,
    origin_url: str = URL,
    conditions: Sequence[Object] | None = None,
    generation: int = 1,
    suspend: bool | None = None,
    updated: str = THEN,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Object:
    """An OCIRepository whose artifact says which commit it was made of, unless ``origin_revision=""``."""
    artifact = _stored(name, namespace, "ocirepository", revision, updated)
    if artifact:
        origin = {
            "org.opencontainers.image.created": CREATED if origin_revision else "",
            "org.opencontainers.image.revision": origin_revision,
            "org.opencontainers.image.source": origin_url,
        }
        artifact["metadata"] = {key: value for key, value in origin.items() if value}
    return _source(
        "OCIRepository",
        _metadata(name, namespace, generation, None),
        {"url": url, "ref": dict(ref or {"tag": "latest"}), "provider": "generic", "timeout": "60s"},
        artifact,
        _ready(conditions, f"stored artifact for digest '{revision}'", generation),
        suspend,
        (spec, status, metadata),
    )


def helm_release(
    name: str = "podinfo",
    namespace: str = "apps",
    *,
    owner: tuple[str, str] | None = ("apps", "web"),
    conditions: Sequence[Object] | None = None,
    generation: int = 1,
    observed_generation: int | None = None,
    suspend: bool | None = None,
    labels: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Object:
    """A HelmRelease that the Kustomization ``owner`` (namespace, name) applied; it is released by default."""
    owned = {f"{_KUSTOMIZE}/namespace": owner[0], f"{_KUSTOMIZE}/name": owner[1]} if owner else {}
    released = f"Helm upgrade succeeded for release {namespace}/{name}.v2 with chart podinfo@6.5.0"
    if conditions is None:
        conditions = [
            condition("Ready", "True", "UpgradeSucceeded", released, generation=generation),
            condition("Released", "True", "UpgradeSucceeded", released, generation=generation),
        ]
    return _object(
        "helm.toolkit.fluxcd.io/v2",
        "HelmRelease",
        _metadata(name, namespace, generation, {**owned, **(labels or {})}),
        {
            "interval": "10m0s",
            "chart": {
                "spec": {
                    "chart": "podinfo",
                    "version": "6.5.0",
                    "sourceRef": {"kind": "HelmRepository", "name": "podinfo"},
                }
            },
            **({} if suspend is None else {"suspend": suspend}),
        },
        {
            "observedGeneration": generation if observed_generation is None else observed_generation,
            "conditions": list(conditions),
            "lastAttemptedRevision": "6.5.0",
            "lastAttemptedGeneration": generation,
        },
        spec,
        status,
        metadata,
    )


def helm_repository(
    name: str = "podinfo", namespace: str = "flux-system", *, revision: str = "", **more: Any
) -> Object:
    """A HelmRepository with an index, ``revision``; without one it is of the type that has none, ``oci``."""
    return _source(
        "HelmRepository",
        _metadata(name, namespace, 1, more.pop("labels", None)),
        {"url": "https://example.com/charts"} if revision else {"url": "oci://example.com/charts", "type": "oci"},
        _stored(name, namespace, "helmrepository", revision, THEN),
        _ready(None if revision else [], f"stored artifact: revision '{revision}'", 1),
        more.pop("suspend", None),
        (more.pop("spec", None), more.pop("status", None), more.pop("metadata", None)),
    )


def helm_chart(name: str = "apps-podinfo", namespace: str = "flux-system", *, version: str = "6.5.0") -> Object:
    """A HelmChart of a HelmRepository."""
    pulled = condition("Ready", "True", "ChartPullSucceeded", f"pulled 'podinfo' chart with version '{version}'")
    return _source(
        "HelmChart",
        _metadata(name, namespace, 1, None),
        {"chart": "podinfo", "sourceRef": {"kind": "HelmRepository", "name": "podinfo"}},
        _stored(name, namespace, "helmchart", version, THEN),
        [pulled],
        None,
        (None, None, None),
    )


def provider(name: str = "slack", namespace: str = "flux-system", *, version: str = "v1beta3", **spec: Any) -> Object:
    """A Provider of Slack, unless ``spec`` says otherwise."""
    spec = {"type": "slack", "channel": "general", "secretRef": {"name": "slack-url"}, **spec}
    return _notification("Provider", name, namespace, version, spec)


def alert(name: str = "on-call", namespace: str = "flux-system", *, version: str = "v1beta3", **spec: Any) -> Object:
    """An Alert about everything in its namespace, to ``slack``."""
    sources = [{"kind": kind, "name": "*"} for kind in ("GitRepository", "Kustomization")]
    spec = {"providerRef": {"name": "slack"}, "eventSeverity": "info", "eventSources": sources, **spec}
    return _notification("Alert", name, namespace, version, spec)


def kubernetes_event(
    about: Object, reason: str, message: str, *, revision: str = "", at: str = THEN, number: int = 1, **more: Any
) -> Object:
    """One of the cluster's own Events, as Flux's controllers record them."""
    group = about["apiVersion"].partition("/")[0]
    namespace = about["metadata"]["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{about['metadata']['name']}.{number:x}",
            "namespace": namespace,
            **({"annotations": {f"{group}/revision": revision}} if revision else {}),
        },
        "involvedObject": {
            "kind": about["kind"],
            "apiVersion": about["apiVersion"],
            "namespace": namespace,
            "name": about["metadata"]["name"],
        },
        "reason": reason,
        "message": message,
        "type": "Normal",
        "source": {"component": "kustomize-controller"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        **more,
    }


def listing(kind: str, items: Iterable[Object], *, continue_token: str = "", resource_version: str = "4711") -> Object:
    """One page of the list of ``kind``; for the kind ``List``, what ``kubectl get a,b -o json`` prints.

    Like a real API server, the items of a page carry their kind and apiVersion (custom resources do).
    """
    entries = list(items)
    version = "v1" if kind == "List" else next((item["apiVersion"] for item in entries), "v1")
    metadata = {"resourceVersion": resource_version if kind != "List" else ""}
    if continue_token:
        metadata["continue"] = continue_token
    return {
        "apiVersion": version,
        "kind": kind if kind == "List" else f"{kind}List",
        "metadata": metadata,
        "items": entries,
    }


def encoded(document: object) -> bytes:
    """The document as an API server would send it."""
    return json.dumps(document, separators=(",", ":")).encode()


def situation(name: str) -> Object:
    """The recorded List in ``tests/data/<name>.json``."""
    document: Object = json.loads((DATA / f"{name}.json").read_bytes())
    return document


def situations() -> list[str]:
    """The names of all recorded situations, sorted."""
    return sorted(path.stem for path in DATA.glob("*.json"))


def _object(
    version: str,
    kind: str,
    metadata: Object,
    spec: Object,
    status: Object,
    more_spec: Mapping[str, Any] | None,
    more_status: Mapping[str, Any] | None,
    more_metadata: Mapping[str, Any] | None,
) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": _merged(metadata, more_metadata),
        "spec": _merged(spec, more_spec),
        "status": _merged(status, more_status),
    }


def _notification(kind: str, name: str, namespace: str, version: str, spec: Object) -> Object:
    return {
        "apiVersion": f"notification.toolkit.fluxcd.io/{version}",
        "kind": kind,
        "metadata": _metadata(name, namespace, 1, None),
        "spec": spec,
    }


def _merged(defaults: Object, overrides: Mapping[str, Any] | None) -> Object:
    return {key: value for key, value in {**defaults, **(overrides or {})}.items() if value is not ...}


def _metadata(name: str, namespace: str, generation: int, labels: Mapping[str, str] | None) -> Object:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"7d0cdc51-ddcf-4743-b223-{zlib.crc32(f'{namespace}/{name}'.encode()):012x}",
        "generation": generation,
        "resourceVersion": "4242",
        "creationTimestamp": CREATED,
        "finalizers": ["finalizers.fluxcd.io"],
        **({"labels": dict(labels)} if labels else {}),
    }


def _stored(name: str, namespace: str, kind: str, revision: str, updated: str) -> Object:
    if not revision:
        return {}
    digest = revision.rpartition(":")[2]
    path = f"{kind}/{namespace}/{name}/{digest}.tar.gz"
    return {
        "revision": revision,
        "digest": "sha256:" + (digest * 2)[:64],
        "path": path,
        "url": f"http://source-controller.flux-system.svc.cluster.local./{path}",
        "size": 20480,
        "lastUpdateTime": updated,
    }


def _ready(conditions: Sequence[Object] | None, message: str, generation: int) -> Sequence[Object]:
    if conditions is not None:
        return conditions
    return [
        condition("Ready", "True", "Succeeded", message, generation=generation),
        condition("ArtifactInStorage", "True", "Succeeded", message, generation=generation),
    ]


def _source(
    kind: str,
    metadata: Object,
    spec: Object,
    artifact: Object,
    conditions: Sequence[Object],
    suspend: bool | None,
    more: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, Mapping[str, Any] | None],
) -> Object:
    return _object(
        f"{_SOURCE}/v1",
        kind,
        metadata,
        {"interval": "1m0s", **spec, **({} if suspend is None else {"suspend": suspend})},
        {
            "observedGeneration": metadata["generation"],
            "conditions": list(conditions),
            "artifact": artifact or ...,
        },
        *more,
    )
