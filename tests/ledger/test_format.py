from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.ledger import format as ledger_format
from landed.ledger.format import UnreadableError, decode, encode
from landed.told import Entry, Intent, Told

TOLD = Told(
    {
        "github.com": {
            "acme/fleet flux/prod/apps/web": [
                Entry("6dcd4ce2", "failure HealthCheckFailed", 1766400000, past=True),
                Entry("a3c1c8d6", "success", 1766400060, "17"),
            ]
        },
        "slack": {},
    },
    {"prod": 1766400000},
    [Intent("slack", "prod github.com/acme/fleet", "a3c1c8d6")],
    {"prod Kustomization/apps/web": "a3c1c8d6 success"},
    {"prod Kustomization/apps/web": [1766400000]},
    {"prod Kustomization/apps/web": "c$~0"},
)

#: Written by hand, after the description in the module: it must stay readable for ever.
VERSION_1 = """{
 "version": 1,
 "destinations": {
  "github.com": {
   "acme/fleet flux/prod/apps/web": [
    {"commit": "6dcd4ce2", "is": "failure HealthCheckFailed", "at": 1766400000, "past": true},
    {"commit": "a3c1c8d6", "is": "success", "at": 1766400060, "handle": "17", "added later": [1]}
   ]
  },
  "slack": {}
 },
 "seen": {"prod": 1766400000},
 "begun": [["slack", "prod github.com/acme/fleet", "a3c1c8d6"]],
 "observed": {"prod Kustomization/apps/web": "a3c1c8d6 success"},
 "turns": {"prod Kustomization/apps/web": [1766400000]},
 "inventories": {"prod Kustomization/apps/web": "c$~0"},
 "added later": null
}"""


def test_version_1_is_read() -> None:
    assert decode(VERSION_1.encode()) == TOLD


def test_what_is_written_is_read_again() -> None:
    assert decode(encode(TOLD)) == TOLD
    assert decode(encode(Told())) == Told()


def test_what_is_written_is_plain_json_with_its_version_one_value_to_a_line() -> None:
    raw = encode(TOLD)
    assert json.loads(raw) == {
        key: value
        for key, value in json.loads(VERSION_1.replace(', "added later": [1]', "")).items()
        if key != "added later"
    }
    members = ["version", "destinations", "seen", "begun", "observed", "turns", "inventories"]
    assert list(json.loads(raw)) == members
    assert raw.endswith(b"}\n")
    assert max(len(line) for line in raw.splitlines()) < 60
    assert json.loads(encode(Told()))["version"] == 1


def test_lines_without_entries_are_dropped() -> None:
    raw = (
        b'{"version": 1, "destinations": {"slack": {"line": [], "other": [{"commit": "a", "is": "success", "at": 1}]}}}'
    )
    assert decode(raw).destinations["slack"].keys() == {"other"}


V1 = b'{"version": 1, "destinations": '
DAMAGED = [
    pytest.param(b"", "damaged", "it is empty", id="empty"),
    pytest.param(b"\0" * 100, "damaged", "it is empty", id="zeros, as after a power cut"),
    pytest.param(b" \n", "damaged", "it is empty", id="blank"),
    pytest.param(encode(TOLD)[:-40], "damaged", "cut short or not JSON", id="truncated"),
    pytest.param(encode(TOLD) + b"x", "damaged", "cut short or not JSON", id="something behind"),
    pytest.param(b"version: 1\n", "damaged", "cut short or not JSON", id="not JSON"),
    pytest.param(b"\x1f\x8b\x08\x00\xff", "damaged", "cut short or not JSON", id="binary"),
    pytest.param(b'{"version": 1, "destinations": {"\xff": {}}}', "damaged", "cut short or not JSON", id="not UTF-8"),
    pytest.param(b'{"version": 1, "x": ' + b"[" * 200_000, "damaged", "cut short or not JSON", id="nested too deep"),
    pytest.param(b"{}", "damaged", "not a ledger", id="foreign: nothing in it"),
    pytest.param(b"[]", "damaged", "not a ledger", id="foreign: a list"),
    pytest.param(b"null", "damaged", "not a ledger", id="foreign: null"),
    pytest.param(b'{"name": "web", "version": "1.0.0"}', "damaged", "not a ledger", id="foreign: a package.json"),
    pytest.param(b'{"version": 1, "resources": []}', "damaged", "not a ledger", id="foreign: has a version 1, too"),
    pytest.param(b'{"version": 0, "destinations": {}}', "damaged", "no version 0", id="a version that never was"),
    pytest.param(b'{"version": true, "destinations": {}}', "damaged", "not a ledger", id="version is no number"),
    pytest.param(b'{"version": 1, "destinations": []}', "damaged", "not a ledger", id="destinations of a wrong type"),
    pytest.param(V1 + b'{"x": {"l": [{"commit": 1}]}}}', "damaged", "not a ledger", id="entry of a wrong type"),
    pytest.param(V1 + b'{}, "seen": {"prod": "x"}}', "damaged", "not a ledger", id="seen of a wrong type"),
    pytest.param(V1 + b'{}, "begun": [["a", "b"]]}', "damaged", "not a ledger", id="intent too short"),
    pytest.param(b'{"version": 2, "destinations": {}}', "newer", "version 2, this landed knows version 1", id="newer"),
    pytest.param(b'{"version": 7, "told": "otherwise"}', "newer", "it has version 7", id="newer, of another shape"),
    pytest.param(b"{" + b" " * ledger_format.MOST_BYTES_READ, "damaged", "larger than 64 MiB", id="too large"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "kind", "why"), DAMAGED)
