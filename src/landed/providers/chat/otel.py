"""OpenTelemetry: one trace for each commit, with a span for whatever came of it, over OTLP/HTTP in protobuf.

Ids follow from what a span is about, so that every run, on whatever machine, adds to the same trace, and a span that is
sent twice is the same one. The span of a commit on a cluster is the parent of those of its objects there.

https://opentelemetry.io/docs/specs/otlp/#otlphttp ,
https://opentelemetry.io/docs/specs/semconv/registry/attributes/vcs/ ,
https://fluxcd.io/flux/components/notification/providers/#otel
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import structs

from landed import __version__
from landed.http import Request, Response, not_taken
from landed.http import clean as clean_line
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.credentials import basic
from landed.providers.interface import Complaint, Said, wanted
from landed.render import clean, cut

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

#: Characters of a value and of a name, and attributes of one span. OTLP has no limits; receivers have, of their own.
VALUE_LIMIT, NAME_LIMIT, MOST = 4096, 256, 128
_BINARY = "application/x-protobuf"
#: Headers that say what the body is: those are ours.
_OURS = frozenset({"content-type", "content-length", "content-encoding", "host", "transfer-encoding"})
#: The last second that fits into 64 bits of nanoseconds.
_LAST = (2**64 - 1) // 10**9
_TROUBLE = frozenset({State.FAILURE, State.STALE})

_ADDRESS = "Check the address: that of an OTLP/HTTP receiver, such as https://collector.example.com:4318/v1/traces"
_REJECTED = "See the receiver's log for why."
_HINTS = {
    "404": _ADDRESS,
    "405": _ADDRESS,
    "415": "The receiver takes no protobuf there: give the address of one that takes OTLP/HTTP with protobuf.",
    "413": "The receiver finds the span too large: take metadata off the Alert, or raise the receiver's limit.",
}


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One span. Sent again it is the same one, so that it may be."""
    payload = wanted(Occurrence, payload)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

    span = _span(payload)
    scope = InstrumentationScope(name="landed", version=__version__)
    resource = Resource(attributes=_attributes(_resource(channel, payload)))
    held = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=[span])])
    message = ExportTraceServiceRequest(resource_spans=[held])
    return (
        Request(
            "POST",
            _url(channel),
            _headers(channel),
            message.SerializeToString(deterministic=True),
            channel.called("OpenTelemetry"),
            _HINTS,
            repeatable=True,
            hidden=(channel.password,) if channel.password else (),
            handle=f"{span.trace_id.hex()}-{span.span_id.hex()}",
        ),
    )


def acknowledged(response: Response) -> str:
    """What the span is called is known before. Raises DeliveryError unless the receiver says that it has kept it.

    https://opentelemetry.io/docs/specs/otlp/#partial-success-1 : it may answer 200 and say that it rejects spans.
    """
    answer = _answer(response)
    if answer is None:
        raise not_taken(response, {}, _ADDRESS)
    if answer.rejected_spans > 0:
        # What stands before its words in the excerpt is protobuf, and may look like letters.
        begin = max(response.excerpt.find(clean_line(answer.error_message)[:16]), 0)
        raise not_taken(structs.replace(response, excerpt=response.excerpt[begin:]), {}, _REJECTED)
    return ""


def complaints(channel: Channel) -> Sequence[Complaint]:
    """Of half a login."""
    if channel.username and not (channel.token or channel.password) and not _authorized(channel):
        return (Complaint("spec.secretRef", "there is a user and no `password`", "Add it, or leave out the user."),)
    if not re.fullmatch("[!-~]*", channel.token.reveal()):
        return (Complaint("spec.secretRef", "`token` cannot be sent in a header", "Give one without blanks."),)
    return ()


