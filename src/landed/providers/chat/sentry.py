"""Sentry: failures as events, which become issues, and everything else as transactions, which do not.

A wait for a dependency is a transaction without any length: an issue would ask somebody to look at what ends by itself.
Each names the commit as its release. What is sent twice has the same id, and is taken once.

https://develop.sentry.dev/sdk/foundations/transport/envelopes/ ,
https://develop.sentry.dev/sdk/foundations/transport/event-payloads/ ,
https://docs.sentry.io/concepts/key-terms/dsn-explainer/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from landed import __version__
from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import Request, Response, json_request, not_taken
from landed.messages import one_line
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.interface import Complaint, Said, wanted
from landed.render import clean, cut, rfc3339

#: Characters of a message, of a tag's value and name, of a release, an environment (bytes) and a transaction's name.
#: https://develop.sentry.dev/sdk/foundations/transport/event-payloads/#size-limits
MESSAGE_LIMIT, TAG_LIMIT, TAG_NAME_LIMIT, RELEASE_LIMIT, ENVIRONMENT_LIMIT, NAME_LIMIT = 8192, 200, 32, 250, 64, 200
#: Seconds after which Sentry takes no event's time any more, and drops a transaction; an hour is left for its way.
#: https://getsentry.github.io/relay/relay_event_normalization/struct.EventValidationConfig.html
_EVENT_AGE, _TRANSACTION_AGE = 30 * 86400 - 3600, 5 * 86400 - 3600
#: Tags of one event, and lines of changes: Sentry's own limit is the size of all.
_MOST_TAGS, _CHANGES = 50, 100

_LEVELS = {State.FAILURE: "error", State.STALE: "warning"}
_INSTEAD = "Copy the DSN from the project's settings: https://PUBLIC_KEY@HOST/PROJECT_ID"
_HINTS = {
    "401": _INSTEAD,
    "403": _INSTEAD,
    "404": _INSTEAD,
    "413": "Sentry finds the event too large: take metadata off the Alert.",
    "429": "The project's quota or rate limit is used up; the update is sent by the next run.",
}


class Dsn(NamedTuple):
    """The parts of a DSN."""

    url: str
    """Where envelopes go."""
    public: str
    secret: str


class _Answer(Struct, frozen=True):
    id: str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One envelope with one item. Raises DeliveryError where the address is no DSN."""
    payload = wanted(Occurrence, payload)
    dsn, service = parsed(channel.address.reveal()), channel.called("Sentry")
    if dsn is None:
        raise DeliveryError(f"{service}: the address is no DSN.", _INSTEAD)
    failed = payload.state in _LEVELS
    item = _failure(channel, payload) if failed else _transaction(channel, payload)
    return (_enveloped(item, "event" if failed else "transaction", dsn, channel, service),)


