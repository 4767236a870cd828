"""Answers: what is read of one, what may be said of it, and what a refusal means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from landed.errors import DeliveryError
from landed.http.values import Request, Response, secrets_of
from landed.http.words import clean, host_of, status_text
from landed.redact import redact

if TYPE_CHECKING:
    from requests import Response as RawResponse

#: Answers that say "later": nothing is wrong with the request.
LATER = frozenset({429, 502, 503, 504})
#: Of these, the ones of a gateway that may have passed the request on.
PERHAPS_DONE = frozenset({502, 504})
#: Bytes of an answer that are read where nothing else is asked for; characters of it that an error quotes.
ANSWER_LIMIT, EXCERPT_LIMIT = 1 << 20, 200

#: What to do about a refusal that the service itself has no words for.
HINTS = {
    401: "Check the token: it is missing, wrong or expired.",
    403: "Check the address and what its token may do.",
    404: "Check the address: there is nothing at that place (any more).",
    410: "Check the address: what was there has been removed.",
    413: "The message is too large for the receiver.",
    429: "Too many requests; the update is sent by the next run.",
}


def answer_of(request: Request, raw: RawResponse, limit: int = ANSWER_LIMIT, secrets: Iterable[str] = ()) -> Response:
    """Read the answer to ``request``, at most ``limit`` bytes of it; nothing of ``secrets`` is quoted of it."""
    body = raw.raw.read(limit, decode_content=True)
    return Response(
        raw.status_code,
        {name.lower(): value for name, value in raw.headers.items()},
        body,
        request.origin,
        excerpt(body, (*secrets_of(request), *secrets)),
    )


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """The beginning of an answer, fit for a message: cleaned, redacted, then cut."""
    text = clean(redact(body[:65536].decode(errors="replace"), secrets))
    return text if len(text) <= EXCERPT_LIMIT else text[: EXCERPT_LIMIT - 1] + "…"


def refusal(request: Request, answer: Response, uncertain: bool) -> DeliveryError:
    """The error that ``answer`` is; ``uncertain`` where the request may have been carried out all the same."""
    if answer.status < 400:
        return DeliveryError(
            f"{answer.origin} answered {status_text(answer.status)}{_destination(request, answer)};"
            " redirects are not followed.",
            "Check the address: it should be the final one.",
        )
    said = f": {answer.excerpt}" if answer.excerpt else "."
    gone = answer.status not in LATER and any(_says(answer, sign) for sign in request.gone)
    return DeliveryError(
        f"{answer.origin} answered {status_text(answer.status)}{said}",
        _hint(request, answer),
        passing=not gone and (answer.status in LATER or answer.status >= 500),
        uncertain=uncertain,
        gone=gone,
    )


def not_taken(
    response: Response,
    hints: Mapping[str, str],
    usual: str = "",
    *,
    passing: Iterable[str] = (),
    gone: Iterable[str] = (),
) -> DeliveryError:
    """The error that a 2xx is which does not say that the message was taken.

    The first of ``hints`` whose sign is in what it quotes says what to do, else ``usual``; ``passing`` and ``gone`` are
    signs as well.
    """
    said = response.excerpt
    return DeliveryError(
        f"{response.origin} answered {status_text(response.status)} without taking the message"
        f"{f': {said}' if said else ', but nothing else'}",
        next((hint for sign, hint in hints.items() if sign in said), usual),
        passing=any(sign in said for sign in passing),
        gone=any(sign in said for sign in gone),
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
    return next((hint for sign, hint in request.hints.items() if _says(answer, sign)), HINTS.get(answer.status, ""))


def _says(answer: Response, sign: str) -> bool:
    """Whether ``sign`` is the answer's status or, if it is no number of that kind, a word of its body."""
    if len(sign) == 3 and sign.isdigit():
        return sign == str(answer.status)
    return sign in answer.body[:4096].decode(errors="replace")
