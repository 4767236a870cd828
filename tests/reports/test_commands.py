from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reports.hostile import HOSTILE, OBEYED, commands_in

from landed.reports.commands import annotation, endgroup, group, harmless, mask

#: Text out of the pieces that commands are made of, so that they come up often.
TRICKY = st.lists(
    st.sampled_from(re.split("_", "::_:_##[_#_[_]_error_vso_%0A_m_,_ _\n_\r_\x1b[_\u200b_\xa0_\x85")),
    max_size=12,
).map("".join)
ANY_TEXT = st.text() | TRICKY | st.sampled_from(list(HOSTILE.values()))


def test_the_reader_of_the_tests_finds_what_there_is() -> None:
    log = "x\n  ::error file=a%2Cb,line=3::x%0Ay%25\nmiddle ::no::\nsee ##[group]z\r::end::"
    assert commands_in(log) == [
        ("error", {"file": "a,b", "line": "3"}, "x\ny%"),
        ("legacy group", {}, "z"),
        ("end", {}, ""),
    ]
    forged = [name for name, text in HOSTILE.items() if commands_in(text)]
    assert len(forged) > 8, "the table is worth its name"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("a\tb", "a b"),
        ("a::b ::c", "a::b ::c"),
        ("::error::x", ": :error::x"),
        ("  ::error::x\n::y", "  : :error::x\n: :y"),
        ("see ##[error]x", "see # #[error]x"),
        ("##vso[x]", "# #vso[x]"),
        ("## heading", "## heading"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[0Ksection_start:1:x\r\x1b[0Ky", "section_start:1:x\ny"),
        ("grüße – ✓ 日本 👩‍🚀", "grüße – ✓ 日本 👩🚀"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_text_stays_readable_and_becomes_harmless(text: str, printed: str) -> None:
    assert harmless(text) == printed


@given(ANY_TEXT)
@example("".join(HOSTILE.values()))
@example("\n".join(HOSTILE.values()))
def test_no_text_is_obeyed(text: str) -> None:
    printed = harmless(text)
    assert commands_in(printed) == []
    assert not OBEYED.search(printed)
    assert harmless(printed) == printed
    printed.encode()


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_an_annotation_is_one_command_that_says_what_it_was_given(message: str, title: str, file: str) -> None:
    (found,) = commands_in(annotation("error", message, title=title, file=file, line=3))
    given_ = {"title": harmless(title), "file": harmless(file), "line": "3"}
    assert found == ("error", {key: value for key, value in given_.items() if value}, harmless(message))


def test_an_annotation_is_written_as_the_documentation_has_it() -> None:
    assert annotation("warning", "100 %\nsee") == "::warning::100 %25%0Asee"
    assert (
        annotation("error", "x", title="a:b,c", file="app.js", line=1)
        == "::error file=app.js,line=1,title=a%3Ab%2Cc::x"
    )


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        ("s3cr3t", ["s3cr3t"]),
        ("100%", ["100%"]),
        ("one\ntwo\r\n\n  three \r", ["one", "two", "three"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_every_line_of_a_secret_is_masked(secret: str, masked: list[str]) -> None:
    assert commands_in("\n".join(mask(secret))) == [("add-mask", {}, line) for line in masked]


@given(ANY_TEXT)
def test_a_group_is_opened_and_closed(title: str) -> None:
    assert commands_in(f"{group(title)}\n{endgroup()}") == [("group", {}, harmless(title)), ("endgroup", {}, "")]


def test_a_long_text_takes_no_time() -> None:
    """Patterns that backtrack would not come back from this."""
    for piece in ("\x1b[", "\x1b]", " ", "#", "##a", ":", "\n ", "\x1b[0;"):
        assert not OBEYED.search(harmless(piece * 50_000))
