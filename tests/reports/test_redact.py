from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports.hostile import REPORT, report_of

from landed.model import Report, Secret
from landed.reports.redact import forms, hidden, hider

HOOK = "https://user:passw0rd@hooks.example.com/services/T000/B000/XXXX?token=abcdef"


@pytest.mark.parametrize(
    ("secret", "text", "printed"),
    [
        ("s3cr3t", "token s3cr3t and s3cr3t", "token *** and ***"),
        ("s3cr3t\n", "token s3cr3t", "token ***"),
        ("first line\nsecond line", "a first line, a second line", "a ***, a ***"),
        ("a{\n}\nlonger line", "{ } longer line", "{ } ***"),
        (HOOK, f"POST {HOOK} failed", "POST *** failed"),
        (HOOK, "no route to /services/T000/B000/XXXX?token=abcdef", "no route to ***"),
        (HOOK, "services/T000/B000/XXXX is gone", "*** is gone"),
        (HOOK, "token=abcdef, passw0rd", "***, ***"),
        (HOOK, "hooks.example.com answered 404", "hooks.example.com answered 404"),
        ('say "x"\\', json.dumps({"a": 'say "x"\\'}), '{"a": "***"}'),
        ("a b+c/d=", f"?q={quote('a b+c/d=', safe='')}", "?q=***"),
        ("https://x.example.com/", "https://x.example.com/ at /", "*** at /"),
        ("", "nothing", "nothing"),
        (" \n", "no thing\n", "no thing\n"),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(secret: str, text: str, printed: str) -> None:
    assert hider([Secret(secret)])(text) == printed


def test_the_longest_secret_is_hidden_first() -> None:
    assert hider([Secret("abcd"), Secret("abcdef")])("abcdef abcd") == "*** ***"


def test_what_is_too_short_for_a_secret_does_not_spoil_every_text() -> None:
    assert hider([Secret("x")])("example") == "example"


def test_without_secrets_nothing_is_done() -> None:
    assert hider([])("text") == "text"
    assert forms("") == frozenset()


def test_a_value_is_searched_through() -> None:
    secret = Secret("s3cr3t")
    clean = hidden(report_of("the s3cr3t is out"), hider([secret]))
    assert isinstance(clean, Report)
    assert clean == report_of("the *** is out")


def test_a_value_without_secrets_is_left_alone() -> None:
    assert hidden(REPORT, hider([Secret("s3cr3t")])) is REPORT


def test_a_state_is_no_text() -> None:
    clean = hidden(REPORT, hider([Secret("failure")]))
    assert clean.looks[0].outcomes[1].state == "failure"


def test_half_a_character_does_not_stop_it() -> None:
    clean = hidden(("\ud800 s3cr3t",), hider([Secret("s3cr3t")]))
    assert clean == ("\ud800 ***",)


@given(st.text(st.characters(codec="utf-8"), min_size=4), st.text(), st.text())
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    printed = hider([Secret(secret)])(f"{before}{secret}{after}")
    if len(secret.strip()) >= 4 and not set(secret) & set(before + after + "***"):
        assert secret not in printed
