"""The way out to Google's APIs: it adds an access token, which Google's own library gets through the same way.

Without credentials of the channel's own they are those of the environment,
https://cloud.google.com/docs/authentication/application-default-credentials . Where ``PUBSUB_EMULATOR_HOST`` names an
emulator (https://cloud.google.com/pubsub/docs/emulator), everything goes there, and nobody is told who we are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from landed.errors import ConfigurationError, DeliveryError
from landed.http import Http, Request, Response, Trouble, excerpt, host_of
from landed.model import Channel, Secret
from landed.providers.chat.googlepubsub import API, credentials, project
from landed.providers.interface import Door

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = ("https://www.googleapis.com/auth/pubsub",)
#: What a machine of Google's asks for its own token, never through a proxy; and what names another.
_METADATA = frozenset({"metadata.google.internal", "169.254.169.254"})
_METADATA_NAMED = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")
#: What Google's library says of a refusal, and what to do about it.
_HINTS = {
    "Invalid JWT Signature": "The key of the service account has been deleted: make a new one.",
    "Invalid JWT": "Check the clock of this machine.",
    "account not found": "The service account has been deleted: make a new one.",
    "invalid_grant": "Check the credentials: they may have been revoked.",
}
_NOBODY = (
    "Give credentials in JSON as `token` in the Provider's Secret, or have GOOGLE_APPLICATION_CREDENTIALS name a file"
    " of them."
)


def door(channel: Channel, http: Callable[[], Http]) -> Door:
    """The usual way out, on which everything bears a token; as it is, to whoever should not see one."""
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST", "").strip()
    at = project(channel.address)
    if at.usual and emulator:
        return Emulated(emulator, http)
    return Bearing(channel, http) if at.guarded else http()


class Emulated:
    """A door to the emulator that the environment names as ``HOST:PORT``."""

    def __init__(self, host: str, http: Callable[[], Http]) -> None:
        self._base = host if "://" in host else f"http://{host}"
        self._http = http

    def send(self, request: Request) -> Response:
        """Send ``request`` there instead. Raises DeliveryError."""
        url = request.url.reveal().replace(API, self._base.rstrip("/"), 1)
        return self._http().send(structs.replace(request, url=Secret(url)))


class Bearing:
    """A door that adds an access token, and keeps it until it expires."""

    def __init__(self, channel: Channel, http: Callable[[], Http]) -> None:
        self._given = channel.token
        self._service = channel.called("Google Pub/Sub")
        self._usual = project(channel.address).usual
        self._http = http
        self._credentials: Credentials | None = None
        self._lock = Lock()

    def send(self, request: Request) -> Response:
        """Send ``request`` with a token. Raises DeliveryError, also where none can be had, and ConfigurationError."""
        token, universe = self._token()
        request = structs.replace(request, headers={**request.headers, "Authorization": Secret(f"Bearer {token}")})
        if self._usual and universe not in ("", "googleapis.com"):
            url = request.url.reveal().replace(API, f"https://pubsub.{universe}", 1)
            request = structs.replace(request, url=Secret(url))
        return self._http().send(request)

    def _token(self) -> tuple[str, str]:
        """An access token, and the domain in which it holds."""
        try:
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        except ModuleNotFoundError:
            raise ConfigurationError(
                f"{self._service}: credentials need the package google-auth, which is not installed.",
                "Install it with: pip install 'landed[googlepubsub]'",
            ) from None

        carry = Carrying(self._http, self._service)
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = loaded(self._given, carry)
                if not self._credentials.valid:
                    self._credentials.refresh(carry)  # type: ignore[no-untyped-call]
                return str(self._credentials.token), str(self._credentials.universe_domain or "")
            except DefaultCredentialsError as error:
                if self._given or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                    raise self._refused(error, carry) from None
                raise DeliveryError(f"{self._service}: nothing says who we are.", _NOBODY) from None
            except (GoogleAuthError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
                raise self._refused(error, carry) from None

    def _refused(self, error: Exception, carry: Carrying) -> DeliveryError:
        """Why there is no token. Of what the other side said only the beginning is told, and no secret."""
        trouble = carry.trouble
        if trouble is not None:
            what = f"{self._service}: signing in ({carry.host}): {trouble.what}."
            return DeliveryError(what, trouble.hint, passing=trouble.passing)
        from google.auth.exceptions import GoogleAuthError

        known = isinstance(error, GoogleAuthError)
        said = excerpt(str(error.args[0] if error.args else "").encode(errors="replace"), _secrets(self._given))
        hint = next((hint for sign, hint in _HINTS.items() if sign in str(error)), "Check the credentials.")
        return DeliveryError(
            f"{self._service}: the credentials give no token{f': {said}' if known and said else ''}.".replace(
                "..", "."
            ),
            hint,
            passing=bool(getattr(error, "retryable", False)),
        )


class _Heard(NamedTuple):
    """An answer, as Google's library wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Carrying:
    """Carries the requests of Google's library through the usual way out."""

    def __init__(self, http: Callable[[], Http], service: str) -> None:
        self._http = http
        self._service = service
        self.trouble: Trouble | None = None
        """Why the last request had no answer."""
        self.host = ""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> Any:
        """Send it once; the library itself tries again. Raises TransportError."""
        from google.auth.exceptions import TransportError

        self.host, self.trouble = host_of(url), None
        if self.host in {*_METADATA, *(os.environ.get(name, "") for name in _METADATA_NAMED)}:
            from google.auth.transport._http_client import Request as Directly

            return Directly()(url, method=method, body=body, headers=headers, timeout=timeout)
        said = body.encode() if isinstance(body, str) else body or b""
        held = {name: Secret(value) for name, value in (headers or {}).items()}
        answer = self._http().exchange(Request(method, Secret(url), held, said, self._service))
        if isinstance(answer, Trouble):
            self.trouble = answer
            raise TransportError(answer.what)  # type: ignore[no-untyped-call]
        return _Heard(answer.status, answer.headers, answer.body)


