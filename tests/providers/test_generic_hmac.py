"""The signature of an event, judged by Python's ``hmac`` and by a vector of notification-controller's."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from providers.test_generic import BODY, SIGNATURE, event
from standins.webhook import Receiver

from landed.errors import DeliveryError
from landed.http import Http, Response
from landed.model import Channel, Secret
from landed.providers.chat import generic, generic_hmac


def channel(token: str = "s3cr3t", *headers: tuple[str, str], address: str = "https://h/x") -> Channel:
    given = tuple((name, Secret(value)) for name, value in headers)
    return Channel("generic-hmac", "generic-hmac", Secret(address), token=Secret(token), headers=given)


def test_the_vector() -> None:
    assert generic_hmac.signature(Secret("s3cr3t"), BODY) == f"sha256={SIGNATURE}"


@given(st.text(min_size=1), st.text(), st.dictionaries(st.text(), st.text()))
def test_the_very_bytes_are_signed(key: str, message: str, metadata: dict[str, str]) -> None:
    (request,) = generic_hmac.requests(channel(key), event(message, m=str(metadata)))

    raw = key.encode(errors="surrogateescape")
    assert request.headers["X-Signature"] == f"sha256={hmac.new(raw, request.body, hashlib.sha256).hexdigest()}"


def test_a_key_is_taken_byte_for_byte() -> None:
    signed = {key: generic_hmac.signature(Secret(key), BODY) for key in ("s3cr3t", "s3cr3t\n", " s3cr3t", "\udcff")}

    assert len(set(signed.values())) == len(signed)
    assert signed["\udcff"] == f"sha256={hmac.new(bytes([0xFF]), BODY, hashlib.sha256).hexdigest()}"


def test_all_else_is_as_without_a_signature() -> None:
    (signed,) = generic_hmac.requests(channel(), event("<b>"))
    (plain,) = generic.requests(Channel("generic", "generic", Secret("https://h/x")), event("<b>"))

    assert signed.body == plain.body
    assert {name: value for name, value in signed.headers.items() if name != "X-Signature"} == dict(plain.headers)


@pytest.mark.parametrize("name", ["X-Signature", "x-signature"])
def test_nobody_else_signs(name: str) -> None:
    (request,) = generic_hmac.requests(channel("s3cr3t", (name, "forged"), ("X-Key", "abc")), event())

    named = [header for header in request.headers if header.lower() == "x-signature"]
    assert named == ["X-Signature"] == [list(request.headers)[-1]]
    assert str(request.headers["X-Signature"]).startswith("sha256=")


def test_without_a_key_nothing_is_sent() -> None:
    with pytest.raises(DeliveryError, match="no key to sign") as caught:
        generic_hmac.requests(channel(""), event())

    assert "`token`" in caught.value.hint


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(DeliveryError, match="no key to sign"):
        generic_hmac.requests(channel("\ud800"), event())


def test_a_header_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(DeliveryError, match="X-Key"):
        generic_hmac.requests(channel("s3cr3t", ("X-Key", "a\nb")), event())


def test_what_arrives_is_what_was_signed() -> None:
    with Receiver() as receiver, Http() as http:
        (request,) = generic_hmac.requests(channel(address=receiver.address), event("é < \u2028 \ud800"))
        http.send(request)

    (asked,) = receiver.asked
    good = hmac.new(b"s3cr3t", asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["x-signature"] == f"sha256={good}"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_will_do(status: int) -> None:
    generic_hmac.acknowledged(Response(status, {}, b"whatever"))
