"""Who we are to a cluster: what a kubeconfig's user stands for, obtained when needed and again when it has ended."""

from __future__ import annotations

import time
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from landed.errors import ConfigurationError
from landed.kube.context import Chosen, material
from landed.kube.fields import UserFields

#: Seconds before its expiry at which a credential counts as expired.
MARGIN = 10

#: Seconds for which a token file is not read again, as in client-go.
TOKEN_FILE_LASTS = 60


class Identity(Struct, frozen=True):
    """What is shown to the server. Never printed."""

    authorization: str = ""
    """The header's value."""
    certificate: bytes = b""
    key: bytes = b""
    expires: float = 0.0
    """In our clock; 0: not known to."""

    def __repr__(self) -> str:
        return "Identity(***)"


class Credentials:
    """Gives the identity to use, kept in memory until it ends. Safe for several threads: one of them obtains it, the
    others wait for that.
    """

    def __init__(
        self,
        obtain: Callable[[], Identity],
        *,
        renewable: bool = False,
        impersonation: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """``obtain`` makes a fresh identity; ``renewable`` says that it may differ from the one before."""
        self._obtain = obtain
        self._renewable = renewable
        self._identity: Identity | None = None
        self._lock = Lock()
        self.impersonation = impersonation
        """Headers, as pairs."""

    def identity(self) -> Identity:
        """The identity of now. Raises ConfigurationError or ClusterError where none can be had."""
        with self._lock:
            known = self._identity
            if known is None or 0 < known.expires < time.time() + MARGIN:
                known = self._identity = _sendable(self._obtain())
            return known

    def renew(self, refused: Identity | None = None) -> bool:
        """Forget the identity, because the server refused it; not if another thread has renewed that one already.
        False if there is no other to be had.
        """
        with self._lock:
            if self._renewable and (refused is None or self._identity is refused):
                self._identity = None
            return self._renewable


def _sendable(identity: Identity) -> Identity:
    """A header cannot hold everything, and the library's own error would quote it."""
    if not identity.authorization.isascii() or not identity.authorization.isprintable():
        raise ConfigurationError(
            "The token holds characters that a token cannot have (a line break, perhaps).",
            "Look at the kubeconfig's token, or at what its plugin prints.",
        )
    return identity


def anonymous() -> Credentials:
    """Nobody: for a proxy that knows who we are."""
    return Credentials(Identity)


def service_account(folder: str) -> Credentials:
    """The token that Kubernetes mounts into a pod, and renews there."""
    path = str(Path(folder) / "token")
    return Credentials(lambda: _token_file("", path, ""), renewable=True)


def of(chosen: Chosen, environ: Mapping[str, str], warn: Callable[[str], None]) -> Credentials:
    """The credentials of a kubeconfig's user. Raises ConfigurationError if it says too much or too little."""
    user = chosen.user
    _check(chosen)
    obtain = _way(chosen, environ, warn)
    if user.client_certificate or user.client_certificate_data:
        obtain = _with_certificate(obtain, chosen)
    if chosen.endpoint.scheme == "https" and user == UserFields():
        warn(f'User "{chosen.endpoint.user}" has no credentials: {chosen.endpoint} is asked anonymously.')
    renewable = bool(
        user.token_file or user.client_certificate or (not user.token and (user.exec or user.auth_provider))
    )
    return Credentials(obtain, renewable=renewable, impersonation=_impersonation(user))


def _check(chosen: Chosen) -> None:
    user, who = chosen.user, f'User "{chosen.endpoint.user}" (context "{chosen.endpoint.context}")'
    if (user.token or user.token_file) and (user.username or user.password):
        raise ConfigurationError(f"{who} has both a token and a password.", "Remove one of them.")
    if user.exec and user.auth_provider:
        raise ConfigurationError(f"{who} has both exec and auth-provider.", "Remove one of them.")
    if (user.client_certificate or user.client_certificate_data) and not (user.client_key or user.client_key_data):
        raise ConfigurationError(f"{who} has a client-certificate but no client-key.")
    if (user.impersonate_uid or user.impersonate_groups or user.impersonate_extra) and not user.impersonate:
        raise ConfigurationError(f"{who} has as-uid, as-groups or as-user-extra, but no as.")


def _way(chosen: Chosen, environ: Mapping[str, str], warn: Callable[[str], None]) -> Callable[[], Identity]:
    """How the Authorization header is had. A token in the kubeconfig goes before a plugin, as in client-go."""
    user = chosen.user
    if user.token_file:
        return lambda: _token_file(user.token, user.token_file, chosen.folder)
    if user.token:
        return lambda: Identity(f"Bearer {user.token}")
    if user.username or user.password:
        return lambda: Identity(_basic(user.username, user.password))
    if user.exec:
        return _plugin(chosen, environ)
    if user.auth_provider:
        return _provider(chosen, environ, warn)
    return Identity


def _plugin(chosen: Chosen, environ: Mapping[str, str]) -> Callable[[], Identity]:
    def obtain() -> Identity:
        from landed.kube import execplugin

        return Identity(*execplugin.run(chosen, environ))

    return obtain


def _provider(chosen: Chosen, environ: Mapping[str, str], warn: Callable[[str], None]) -> Callable[[], Identity]:
    from landed.kube import oidc

    provider = oidc.Provider(chosen, environ, warn)

    def obtain() -> Identity:
        token, expires = provider.token()
        return Identity(f"Bearer {token}", expires=expires)

    return obtain


def _with_certificate(obtain: Callable[[], Identity], chosen: Chosen) -> Callable[[], Identity]:
    def both() -> Identity:
        identity = obtain()
        if identity.certificate:  # the plugin's own goes first
            return identity
        certificate, key = _pair(chosen)
        return replace(identity, certificate=certificate, key=key)

    return both


def _pair(chosen: Chosen) -> tuple[bytes, bytes]:
    user = chosen.user
    whose = f'of user "{chosen.endpoint.user}" (context "{chosen.endpoint.context}")'
    return (
        material(user.client_certificate_data, user.client_certificate, chosen.folder, f"client-certificate {whose}"),
        material(user.client_key_data, user.client_key, chosen.folder, f"client-key {whose}"),
    )


def _token_file(token: str, path: str, folder: str) -> Identity:
    """What the file holds, else ``token``. The file wins, and is read again: Kubernetes renews such tokens."""
    try:
        read = (Path(folder) / path).read_text("ascii").strip()
    except (OSError, UnicodeError, ValueError) as error:
        if not token:
            reason = getattr(error, "strerror", None) or "it is not a token"
            raise ConfigurationError(f"The tokenFile {path} cannot be read: {reason}.") from None
        read = token
    if not read:
        raise ConfigurationError(f"The tokenFile {path} is empty.")
    return Identity(f"Bearer {read}", expires=time.time() + TOKEN_FILE_LASTS)


def _basic(username: str, password: str) -> str:
    return f"Basic {b2a_base64(f'{username}:{password}'.encode(), newline=False).decode()}"


def _impersonation(user: UserFields) -> tuple[tuple[str, str], ...]:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation ."""
    if not user.impersonate:
        return ()
    headers = [("Impersonate-User", user.impersonate)]
    if user.impersonate_uid:
        headers.append(("Impersonate-Uid", user.impersonate_uid))
    headers += [("Impersonate-Group", group) for group in user.impersonate_groups]
    for key, values in user.impersonate_extra.items():
        headers += [(f"Impersonate-Extra-{_escaped(key)}", value) for value in values]
    return tuple(headers)


def _escaped(key: str) -> str:
    """A header's name from any text: lower case, percent-encoded where HTTP does not allow the character."""
    from urllib.parse import quote

    return quote(key.lower(), safe="!#$&'*+-.^_`|~")
