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
from urllib.parse import parse_qsl, unquote

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Http, Request, Response, clean, secrets_of
from landed.http.answers import EXCERPT_LIMIT
from landed.model import Channel, Secret
from landed.providers.interface import Complaint
from landed.redact import SHORTEST_PART, redact

if TYPE_CHECKING:
    from apprise import NotifyBase
    from requests import PreparedRequest
    from requests import Response as RawResponse

#: Seconds that one notification may take in all where our door, which has a limit of its own, does not carry it.
SERVICE_TIMEOUT = 60.0
#: Services that tell nobody beyond this machine, and nobody at all where nothing listens.
_LOCAL = frozenset({"syslog", "dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "blink1"})
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
    if address.partition(":")[0].strip().lower() in _LOCAL:
        yield Complaint(field, "the service tells nobody beyond this machine", "Choose one that is in the network.")
        return
    service = _service(address)
    if service is None:
        yield Complaint(field, "Apprise does not understand the address", _CHECK)
        return
    yield from _without_effect(channel, service)
    if _has_template(service):
        yield Complaint(
            field,
            "template= would send what is in a file in place of the message",
            "Take it out. Words of your own go to --message-template.",
        )


def _without_effect(channel: Channel, service: NotifyBase) -> Iterator[Complaint]:
    """What is asked for and would not happen."""
    given, over_http = channel.network, _speaks_http(service)
    redirect = "redirect" in _asked(channel.address.reveal()) and service.redirects
    if not service.verify_certificate or (over_http and redirect):
        yield Complaint(
            "spec.address",
            "verify= and redirect= have no effect: certificates are checked, and redirects not followed",
            "Take them out. An authority of your own goes to spec.certSecretRef.",
        )
    usual = type(service)
    patience = (service.socket_connect_timeout, service.socket_read_timeout)
    if over_http and patience != (usual.socket_connect_timeout, usual.socket_read_timeout):
        yield Complaint("spec.address", "cto= and rto= have no effect", "Write it to spec.timeout, as in timeout: 30s.")
    if (given.proxy or given.ca or given.certificate) and not over_http:
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
        service_timeout=0,
    )
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        return None
    service.request_rate_per_sec = 0  # no pause before a message: there is one at a time
    service.retry = 0  # what may have arrived is not repeated
    service.optional = False  # what was not told is not told
    if "overflow" not in _asked(address):
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
        said.body,
        said.title,
        notify_type=said.type,
        body_format=apprise.NotifyFormat.TEXT,
        log_level=30,
        timeout=0 if _speaks_http(service) else SERVICE_TIMEOUT,  # a thread that is given up goes on all the same
    )
    return bool(result), " ".join(str(getattr(entry, "message", entry)) for entry in result.logs())


def _asked(address: str) -> dict[str, str]:
    """What stands behind the question mark, by names in lower case, as the library reads them."""
    return {name.lower(): value for name, value in parse_qsl(address.partition("?")[2], keep_blank_values=True)}


def _has_template(service: NotifyBase) -> bool:
    """Whether a file is to be sent in place of the message; elsewhere a template is the name of one at the service."""
    import apprise

    given = getattr(service, "template", None)
    return isinstance(given, apprise.AppriseAttachment) and len(given) > 0


def _speaks_http(service: NotifyBase) -> bool:
    """Whether its plugin, a plugin that it is made of, or the package of one has the library that HTTP goes by."""
    import sys

    homes = {made.__module__ for made in type(service).__mro__ if made.__module__.startswith("apprise.plugins.")}
    homes.discard("apprise.plugins.base")
    packages = {home.rpartition(".")[0] if home.count(".") > 2 else home for home in homes}
    names = [name for name in list(sys.modules) if any(name == one or name.startswith(f"{one}.") for one in packages)]
    return any(hasattr(sys.modules[name], "requests") for name in names)


class _Carrier:
    """Takes a plugin's requests to our door, and remembers how they went."""

    def __init__(self, http: Http, channel: Channel, request: Request) -> None:
        self.origin = request.service
        self._http = http
        self._outer = request
        self._secrets = tuple(
            Secret(text) for text in (*secrets_of(request), *_parts(channel.address)) if len(text) > 3
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


def _parts(address: Secret) -> Iterator[str]:
    """``address`` and what it is made of: where others have a host, many services have a token."""
    for text in (address.reveal(), unquote(address.reveal())):
        yield text
        yield from (part for part in re.split(r"[/?&=#@:,]+", text) if len(part) >= SHORTEST_PART)


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
