"""The one door out: timeouts, retries, rate limits, redaction, for everything that is not an SDK.

Requests go through ``requests``' transport adapter, without its Session: a Session lets ``~/.netrc`` replace an
Authorization header, ``REQUESTS_CA_BUNDLE`` replace a given CA, follows redirects and has no timeout
(https://requests.readthedocs.io/en/latest/user/advanced/ , ``authentication/#netrc-authentication``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

import msgspec
from msgspec import Struct

from landed import __version__, render
from landed.errors import ConfigurationError, DeliveryError
from landed.model import Secret

if TYPE_CHECKING:
    from requests import Response as RawResponse
    from requests.adapters import HTTPAdapter

#: Seconds to make a connection (just over the 3 s after which TCP sends its first packet again), and between bytes.
CONNECT_TIMEOUT, READ_TIMEOUT = 3.05, 15.0
#: How often one request is made, at most, and how long all the waits between may take together (seconds).
TRIES, MAX_WAIT = 4, 60.0
#: Answers that say "later": nothing is wrong with the request.
LATER = frozenset({429, 502, 503, 504})
#: Of these, the ones of a gateway that may have passed the request on.
PERHAPS_DONE = frozenset({502, 504})
#: Methods that may be repeated although an earlier try may have been carried out (RFC 9110, 9.2.2).
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
#: Bytes of an answer that are read; characters of it that an error quotes.
ANSWER_LIMIT, EXCERPT_LIMIT = 1 << 20, 200

USER_AGENT = f"landed/{__version__}"


class Request(Struct, frozen=True):
    """One HTTP request. Prints as method and host: the path of a webhook is its password."""

    method: str
    url: Secret
    headers: Mapping[str, Secret | str] = {}
    body: bytes = b""
    service: str = ""
    """What people call the other side: ``Slack``."""
    hints: Mapping[str, str] = {}
    """What to do about a refusal, by its status (``404``) or a word of its body (``no_service``); first match wins."""

    @property
    def origin(self) -> str:
        """Whom this goes to, fit for a message: ``Slack (hooks.slack.com)``."""
        host = host_of(self.url.reveal())
        return f"{self.service} ({host})" if self.service and host else self.service or host or "the address"

    def __repr__(self) -> str:
        return f"Request({self.method} {self.origin}, {len(self.body)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("origin", self.origin)]


class Response(Struct, frozen=True):
    """An answer, all of it."""

    status: int
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    origin: str = ""
    """Who answered, fit for a message: ``Slack (hooks.slack.com)``."""
    excerpt: str = ""
    """The beginning of the body, on one line and without secrets: fit for a message."""

    def __repr__(self) -> str:
        return f"Response({self.status} from {self.origin}, {len(self.body)} bytes)"


def json_request(
    url: Secret,
    value: object,
    *,
    service: str = "",
    headers: Mapping[str, Secret | str] | None = None,
    hints: Mapping[str, str] | None = None,
) -> Request:
    """Make a POST of ``value`` as JSON. The same value gives the same bytes: members keep their order."""
    return Request(
        "POST",
        url,
        {"Content-Type": "application/json", **(headers or {})},
        msgspec.json.encode(value),
        service,
        hints or {},
    )


class Trouble(NamedTuple):
    """Why no answer came, in words fit for a message."""

    what: str
    hint: str = ""
    passing: bool = True
    """Whether trying again can help."""
    perhaps_sent: bool = False
    """Whether the request may have arrived and been carried out."""


class Http:
    """Sends requests. Safe to use from several threads; costs nothing until the first request."""

    def __init__(
        self,
        *,
        ca_file: str = "",
        max_wait: float = MAX_WAIT,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        from threading import Lock

        self._ca_file = ca_file
        self._max_wait = max_wait
        self._timeout = timeout
        self._sleep = sleep
        self._lock = Lock()
        self._adapter: HTTPAdapter | None = None
        self._verify: bool | str = True

    def send(self, request: Request) -> Response:
        """Send ``request`` and return its answer, whose status is 2xx.

        Answers that say "later" and connections that failed before anything was sent are tried again, as long as
        the waits (``Retry-After`` where given) stay below ``max_wait``. What may have been carried out is never
        repeated, unless the method allows it. Redirects are not followed.

        Raises DeliveryError for everything else.
        """
        usable(request)
        patience = Patience(self._max_wait, self._sleep)
        while True:
            sent = _Body(request.body)
            answer = self._once(request, sent)
            if isinstance(answer, Response):
                if 200 <= answer.status < 300:
                    return answer
                asked = retry_after(answer.headers.get("retry-after", ""), time.time())
                uncertain = answer.status in PERHAPS_DONE and request.method not in REPEATABLE
                failure, again = _refusal(request, answer, uncertain), answer.status in LATER and not uncertain
            else:
                asked = None
                uncertain = sent.given and request.method not in REPEATABLE
                failure, again = _unanswered(request, answer, uncertain), answer.passing and not uncertain
            if not (again and patience.wait(asked)):
                raise patience.worded(failure) if again else failure

    def _once(self, request: Request, body: _Body) -> Response | Trouble:
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with self._transmit(request, body) as raw:
                return _answer(request, raw)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return diagnose(error)

    def _transmit(self, request: Request, body: _Body) -> RawResponse:
        from requests import Request as RawRequest
        from requests.utils import get_environ_proxies

        url = request.url.reveal()
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"} | {
            name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers.items()
        }
        prepared = RawRequest(request.method, url, headers=headers, data=body if request.body else None).prepare()
        adapter = self._connected()
        return adapter.send(
            prepared,
            stream=True,
            timeout=self._timeout,
            verify=self._verify,
            proxies=get_environ_proxies(url, no_proxy=None),
        )

    def _connected(self) -> HTTPAdapter:
        with self._lock:
            if self._adapter is None:
                from requests.adapters import HTTPAdapter

                silence()
                self._verify = trusted(self._ca_file)
                self._adapter = HTTPAdapter(pool_connections=16, pool_maxsize=16, max_retries=0)
            return self._adapter

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._adapter is not None:
                self._adapter.close()
                self._adapter = None

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Body:
    """A request's body that knows whether it was handed to a connection: before that, nothing can have happened."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.given = False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        self.given = True
        yield self._content


