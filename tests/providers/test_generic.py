"""Flux's event object, byte for byte."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.http import Response
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
    body = generic.go_json(json.loads(BODY))

    assert body == BODY
    assert hmac.new(b"s3cr3t", body, hashlib.sha256).hexdigest() == SIGNATURE


def test_an_event_is_written_in_flux_order() -> None:
    told = json.loads(BODY)
    told.pop("reportingInstance")
    built = Event(
        InvolvedObject(**told["involvedObject"]),
        *(told[name] for name in ("severity", "timestamp", "message", "reason", "metadata", "reportingController")),
    )

    assert generic.body(built) == BODY.split(b',"reportingInstance"')[0] + b"}"


def test_metadata_is_sorted_and_left_out_when_empty() -> None:
    assert b'"metadata":{"a":"1","b":"2"}' in generic.body(event(b="2", a="1"))
    assert b"metadata" not in generic.body(event())


def test_members_that_flux_always_writes_are_written_when_empty() -> None:
    empty = generic.body(Event(InvolvedObject(), "", "", "", "", {}, ""))

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
    assert b'"message":"' + written + b'"' in generic.body(event(text))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_whatever_is_written_reads_back(message: str, metadata: dict[str, str]) -> None:
    read = json.loads(generic.body(event(message)))
    read_metadata = json.loads(generic.go_json(metadata))

    assert (read["message"], read_metadata) == (message, metadata)


def test_the_headers_are_those_of_flux() -> None:
    (request,) = generic.requests(Channel("generic", "generic", Secret("https://h/x")), event())

    assert dict(request.headers) == {"Content-Type": "application/json", "Gotk-Component": "kustomize-controller"}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_will_do(status: int) -> None:
    generic.acknowledged(Response(status, {}, b"whatever"))
