"""The way out through the library Apprise. It words the requests of a service, and our own door sends them.

So proxy, certificates, patience and what may be repeated are as everywhere, and a refusal is known by its status, where
the library itself only says whether all went well. What a service speaks other than HTTP goes the library's own way.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Http, Request, Response, clean, secrets_of
from landed.http.answers import EXCERPT_LIMIT
from landed.model import Channel, Secret
from landed.providers.interface import Complaint
from landed.redact import redact

if TYPE_CHECKING:
    from apprise import NotifyBase
    from requests import PreparedRequest
    from requests import Response as RawResponse

#: Seconds that one notification may take in all.
SERVICE_TIMEOUT = 60.0
_CHECK = "Check the address: https://appriseit.com/services/ has the form of each service's."
#: Headers that the connection sets by itself.
_OURS = frozenset({"connection", "content-length", "transfer-encoding", "accept-encoding", "host"})
#: Headers that hold nothing secret.
_PLAIN = frozenset({"content-type", "accept", "user-agent"})

_one_at_a_time = threading.Lock()
#: What carries the requests that are made here and now; where there is nothing, they go as they always do.
_carrier: ContextVar[_Carrier | None] = ContextVar("carrier", default=None)


def door(channel: Channel, http: Callable[[], Http]) -> Apprise:
    """The way to the service that the address of ``channel`` names."""
    return Apprise(channel, http)


def complaints(channel: Channel) -> Iterator[Complaint]:
    """What is wrong with the settings, as far as the library can tell without asking anybody."""
    address, field = channel.address.reveal(), "spec.address"
    if _several(address):
        yield Complaint(field, "there is more than one URL", "Make a Provider for each of them.")
        return
    service = _service(address)
    if service is None:
        yield Complaint(field, "Apprise does not understand the address", _CHECK)
        return
    asked = dict(parse_qsl(urlsplit(address).query))
    if not service.verify_certificate or asked.get("redirect"):
        yield Complaint(
            field,
            "verify= and redirect= have no effect: certificates are checked, and redirects not followed",
            "Take them out. An authority of your own goes to spec.certSecretRef.",
        )
    given = channel.network
    if (given.proxy or given.ca or given.certificate) and not _speaks_http(service):
        yield Complaint(
            "spec.type",
            "this service speaks no HTTP, and Apprise takes neither a proxy nor certificates for it",
            "Take out proxy and certificates, or choose another service.",
        )


class Apprise:
    """Tells one service. Safe to use from several threads, which wait for one another."""

    def __init__(self, channel: Channel, http: Callable[[], Http]) -> None:
        self._channel = channel
        self._http = http
        self._service: NotifyBase | None = None

    def send(self, request: Request) -> Response:
        """Have the library tell the service. Raises DeliveryError where it says that it could not."""
        with _one_at_a_time:
            if self._service is None:
                self._service = self._made(request)
            carrier = _Carrier(self._http(), self._channel, request)
            before = _carrier.set(carrier)
            try:
                sent, logs = _told(self._service, request)
            finally:
                _carrier.reset(before)
        if not sent:
            raise carrier.failure(logs, targets=len(self._service), over_http=_speaks_http(self._service))
        return Response(200, {}, b"true", carrier.origin)

    def _made(self, request: Request) -> NotifyBase:
        service = None if _several(self._channel.address.reveal()) else _service(self._channel.address.reveal())
        if service is None:
            raise DeliveryError(f"{request.service}: Apprise does not understand the address.", _CHECK)
        patience = self._channel.network.timeout
        if patience:
            service.socket_connect_timeout = service.socket_read_timeout = patience
        return service


def _several(address: str) -> bool:
    return re.search(r"[,;\s]+[A-Za-z0-9]+://", address) is not None


def _service(address: str) -> NotifyBase | None:
    """The library's object for ``address``; None where it understands none, or cannot do that here."""
    import logging
    import warnings

    with warnings.catch_warnings():  # it loads every plugin, and what they use may be old
        warnings.simplefilter("ignore")
        import apprise

        apprise.Apprise.instantiate("json://localhost")

    from landed.http import silence

    silence()
    logging.getLogger("apprise").propagate = False  # its lines may hold addresses
    _hook()
    asset = apprise.AppriseAsset(
        app_id="landed",
        app_desc="landed",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode="memory",
        service_timeout=SERVICE_TIMEOUT,
    )
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        return None
    service.request_rate_per_sec = 0  # no pause before a message: there is one at a time
    service.retry = 0  # what may have arrived is not repeated
    service.optional = False  # what was not told is not told
    if "overflow" not in dict(parse_qsl(urlsplit(address).query)):
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def _told(service: NotifyBase, request: Request) -> tuple[bool, str]:
    """Whether it was sent, and what the library logged meanwhile."""
    import apprise

    from landed.providers.chat.apprise import Notification

    said = decode(request.body, Notification)
    one = apprise.Apprise(asset=service.asset)
    one.add(service)
    # Plain text is escaped by the library where the service reads markup.
    result = one.notify(
        said.body, said.title, notify_type=said.type, body_format=apprise.NotifyFormat.TEXT, log_level=30
    )
    return bool(result), " ".join(str(getattr(entry, "message", entry)) for entry in result.logs())