def loaded(token: Secret, carry: Carrying) -> Credentials:
    """The credentials in ``token``, or those of the environment. Raises what Google's library and ValueError raise."""
    import logging
    import warnings

    import google.auth

    if not token:
        # What it has to say would reach stderr, beside our own words.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.auth")
        logging.getLogger("google.auth").setLevel(logging.CRITICAL + 1)
        found, _ = google.auth.default(scopes=SCOPES, request=carry)  # type: ignore[arg-type]
        return found
    given = credentials(token)
    return _LOADERS[given["type"]](given)


def _service_account(given: dict[str, Any]) -> Credentials:
    from google.oauth2 import service_account

    return service_account.Credentials.from_service_account_info(given, scopes=SCOPES)  # type: ignore[no-any-return, no-untyped-call]


def _external_account(given: dict[str, Any]) -> Credentials:
    """https://google.aip.dev/auth/4117 ."""
    from google.auth import aws, identity_pool

    of_aws = given["subject_token_type"] == "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105
    kind: Any = aws if of_aws else identity_pool
    return kind.Credentials.from_info(given, scopes=SCOPES)  # type: ignore[no-any-return]


def _authorized_user(given: dict[str, Any]) -> Credentials:
    from google.oauth2 import credentials as users

    return users.Credentials.from_authorized_user_info(given, scopes=SCOPES)  # type: ignore[no-any-return, no-untyped-call]


def _impersonated(given: dict[str, Any]) -> Credentials:
    from google.auth import impersonated_credentials as impersonated

    return impersonated.Credentials.from_impersonated_service_account_info(given, scopes=SCOPES)  # type: ignore[no-any-return, no-untyped-call]


_LOADERS: Mapping[str, Callable[[dict[str, Any]], Credentials]] = {
    "service_account": _service_account,
    "external_account": _external_account,
    "authorized_user": _authorized_user,
    "impersonated_service_account": _impersonated,
}


def _secrets(token: Secret) -> tuple[str, ...]:
    """Whatever of the credentials may not be said."""
    try:
        given = credentials(token) if token else {}
    except ValueError:
        given = {}
    held = [str(given[name]) for name in ("private_key", "client_secret", "refresh_token") if given.get(name)]
    return (token.reveal(), *held) if token else ()
