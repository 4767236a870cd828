"""The way to a destination: through which proxy, whom TLS trusts there, and which certificate it is shown.

What is given for a destination goes before the environment, and ``NO_PROXY`` does not switch it off. Certificates are
held in memory: requests itself would want them in files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from landed.errors import ConfigurationError
from landed.http.trust import context, silence, trusted
from landed.http.words import host_of
from landed.model import Network, Secret

if TYPE_CHECKING:
    import ssl

    from requests import Session
    from requests.adapters import HTTPAdapter

AS_USUAL = Network()
#: Connections that are kept open, to as many hosts.
POOL = 16


class Route:
    """One way, for any number of hosts. Safe to use from several threads; costs nothing until it is used."""

    def __init__(self, network: Network = AS_USUAL) -> None:
        from threading import Lock

        self.verify: bool | str = True
        """What to pass as ``verify``, once there is an adapter."""
        self._network = network
        self._lock = Lock()
        self._adapter: HTTPAdapter | None = None
        self._proxy = ""
        self._contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None
        """To the destination, and to a proxy, which is not shown our certificate."""

    def adapter(self, whom: str) -> HTTPAdapter:
        """The transport adapter, made at the first call.

        Raises ConfigurationError, which says ``whom`` it is about, where proxy or certificates cannot be used.
        """
        with self._lock:
            if self._adapter is None:
                from requests.adapters import HTTPAdapter

                silence()
                self.verify = trusted()
                self._proxy = given_proxy(self._network.proxy, whom)
                adapter = HTTPAdapter(pool_connections=POOL, pool_maxsize=POOL, max_retries=0)
                if self._network.ca or self._network.certificate or self._network.key:
                    self._contexts = context(self._network, whom), context(self._network, whom, shown=False)
                    adapter.init_poolmanager(POOL, POOL, ssl_context=self._contexts[0])
                self._adapter = adapter
            return self._adapter

    def proxy(self, url: str, whom: str) -> str:
        """URL of the proxy on the way to ``url``, for the adapter to use; empty where there is none."""
        from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

        adapter = self.adapter(whom)
        found = self._proxy or select_proxy(url, get_environ_proxies(url, no_proxy=None)) or ""
        if not found:
            return ""
        found = str(prepend_scheme_if_needed(found, "http"))  # type: ignore[no-untyped-call]
        with self._lock:
            if self._contexts and found not in adapter.proxy_manager:
                there, at_proxy = self._contexts
                over_tls = {} if found.lower().startswith("socks") else {"proxy_ssl_context": at_proxy}
                adapter.proxy_manager_for(found, ssl_context=there, **over_tls)
        return found

    def session(self, url: str, whom: str) -> Session:
        """A session for an SDK that speaks to ``url``: it goes this way, and hears the environment only through it."""
        from requests import Session

        session = Session()
        session.trust_env = False
        session.mount("https://", self.adapter(whom))
        session.mount("http://", self.adapter(whom))
        proxy = self.proxy(url, whom)
        session.proxies = {"all": proxy} if proxy else {}
        session.verify = self.verify
        return session

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._adapter is not None:
                self._adapter.close()
                self._adapter = None


def given_proxy(proxy: Secret, whom: str) -> str:
    """``proxy`` as requests understands it; empty where none is given. Raises ConfigurationError.

    Names are resolved by a SOCKS proxy, as Go's client has it: whoever needs one often cannot resolve them.
    """
    from importlib.util import find_spec

    url = proxy.reveal().strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and (parts.port or 1) > 0 and not (parts.path.strip("/") or parts.query)
    except ValueError:
        good = False
    if not (good and url.isprintable() and " " not in url and parts.scheme in ("http", "https", "socks5", "socks5h")):
        raise ConfigurationError(
            f"The address of the proxy for {whom} is not one.",
            "Write it like http://user:password@proxy.example.com:3128; http, https and socks5 can be used."
            " In user and password, write %40 for @, %2F for / and %23 for #.",
        )
    socks = parts.scheme.startswith("socks")
    if socks and find_spec("socks") is None:
        raise ConfigurationError(
            f"The proxy {host_of(url)} for {whom} speaks SOCKS, and PySocks is not installed.",
            "Install it with: pip install 'landed[socks]'",
        )
    # requests forgets a user who has no password.
    where = parts.netloc if parts.username is None or parts.password is not None else parts.netloc.replace("@", ":@")
    return f"{'socks5h' if socks else parts.scheme}://{where}"


def secrets_of_proxy(proxy: str) -> tuple[str, ...]:
    """What must not be said of the URL of a proxy: user and password together, and the password, in both spellings."""
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    password = login.partition(":")[2]
    return (
        tuple({text: None for held in (login, password) if held for text in (held, unquote(held))}) if password else ()
    )
