"""What is OpenTelemetry's own: ids, times, parents, status, headers, and answers that take only a part."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToJson
from msgspec import structs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace import Status as SdkStatus
from standins.otel import TOKEN, Receiver, attributes, trace_problems
from standins.server import answer

from landed import __version__
from landed.errors import DeliveryError
from landed.http import Http, Request, Response
from landed.model import Channel, Event, InvolvedObject, Occurrence, Repository, Secret, State
from landed.providers.chat import otel
from landed.registry import CHAT

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
FLEET = Repository("github.com", "acme/fleet")
AT = 1_790_000_000
OBJECT = InvolvedObject("Kustomization", "apps", "web", "uid-1", "kustomize.toolkit.fluxcd.io/v1")


def happened(state: State = State.FAILURE, about: InvolvedObject = OBJECT, **changes: Any) -> Occurrence:
    metadata = {"cluster": "prod", "revision": f"main@sha1:{COMMIT}", "team": "web"}
    event = Event(
        about, "error", "2026-09-21T13:33:20Z", "timed out", "HealthCheckFailed", metadata, "kustomize-controller"
    )
    settings: dict[str, Any] = {"repository": FLEET, "commit": COMMIT, "seconds": 13.25, "url": "https://git.example/c"}
    settings |= {"cluster": "prod", "key": f"prod {about.kind}/{about.namespace}/{about.name}", "at": AT}
    return Occurrence(event, state, **(settings | changes))


def whole(state: State = State.SUCCESS, **changes: Any) -> Occurrence:
    return happened(state, InvolvedObject(name=COMMIT), **changes)


def channel(address: str = "https://otlp.example.com", **settings: Any) -> Channel:
    return Channel("otel", settings.pop("name", "Alert apps/on-call"), Secret(address), **settings)


def sent(told: Occurrence, **settings: Any) -> Request:
    (request,) = otel.requests(channel(**settings), told)
    return request


def message(told: Occurrence, **settings: Any) -> ExportTraceServiceRequest:
    read = ExportTraceServiceRequest.FromString(sent(told, **settings).body)
    assert trace_problems(read) == []
    return read


def span(told: Occurrence) -> Span:
    found: Span = message(told).resource_spans[0].scope_spans[0].spans[0]
    return found


def said(told: Occurrence) -> Mapping[str, Any]:
    return attributes(span(told).attributes)


# ── spans ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "code", "words", "length"),
    [
        (State.SUCCESS, Status.STATUS_CODE_OK, "", 13_250_000_000),
        (State.FAILURE, Status.STATUS_CODE_ERROR, "timed out", 13_250_000_000),
        (State.STALE, Status.STATUS_CODE_ERROR, "timed out", 13_250_000_000),
        (State.PENDING, Status.STATUS_CODE_UNSET, "", 0),
    ],
)
def test_state_and_length(state: State, code: int, words: str, length: int) -> None:
    one = span(happened(state))

    assert (one.status.code, one.status.message) == (code, words)
    assert one.end_time_unix_nano == AT * 10**9
    assert one.end_time_unix_nano - one.start_time_unix_nano == length


def test_what_flux_and_the_conventions_call_it() -> None:
    one = said(happened())

    assert span(happened()).name == "Kustomization: apps/web"
    assert (one["cluster"], one["team"]) == ("prod", "web")
    assert one["revision"] == f"main@sha1:{COMMIT}"
    assert [one[f"object.{name}"] for name in ("kind", "namespace", "name", "uid")] == [
        "Kustomization", "apps", "web", "uid-1"
    ]  # fmt: skip
    assert one["vcs.ref.head.revision"] == COMMIT
    assert one["vcs.ref.head.name"] == "main"
    assert one["vcs.repository.url.full"] == "https://github.com/acme/fleet"
    assert one["k8s.namespace.name"] == "apps"
    assert "flux.changes" not in one
    assert said(happened(changes=("a created", "b deleted")))["flux.changes"] == ["a created", "b deleted"]


def test_metadata_does_not_take_the_place_of_what_is_known() -> None:
    told = happened()
    event = structs.replace(
        told.event,
        metadata={"object.name": "forged", "object.name\x00": "forged", "vcs.ref.head.revision": "f" * 40, "": "x"},
    )

    one = said(structs.replace(told, event=event))
    assert (one["object.name"], one["vcs.ref.head.revision"]) == ("web", COMMIT)
    assert "" not in one


def test_the_resource_is_the_alerts() -> None:
    held = attributes(message(happened()).resource_spans[0].resource.attributes)

    assert held == {
        "service.name": "apps/on-call",
        "service.namespace": "apps",
        "service.version": COMMIT,
        "deployment.environment.name": "prod",
        "k8s.cluster.name": "prod",
    }
    assert (
        attributes(message(happened(), name="otel").resource_spans[0].resource.attributes)["service.name"] == "landed"
    )


def test_the_environment_is_what_the_alert_says() -> None:
    told = happened()
    told = structs.replace(told, event=structs.replace(told.event, metadata={"env": "staging"}))

    held = attributes(message(told).resource_spans[0].resource.attributes)
    assert held["deployment.environment.name"] == "staging"


# ── ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_trace_for_a_commit_on_all_clusters() -> None:
    here, there = span(happened()), span(happened(key="stage Kustomization/apps/web", cluster="stage"))

    assert here.trace_id == there.trace_id
    assert here.span_id != there.span_id
    assert here.parent_span_id != there.parent_span_id
    assert span(happened(commit="f" * 40)).trace_id != here.trace_id
    assert span(happened(repository=Repository("github.com", "acme/other"))).trace_id != here.trace_id


def test_objects_are_below_the_commit_on_their_cluster() -> None:
    root = span(whole())

    assert root.parent_span_id == b""
    assert span(happened()).parent_span_id == root.span_id
    assert span(happened(State.SUCCESS)).parent_span_id == root.span_id
    assert root.name == "acme/fleet on prod"


def test_what_came_of_a_commit_after_its_span_was_sent_is_below_it() -> None:
    first = sent(whole(State.FAILURE))
    again = span(whole(State.SUCCESS, handle=first.handle))

    assert again.parent_span_id == span(whole(State.FAILURE)).span_id
    assert again.span_id != again.parent_span_id


def test_a_recovery_is_linked_to_the_failure_that_it_ends() -> None:
    failure = happened(commit="f" * 40)
    one = span(happened(State.SUCCESS, handle=sent(failure).handle))

    (link,) = one.links
    assert (link.trace_id, link.span_id) == (span(failure).trace_id, span(failure).span_id)
    assert one.trace_id != link.trace_id
    assert one.parent_span_id == span(whole()).span_id


@pytest.mark.parametrize("handle", ["../x", "0" * 49, "A" * 32 + "-" + "b" * 16, "a" * 32 + "-" + "b" * 15, "\ud800"])
def test_a_handle_that_is_none_is_left_alone(handle: str) -> None:
    assert span(whole(handle=handle)) == span(whole())
    assert list(span(happened(handle=handle)).links) == []


def test_the_same_occurrence_is_the_same_span_and_another_is_not() -> None:
    assert sent(happened()).body == sent(happened()).body
    ids = {span(happened(state)).span_id for state in (State.SUCCESS, State.FAILURE, State.PENDING)}
    ids |= {span(structs.replace(happened(), at=AT + 1)).span_id, span(happened(commit="f" * 40)).span_id}
    assert len(ids) == 5


def test_what_no_commit_is_known_of_has_a_trace_of_its_own() -> None:
    one = span(happened(repository=Repository("", ""), commit=""))

    assert one.parent_span_id == b""
    assert one.trace_id != span(happened()).trace_id
    assert one.trace_id != span(structs.replace(happened(repository=Repository("", ""), commit=""), at=AT + 1)).trace_id
    assert not {"vcs.ref.head.revision", "vcs.ref.head.name", "vcs.repository.url.full"} & set(
        attributes(one.attributes)
    )


@pytest.mark.parametrize("at", [-5, 0, 1, 2**62, 2**80])
def test_times_that_make_no_sense_break_nothing(at: int) -> None:
    request = sent(structs.replace(happened(), at=at, seconds=1e300))

    read = ExportTraceServiceRequest.FromString(request.body).resource_spans[0].scope_spans[0].spans[0]
    assert read.start_time_unix_nano <= read.end_time_unix_nano


def test_it_is_what_the_official_sdk_would_send() -> None:
    """Its encoder, given the same span, gives the same message, but for the flags of the context."""
    told = happened(State.FAILURE, handle=f"{'a' * 32}-{'b' * 16}")
    ours, read = message(told), span(told)

    def context(trace: bytes, one: bytes) -> SpanContext:
        return SpanContext(int.from_bytes(trace), int.from_bytes(one), False, TraceFlags(1))

    held = ReadableSpan(
        read.name,
        context(read.trace_id, read.span_id),
        context(read.trace_id, read.parent_span_id),
        Resource({each.key: each.value.string_value for each in ours.resource_spans[0].resource.attributes}),
        attributes(read.attributes),
        links=[Link(context(read.links[0].trace_id, read.links[0].span_id))],
        kind=SpanKind.INTERNAL,
        status=SdkStatus(StatusCode.ERROR, "timed out"),
        start_time=read.start_time_unix_nano,
        end_time=read.end_time_unix_nano,
        instrumentation_scope=InstrumentationScope("landed", __version__),
    )
    theirs = encode_spans([held])
    for request in (ours, theirs):
        one = request.resource_spans[0].scope_spans[0].spans[0]
        one.flags = 0
        one.links[0].flags = 0
    assert json.loads(MessageToJson(ours)) == json.loads(MessageToJson(theirs))


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        ("https://otlp.example.com:4318", "https://otlp.example.com:4318/v1/traces"),
        ("https://otlp.example.com/", "https://otlp.example.com/v1/traces"),
        ("https://otlp.example.com/v1/traces", "https://otlp.example.com/v1/traces"),
        ("https://otlp.example.com/v1/traces/", "https://otlp.example.com/v1/traces"),
        ("http://collector:4318?tenant=1", "http://collector:4318/v1/traces?tenant=1"),
        ("https://otlp.example.com/otlp/v1/traces?tenant=1", "https://otlp.example.com/otlp/v1/traces?tenant=1"),
        ("https://otlp.example.com/custom", "https://otlp.example.com/custom"),
    ],
)
def test_where_it_goes(address: str, goes: str) -> None:
    assert sent(happened(), address=address).url.reveal() == goes


BASIC = "Basic " + base64.b64encode(b"flux:hunter2").decode()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, None),
        ({"token": Secret("t0k")}, "Bearer t0k"),
        ({"password": Secret("t0k")}, "Bearer t0k"),
        ({"username": "flux", "password": Secret("hunter2")}, BASIC),
        ({"username": "flux", "token": Secret("hunter2")}, BASIC),
        ({"username": "flux", "password": Secret("hunter2"), "token": Secret("t0k")}, BASIC),
        ({"token": Secret("t0k"), "headers": (("authorization", Secret("Api-Token x")),)}, "Api-Token x"),
        ({"token": Secret("t0k"), "headers": (("X-Team", Secret("a")),)}, "Bearer t0k"),
        ({"token": Secret("t0k"), "headers": (("Authorization", Secret("")),)}, "Bearer t0k"),
    ],
)
def test_who_we_are(settings: dict[str, Any], said: str | None) -> None:
    headers = {name.lower(): value for name, value in sent(happened(), **settings).headers.items()}

    found = headers.get("authorization")
    assert (found.reveal() if isinstance(found, Secret) else found) == said


def test_headers_of_the_user_are_sent_but_for_what_says_what_the_body_is() -> None:
    given = (("Content-Type", Secret("text/plain")), ("X-Scope-OrgID", Secret("team")), ("host", Secret("x")))

    headers = sent(happened(), headers=given).headers
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["X-Scope-OrgID"] == Secret("team")
    assert not {"host", "Host"} & set(headers)


def test_a_header_and_a_login_reach_the_receiver() -> None:
    with Receiver(team="hcaik-01", authorization=BASIC) as receiver, Http() as http:
        settings = {"username": "flux", "password": Secret("hunter2"), "headers": (("X-Team-Key", Secret("hcaik-01")),)}
        (request,) = otel.requests(channel(receiver.address, **settings), happened())
        assert otel.acknowledged(http.send(request)) == ""
        with pytest.raises(DeliveryError, match="401"):
            http.send(otel.requests(channel(receiver.address, token=Secret(TOKEN)), happened())[0])

    assert len(receiver.spans) == 1
    assert receiver.violations == []


@pytest.mark.parametrize(
    "settings",
    [{"username": "flux"}, {"token": Secret("a b")}, {"token": Secret("a\nb")}],
)
def test_settings_that_cannot_work_are_complained_of(settings: dict[str, Any]) -> None:
    (complaint,) = otel.complaints(channel(**settings))
    assert complaint.field == "spec.secretRef"


def test_settings_that_can_are_not() -> None:
    headers = (("Authorization", Secret("x")),)
    for settings in ({}, {"token": Secret("t")}, {"username": "a", "headers": headers}):
        assert otel.complaints(channel(**settings)) == ()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def rejected(number: int, why: str = "too old") -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = number
    answer.partial_success.error_message = why
    return answer.SerializeToString()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", b""),
        ("application/x-protobuf", b""),
        ("application/x-protobuf", rejected(0, "a warning")),
        ("", rejected(0, "a warning")),
        ("application/json", b"{}"),
        ("application/json; charset=utf-8", b'{"partialSuccess":{}}'),
        ("application/json", b'{"partialSuccess":{"rejectedSpans":"0","errorMessage":"a warning"},"more":1}'),
    ],
)
def test_what_is_an_acknowledgement(kind: str, body: bytes) -> None:
    assert otel.acknowledged(Response(200, {"content-type": kind}, body)) == ""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-protobuf", rejected(1)),
        ("", rejected(1)),
        ("application/json", b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}'),
        ("application/json", b'{"partialSuccess":{"rejectedSpans":1}}'),
        ("application/json", b"[]"),
        ("application/json", b"\xff"),
        ("application/json", b"[" * 100_000),
        ("text/html", b"<html>Sign in</html>"),
        ("text/html", rejected(0)),
        ("text/plain", b"ok"),
    ],
)
def test_what_is_none(kind: str, body: bytes) -> None:
    with pytest.raises(DeliveryError):
        otel.acknowledged(Response(200, {"content-type": kind}, body))


@pytest.mark.parametrize("why", ["too old", "w" * 84, "\n\u200b a\nb", "of t0k-3n, which is no key"])
def test_a_rejection_is_quoted_in_its_own_words(why: str) -> None:
    with Receiver(authorization="Bearer t0k-3n") as receiver, Http() as http:
        receiver.faults.append(answer(200, {"Content-Type": "application/x-protobuf"}, rejected(1, why)))
        given = http.send(sent(happened(), address=receiver.address, token=Secret("t0k-3n")))
        with pytest.raises(DeliveryError) as caught:
            otel.acknowledged(given)

    said = " ".join(why.replace("t0k-3n", "***").replace("\u200b", "").split())
    assert caught.value.message.endswith(f"without taking the message: {said}")
    assert "log" in caught.value.hint


def test_it_is_shown_as_otlps_json() -> None:
    told: Any = otel.shown(sent(happened(handle=f"{'a' * 32}-{'b' * 16}")).body)

    one = told["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (len(one["traceId"]), len(one["spanId"]), len(one["parentSpanId"])) == (32, 16, 16)
    assert one["links"][0] == {"traceId": "a" * 32, "spanId": "b" * 16}
    json.dumps(told)


def test_the_registry_says_what_it_takes() -> None:
    assert CHAT["otel"].imports == "opentelemetry.proto"
    assert CHAT["otel"].whole
