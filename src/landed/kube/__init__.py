"""Clusters: from a kubeconfig to what Flux says there.

``known`` reads a kubeconfig, ``Known.client`` gives a client for one of its contexts; ``connect`` does both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from landed.errors import ClusterError, ConfigurationError, LandedError

if TYPE_CHECKING:
    from landed.kube.client import Client
    from landed.kube.credentials import Identity
    from landed.kube.kubeconfig import Kubeconfig

#: Where Kubernetes mounts a pod's service account.
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

NOTHING = (
    "Give --kubeconfig (or LANDED_KUBECONFIG) a path, the kubeconfig itself or its base64; or set KUBECONFIG; "
    "or give kubectl's output to --from-file."
)


class Known(Struct, frozen=True):
    """Where clusters are to be had: a kubeconfig, read once, or else the service account of the pod this runs in."""

    config: Kubeconfig | None = None
    service_account: str = SERVICE_ACCOUNT

    @property
    def origin(self) -> str:
        """Words for messages: the files that were read."""
        return self.config.origin if self.config else "the pod's service account"

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of all contexts, in their order."""
        from landed.kube import incluster

        return tuple(self.config.contexts) if self.config else (incluster.CONTEXT,)

    @property
    def current(self) -> str:
        """The name of the current context. Raises ConfigurationError where there is none."""
        from landed.kube import incluster
        from landed.kube.context import current

        return current(self.config) if self.config else incluster.CONTEXT

    def client(
        self,
        context: str,
        environ: Mapping[str, str],
        *,
        timeout: float = 30.0,
        warn: Callable[[str], None] = lambda _: None,
    ) -> Client:
        """A client for ``context``, or for the current one where it is empty. No request is made yet.

        ``timeout`` in seconds holds for connecting and for each read. Raises ConfigurationError. Use it as a context
        manager, or close it.
        """
        from landed.kube import credentials, incluster
        from landed.kube.client import Client

        if self.config is None:
            own = credentials.service_account(self.service_account)
            return Client(incluster.endpoint(environ, self.service_account), own, timeout=timeout)
        from landed.kube.context import choose

        chosen = choose(self.config, context, environ, warn)
        return Client(chosen.endpoint, credentials.of(chosen, environ, warn), timeout=timeout)


def known(kubeconfig_option: str, environ: Mapping[str, str], *, service_account: str = SERVICE_ACCOUNT) -> Known:
    """Read a kubeconfig.

    ``kubeconfig_option`` is a path (or several, as in KUBECONFIG), a kubeconfig's text, its base64, or empty: then
    KUBECONFIG counts, then ``~/.kube/config``, then the pod's own service account. Raises ConfigurationError.
    """
    from landed.kube import incluster
    from landed.kube.kubeconfig import load

    config = load(kubeconfig_option, environ)
    if config is None and not incluster.available(environ, service_account):
        raise ConfigurationError(_none(environ), NOTHING)
    return Known(config, service_account)


def connect(
    kubeconfig_option: str,
    context: str,
    environ: Mapping[str, str],
    *,
    timeout: float = 30.0,
    warn: Callable[[str], None] = lambda _: None,
    service_account: str = SERVICE_ACCOUNT,
) -> Client:
    """``known``, and a client for one context of it."""
    from landed.kube import incluster

    there = known(kubeconfig_option, environ, service_account=service_account)
    if there.config is None and context not in ("", incluster.CONTEXT):
        raise ConfigurationError(_none(environ), NOTHING)
    return there.client(context, environ, timeout=timeout, warn=warn)


def unusable(context: str, error: LandedError) -> Client:
    """A client for a cluster whose ``context`` cannot be used because of ``error``, which it answers to every question.

    So one cluster among several is unreadable by itself. Its endpoint has no host.
    """
    from landed.kube.client import Client
    from landed.kube.credentials import Credentials
    from landed.kube.endpoint import Endpoint

    def refuse() -> Identity:
        raise ClusterError(error.message, error.hint)

    return Client(Endpoint(context, "", 0), Credentials(refuse))


def _none(environ: Mapping[str, str]) -> str:
    if environ.get("KUBECONFIG"):
        return f"None of the files in KUBECONFIG exists: {environ['KUBECONFIG']}"
    return "There is no kubeconfig, and this is no pod with a service account."


__all__ = ["Known", "connect", "known", "unusable"]
