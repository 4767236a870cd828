"""Clusters: from a kubeconfig to what Flux says there.

``connect`` gives a client for one context, ``contexts`` the names there are to choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from landed.kube.client import Client

#: Where Kubernetes mounts a pod's service account.
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

NOTHING = (
    "Give --kubeconfig (or LANDED_KUBECONFIG) a path, the kubeconfig itself or its base64; or set KUBECONFIG; "
    "or give kubectl's output to --from-file."
)


def connect(
    kubeconfig_option: str,
    context: str,
    environ: Mapping[str, str],
    *,
    timeout: float = 30.0,
    warn: Callable[[str], None] = lambda _: None,
    service_account: str = SERVICE_ACCOUNT,
) -> Client:
    """A client for ``context``, or for the current one where it is empty. No request is made yet.

    ``kubeconfig_option`` is a path (or several, as in KUBECONFIG), a kubeconfig's text, its base64, or empty: then
    KUBECONFIG counts, then ``~/.kube/config``, then the pod's own service account. ``timeout`` in seconds holds for
    connecting and for each read. Raises ConfigurationError. Use it as a context manager, or close it.
    """
    from landed.kube import credentials, incluster
    from landed.kube.client import Client
    from landed.kube.context import choose
    from landed.kube.kubeconfig import load

    config = load(kubeconfig_option, environ)
    if config is None and context in ("", incluster.CONTEXT) and incluster.available(environ, service_account):
        return Client(
            incluster.endpoint(environ, service_account),
            credentials.service_account(service_account),
            timeout=timeout,
        )
    if config is None:
        raise ConfigurationError(_none(environ), NOTHING)
    chosen = choose(config, context, environ, warn)
    return Client(chosen.endpoint, credentials.of(chosen, environ, warn), timeout=timeout)


def contexts(
    kubeconfig_option: str, environ: Mapping[str, str], *, service_account: str = SERVICE_ACCOUNT
) -> tuple[str, tuple[str, ...]]:
    """The current context (or empty) and the names of all. Raises ConfigurationError."""
    from landed.kube import incluster
    from landed.kube.kubeconfig import load

    config = load(kubeconfig_option, environ)
    if config is None and incluster.available(environ, service_account):
        return incluster.CONTEXT, (incluster.CONTEXT,)
    if config is None:
        raise ConfigurationError(_none(environ), NOTHING)
    return config.current, tuple(config.contexts)


def _none(environ: Mapping[str, str]) -> str:
    if environ.get("KUBECONFIG"):
        return f"None of the files in KUBECONFIG exists: {environ['KUBECONFIG']}"
    return "There is no kubeconfig, and this is no pod with a service account."


__all__ = ["connect", "contexts"]
