"""A receiver of OTLP/HTTP in protobuf, read with OpenTelemetry's own definitions.

What protobuf does not say of a span is OURS, from https://opentelemetry.io/docs/specs/otlp/ ,
https://github.com/open-telemetry/opentelemetry-proto (the comments of ``trace.proto``) and
https://www.w3.org/TR/trace-context/#trace-id .
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.way import Way
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from standins.server import Answer, Asked, StandIn

if TYPE_CHECKING:
    import ssl

BINARY = "application/x-protobuf"
TOKEN = "dt0c01.ST2EY72KQINMH574WMNVI7YN"


class Receiver:
    """One that wants a login, and if it is told to a header of its own."""

    def __init__(
        self, *, authorization: str = f"Bearer {TOKEN}", team: str = "", context: ssl.SSLContext | None = None
    ) -> None:
        self.server = StandIn(self._act, context=context)
        self.address = self.server.url
        self.token = TOKEN
        self._wanted = {"authorization": authorization, **({"x-team-key": team} if team else {})}
        self.faults = self.server.faults
        self.asked = self.server.asked
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.taken: list[Any] = []
        """Spans with their resource, as JSON; one that was taken already is not taken again."""
        self.violations: list[str] = []

    def __enter__(self) -> Receiver:
        self.server.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.server.__exit__(*problem)

    def _act(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) != ("POST", "/v1/traces"):
            return Answer(404, b"404 page not found")
        if any(asked.headers.get(name) != value for name, value in self._wanted.items()):
            return Answer(401, b"unauthenticated")
        if asked.headers.get("content-type") != BINARY:
            return Answer(415, b"unsupported media type")
        try:
            request = ExportTraceServiceRequest.FromString(asked.body)
        except DecodeError:
            return Answer(400, b"proto: cannot parse")
        problems = trace_problems(request)
        if problems:
            self.violations += problems
            return Answer(400, "; ".join(problems).encode())
        (held,) = request.resource_spans
        known = {(span.trace_id, span.span_id, span.end_time_unix_nano) for span in self.spans}
        for span in held.scope_spans[0].spans:
            if (span.trace_id, span.span_id, span.end_time_unix_nano) not in known:
                self.spans.append(span)
                self.resources.append(attributes(held.resource.attributes))
                self.taken.append(MessageToDict(held))
        return Answer(200, b"", {"Content-Type": BINARY})


def attributes(given: Any) -> dict[str, Any]:
    """Attributes by name: strings, and lists of them."""
    return {
        each.key: each.value.string_value or [value.string_value for value in each.value.array_value.values]
        for each in given
    }


def trace_problems(request: ExportTraceServiceRequest) -> list[str]:
    """What of ``request`` a receiver could not take, or not as it was meant."""
    problems = [] if len(UnknownFieldSet(request)) == 0 else ["unknown fields"]
    for held in request.resource_spans:
        if "service.name" not in attributes(held.resource.attributes):
            problems.append("no service.name")
        problems += _names(held.resource.attributes)
        for scope in held.scope_spans:
            problems += [] if scope.scope.name else ["no name of the scope"]
            for span in scope.spans:
                problems += span_problems(span)
    return problems or ([] if request.resource_spans else ["nothing"])


def span_problems(span: Span) -> list[str]:
    """What is wrong with one span."""
    problems = _names(span.attributes)
    ids = [(span.trace_id, 16), (span.span_id, 8), *((link.trace_id, 16) for link in span.links)]
    ids += [(link.span_id, 8) for link in span.links] + ([(span.parent_span_id, 8)] if span.parent_span_id else [])
    problems += ["an id that is none" for value, length in ids if len(value) != length or not any(value)]
    problems += ["it is its own parent"] if span.parent_span_id == span.span_id else []
    problems += ["it ends before it begins"] if span.end_time_unix_nano < span.start_time_unix_nano else []
    problems += ["no time"] if not span.end_time_unix_nano else []
    problems += ["no name"] if not span.name else []
    problems += ["no kind"] if span.kind == Span.SPAN_KIND_UNSPECIFIED else []
    if span.status.message and span.status.code != Status.STATUS_CODE_ERROR:
        problems.append("a message of what is no error")
    return problems


def _names(given: Any) -> list[str]:
    names = [each.key for each in given]
    empty = [f"{each.key} is empty" for each in given if not each.value.WhichOneof("value")]
    return [
        *empty,
        *(["a name that is there twice"] if len(set(names)) < len(names) else []),
        *([] if all(names) else ["an attribute without a name"]),
    ]


WAYS = {
    "otel": Way(
        "otel", "standins.otel", "Receiver", idempotent=True, wordless=True, content_type=BINARY,
        # Rejected: one span, and why.
        no=(b"\x0a\x0b\x08\x01\x12\x07too old",),
        example="https://otlp.example.com",
    ),
}  # fmt: skip
