"""The door itself: sends a request, again where that is right, and gives its answer.

Requests go through ``requests``' transport adapter, without its Session: a Session lets ``~/.netrc`` replace an
Authorization header, ``REQUESTS_CA_BUNDLE`` replace a given CA, follows redirects and has no timeout
(https://requests.readthedocs.io/en/latest/user/advanced/ , ``authentication/#netrc-authentication``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from landed import __version__
from landed.http.answers import ANSWER_LIMIT, LATER, PERHAPS_DONE, answer_of, refusal
from landed.http.diagnosis import PROXY_REFUSES, Trouble, diagnose, refused_by_proxy, unanswered
from landed.http.pacing import MAX_WAIT, Patience, retry_after, said_in
from landed.http.route import AS_USUAL, Route, secrets_of_proxy
from landed.http.values import Request, Response, usable
from landed.model import Network, Secret

if TYPE_CHECKING:
    from requests import PreparedRequest
    from requests import Response as RawResponse

#: Seconds to make a connection (just over the 3 s after which TCP sends its first packet again), and between bytes.
CONNECT_TIMEOUT, READ_TIMEOUT = 3.05, 15.0
#: Methods that may be repeated although an earlier try may have been carried out (RFC 9110, 9.2.2).
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})

USER_AGENT = f"landed/{__version__}"


class Http:
    """Sends requests. Safe to use from several threads; costs nothing until the first request."""

    def __init__(
        self,
        *,
        network: Network = AS_USUAL,
        max_wait: float = MAX_WAIT,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
        answer_limit: int = ANSWER_LIMIT,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """``timeout`` in seconds, to connect and between bytes; what ``network`` says of it goes before."""
        connect, between = timeout
        self._timeout = (min(connect, network.timeout), network.timeout) if network.timeout else (connect, between)
        self._route = Route(network)
        self._max_wait = max_wait
        self._answer_limit = answer_limit
        self._sleep = sleep

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
            answer = self._once(request)
            if isinstance(answer, Response):
                if 200 <= answer.status < 300:
                    return answer
                asked = retry_after(answer.headers.get("retry-after", ""), time.time())
                asked = said_in(answer.body) if asked is None else asked
                uncertain = answer.status in PERHAPS_DONE and not _repeatable(request)
                failure, again = refusal(request, answer, uncertain), answer.status in LATER and not uncertain
            else:
                asked = None
                uncertain = answer.perhaps_sent and not _repeatable(request)
                failure, again = unanswered(request, answer, uncertain), answer.passing and not uncertain
            if not (again and patience.wait(asked)):
                raise patience.worded(failure) if again else failure

    def exchange(self, request: Request) -> Response | Trouble:
        """Send ``request`` once and return its answer whatever the status, or why there is none.

        Raises DeliveryError if its address is none.
        """
        usable(request)
        return self._once(request)

    def _once(self, request: Request) -> Response | Trouble:
        import requests
        from urllib3.exceptions import HTTPError

        body, proxy = _Body(request.body), ""
        try:
            proxy = self._route.proxy(request.url.reveal(), request.origin)
            with self._transmit(request, body, proxy) as raw:
                if proxy and raw.status_code == PROXY_REFUSES:
                    return refused_by_proxy(proxy, PROXY_REFUSES)
                return answer_of(request, raw, self._answer_limit, secrets_of_proxy(proxy))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            trouble = diagnose(error, proxy)
            return trouble._replace(perhaps_sent=body.given) if request.body else trouble

    def _transmit(self, request: Request, body: _Body, proxy: str) -> RawResponse:
        from requests import Request as RawRequest

        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"} | {
            name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers.items()
        }
        raw = RawRequest(
            request.method,
            request.url.reveal(),
            headers=headers,
            data=body if request.body else None,
            auth=_as_it_is if any(name.lower() == "authorization" for name in headers) else None,
        )
        adapter = self._route.adapter(request.origin)
        return adapter.send(
            raw.prepare(),
            stream=True,
            timeout=self._timeout,
            verify=self._route.verify,
            proxies={"all": proxy} if proxy else {},
        )

    def close(self) -> None:
        """Close all connections."""
        self._route.close()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_it_is(prepared: PreparedRequest) -> PreparedRequest:
    """A login of our own stays: one in the address would take its place, and is meant for where there is none."""
    return prepared


def _repeatable(request: Request) -> bool:
    return request.repeatable or request.method in REPEATABLE


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
