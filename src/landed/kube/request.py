"""Asks a Flux controller to look at an object now.

https://fluxcd.io/flux/components/kustomize/kustomizations/#triggering-a-reconcile
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from landed.flux import KINDS
from landed.kube.client import Client
from landed.kube.read import in_version, path
from landed.model import ObjectRef

ANNOTATION = "reconcile.fluxcd.io/requestedAt"
_PATCH = "application/merge-patch+json"


def ask(client: Client, about: ObjectRef, token: str) -> None:
    """Annotate an object with a token: its controller looks once for each new one.

    Raises ClusterError: Forbidden names the right to patch, which reading does not take.
    """
    kind = KINDS[about.kind]
    body = msgspec.json.encode({"metadata": {"annotations": {ANNOTATION: token}}})

    def patch(version: str) -> None:
        where = f"{path(kind, version, about.namespace)}/{quote(about.name, safe='')}"
        client.write("PATCH", where, body, _PATCH, again=True)  # the same token twice is one request

    in_version(client, kind, kind.versions[0], patch)
