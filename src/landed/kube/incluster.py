"""The service account of the pod this runs in.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from landed.errors import ConfigurationError
from landed.kube import proxy
from landed.kube.endpoint import Endpoint

CONTEXT = "in-cluster"


def available(environ: Mapping[str, str], folder: str) -> bool:
    """Whether this is a pod with a service account."""
    return bool(
        environ.get("KUBERNETES_SERVICE_HOST")
        and environ.get("KUBERNETES_SERVICE_PORT")
        and (Path(folder) / "token").exists()
    )


def endpoint(environ: Mapping[str, str], folder: str) -> Endpoint:
    """The API server of the cluster this runs in. Raises ConfigurationError."""
    port = environ["KUBERNETES_SERVICE_PORT"]
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError("KUBERNETES_SERVICE_PORT is not a port number.")
    try:
        authority = (Path(folder) / "ca.crt").read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The service account's ca.crt cannot be read: {error.strerror}.") from None
    host = environ["KUBERNETES_SERVICE_HOST"].strip("[]")
    return Endpoint(
        context=CONTEXT,
        host=host,
        port=int(port),
        proxy=proxy.choose("https", host, int(port), environ),
        user="the service account",
        authority=authority,
    )