def test_what_cannot_be_read_says_why(raw: bytes, kind: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=re.escape(why)) as caught:
        decode(raw)
    assert caught.value.kind == kind


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_likely = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1, 1, 2, "1"]), "destinations": _json},
    optional={"seen": _json | st.dictionaries(st.text(max_size=3), st.integers()), "begun": _json},
)


def _reads_or_says_so(raw: bytes) -> None:
    try:
        told = decode(raw)
    except UnreadableError:
        return
    assert decode(encode(told)) == told


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    _reads_or_says_so(raw)


@given(_likely)
def test_any_json_is_read_or_refused(value: object) -> None:
    _reads_or_says_so(json.dumps(value).encode())


_text = st.text(max_size=8)
_entries = st.lists(st.builds(Entry, _text, _text, st.integers(), _text, st.booleans()), min_size=1, max_size=3)


@given(
    st.builds(
        Told,
        st.dictionaries(_text, st.dictionaries(_text, _entries, max_size=3), max_size=3),
        st.dictionaries(_text, st.integers(), max_size=3),
        st.lists(st.builds(Intent, _text, _text, _text), max_size=3),
    )
)
def test_any_ledger_is_read_as_it_was_written(told: Told) -> None:
    assert decode(encode(told)) == told


@given(st.integers(0, len(encode(TOLD))), st.binary(max_size=4), st.integers(0, 8))
def test_any_damage_to_a_ledger_is_read_or_refused(at: int, put: bytes, over: int) -> None:
    raw = encode(TOLD)
    _reads_or_says_so(raw[:at] + put + raw[at + over :])


# ── the cap ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _many(lines: int, *, handle: str = "") -> Told:
    return Told(
        {
            "github.com": {
                f"acme/fleet flux/prod/apps/web{n}": [
                    Entry(f"{n:040x}", "success", n, handle, past=True),
                    Entry(f"{n + 1:040x}", "success", n + 1, handle),
                ]
                for n in range(lines)
            }
        },
        {"prod": 1},
    )


def test_too_many_entries_lose_the_oldest_that_are_past() -> None:
    told = decode(encode(_many(50_005)))
    assert told.count() == 100_000
    lengths = [len(entries) for entries in told.destinations["github.com"].values()]
    assert lengths == [1] * 10 + [2] * 49_995
    assert told.seen == {"prod": 1}


def test_too_many_bytes_lose_entries_until_they_fit() -> None:
    raw = encode(_many(20_000, handle="h" * 1000))
    told = decode(raw)
    assert ledger_format.MOST_BYTES // 2 < len(raw) <= ledger_format.MOST_BYTES
    assert 0 < told.count() < 40_000
    assert len(told.destinations["github.com"]) == 20_000, "what lines speak of now outlasts what is past"


def test_a_ledger_at_its_cap_is_written_the_same_again() -> None:
    raw = encode(_many(50_005))
    assert encode(decode(raw)) == raw