class Patience:
    """How often one request may still be tried, and how long it may still wait."""

    def __init__(self, max_wait: float, sleep: Callable[[float], object] = time.sleep, tries: int = TRIES) -> None:
        self._left = max_wait
        self._sleep = sleep
        self._tries = tries
        self._tried = 1
        self.asked = 0.0
        """Seconds that the other side asked for and that were too many."""

    def wait(self, asked: float | None = None) -> bool:
        """Sleep before another try: as long as the other side asked, else a little longer each time.

        False, and no sleep, where there is to be no other try.
        """
        from random import random

        pause = 0.5 * 2 ** (self._tried - 1) * (0.5 + random()) if asked is None else asked  # noqa: S311
        if pause > self._left:
            self.asked = asked or 0.0
            return False
        if self._tried >= self._tries:
            return False
        self._tried += 1
        self._left -= pause
        self._sleep(pause)
        return True

    def worded(self, failure: DeliveryError) -> DeliveryError:
        """``failure``, and how long the other side asked to wait where that was too long."""
        if not self.asked:
            return failure
        return DeliveryError(
            f"{failure.message.rstrip('.')}; it asks to wait {spoken(self.asked)}, longer than this run may wait.",
            failure.hint or "The update is sent by the next run.",
            passing=True,
            uncertain=failure.uncertain,
        )


