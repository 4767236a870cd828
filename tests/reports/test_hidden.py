"""Secrets are looked for in all of a value's text at once: whatever stands beside a text must not hide it."""

from __future__ import annotations

import pytest
from hypothesis import given
from msgspec import Struct
from reports.answered import LIVE
from reports.test_commands import ANY_TEXT

from landed.model import ObjectRef, Secret
from landed.redact import hider
from landed.reports.redact import hidden

HIDE = hider([Secret("s3cr3t-ä")])


class Held(Struct, frozen=True):
    text: str
    more: tuple[object, ...] = ()


@pytest.mark.parametrize("length", [*range(300), *range(65_520, 65_550)])
def test_a_secret_is_found_in_a_text_of_any_length(length: int) -> None:
    for text in ("x" * length + "s3cr3t-ä", "s3cr3t-ä" + "x" * length, "ä" * length + "s3cr3t-ä" + "ä" * length):
        assert "s3cr3t" not in hidden(Held(text, (text, 7, {"a": text})), HIDE).text


@given(ANY_TEXT, ANY_TEXT)
def test_nothing_beside_it_hides_it(before: str, after: str) -> None:
    found = hidden(Held(before, ("s3cr3t-ä", after)), HIDE)
    assert found.more[0] == "***"


def test_it_is_found_in_keys_too() -> None:
    about = ObjectRef("Kustomization", "apps", "s3cr3t-ä")
    assert hidden(Held("", ({about: 1}, frozenset({about}))), HIDE).more == (
        {ObjectRef("Kustomization", "apps", "***"): 1},
        frozenset({ObjectRef("Kustomization", "apps", "***")}),
    )


def test_what_holds_no_secret_is_left_as_it_is() -> None:
    assert hidden(LIVE, HIDE) is LIVE
