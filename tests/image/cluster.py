"""A Kubernetes API on loopback for a container to read, and the kubeconfig that leads to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from landed.sandbox.api import KubernetesApi
from landed.sandbox.kinds import FLUX_KINDS
from landed.sandbox.store import Store
from landed.sandbox.web import Server

#: What the kubeconfig logs in with.
BEARER = "VeryS3cretBearerToken"


@contextmanager
def cluster(*objects: dict[str, Any]) -> Iterator[str]:
    """Serve these objects; the value is a kubeconfig whose context is called ``production``."""
    store = Store()
    kinds = {kind.kind: kind for kind in FLUX_KINDS}
    for obj in objects:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        store.write(kinds[obj["kind"]], key, partial(put_there, obj))
    server = Server(KubernetesApi(store, token=BEARER).answer)
    server.start()
    try:
        yield kubeconfig(server.url)
    finally:
        store.close()
        server.stop()


def put_there(obj: dict[str, Any], _before: dict[str, Any] | None) -> dict[str, Any]:
    """A change that makes ``obj`` be stored, whatever was."""
    return obj


def kubeconfig(url: str) -> str:
    """A kubeconfig, as YAML of the kind that is also JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": {"server": url}}],
            "users": [{"name": "user", "user": {"token": BEARER}}],
            "contexts": [{"name": "production", "context": {"cluster": "cluster", "user": "user"}}],
            "current-context": "production",
        },
        indent=1,
    )