class TokenBucket:
    """Spreads requests over time: ``burst`` at once, then ``rate`` per second, and never more than any window allows.

    Safe to use from several threads; every caller waits for its own turn.
    """

    def __init__(
        self,
        burst: int,
        rate: float,
        windows: tuple[tuple[int, float], ...] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take ``windows`` as (requests, seconds): at most so many in any so many seconds."""
        from collections import deque
        from threading import Lock

        self._burst = burst
        self._interval = 1 / rate
        self._windows = windows
        self._granted = deque[float](maxlen=max((count for count, _ in windows), default=1))
        self._full = float("-inf")
        """When the bucket will have all its tokens again."""
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()

    def take(self, max_wait: float = float("inf")) -> float:
        """Wait for a turn; 0 then. Or, without waiting or taking a turn, the seconds it would take if too many."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._full - (self._burst - 1) * self._interval, *self._window_turns())
            if turn - now > max_wait:
                return turn - now
            self._full = max(self._full, turn) + self._interval
            self._granted.append(turn)
        if turn > now:
            self._sleep(turn - now)
        return 0.0

    def _window_turns(self) -> Iterator[float]:
        yield float("-inf")
        for count, seconds in self._windows:
            if len(self._granted) >= count:
                yield self._granted[-count] + seconds


def usable(request: Request) -> None:
    """Raise DeliveryError unless the request's address is one a request can go to."""
    try:
        parts = urlsplit(request.url.reveal())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise DeliveryError(
            f"The address of {request.service or 'a destination'} is not a URL that starts with https:// or http://.",
            "Check the option or secret that holds it.",
        )


def _answer(request: Request, raw: RawResponse) -> Response:
    body = raw.raw.read(ANSWER_LIMIT, decode_content=True)
    return Response(
        raw.status_code,
        {name.lower(): value for name, value in raw.headers.items()},
        body,
        request.origin,
        excerpt(body, secrets_of(request)),
    )


def _refusal(request: Request, answer: Response, uncertain: bool) -> DeliveryError:
    if answer.status < 400:
        return DeliveryError(
            f"{answer.origin} answered {status_text(answer.status)}{_destination(request, answer)};"
            " redirects are not followed.",
            "Check the address: it should be the final one.",
        )
    said = f": {answer.excerpt}" if answer.excerpt else "."
    return DeliveryError(
        f"{answer.origin} answered {status_text(answer.status)}{said}",
        _hint(request, answer),
        passing=answer.status in LATER or answer.status >= 500,
        uncertain=uncertain,
    )


def _destination(request: Request, answer: Response) -> str:
    """Where a redirect points, as far as it may be said: the host."""
    location = answer.headers.get("location", "")
    host = host_of(location)
    if not host:
        return ""
    if host == host_of(request.url.reveal()):
        return ", a redirect to another address of the same host"
    return f", a redirect to {host}"


def _hint(request: Request, answer: Response) -> str:
    text = answer.body[:4096].decode(errors="replace")
    for sign, hint in request.hints.items():
        if sign == str(answer.status) or (not sign.isdigit() and sign in text):
            return hint
    return HINTS.get(answer.status, "")


#: What to do about a refusal that the service itself has no words for.
HINTS = {
    401: "Check the token: it is missing, wrong or expired.",
    403: "Check the address and what its token may do.",
    404: "Check the address: there is nothing at that place (any more).",
    410: "Check the address: what was there has been removed.",
    413: "The message is too large for the receiver.",
    429: "Too many requests; the update is sent by the next run.",
}


def _unanswered(request: Request, trouble: Trouble, uncertain: bool) -> DeliveryError:
    doubt = ", so the message may or may not have arrived" if uncertain else ""
    return DeliveryError(
        f"{request.origin}: {trouble.what}{doubt}.",
        trouble.hint,
        passing=trouble.passing,
        uncertain=uncertain,
    )


def diagnose(error: BaseException) -> Trouble:
    """Say in our own words why no answer came. A transport's text is never quoted: it holds the URL."""
    causes = list(_causes(error))
    for type_name, trouble in _TROUBLES.items():
        if any(type_name in (base.__name__ for base in type(cause).__mro__) for cause in causes):
            return trouble(causes) if callable(trouble) else trouble
    return Trouble("the connection failed", perhaps_sent=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Everything that ``error`` wraps, in whatever way."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _distrusted(causes: Iterable[BaseException]) -> Trouble:
    why = next((text for cause in causes if (text := getattr(cause, "verify_message", ""))), "")
    return Trouble(
        f"its certificate is not trusted{': ' + clean(str(why)).rstrip('.') if why else ''}",
        "If it is signed by a private CA, give that CA's certificate.",
        passing=False,
    )


#: By class name, so that neither requests nor urllib3 has to be loaded to have this table; the first match wins.
_TROUBLES: Mapping[str, Trouble | Callable[[Iterable[BaseException]], Trouble]] = {
    "ProxyError": Trouble("the proxy could not be used", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
    "SSLCertVerificationError": _distrusted,
    "gaierror": Trouble("the host's name cannot be resolved", "Check the address and the network's DNS."),
    "NameResolutionError": Trouble("the host's name cannot be resolved", "Check the address and the network's DNS."),
    "ConnectionRefusedError": Trouble("the connection was refused", "Check the address, its port and the firewall."),
    "NewConnectionError": Trouble("no connection could be made", "Check the address, proxy and firewall."),
    "ConnectTimeoutError": Trouble("no connection in time", "Check the address, proxy and firewall."),
    "ReadTimeoutError": Trouble("no answer in time", perhaps_sent=True),
    "TimeoutError": Trouble("no answer in time", perhaps_sent=True),
    "InvalidSchema": Trouble(
        "the proxy or address has a scheme that cannot be used", "For a SOCKS proxy install landed[socks].", False
    ),
    "InvalidURL": Trouble("the address is not a usable URL", "Check the option or secret that holds it.", False),
    "LocationValueError": Trouble("the address is not a usable URL", "Check the option or secret.", False),
    "InvalidHeader": Trouble("the token holds characters no header can", "Check it for line breaks.", False),
    "UnicodeError": Trouble("the token or address holds characters no request can", "Check both.", False),
    "SSLError": Trouble("the TLS connection failed", "Check that the address really speaks HTTPS.", perhaps_sent=True),
    "ProtocolError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ConnectionError": Trouble("the connection was lost before an answer came", perhaps_sent=True),
    "ValueError": Trouble("its answer makes no sense", perhaps_sent=True),
}


def retry_after(value: str, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, either form (RFC 9110, 10.2.3); None where it makes no sense."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def spoken(seconds: float) -> str:
    """``45 s``, ``10 min``, ``2 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def status_text(status: int) -> str:
    """``404 Not Found``."""
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def host_of(url: str) -> str:
    """The host (and port) of ``url``, never its user, path or query; empty where there is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    host = clean(f"[{host}]" if ":" in host else host)[:255]
    return f"{host}:{port}" if host and port else host


_URL = re.compile(r"\b(https?://)(?:[^\s/?#\"'<>@]*@)?([^\s/?#\"'<>\\]+)[/?#][^\s\"'<>]*", re.IGNORECASE)


def clean(text: str) -> str:
    """``text`` on one line, without characters that control a terminal or hide something."""
    return " ".join(render.clean(text).split())


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """The beginning of an answer, fit for a message: cleaned, redacted, then cut."""
    text = clean(redact(body[:65536].decode(errors="replace"), secrets))
    return text if len(text) <= EXCERPT_LIMIT else text[: EXCERPT_LIMIT - 1] + "…"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in ``text``, also URL-encoded or in base64, by ``***``, and every URL's path by ``…``."""
    known = tuple(secret for secret in secrets if secret)
    for core in {core for secret in known if len(secret) >= 6 for core in _base64_cores(secret)}:
        text = _without_words(text, core)
    for form in sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True):
        text = text.replace(form, "***")
    return _URL.sub(r"\1\2/…", text)


def _forms(secret: str) -> tuple[str, ...]:
    plain = secret.encode(errors="replace")
    return (secret, quote(plain, safe=""), quote(plain), quote_plus(plain), secret.replace("/", "\\/"))


def _base64_cores(secret: str) -> Iterator[str]:
    """The part of base64 that is the same whatever stands before and behind, at each of three positions."""
    from base64 import b64encode

    plain = secret.encode(errors="replace")
    for before in range(3):
        whole = (before + len(plain)) // 3 * 4
        core = b64encode(bytes(before) + plain).decode()[(0, 2, 3)[before] : whole]
        yield core
        yield core.replace("+", "-").replace("/", "_")


_WORD_END = re.compile(r"[\w+/-]*=*", re.ASCII)
_WORD_START = re.compile(r"[^\w+/-]", re.ASCII)


def _without_words(text: str, core: str) -> str:
    """``text`` with ``***`` for every word that holds ``core``. In linear time: the text is a stranger's."""
    kept = []
    start = 0
    while (found := text.find(core, start)) >= 0:
        word = text[start:found]
        cuts = [match.end() for match in _WORD_START.finditer(word)]
        kept += [word[: cuts[-1] if cuts else 0], "***"]
        end = _WORD_END.match(text, found + len(core))
        start = end.end() if end else found + len(core)
    return "".join([*kept, text[start:]])


def secrets_of(request: Request) -> tuple[str, ...]:
    """Everything in ``request`` that may not be told: its URL as a whole and in parts, and its secret headers."""
    url = request.url.reveal()
    parts = urlsplit(url)
    pieces = [piece for piece in re.split(r"[/?&=#]", parts.path + "?" + parts.query) if len(piece) >= 6]
    held = [value.reveal() for value in request.headers.values() if isinstance(value, Secret)]
    held += [held_word for value in held for held_word in value.split() if len(held_word) >= 6]
    whole = [text for text in (url, parts.path, parts.query, parts.username, parts.password) if text and len(text) > 1]
    return (*whole, *pieces, *held)


def silence() -> None:
    """Keep urllib3 from logging: its lines hold whole URLs, and warnings reach stderr without anybody's doing."""
    import logging

    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


def trusted(ca_file: str = "") -> bool | str:
    """What to pass as ``verify``: the usual roots, or a file that holds them and those of ``ca_file``.

    Without ``ca_file`` the environment is heard as it is by other tools (``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``);
    with it, it is added to them. Raises ConfigurationError.
    """
    import os
    import ssl
    from pathlib import Path

    from certifi import where

    given = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    if not ca_file:
        return given or True
    roots = dict.fromkeys((where(), ssl.get_default_verify_paths().cafile or "", given, ca_file))
    try:
        ssl.create_default_context(cafile=ca_file)
        texts = [Path(root).read_text() for root in roots if root and (root == ca_file or Path(root).is_file())]
        return _kept("\n".join(texts))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The CA file {ca_file} cannot be used: {getattr(error, 'strerror', '') or 'not in PEM format'}.",
            "Give a file with certificates in PEM format.",
        ) from None


def _kept(text: str) -> str:
    """Write ``text`` to a file that is gone when the process ends."""
    import atexit
    import os
    import tempfile
    from pathlib import Path

    handle, name = tempfile.mkstemp(prefix="landed-ca-", suffix=".pem")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    atexit.register(Path(name).unlink, missing_ok=True)
    return name


__all__ = [
    "Http",
    "Patience",
    "Request",
    "Response",
    "TokenBucket",
    "Trouble",
    "diagnose",
    "json_request",
    "redact",
]
