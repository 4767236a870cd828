"""The kinds that the sandbox serves, as a table. A new kind is one entry.

The columns are those of Flux's CustomResourceDefinitions, so that ``kubectl get`` looks as it does on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Object = dict[str, Any]
"""A Kubernetes object as JSON. What the store holds is never changed in place."""


class Column(Struct, frozen=True):
    """A printer column: ``value`` gives the cell, None where there is nothing to show."""

    name: str
    type: str
    value: Callable[[Object], object]


class Kind(Struct, frozen=True):
    """A kind of object and how it is served."""

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    has_status: bool = True
    columns: tuple[Column, ...] = ()
    spec_defaults: Mapping[str, object] = {}
    status_default: Mapping[str, object] = {}
    categories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What it may be selected by, beside its name and namespace."""

    @property
    def api_version(self) -> str:
        """``v1`` or ``GROUP/VERSION``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """``/api/v1`` or ``/apis/GROUP/VERSION``."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


def condition(obj: Object, type_: str) -> Mapping[str, Any]:
    """The condition of that type, or an empty one."""
    for entry in obj.get("status", {}).get("conditions", ()):
        if entry.get("type") == type_:
            return dict(entry)
    return {}


def _created(obj: Object) -> object:
    return obj["metadata"].get("creationTimestamp")


_AGE = Column("Age", "date", _created)
_READY = Column("Ready", "string", lambda obj: condition(obj, "Ready").get("status"))
_STATUS = Column("Status", "string", lambda obj: condition(obj, "Ready").get("message"))
_URL = Column("URL", "string", lambda obj: obj.get("spec", {}).get("url"))
_ENDPOINT = Column("Endpoint", "string", lambda obj: obj.get("spec", {}).get("endpoint"))
_SOURCE = Column("Source", "string", lambda obj: obj.get("spec", {}).get("sourceRef", {}).get("name"))
_PHASE = Column("Status", "string", lambda obj: obj.get("status", {}).get("phase"))
_REASON = Column("Reason", "string", lambda obj: obj.get("reason"))
_MESSAGE = Column("Message", "string", lambda obj: obj.get("message"))
_DATA = Column("Data", "integer", lambda obj: len(obj.get("data", {})))

_SOURCES = "source.toolkit.fluxcd.io"
_UNSEEN = {"observedGeneration": -1}

FLUX_KINDS = (
    Kind(
        "kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", ("ks",),
        columns=(_AGE, _READY, _STATUS), spec_defaults={"force": False}, status_default=_UNSEEN,
        categories=("all", "fluxcd", "fluxcd-appliers"),
    ),
    Kind(
        "helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", ("hr",),
        columns=(_AGE, _READY, _STATUS), status_default=_UNSEEN,
        categories=("all", "fluxcd", "fluxcd-appliers"),
    ),
    Kind(
        _SOURCES, "v1", "GitRepository", "gitrepositories", ("gitrepo",),
        columns=(_URL, _AGE, _READY, _STATUS), spec_defaults={"timeout": "60s"}, status_default=_UNSEEN,
        categories=("all", "fluxcd", "fluxcd-sources"),
    ),
    Kind(
        _SOURCES, "v1", "OCIRepository", "ocirepositories", ("ocirepo",),
        columns=(_URL, _READY, _STATUS, _AGE), spec_defaults={"provider": "generic", "timeout": "60s"},
        status_default=_UNSEEN, categories=("all", "fluxcd", "fluxcd-sources"),
    ),
    Kind(
        _SOURCES, "v1", "Bucket", "buckets", (),
        columns=(_ENDPOINT, _AGE, _READY, _STATUS), spec_defaults={"provider": "generic", "timeout": "60s"},
        status_default=_UNSEEN, categories=("all", "fluxcd", "fluxcd-sources"),
    ),
    Kind(
        _SOURCES, "v1", "ExternalArtifact", "externalartifacts", ("ea",),
        columns=(_AGE, _READY, _STATUS, _SOURCE), categories=("all", "fluxcd", "fluxcd-sources"),
    ),
)  # fmt: skip

CORE_KINDS = (
    Kind("", "v1", "Namespace", "namespaces", ("ns",), namespaced=False, columns=(_PHASE, _AGE)),
    Kind("", "v1", "ConfigMap", "configmaps", ("cm",), has_status=False, columns=(_DATA, _AGE)),
    Kind(
        "", "v1", "Event", "events", ("ev",), has_status=False, columns=(_REASON, _MESSAGE, _AGE),
        fields=("reason", "type", "involvedObject.kind", "involvedObject.namespace", "involvedObject.name"),
    ),
)  # fmt: skip

KINDS = CORE_KINDS + FLUX_KINDS
