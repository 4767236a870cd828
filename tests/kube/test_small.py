"""Proxies by environment, and expiry dates."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube.cases import jwt

from landed.kube import expiry, proxy

if TYPE_CHECKING:
    from kube.world import World

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("host", "rules", "proxied"),
    [
        ("api.example.com", "", True),
        ("api.example.com", "*", False),
        ("api.example.com", "example.com", False),
        ("api.example.com", ".example.com", False),
        ("api.example.com", "*.example.com", False),
        ("api.example.com", "EXAMPLE.com", False),
        ("API.example.com", "api.example.com", False),
        ("example.com", ".example.com", True),
        ("example.com", "example.com", False),
        ("notexample.com", "example.com", True),
        ("api.example.com", "other.com, , api.example.com ", False),
        ("api.example.com", "api.example.com:6443", False),
        ("api.example.com", "api.example.com:443", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", False),
        ("10.1.2.3", "192.168.0.0/16", True),
        ("10.1.2.3", "10.0.0.0/x", True),
        ("api.example.com", "10.0.0.0/8", True),
        ("2001:db8::1", "2001:db8::/32", False),
        ("2001:db8::1", "2001:db8::1", False),
        ("2001:db8::1", "[2001:db8::1]:6443", False),
        ("2001:db8::1", "[2001:db8::1]:443", True),
        ("localhost", "", False),
        ("127.0.0.9", "", False),
        ("::1", "", False),
    ],
)
def test_which_hosts_go_through_the_proxy(host: str, rules: str, proxied: bool) -> None:
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": rules}
    assert bool(proxy.choose("https", host, 6443, environ)) is proxied
    lower = {"https_proxy": PROXY, "no_proxy": rules}
    assert bool(proxy.choose("https", host, 6443, lower)) is proxied


def test_the_scheme_decides_which_variable_counts() -> None:
    environ = {"HTTP_PROXY": "plain.example.com:80", "HTTPS_PROXY": PROXY}
    assert proxy.choose("http", "a", 80, environ) == "http://plain.example.com:80"
    assert proxy.choose("https", "a", 443, environ) == PROXY
    assert proxy.choose("https", "a", 443, {"HTTP_PROXY": PROXY}) == ""


@given(st.text(), st.text())
def test_no_rule_makes_it_stumble(rules: str, host: str) -> None:
    proxy.choose("https", host, 443, {"HTTPS_PROXY": PROXY, "NO_PROXY": rules})


def test_when_a_certificate_ends(world: World) -> None:
    for certificate in (world.certificate, world.expired_certificate):
        from cryptography import x509

        pem, _ = world.pair(certificate)
        assert expiry.of_certificate(pem) == x509.load_pem_x509_certificate(pem).not_valid_after_utc


def test_a_certificate_of_the_far_future_and_of_the_last_century() -> None:
    import trustme

    for year in (2060, 1999):
        ends = datetime.datetime(year, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
        made = trustme.CA().issue_cert("a.test", not_before=ends.replace(year=1990), not_after=ends)
        assert expiry.of_certificate(made.cert_chain_pems[0].bytes()) == ends


def test_the_oldest_form_of_a_certificate_has_no_version() -> None:
    # version 1: serial, signature, issuer, validity, and nothing before them
    validity = b"\x30\x1e\x17\x0d200101000000Z\x17\x0d210203040506Z"
    fields = b"\x02\x01\x01" + b"\x30\x00" + b"\x30\x00" + validity
    inner = b"\x30" + bytes([len(fields)]) + fields
    der = b"\x30" + bytes([len(inner)]) + inner
    assert expiry._not_after(der) == datetime.datetime(2021, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


@given(st.binary(max_size=80))
def test_no_certificate_makes_it_stumble(body: bytes) -> None:
    from base64 import b64encode

    assert expiry.of_certificate(expiry.BEGIN + b"\n" + b64encode(b"\x30\x50" + body) + b"\n" + expiry.END) is None
    assert expiry.of_certificate(body) is None


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", "....", "é.é.é", "a.bnVsbA.c", "a.eyJleHAiOiJ4In0.c", "a.eyJleHAiOjFlOTl9.c"]
)
def test_a_token_that_does_not_say_when_it_ends(token: str) -> None:
    assert expiry.of_token(token) is None


def test_when_a_token_ends() -> None:
    moment = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)
    assert expiry.of_token(jwt(moment)) == moment


@given(st.text())
def test_no_token_makes_it_stumble(token: str) -> None:
    expiry.of_token(f"a.{token}.c")