def acknowledged(response: Response) -> str:
    """Nothing to edit later by. Raises DeliveryError unless the answer has an id."""
    try:
        answer = decode(response.body, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if not re.fullmatch("[0-9a-f]{32}", answer.id.replace("-", "").lower()):
        raise not_taken(response, {}, _INSTEAD)
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Of an address that is no DSN, and of an environment that Sentry does not take."""
    found = []
    if parsed(channel.address.reveal()) is None:
        found.append(Complaint("spec.address", "the address is no DSN", _INSTEAD))
    name = channel.channel
    if name and not _fits(name):
        what = "as the environment it may not be `None` or dots, have more than 64 bytes, line breaks or slashes"
        found.append(Complaint("spec.channel", what, "Give a name such as production, or leave it out."))
    return tuple(found)


def parsed(address: str) -> Dsn | None:
    """The parts of the DSN ``address``; None where it is none. A secret key and options in a query are of old: Sentry
    needs none.
    """
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    root, _, project = parts.path.rpartition("/")
    public, secret, host = parts.username or "", parts.password or "", parts.hostname or ""
    good = (
        re.fullmatch("[!-~]+", address)
        and parts.scheme in ("http", "https")
        and re.fullmatch("[0-9A-Za-z_-]{1,128}", public)
        and re.fullmatch("[0-9A-Za-z_-]{0,128}", secret)
        and re.fullmatch("[0-9]{1,20}", project)
        and re.fullmatch("(/[0-9A-Za-z_~-][0-9A-Za-z._~-]*)*", root)
        and host
    )
    host = f"[{host}]" if ":" in host else host
    return Dsn(f"{parts.scheme}://{host}{port}{root}/api/{project}/envelope/", public, secret) if good else None


def environment(name: str) -> str:
    """``name`` as Sentry takes it: https://docs.sentry.io/concepts/key-terms/environments/#creating-environments ."""
    if _fits(name):
        return name
    text = re.sub(r"[/\\\s]+", "-", one_line(name)).encode()[:ENVIRONMENT_LIMIT].decode(errors="ignore").strip("-")
    return text if _fits(text) else ""


def _fits(name: str) -> bool:
    """Whether Sentry takes it as it is: blanks within it, too."""
    plain = bool(name) and one_line(name) == name and not re.search(r"[/\\]", name)
    return plain and len(name.encode()) <= ENVIRONMENT_LIMIT and name.lower() not in ("none", ".", "..")


def _enveloped(item: dict[str, Any], kind: str, dsn: Dsn, channel: Channel, service: str) -> Request:
    made = json_request(Secret(dsn.url), item, service=service)
    header = {"event_id": item["event_id"]}
    about = {"type": kind, "content_type": "application/json", "length": len(made.body)}
    body = b"\n".join([msgspec.json.encode(header), msgspec.json.encode(about), made.body, b""])
    parts = {"sentry_version": "7", "sentry_client": f"landed/{__version__}", "sentry_key": dsn.public}
    parts |= {"sentry_secret": dsn.secret} if dsn.secret else {}
    auth = Secret("Sentry " + ", ".join(f"{name}={value}" for name, value in parts.items()))
    return Request(
        "POST",
        made.url,
        {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth},
        body,
        service,
        _HINTS,
        repeatable=True,
        hidden=tuple(Secret(key) for key in (channel.address.reveal(), dsn.public, dsn.secret) if key),
    )


def _failure(channel: Channel, told: Occurrence) -> dict[str, Any]:
    """Grouped by object and reason: a failure that comes again is the same issue."""
    message = clean(told.event.message).encode(errors="replace").decode()
    return {
        **_common(channel, told, _taken(told, _EVENT_AGE)),
        "level": _LEVELS[told.state],
        "logentry": {"formatted": cut(message, MESSAGE_LIMIT) or one_line(told.event.reason) or "–"},
        "fingerprint": [one_line(told.key), one_line(told.event.reason) or "–"],
    }


def _transaction(channel: Channel, told: Occurrence) -> dict[str, Any]:
    """From when it began to when it was live; a wait has no length."""
    waits, end = told.state is State.PENDING, _taken(told, _TRANSACTION_AGE)
    return {
        **_common(channel, told, end),
        "type": "transaction",
        "transaction_info": {"source": "custom"},
        "start_timestamp": end if waits else max(0, end - told.seconds),
        "spans": [],
    }


def _taken(told: Occurrence, age: int) -> int:
    """When it happened; when it is told, where that is too long ago for Sentry, or still to come in our clock."""
    return told.at if 0 <= told.told - told.at < age or not told.told else told.told


def _common(channel: Channel, told: Occurrence, at: int) -> dict[str, Any]:
    about, event = told.event.involvedObject, told.event
    named = {
        "release": one_line(told.commit)[:RELEASE_LIMIT],
        "environment": environment(channel.channel) or environment(told.cluster),
        "server_name": one_line(event.reportingController),
    }
    return {
        "event_id": _id(told, "event")[:32],
        "timestamp": at,
        "platform": "other",
        "logger": "landed",
        **{name: value for name, value in named.items() if value},
        "transaction": one_line(f"{about.kind}: {about.namespace}/{about.name}")[:NAME_LIMIT],
        "tags": _tags(told),
        "contexts": {"trace": _trace(told), "flux": _flux(told)},
    }


def _tags(told: Occurrence) -> dict[str, str]:
    """As Flux names them, and what its metadata adds; a value that is too long is in the context in full."""
    about, event = told.event.involvedObject, told.event
    own = {
        "flux_involved_object_kind": about.kind,
        "flux_involved_object_namespace": about.namespace,
        "flux_involved_object_name": about.name,
        "flux_reporting_controller": event.reportingController,
        "flux_reason": event.reason,
        "cluster": told.cluster,
    }
    # These are fields of their own, and as tags they would be dropped.
    kept = {"environment", "release", "server_name", "transaction", "level", "logger"}
    given = {re.sub("[^0-9A-Za-z_.:-]", "_", key)[:TAG_NAME_LIMIT]: value for key, value in event.metadata.items()}
    tags = {**own, **{key: value for key, value in sorted(given.items()) if key and key not in {*kept, *own}}}
    return {key: cut(said, TAG_LIMIT) for key, value in list(tags.items())[:_MOST_TAGS] if (said := one_line(value))}


def _trace(told: Occurrence) -> dict[str, str]:
    """One trace for each commit, or each trouble that no commit is known of."""
    trace = _digest(str(told.repository), told.commit) if told.commit else _id(told, "trace")
    status = {State.SUCCESS: "ok", State.PENDING: "unknown"}.get(told.state, "internal_error")
    operation = "flux.wait" if told.state is State.PENDING else "flux.reconcile"
    return {"trace_id": trace[:32], "span_id": _id(told, "span")[:16], "op": operation, "status": status}


def _flux(told: Occurrence) -> dict[str, Any]:
    """Everything that is known of it."""
    more = len(told.changes) - _CHANGES
    changes = [*told.changes[:_CHANGES], *([f"… and {more} more"] if more > 0 else [])]
    known = {
        **dict(sorted(told.event.metadata.items())),
        "message": clean(told.event.message)[:MESSAGE_LIMIT],
        "reason": told.event.reason,
        "cluster": told.cluster,
        "repository": str(told.repository) if told.commit else "",
        "commit": told.commit,
        "url": told.url,
        "uid": told.event.involvedObject.uid,
        "since": rfc3339(told.at),
        "changes": "\n".join(changes),
    }
    return {_safe(key): _safe(value) for key, value in known.items() if value and key != "type"}


def _id(told: Occurrence, what: str) -> str:
    """The same for the same occurrence, whoever tells it, and whenever."""
    return _digest(what, told.key, told.state, str(told.at), told.commit, told.event.reason)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def _safe(text: str) -> str:
    """Half a surrogate pair is no Unicode, and no JSON."""
    return text.encode(errors="replace").decode()
