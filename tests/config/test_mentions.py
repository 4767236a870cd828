"""``--mentions``: from authors to the ids that services have for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.config.mentions import Mentions, mentions
from landed.errors import ConfigurationError

THERE = {("slack", ""), ("slack", "apps/on-call")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mentions.yaml"


def read(file: Path, text: str) -> Mentions:
    file.write_text(text)
    return mentions(str(file))


def refused(file: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(file, text)
    assert caught.value.message.startswith(f"--mentions: {1 if caught.value.message.count(chr(10)) == 1 else ''}")
    return caught.value.message.replace(str(file), "mentions.yaml")


FILE = """
# for everybody
Ada Lovelace: ada@example.com
slack:
  Ada Lovelace: U024BE7LH
  grace@example.com: U0GRACE00
apps/on-call:
  ada lovelace: W0ONCALL0
telegram:
  Ada Lovelace: 123456789
  Grace Hopper: -100123
discord:
  Ada Lovelace: 80351110224678912
  Grace Hopper: 1290000000000000001   # nineteen digits
  Joan Clarke: "12900000000000000012"
"""


@pytest.mark.parametrize(
    ("type_", "provider", "author", "id_"),
    [
        ("slack", "", "Ada Lovelace", "U024BE7LH"),
        ("slack", "", "ADA  LOVELACE", "U024BE7LH"),
        ("slack", "apps/else", "Ada Lovelace", "U024BE7LH"),
        ("slack", "apps/on-call", "Ada Lovelace", "W0ONCALL0"),
        ("discord", "apps/on-call", "Ada Lovelace", "W0ONCALL0"),
        ("slack", "apps/on-call", "Grace@example.com", "U0GRACE00"),
        ("msteams", "", "Ada Lovelace", "ada@example.com"),
        ("telegram", "", "Ada Lovelace", "123456789"),
        ("telegram", "", "Grace Hopper", "-100123"),
        ("discord", "", "Ada Lovelace", "80351110224678912"),
        ("discord", "", "Grace Hopper", "1290000000000000001"),
        ("discord", "", "Joan Clarke", "12900000000000000012"),
        ("slack", "", "Joan Clarke", ""),
        ("slack", "", "", ""),
    ],
)
def test_whom_it_names(file: Path, type_: str, provider: str, author: str, id_: str) -> None:
    assert read(file, FILE).of(type_, provider, author) == id_


def test_an_accent_may_be_a_character_of_its_own(file: Path) -> None:
    assert read(file, "José: U1").of("slack", "", "JOSE\u0301") == "U1"
    assert read(file, "Jose\u0301: U1").of("slack", "", "José") == "U1"
    assert "there twice" in refused(file, "slack:\n  José: U1\n  Jose\u0301: U2\n")


def test_an_empty_file_names_nobody(file: Path) -> None:
    assert read(file, "").of("slack", "", "Ada") == ""
    assert read(file, "# nobody\n---\n").of("slack", "", "Ada") == ""
    assert Mentions().of("slack", "", "Ada") == ""


def test_json_is_fine(file: Path) -> None:
    given = {"slack": {"Ada Lovelace": "U024BE7LH"}}

    assert read(file, json.dumps(given)).of("slack", "", "ada lovelace") == "U024BE7LH"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "mentions.yaml:1: it is no mapping"),
        ("ada", "mentions.yaml:1: it is no mapping"),
        ("a: b\n---\nc: d\n", "mentions.yaml:3: there is a second document"),
        ("a: b\nc: [\n", "mentions.yaml:3: it is not YAML"),
        ("slack:\n  Ada: U1\n  ADA: U2\n", 'mentions.yaml:3, "slack, ADA": the author is there twice'),
        ("Ada: U1\nAda: U2\n", 'mentions.yaml:2: "Ada" is there twice'),
        ("slack:\n  Ada: [U1]\n", 'mentions.yaml:2, "slack, Ada": that is no id'),
        ("slack:\n  Ada:\n    x: U1\n", 'mentions.yaml:2, "slack, Ada": that is no id'),
        ("slack:\n  Ada: true\n", 'mentions.yaml:2, "slack, Ada": that is no id'),
        ("slack:\n  Ada:\n", 'mentions.yaml:2, "slack, Ada": that is no id'),
        ("Ada: 1.5\n", 'mentions.yaml:1, "Ada": that is no id. Write it as text, in quotes'),
        ("Ada: 0x1f\n", 'mentions.yaml:1, "Ada": that is no id'),
        ("Ada: ''\n", "the id is empty"),
        ('Ada: "a\\u200bb"\n', "characters that nobody sees"),
        ('Ada: "a\\nb"\n', "characters that nobody sees"),
        (f"Ada: {'x' * 201}\n", "the id is too long"),
        ("Ada: !secret x\n", "that is no id"),
        ('"": U1\n', "that is no name of an author"),
        ("slak:\n  Ada: U1\n", 'mentions.yaml:1, "slak": it is neither a type of channel'),
        ("slak:\n  Ada: U1\n", "Did you mean slack?"),
        ("nats:\n  Ada: U1\n", 'mentions.yaml:1, "nats": a channel of this type cannot call anybody'),
        ("Apps/On-Call:\n  Ada: U1\n", "it is neither a type"),
        ("a/b/c:\n  Ada: U1\n", "it is neither a type"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(file: Path, text: str, said: str) -> None:
    assert said in refused(file, text)


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    told = refused(file, "slack:\n  Ada: true\n  Bo: U1\nslak:\n  Ada: U1\nEve: []\n")

    assert told.startswith("--mentions: 3 problems in mentions.yaml:\n- mentions.yaml:2")
    assert [line.partition(",")[0][-1] for line in told.splitlines()[1:]] == ["2", "4", "6"]


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        mentions(str(file))


def test_a_provider_that_is_not_there_is_told_with_its_line(file: Path) -> None:
    read(file, "apps/on-call:\n  Ada: U1\nAda: U1\ndiscord:\n  Ada: U1\n").check(THERE)
    with pytest.raises(ConfigurationError) as caught:
        read(file, "slack:\n  Ada: U1\napps/gone:\n  Ada: U1\n").check(THERE)

    assert 'mentions.yaml:3, "apps/gone": there is no such Provider' in caught.value.message
    assert "apps/on-call (slack), slack" in caught.value.message


def test_a_provider_that_can_call_nobody_is_told_as_its_type_is(file: Path) -> None:
    with pytest.raises(ConfigurationError, match='"apps/phone": a channel of this type'):
        read(file, "apps/phone:\n  Ada: U1\n").check({*THERE, ("ntfy", "apps/phone")})


@given(text=st.text())
def test_whatever_is_in_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("m") / "mentions.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        mentions(str(file)).of("slack", "", text)
    except ConfigurationError as error:
        refusal = error.message
    else:
        refusal = "--mentions"
    assert refusal.startswith("--mentions")


def test_an_author_is_known_by_several_names(file: Path) -> None:
    found = read(file, "Ada Lovelace: U1\nada@example.com: U2\nslack:\n  octocat: U3\n")
    assert found.of("slack", "", "Ada Lovelace", "ada@example.com") == "U1"
    assert found.of("slack", "", "A. L.", "ADA@example.com") == "U2"
    assert found.of("slack", "", "Ada Lovelace", "ada@example.com", "octocat") == "U3", "what is said of Slack alone"
    assert found.of("discord", "", "", "octocat") == ""
    assert found.of("slack", "") == ""
