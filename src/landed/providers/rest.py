"""A Git host's API that is spoken to without an SDK: JSON over the one door."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from landed.errors import ConfigurationError
from landed.http import Http, Request, TokenBucket, Trouble, host_of, secrets_of_proxy
from landed.model import GitHost, Secret
from landed.providers.asking import Answer, Asker, Dialect, Exchange
from landed.redact import hider

#: Seconds to make a connection, and between bytes.
CONNECT_TIMEOUT = 3.05
#: Bytes of an answer: a page of a hundred long comments must fit.
ANSWER_LIMIT = 16 << 20


def asker(
    host: GitHost,
    dialect: Dialect,
    headers: Mapping[str, Secret | str],
    *,
    timeout: float,
    turns: TokenBucket | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Asker:
    """Ask ``host`` with these headers on every request; a path that begins with / goes below ``host.api_url``.

    ``timeout`` is in seconds, between bytes, where the host has none. Raises ConfigurationError where the address
    cannot be used; so does the first request, where proxy or certificates cannot.
    """
    if not host.api_url.startswith(("https://", "http://")) or not host_of(host.api_url):
        raise ConfigurationError(
            f"The address of {dialect.api} is not a URL.",
            f"Give one with --git-host {host.host}={host.type}=https://…",
        )
    http = Http(network=host.network, timeout=(min(CONNECT_TIMEOUT, timeout), timeout), answer_limit=ANSWER_LIMIT)
    return Asker(host, dialect, exchange(http, host.api_url, headers, host.network.proxy), turns=turns, sleep=sleep)


def exchange(http: Http, api_url: str, headers: Mapping[str, Secret | str], proxy: Secret) -> Exchange:
    """One request through ``http``, and its answer; a refusal does not repeat what is secret of ``proxy``."""
    hide = hider(map(Secret, secrets_of_proxy(proxy.reveal())))

    def one(verb: str, url: str, body: Mapping[str, Any] | None) -> Answer | Trouble:
        content = {} if body is None else {"Content-Type": "application/json"}
        request = Request(
            verb,
            Secret(f"{api_url}{url}" if url.startswith("/") else url),
            {"Accept": "application/json", **content, **headers},
            b"" if body is None else msgspec.json.encode(body),
        )
        answer = http.exchange(request)
        if isinstance(answer, Trouble):
            return answer
        text = answer.body.decode(errors="replace")
        return Answer(answer.status, answer.headers, text if answer.status < 300 else hide(text))

    return one
