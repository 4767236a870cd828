"""What is taken out of text, in whichever way it is written there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports.hostile import REPORT, report_of

from landed.model import Report, Secret
from landed.redact import clean, forms, hider, redact
from landed.reports.redact import hidden

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "s3cret-token"
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
    shown = hidden(report_of("the s3cr3t is out"), hider([secret]))
    assert isinstance(shown, Report)
    assert shown == report_of("the *** is out")


def test_a_value_without_secrets_is_left_alone() -> None:
    assert hidden(REPORT, hider([Secret("s3cr3t")])) is REPORT


def test_a_state_is_no_text() -> None:
    shown = hidden(REPORT, hider([Secret("failure")]))
    assert shown.looks[0].outcomes[1].state == "failure"


def test_half_a_character_does_not_stop_it() -> None:
    shown = hidden(("\ud800 s3cr3t",), hider([Secret("s3cr3t")]))
    assert shown == ("\ud800 ***",)


@given(st.text(st.characters(codec="utf-8"), min_size=4), st.text(), st.text())
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    printed = hider([Secret(secret)])(f"{before}{secret}{after}")
    if len(secret.strip()) >= 4 and not set(secret) & set(before + after + "***"):
        assert secret not in printed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://hooks.slack.com/services/T0/B0/x.", "see https://hooks.slack.com/…"),
        ("(http://user:pw@host:8080/a?b=c)", "(http://host:8080/…"),
        ("at https://example.com?token=abc", "at https://example.com/…"),
        ("at https://example.com, there", "at https://example.com, there"),
        ("Basic dXNlcjpzM2NyZXQtdG9rZW4=", "Basic ***"),
        ("a s3cret-token b", "a *** b"),
    ],
)
def test_redaction(text: str, expected: str) -> None:
    assert redact(text, ["s3cret-token", ""]) == expected


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=6, max_size=60),
    st.binary(max_size=8),
    st.binary(max_size=8),
)
def test_a_secret_is_found_in_base64_wherever_it_stands(secret: str, before: bytes, after: bytes) -> None:
    coded = base64.b64encode(before + secret.encode() + after).decode()

    assert "***" in redact(coded, [secret])


@given(st.text(), st.lists(st.text(min_size=1)))
def test_redaction_takes_any_text(text: str, secrets: list[str]) -> None:
    shown = redact(text, secrets)
    assert all(secret not in shown or secret in "***https://…" for secret in secrets if secret in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("all is well", "all is well"),
        ("two\nlines\tand \x1b[31mcolour\x00", "two lines and [31mcolour"),
        ("token: abc123", "token: ***"),
        ('{"access_token":"abc123","x":1}', '{"access_token":"***","x":1}'),
        ("AWS_SECRET_ACCESS_KEY=abc/123+x", "AWS_SECRET_ACCESS_KEY=***"),
        ("--password=hunter2 --user=me", "--password=*** --user=me"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: ***"),
        ("sent bearer abcdefgh", "sent bearer ***"),
        ("at https://me:word@host/path", "at https://***@host/path"),
        ("got k8s-aws-v1.aHR0cHM6Ly9 from it", "got *** from it"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "***"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nmore", "*** more"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "***"),
        ("the token has expired", "the token has expired"),
    ],
)
def test_what_is_hidden(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(text.encode()) == shown


def test_known_secrets_are_hidden_and_the_end_is_kept() -> None:
    assert clean("say friend", ["friend", ""]) == "say ***"
    assert clean("a" * 50 + "end", limit=10) == "…" + "a" * 7 + "end"


@given(st.binary())
def test_any_bytes_become_one_line(text: bytes) -> None:
    assert "\n" not in clean(text)
    assert len(clean(text)) <= 601


def test_a_secret_in_base64_is_hidden_in_our_own_words_too() -> None:
    coded = base64.b64encode(f"user:{HOOK}".encode()).decode()

    assert hider([Secret(HOOK)])(f"Basic {coded} was refused") == "Basic *** was refused"


@pytest.mark.parametrize(
    "hostile",
    [
        lambda core: core * 200_000,
        lambda core: f"{core} " * 200_000,
        lambda core: "A" * (3 << 20) + core,
        lambda core: " " * (3 << 20) + core,
        lambda core: f"{core[:-1]}." * 200_000 + core,
    ],
    ids=["one word of secrets", "many words", "a long word before", "no word before", "nearly a secret"],
)
@pytest.mark.parametrize(
    "hide",
    [hider([Secret(TOKEN)]), lambda text: redact(text, [TOKEN]), lambda text: clean(text, [TOKEN], limit=len(text))],
    ids=["hider", "redact", "clean"],
)
def test_three_megabytes_of_hostile_base64_are_searched_in_linear_time(
    hide: Callable[[str], str], hostile: Callable[[str], str]
) -> None:
    coded = base64.b64encode(TOKEN.encode()).decode()

    shown = hide(hostile(coded))  # would not come back in any other time

    assert "***" in shown
    assert coded not in shown
