"""Flux's event object, byte for byte."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.server import answer
from standins.webhook import Receiver

from landed import events
from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Event, InvolvedObject, Secret
from landed.providers.chat import generic

#: As notification-controller posts it: 586 bytes, and their signature with the key ``s3cr3t``.
BODY = (
    b'{"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"web",'
    b'"uid":"7d0cdc51-ddcf-4743-b223-83ca5c699632","apiVersion":"kustomize.toolkit.fluxcd.io/v1",'
    b'"resourceVersion":"81234"},"severity":"error","timestamp":"2026-08-20T09:15:42Z",'
    b'"message":"health check failed after 2m0.0s: timeout waiting for: '
    b'[Deployment/apps/web status: \'InProgress\']","reason":"HealthCheckFailed",'
    b'"metadata":{"cluster":"prod-eu","revision":"main@sha1:ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec"},'
    b'"reportingController":"kustomize-controller","reportingInstance":"kustomize-controller-6f9d7c5b8-x2k4q"}'
)
SIGNATURE = "dc3893d743a342cc7d3fc92ed55bc02c878ea5a7856061d3d23323814874753b"


def event(message: str = "health check failed", **metadata: str) -> Event:
    return Event(
        InvolvedObject("Kustomization", "apps", "web", "7d0c", "kustomize.toolkit.fluxcd.io/v1"),
        "error",
        "2026-08-20T09:15:42Z",
        message,
        "HealthCheckFailed",
        metadata,
        "kustomize-controller",
    )


def test_the_body_is_the_one_that_flux_signs() -> None:
    body = events.go_json(json.loads(BODY))

    assert body == BODY
    assert hmac.new(b"s3cr3t", body, hashlib.sha256).hexdigest() == SIGNATURE


def test_an_event_is_written_in_flux_order() -> None:
    told = json.loads(BODY)
    told.pop("reportingInstance")
    built = Event(
        InvolvedObject(**told["involvedObject"]),
        *(told[name] for name in ("severity", "timestamp", "message", "reason", "metadata", "reportingController")),
    )

    assert events.body(built) == BODY.split(b',"reportingInstance"')[0] + b"}"


def test_metadata_is_sorted_and_left_out_when_empty() -> None:
    assert b'"metadata":{"a":"1","b":"2"}' in events.body(event(b="2", a="1"))
    assert b"metadata" not in events.body(event())


def test_members_that_flux_always_writes_are_written_when_empty() -> None:
    empty = events.body(Event(InvolvedObject(), "", "", "", "", {}, ""))

    assert empty == (
        b'{"involvedObject":{},"severity":"","timestamp":"","message":"","reason":"","reportingController":""}'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<b> & </b>", rb"\u003cb\u003e \u0026 \u003c/b\u003e"),
        ("a\u2028b\u2029c", rb"a\u2028b\u2029c"),
        ('"\\/', rb"\"\\/"),
        ("\n\r\t\b\f\x00\x1f\x7f", rb"\n\r\t\b\f\u0000\u001f" + b"\x7f"),
        ("é😀", "é😀".encode()),
        ("\ud800", rb"\ufffd"),
    ],
    ids=["HTML", "line separators", "quotes", "control characters", "Unicode", "half a pair"],
)
def test_text_is_escaped_as_go_does(text: str, written: bytes) -> None:
    assert b'"message":"' + written + b'"' in events.body(event(text))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_whatever_is_written_reads_back(message: str, metadata: dict[str, str]) -> None:
    read = json.loads(events.body(event(message)))
    read_metadata = json.loads(events.go_json(metadata))

    assert (read["message"], read_metadata) == (message, metadata)


def test_the_headers_are_those_of_flux() -> None:
    (request,) = generic.requests(Channel("generic", "generic", Secret("https://h/x")), event())

    assert dict(request.headers) == {"Content-Type": "application/json", "Gotk-Component": "kustomize-controller"}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_will_do(status: int) -> None:
    generic.acknowledged(Response(status, {}, b"whatever"))


def channel(*headers: tuple[str, str]) -> Channel:
    return Channel("generic", "generic", Secret("https://h/x"), headers=tuple((n, Secret(v)) for n, v in headers))


def sent(*headers: tuple[str, str]) -> dict[str, str]:
    (request,) = generic.requests(channel(*headers), event())
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers.items()}


def test_headers_of_the_channel_are_added() -> None:
    assert sent(("Authorization", "Bearer abc"), ("X-Empty", "")) == {
        "Content-Type": "application/json",
        "Gotk-Component": "kustomize-controller",
        "Authorization": "Bearer abc",
        "X-Empty": "",
    }


def test_headers_of_the_channel_are_not_printed() -> None:
    (request,) = generic.requests(channel(("X-Key", "abc-secret")), event())

    assert "abc-secret" not in f"{request!r}{dict(request.headers)}"


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_headers_of_the_channel_replace_those_of_flux_in_any_case(name: str) -> None:
    assert sent((name, "application/cloudevents+json"), ("gotk-component", "landed")) == {
        name: "application/cloudevents+json",
        "gotk-component": "landed",
    }


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Trailer"])
def test_headers_that_belong_to_the_connection_are_left_out_as_by_go(name: str) -> None:
    assert name not in sent((name, "1"))


@pytest.mark.parametrize("value", ["Bearer abc\n", "  Bearer abc\r\n", "\tBearer abc"])
def test_blanks_around_a_value_are_no_part_of_it(value: str) -> None:
    assert sent(("Authorization", value))["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    "value",
    ["top-5ecret\nX-Evil: 1", "top-5ecret\r\nX-Evil: 1", "top-5ecret\x00", "top-5ecret\x7f", "top-5ecret \ud800"],
)
def test_a_value_that_no_header_can_hold_is_refused(value: str) -> None:
    with pytest.raises(DeliveryError, match="the header X-Key has a value with a line break") as caught:
        sent(("X-Key", value))

    assert "5ecret" not in f"{caught.value!r}{caught.value.hint}{caught.value.__context__!r}"


@pytest.mark.parametrize("name", ["", "X Key", "X-Key:", "X\nKey", "Schlüssel", "X" * 300])
def test_a_name_that_no_header_can_have_is_refused(name: str) -> None:
    with pytest.raises(DeliveryError, match="a name that no header can have"):
        sent((name, "x"))


def test_a_controller_that_is_no_header_is_refused() -> None:
    strange = Event(InvolvedObject(), "", "", "", "", {}, "kustomize\r\nX-Evil: 1")

    with pytest.raises(DeliveryError, match="Gotk-Component"):
        generic.requests(channel(), strange)


def header_at(receiver: Receiver, value: str) -> str:
    """What a receiver reads of the value of a header, as UTF-8."""
    good = Channel("generic", "generic", Secret(receiver.address), headers=(("X-Team", Secret(value)),))
    with Http() as http:
        (request,) = generic.requests(good, event())
        http.send(request)
    return receiver.asked[-1].headers["x-team"].encode("latin-1").decode()


@pytest.mark.parametrize("value", ["plätform", "équipe 日本", "a\tb", "\x80"])
def test_a_value_that_is_not_ascii_goes_as_utf_8(value: str) -> None:
    with Receiver() as receiver:
        assert header_at(receiver, value) == value


def test_a_value_that_is_not_ascii_is_quoted_from_no_answer() -> None:
    with Receiver() as receiver:
        receiver.faults.append(answer(400, body="I do not know plätform-5ecret here"))
        with pytest.raises(DeliveryError, match=r"I do not know \*{3} here"):
            header_at(receiver, "plätform-5ecret")


def test_all_of_it_arrives() -> None:
    with Receiver() as receiver, Http() as http:
        good = Channel("generic", "generic", Secret(receiver.address), headers=(("content-type", Secret("text/x")),))
        (request,) = generic.requests(good, event("<b>"))
        http.send(request)

    (asked,) = receiver.asked
    assert asked.headers["content-type"] == "text/x"
    assert asked.headers["gotk-component"] == "kustomize-controller"
    assert asked.body == events.body(event("<b>"))
