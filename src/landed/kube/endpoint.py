"""Where a cluster's API is, as a value."""

from __future__ import annotations

from msgspec import Struct

DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(Struct, frozen=True):
    """One cluster's API server and how to tell that it is the right one."""

    context: str
    """The kubeconfig's context, for messages."""
    host: str
    """A name or an address, without the brackets of IPv6."""
    port: int
    scheme: str = "https"
    prefix: str = ""
    """What stands before every path (Rancher: ``/k8s/clusters/c-abc``); no slash at its end."""
    user: str = ""
    """The kubeconfig's name of the user, for messages."""
    authority: bytes = b""
    """The CA certificates to trust, as PEM; empty: the system's."""
    insecure: bool = False
    server_name: str = ""
    """The name the certificate must bear, where it is not ``host``."""
    proxy: str = ""
    """The URL of a proxy, which may hold a password; empty: none."""
    gzip: bool = True
    socket: str = ""
    """The path of a Unix socket to speak plain HTTP over, instead of all the above."""

    @property
    def netloc(self) -> str:
        """Host and port as in a URL, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def subject(self) -> str:
        """What messages call it, at the beginning of a sentence."""
        where = "through kubectl" if self.socket else self.netloc
        return f'The cluster of context "{self.context}" ({where})'

    def __str__(self) -> str:
        return f"the{self.subject[3:]}"

    def __repr__(self) -> str:
        return f"Endpoint({self})"  # a proxy's URL may hold a password
