"""Writes: what a server says to one that it refuses, in words, and when a connection is no good for one any more."""

from __future__ import annotations

import re
import select
from typing import Any

from landed.errors import ClusterError
from landed.kube import problems
from landed.kube.credentials import Identity
from landed.kube.endpoint import Endpoint
from landed.kube.errors import Conflict, Forbidden, NotServed, Unanswered
from landed.kube.grants import asked, grant
from landed.kube.wire import Answer

#: What authorization calls a method, https://kubernetes.io/docs/reference/access-authn-authz/authorization/
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

#: The server may have carried it out before it failed, or something in between has lost its answer.
UNSURE = frozenset({500, 502, 503, 504})

PERHAPS = "It may have been carried out all the same."


def ended(sock: Any) -> bool:
    """Whether the other side has closed a connection on which nothing is under way: nothing may be sent on it then, for
    nobody could tell whether it arrived. Also true where something came unasked.
    """
    poll = select.poll()
    try:
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True


def refused(endpoint: Endpoint, method: str, path: str, answer: Answer, who: Identity) -> ClusterError:
    """The error for an answer that is not what was asked for."""
    said = problems._message(bytes(answer.body))
    resource, namespace, name = asked(path)
    what = f"{resource} {namespace}/{name}".strip("/ ") if name else f"{resource} in namespace {namespace}"
    if answer.status == 404:
        return NotServed(f"{endpoint.subject} has no {what} (404).", f"{said}." if said else "")
    if answer.status == 409:
        return Conflict(f"{endpoint.subject} refuses {what}, which has changed meanwhile (409).", f"{said}.")
    if answer.status == 403:
        return _forbidden(endpoint, VERBS[method], path, said, what) or _answered(endpoint, method, path, answer, who)
    error = _answered(endpoint, method, path, answer, who)
    return Unanswered(error.message, PERHAPS) if answer.status in UNSURE else error


def lost(endpoint: Endpoint, error: Exception, timeout: float, who: Identity) -> Unanswered:
    """The error for a request that was sent, or in part, and got no answer."""
    return Unanswered(problems.failed(endpoint, error, timeout, who).message, PERHAPS)


def _answered(endpoint: Endpoint, method: str, path: str, answer: Answer, who: Identity) -> ClusterError:
    return problems.answered(endpoint, method, path, answer.status, answer.headers, bytes(answer.body), who)


def _forbidden(endpoint: Endpoint, verb: str, path: str, said: str, what: str) -> Forbidden | None:
    """The right that is missing; None where it is we who are not known."""
    match = re.search(r'User "([^"]*)"', said)
    user = match.group(1) if match else ""
    if user == "system:anonymous":
        return None
    resource, namespace, name = asked(path)
    whom = f'user "{user or endpoint.user}"' if user or endpoint.user else "us"
    message = f"{endpoint.subject} does not let {whom} {verb} {what} (403)."
    return Forbidden(message, grant(verb, resource, user, namespace, name))