def _speaks_http(service: NotifyBase) -> bool:
    """Whether its plugin, or the package that it is in, has the library that HTTP goes by."""
    import sys

    home = type(service).__module__
    package = home.rpartition(".")[0] if home.count(".") > 2 else home
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return any(hasattr(sys.modules[name], "requests") for name in names)


class _Carrier:
    """Takes a plugin's requests to our door, and remembers how they went."""

    def __init__(self, http: Http, channel: Channel, request: Request) -> None:
        self.origin = request.service
        self._http = http
        self._outer = request
        self._secrets = tuple(
            Secret(text) for text in (*secrets_of(request), channel.address.reveal()) if len(text) > 3
        )
        self._taken = 0
        self._errors: list[DeliveryError] = []

    def send(self, request: PreparedRequest, **_: Any) -> RawResponse:
        """As an adapter of requests does. Raises its ConnectionError where the door raises ours."""
        import requests

        try:
            answer = self._http.send(self._ours(request))
        except DeliveryError as error:
            self._errors.append(error)
            raise requests.ConnectionError("refused") from None
        self._taken += request.method != "GET"
        self.origin = answer.origin
        return _theirs(request, answer)

    def close(self) -> None:
        """Nothing: the door stays open."""

    def failure(self, logs: str, *, targets: int, over_http: bool) -> DeliveryError:
        """Why the library says no: the door's own words, else what it logged."""
        some = targets > 1 and self._taken > 0
        if self._errors:
            error = self._errors[-1]
            message = f"{error.message.rstrip('.')}; others have taken it." if some else error.message
            return DeliveryError(message, error.hint, passing=error.passing, uncertain=error.uncertain or some)
        said = clean(redact(logs, [secret.reveal() for secret in self._secrets]))
        quoted = f": {said if len(said) <= EXCERPT_LIMIT else said[: EXCERPT_LIMIT - 1] + '…'}" if said else "."
        return DeliveryError(
            f"{self.origin}: the message was not taken{quoted}",
            _CHECK,
            # Whoever speaks something else does not say how far it came.
            passing=not over_http,
            uncertain=some or not over_http,
        )

    def _ours(self, request: PreparedRequest) -> Request:
        headers: dict[str, Secret | str] = {
            name: value if name.lower() in _PLAIN else Secret(value)
            for name, value in ((str(name), _text(value)) for name, value in request.headers.items())
            if name.lower() not in _OURS
        }
        body = request.body
        content = (
            body if isinstance(body, bytes) else _text(body).encode() if isinstance(body, str) else b"".join(body or ())
        )
        return Request(
            request.method or "GET", Secret(request.url or ""), headers, content, self._outer.service,
            hidden=self._secrets,
        )  # fmt: skip


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _theirs(request: PreparedRequest, answer: Response) -> RawResponse:
    """``answer`` as plugins know answers."""
    from io import BytesIO

    import requests
    from requests.structures import CaseInsensitiveDict
    from requests.utils import get_encoding_from_headers

    made = requests.Response()
    made.status_code, made.headers = answer.status, CaseInsensitiveDict(answer.headers)
    made.encoding = get_encoding_from_headers(made.headers)
    made.url, made.request = request.url or "", request
    made.raw = BytesIO(answer.body)
    made._content = answer.body  # there is no other way to make one
    return made


def _hook() -> None:
    """Let sessions of requests ask here who sends: a plugin makes its own, and can be given none.

    It concerns nobody else: only what is called while a notification is under way has a carrier.
    """
    from requests import Session

    usual = Session.get_adapter
    if getattr(usual, "carries", False):
        return

    def get_adapter(self: Session, url: str) -> Any:
        return _carrier.get() or usual(self, url)

    get_adapter.carries = True  # type: ignore[attr-defined]
    Session.get_adapter = get_adapter  # type: ignore[method-assign]
