"""Where the kinds that an inventory may name are kept, and which of them are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from landed.flux import KINDS
from landed.kube.below import one
from landed.kube.grants import resource
from landed.kube.inquiry import Looker
from landed.model import ObjectRef

#: What runs pods; so much of it is looked at where no message names what is missing.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")

#: kind → group, version and plural of the kinds that are everywhere.
_EVERYWHERE = {
    "Pod": ("", "v1", "pods"),
    "PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims"),
    "Deployment": ("apps", "v1", "deployments"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "Job": ("batch", "v1", "jobs"),
}

#: What is never read: it holds what nobody should see, and says nothing of itself.
_NEVER = frozenset({"Secret", "ConfigMap"})

_GROUP = re.compile(r"(?=[a-z0-9])[a-z0-9.-]{1,253}")
_VERSION = re.compile(r"v[0-9]{1,4}(?:(?:alpha|beta)[0-9]{1,4})?")
_PLURAL = re.compile(r"[a-z0-9-]{1,63}")
_NAME = re.compile(r"[A-Za-z0-9.:@+-]{1,253}")


class Wanted(Struct, frozen=True):
    """An object to look at."""

    ref: ObjectRef
    group: str = ""
    version: str = ""
    """Empty where it is not known."""
    status: str = ""
    awaited: bool = True


class _Entry(Struct):
    id: str | None = None
    v: str | None = None


class _Inventory(Struct):
    entries: list[_Entry] | None = None


class _Status(Struct):
    inventory: _Inventory | None = None


class _HealthCheck(Struct, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class _Action(Struct):
    disableWait: bool | None = None


class _Spec(Struct, frozen=True):
    path: str | None = None
    wait: bool | None = None
    healthChecks: list[_HealthCheck] | None = None
    kubeConfig: Any = None
    targetNamespace: str | None = None
    install: _Action | None = None
    upgrade: _Action | None = None


class Applied(Struct):
    """A Kustomization or a HelmRelease, whole as far as it says what it is made of."""

    spec: _Spec = _Spec()
    status: _Status | None = None

    def waits(self, ref: ObjectRef) -> bool:
        """Whether a Kustomization waits for the health of an object
        (https://fluxcd.io/flux/components/kustomize/kustomizations/#health-checks).
        """
        checks = self.spec.healthChecks or ()
        return bool(self.spec.wait) or any(
            (c.kind, c.name, c.namespace or ref.namespace) == (ref.kind, ref.name, ref.namespace) for c in checks
        )

    def waits_for_all(self) -> bool:
        """Whether a HelmRelease waits for what it has made."""
        actions = (self.spec.install, self.spec.upgrade)
        return not any(action is not None and action.disableWait for action in actions)


def inventory(applied: Applied) -> Iterator[Wanted]:
    """What stands in the cluster by it: ``NAMESPACE_NAME_GROUP_KIND``, colons in names written as two underscores."""
    held = applied.status.inventory if applied.status is not None else None
    for entry in (held and held.entries) or ():
        namespace, _, rest = (entry.id or "").partition("_")
        rest, _, kind = rest.rpartition("_")
        name, _, group = rest.rpartition("_")
        ref = ObjectRef(kind, namespace, name.replace("__", ":"))
        if (
            re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,62}", kind)
            and _NAME.fullmatch(ref.name)
            and not namespace.startswith(".")
        ):
            yield Wanted(ref, group, entry.v or "")


def place(by: Looker, wanted: Wanted) -> tuple[str, str] | None:
    """The resource, as rules name it, and the path of an object; None where it is not known or not to be read."""
    kind = wanted.ref.kind
    if kind in _NEVER and not wanted.group:
        return None
    group, version, plural = _EVERYWHERE.get(kind, ("", "", ""))
    if plural and wanted.group in ("", group):
        return resource(plural, group), path(group, version, plural, wanted.ref)
    flux = KINDS.get(kind)
    if flux is not None and wanted.group in ("", flux.group):
        return resource(flux.plural, flux.group), path(
            flux.group, wanted.version or flux.versions[0], flux.plural, wanted.ref
        )
    if not _VERSION.fullmatch(wanted.version) or (wanted.group and not _GROUP.fullmatch(wanted.group)):
        return None
    plural = _discovered(by, wanted)
    return (resource(plural, wanted.group), path(wanted.group, wanted.version, plural, wanted.ref)) if plural else None


def path(group: str, version: str, plural: str, ref: ObjectRef) -> str:
    """Where an object is."""
    within = f"/namespaces/{quote(ref.namespace, safe='')}" if ref.namespace else ""
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}{within}/{plural}/{quote(ref.name, safe='')}"


class _Resource(Struct):
    name: str = ""
    kind: str = ""


class _Resources(Struct):
    resources: list[_Resource] | None = None


def _discovered(by: Looker, wanted: Wanted) -> str:
    where = f"/apis/{wanted.group}/{wanted.version}" if wanted.group else f"/api/{wanted.version}"
    said = by.inquiry.discover(where, by.lacks)
    found = one(said, _Resources) if said else None
    plurals: Iterable[str] = (r.name for r in (found and found.resources) or () if r.kind == wanted.ref.kind)
    return next((plural for plural in plurals if _PLURAL.fullmatch(plural)), "")  # a subresource has a slash in it
