"""Kustomizations that nobody asked for, and that others wait for: read one by one, while they are waited for."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from landed.errors import ClusterError
from landed.flux import KINDS, Reader
from landed.kube.client import Client
from landed.kube.errors import NotServed
from landed.kube.read import in_version, path
from landed.model import Cluster, Kustomization, ObjectRef
from landed.revision import dependency
from landed.selection import Selection, Wants

#: Dependencies that are followed from one to the next.
MOST = 20

_KIND = KINDS["Kustomization"]


def beside(client: Client, cluster: Cluster, wants: Wants) -> tuple[Kustomization, ...]:
    """The dependencies that ``cluster`` waits for and does not hold, and theirs. What cannot be read is left out."""
    known = {k.ref for k in cluster.kustomizations}
    pending = [ref for ref in _waited_for(cluster.kustomizations) if ref not in known]
    found: dict[ObjectRef, Kustomization] = {}
    while pending and len(known) < len(cluster.kustomizations) + MOST:
        ref = pending.pop()
        if ref in known:
            continue
        known.add(ref)
        read = _read(client, ref, wants)
        if read is not None:
            found[ref] = read
            pending += [other for other in _waited_for((read,)) if other not in known]
    return tuple(found.values())


def _waited_for(kustomizations: Iterable[Kustomization]) -> Iterable[ObjectRef]:
    for k in kustomizations:
        if k.ready is not None and k.ready.status == "False" and k.ready.reason == "DependencyNotReady":
            named = dependency(k.ready.message)
            if named is not None:
                yield ObjectRef("Kustomization", *named)


def _read(client: Client, ref: ObjectRef, wants: Wants) -> Kustomization | None:
    reader = Reader(Selection(), wants=wants)

    def get(version: str) -> None:
        document = client.get(f"{path(_KIND, version, ref.namespace)}/{quote(ref.name, safe='')}")
        reader.put_one("Kustomization", ref, document)

    try:
        in_version(client, _KIND, _KIND.versions[0], get)
    except (ClusterError, NotServed, ValueError):
        return None
    return next(iter(reader.cluster("").kustomizations), None)