def shown(body: bytes) -> object:
    """``body`` of a request as JSON, for people to look at; ids in hexadecimal, as OTLP writes them in JSON."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    told = MessageToDict(ExportTraceServiceRequest.FromString(body))
    for resource in told.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for holder in (span, *span.get("links", ())):
                    for name in {"traceId", "spanId", "parentSpanId"} & set(holder):
                        holder[name] = base64.b64decode(holder[name]).hex()
    return told


def _answer(response: Response) -> ExportTracePartialSuccess | None:
    """What the receiver says of the spans; None where it does not say that it is a receiver at all.

    Nothing at all is how protobuf writes that all is well.
    """
    from google.protobuf.json_format import Parse, ParseError
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceResponse,
    )

    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not response.body.strip():
        return ExportTracePartialSuccess()
    if kind not in ("", _BINARY, "application/json", "application/octet-stream"):
        return None
    try:
        if kind == "application/json":
            if not response.body.lstrip().startswith(b"{"):  # an empty list would pass for an object
                return None
            answer = Parse(response.body, ExportTraceServiceResponse(), ignore_unknown_fields=True)
        else:
            answer = ExportTraceServiceResponse.FromString(response.body)
    except (DecodeError, ParseError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return answer.partial_success


def _url(channel: Channel) -> Secret:
    """Where traces go: the address without a slash at its end, or the usual place on a server
    (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
    """
    parts = urlsplit(channel.address.reveal())
    return Secret(parts._replace(path=parts.path.rstrip("/") or "/v1/traces").geturl())


def _headers(channel: Channel) -> dict[str, Secret | str]:
    """The user's own; who we are is said in addition, unless they say it."""
    given: dict[str, Secret | str] = {name: value for name, value in channel.headers if name.lower() not in _OURS}
    login = channel.password if channel.username and channel.password else channel.token or channel.password
    if login and not _authorized(channel):
        user, key = channel.username, login.reveal()
        given["Authorization"] = basic(user, key) if user else Secret(f"Bearer {key}")
    return {"Content-Type": _BINARY, **given}


def _authorized(channel: Channel) -> bool:
    return any(name.lower() == "authorization" and value for name, value in channel.headers)


def _span(told: Occurrence) -> Span:
    """From when it began to when it ended. A wait for a dependency is a moment, and neither good nor bad."""
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    trace, end = _trace(told), min(max(told.at, 0), _LAST) * 10**9
    length = 0 if told.state is State.PENDING else round(max(told.seconds, 0.0) * 10**6) * 1000
    root = _bytes(trace.hex(), "commit", told.cluster)[:8]
    known = re.fullmatch("([0-9a-f]{32})-([0-9a-f]{16})", told.handle)
    # Where the commit's own span was sent before it had this result, what came of it since is a part of that.
    again = known is not None and known[1] == trace.hex()
    whole = _is_whole(told) and not again
    return Span(
        trace_id=trace,
        span_id=root if whole else _bytes(told.key, told.state, str(told.at), told.commit, told.event.reason)[:8],
        parent_span_id=root if told.commit and not whole else b"",
        flags=1,
        name=_value(_name(told), NAME_LIMIT),
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=max(end - length, 0),
        end_time_unix_nano=end,
        attributes=_attributes(_about(told)),
        links=[Span.Link(trace_id=bytes.fromhex(known[1]), span_id=bytes.fromhex(known[2]))] if known else [],
        status=_status(told),
    )


def _trace(told: Occurrence) -> bytes:
    """Of a commit the same for all clusters; of a trouble that no commit is known of its own."""
    if told.commit:
        return _bytes(str(told.repository), told.commit)[:16]
    return _bytes("trace", told.key, told.state, str(told.at), told.event.reason)[:16]


def _bytes(*parts: str) -> bytes:
    """An id. That of nothing but zeroes is none, and comes of no text that anybody knows."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).digest()


def _is_whole(told: Occurrence) -> bool:
    return bool(told.commit) and not told.event.involvedObject.kind


def _name(told: Occurrence) -> str:
    about = told.event.involvedObject
    return (
        f"{about.kind}: {about.namespace}/{about.name}" if about.kind else f"{told.repository.path} on {told.cluster}"
    )


def _status(told: Occurrence) -> Status:
    """A message is for errors only: https://opentelemetry.io/docs/specs/otel/trace/api/#set-status ."""
    from opentelemetry.proto.trace.v1.trace_pb2 import Status

    if told.state in _TROUBLE:
        said = _value(told.event.message) or _value(told.event.reason)
        return Status(code=Status.STATUS_CODE_ERROR, message=said)
    return Status(code=Status.STATUS_CODE_OK if told.state is State.SUCCESS else Status.STATUS_CODE_UNSET)


def _resource(channel: Channel, told: Occurrence) -> dict[str, str]:
    """Whose telemetry it is: the Alert's, as with Flux; the commit is the version that it speaks of."""
    alert = channel.name.removeprefix("Alert ") if channel.name.startswith("Alert ") else ""
    metadata = told.event.metadata
    return {
        "service.name": alert or "landed",
        "service.namespace": alert.partition("/")[0],
        "service.version": told.commit,
        "deployment.environment.name": metadata.get("env") or metadata.get("environment") or told.cluster,
        "k8s.cluster.name": told.cluster,
    }


def _about(told: Occurrence) -> dict[str, str | Sequence[str]]:
    """What Flux says in its spans, ``object.`` and the metadata, and what the conventions have names for."""
    about, event = told.event.involvedObject, told.event
    branch = re.match("(?:refs/(?:heads|tags)/)?([^@:]+)@", event.metadata.get("revision", ""))
    at = f"https://{told.repository.host}/{told.repository.path}" if told.commit and told.repository.host else ""
    own = {
        "object.kind": about.kind,
        "object.name": about.name,
        "object.namespace": about.namespace,
        "object.uid": about.uid,
        "k8s.namespace.name": about.namespace,
        "vcs.ref.head.revision": told.commit,
        "vcs.ref.head.name": branch[1] if branch and told.commit else "",
        "vcs.repository.url.full": at,
        "flux.reason": event.reason,
        "flux.message": event.message,
        "flux.severity": event.severity,
        "flux.controller": event.reportingController,
        "flux.changes": told.changes[:MOST],
        "url.full": told.url,
    }
    given = {key: value for key, value in sorted(event.metadata.items()) if key not in own}
    return {**own, **dict(list(given.items())[: MOST - len(own)])}


def _attributes(values: Mapping[str, str | Sequence[str]]) -> list[KeyValue]:
    """In order, without those that say nothing."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

    def held(value: str | Sequence[str]) -> AnyValue:
        if isinstance(value, str):
            return AnyValue(string_value=_value(value))
        return AnyValue(array_value=ArrayValue(values=[held(each) for each in value]))

    named: dict[str, str | Sequence[str]] = {}
    for key, value in values.items():
        if value and _value(key, NAME_LIMIT):
            named.setdefault(_value(key, NAME_LIMIT), value)
    return [KeyValue(key=key, value=held(value)) for key, value in named.items()]


def _value(text: str, limit: int = VALUE_LIMIT) -> str:
    """``text`` without control characters, and cut. Half a surrogate pair is no Unicode, and no protobuf."""
    return cut(clean(text).encode(errors="replace").decode(), limit)
