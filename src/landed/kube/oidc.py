"""The ``oidc`` auth-provider: an ID token, renewed at the identity provider when it has expired.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
"""

from __future__ import annotations

import time
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from msgspec import DecodeError
from msgspec.json import decode

from landed.errors import ClusterError, ConfigurationError
from landed.kube import dial, expiry, proxy
from landed.kube.context import Chosen, material
from landed.kube.endpoint import DEFAULT_PORTS, Endpoint
from landed.kube.fields import AuthProvider
from landed.kube.wire import CutOff
from landed.redact import clean

TIMEOUT = 30.0

HINT = "Log in again (kubectl oidc-login, or the tool that wrote the kubeconfig), or use a service account's token."


class Provider:
    """Keeps what the identity provider gives in memory: the kubeconfig is never written."""

    def __init__(self, chosen: Chosen, environ: Mapping[str, str], warn: Callable[[str], None]) -> None:
        provider = chosen.user.auth_provider or AuthProvider()
        self._who = f'user "{chosen.endpoint.user}" (context "{chosen.endpoint.context}")'
        if provider.name != "oidc":
            raise ConfigurationError(
                f'The auth-provider "{clean(provider.name)}" of {self._who} is no longer a part of Kubernetes.',
                "Write the kubeconfig again with a current version of its tool: it will use exec.",
            )
        self._config = provider.config
        self._token = provider.config.get("id-token", "")
        self._refresh = provider.config.get("refresh-token", "")
        self._folder = chosen.folder
        self._environ = environ
        self._warn = warn
        self._given = False

    def token(self) -> tuple[str, float]:
        """An ID token and when it ends (0: unknown). Asked a second time, it gets a new one. Raises ClusterError."""
        ends = expiry.of_token(self._token) if self._token else None
        expired = not self._token or (ends is not None and ends.timestamp() < time.time() + 10)
        if expired or self._given:
            self._token = self._renewed(bool(expired))
            ends = expiry.of_token(self._token)
        self._given = True
        return self._token, ends.timestamp() if ends else 0.0

    def _renewed(self, expired: bool) -> str:
        if not self._refresh or not self._config.get("idp-issuer-url"):
            state = "has expired" if expired else "is refused"
            raise ClusterError(
                f"The ID token of {self._who} {state}, and there is no refresh-token to get another with.", HINT
            )
        answer = self._ask(self._token_url())
        token, refresh = answer.get("id_token"), answer.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise ClusterError(f"The identity provider of {self._who} gave no ID token.", HINT)
        if isinstance(refresh, str) and refresh and refresh != self._refresh:
            self._refresh = refresh
            self._warn(
                f"The identity provider of {self._who} gave a new refresh token, which is not written back to the "
                "kubeconfig. If the old one is good only once, log in again."
            )
        return token

    def _token_url(self) -> str:
        issuer = self._config["idp-issuer-url"].rstrip("/")
        status, body = self._request("GET", f"{issuer}/.well-known/openid-configuration", b"", "")
        url = _json(body).get("token_endpoint") if status == 200 else None
        if not isinstance(url, str):
            raise ClusterError(f"The identity provider of {self._who} does not say where to renew tokens.", HINT)
        return url

    def _ask(self, url: str) -> Mapping[str, Any]:
        """By HTTP Basic, which every provider must take; some take the client's secret in the body only."""
        client, secret = self._config.get("client-id", ""), self._config.get("client-secret", "")
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh, "client_id": client}
        basic = b2a_base64(f"{quote_plus(client)}:{quote_plus(secret)}".encode(), newline=False).decode()
        status, body = self._request("POST", url, urlencode(form).encode(), f"Basic {basic}" if secret else "")
        if secret and status in (400, 401):
            status, body = self._request("POST", url, urlencode({**form, "client_secret": secret}).encode(), "")
        answer = _json(body)
        if status != 200:
            reason = clean(str(answer.get("error_description") or answer.get("error") or ""), self._secrets())
            raise ClusterError(
                f"The identity provider of {self._who} does not renew the token (HTTP {status}"
                f"{': ' + reason if reason else ''}).",
                HINT,
            )
        return answer

    def _secrets(self) -> list[str]:
        return [self._refresh, self._token, self._config.get("client-secret", "")]

    def _request(self, method: str, url: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        endpoint, target = self._endpoint(url)
        headers = {"Accept": "application/json", "Host": endpoint.netloc}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if authorization:
            headers["Authorization"] = authorization
        try:
            return self._exchange(endpoint, method, target, body, headers)
        except (OSError, CutOff, ValueError) as error:
            raise ClusterError(
                f"The identity provider of {self._who} at {endpoint.netloc} cannot be asked: {type(error).__name__}.",
                HINT,
            ) from None

    def _exchange(
        self, endpoint: Endpoint, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        connection = dial.connect(endpoint, TIMEOUT)
        try:
            sized = {**headers, "Content-Length": str(len(body))} if body else headers
            encoded = [(name, value.encode("latin-1")) for name, value in sized.items()]
            connection.request(method, dial.target(endpoint, target), encoded, body or None)
            answer = connection.answer(monotonic() + TIMEOUT)
            return answer.status, bytes(answer.body)
        finally:
            connection.close()

    def _endpoint(self, url: str) -> tuple[Endpoint, str]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in DEFAULT_PORTS or not host:
            raise ConfigurationError(f"The idp-issuer-url of {self._who} is not a usable URL.")
        port = port or DEFAULT_PORTS[parts.scheme]
        endpoint = Endpoint(
            context="",
            host=host,
            port=port,
            scheme=parts.scheme,
            authority=material(
                self._config.get("idp-certificate-authority-data", ""),
                self._config.get("idp-certificate-authority", ""),
                self._folder,
                f"idp-certificate-authority of {self._who}",
            ),
            proxy=proxy.choose(parts.scheme, host, port, self._environ),
        )
        return endpoint, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        answer = decode(body)
    except (DecodeError, UnicodeError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}
