"""The one comment that is kept on a pull or merge request: what it says, and what of an earlier one stays. No I/O.

Every line of its table carries its row a second time, as data in a hidden HTML comment. That is what a later run, which
may look at other clusters, takes over; visible text is never read back.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import accumulate
from typing import Annotated, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta, Struct

from landed.decoding import decode
from landed.model import Comment, Row, State
from landed.render import cut, first_line

MARKER = "<!-- landed:comment -->"
#: Characters of a comment; GitHub takes 65,536, the others more.
LIMIT = 60_000
_HEAD = 2_000
"""Of them for everything but the table."""
_MORE = 18_000
"""Of them for the data on rows that are left out."""
NAMED = 300
"""Clusters and states, counted together, that these data name."""
_TITLE = "### Has it landed?"
_TABLE = "| Cluster | Kustomization | State | Why |\n|---|---|---|---|"
_SIGNS = {
    State.FAILURE: "❌ failed",
    State.PENDING: "⏳ pending",
    State.SUPERSEDED: "⏭ superseded",
    State.SUCCESS: "✅ live",
}
#: Gravest first: what the whole is, and which rows stay when there is no room for all.
_GRAVITY = {state: number for number, state in enumerate(_SIGNS)}
_WHOLE = {
    State.FAILURE: "❌ Commit {} has failed",
    State.PENDING: "⏳ Commit {} is on its way",
    State.SUPERSEDED: "⏭ Commit {} was superseded",
    State.SUCCESS: "✅ Commit {} is live",
}

T = TypeVar("T")


class _Kept(Struct, frozen=True, array_like=True):
    """A row as data."""

    commit: str
    cluster: str
    name: str
    state: State
    said: str
    url: str


class _More(Struct, frozen=True, array_like=True):
    """How many rows are not in the table, as data."""

    commit: str
    counts: list[tuple[Annotated[str, Meta(max_length=16)], State, Annotated[int, Meta(ge=1, le=1_000_000)]]]
    """Key of the cluster, state, how many. An empty key stands for clusters that there was no room to name."""


#: Key of the cluster and state → how many rows are not in the table.
_LeftOut = Mapping[tuple[str, State], int]


def body(comment: Comment, existing: str = "") -> str:
    """The whole text of the comment, in Markdown.

    What other runs said of other clusters and the same commit is taken over from ``existing``. The text has at most
    60,000 characters: when there is no room for all rows, failures stay first, and it says how many are left out.
    """
    if comment.left and not comment.rows and is_ours(existing) and not any(_rows(existing, comment.commit)):
        return existing  # it speaks of a later commit of the same request by now
    text = _merged(comment, existing)
    # Where rows of other clusters were left out, ours may take their room now: twice is always enough.
    return _merged(comment, text) if _left_out(text, comment.commit) else text


def is_ours(text: str) -> bool:
    """Whether ``text`` is the body of such a comment."""
    return text.lstrip("\ufeff \t\r\n").startswith(MARKER)


def _merged(comment: Comment, existing: str) -> str:
    rows = {_tidy(row) for row in comment.rows}
    ours = {row.cluster for row in rows}
    rows |= {_left(row, comment) for row in _rows(existing, comment.commit) if row.cluster not in ours}
    replaced, gone = {_key(cluster) for cluster in ours}, {_key(cluster) for cluster in comment.left}
    before: Counter[tuple[str, State]] = Counter()
    for (key, state), count in _left_out(existing, comment.commit).items():
        if key not in replaced:
            before[key, _ended(state, key in gone)] += count
    lines = {row: _line(row, comment.commit) for row in sorted(rows)}
    kept = _fitting(lines, LIMIT - _HEAD, LIMIT - _HEAD - _MORE, full=bool(before))
    left = before + Counter((_key(row.cluster), row.state) for row in rows - kept)
    table = [_TABLE, *(line for row, line in lines.items() if row in kept), ""] if kept else []
    more = [f"… and {_known(left).total()} more", "", _hidden_counts(left, comment.commit)] if left else []
    return (
        "\n".join([MARKER, _TITLE, "", _headline(comment.commit, rows, before), "", *table, *more]).strip("\n") + "\n"
    )


def _left(row: Row, comment: Comment) -> Row:
    """``row``, whose cluster may have gone on to another commit before this one had a result."""
    state = _ended(row.state, row.cluster in comment.left)
    said = row.said if state is row.state else "Flux went on to another commit"
    return Row(row.cluster, row.name, state, said, row.url)


def _ended(state: State, gone: bool) -> State:
    return State.SUPERSEDED if gone and state is State.PENDING else state


def _key(cluster: str) -> str:
    return sha256(cluster.encode()).hexdigest()[:12]


def _known(left: _LeftOut) -> Counter[tuple[str, State]]:
    """Without the unnamed: whoever counts his own rows would count them twice."""
    return Counter({key: count for key, count in left.items() if key[0]})


def _fitting(lines: Mapping[Row, str], room: int, less: int, *, full: bool) -> set[Row]:
    """The rows that fit into ``room`` characters if that are all, else those, gravest first, that fit into ``less``."""
    if not full and sum(len(line) + 1 for line in lines.values()) <= room:
        return set(lines)
    ranked = sorted(lines, key=lambda row: (_GRAVITY[row.state], row))
    sizes = accumulate(len(lines[row]) + 1 for row in ranked)
    return {row for row, size in zip(ranked, sizes, strict=True) if size <= less}


def _headline(commit: str, rows: Iterable[Row], left: _LeftOut) -> str:
    """How the whole stands, by everything that is known, shown or not."""
    counts = Counter(row.state for row in rows)
    clusters = {_key(row.cluster) for row in rows} | {key for key, _ in left if key}
    for (_, state), count in _known(left).items():
        counts[state] += count
    states = {*counts, *(state for _, state in left)}
    if not states:
        return f"⏳ Nothing is known of commit {_code(commit[:8])} yet."
    said = ", ".join(f"{counts[state]} {word.split()[1]}" for state, word in _SIGNS.items() if counts[state])
    where = "1 cluster" if len(clusters) == 1 else f"{len(clusters)} clusters"
    others = "" if ("" not in {key for key, _ in left}) else ", perhaps more"
    stands = _WHOLE[min(states, key=_GRAVITY.__getitem__)].format(_code(commit[:8]))
    return f"{stands}: {said} on {where}{others}."


def _line(row: Row, commit: str) -> str:
    name = f"[{_code(row.name)}]({row.url})" if row.url and row.name else _code(row.name)
    data = _data(_Kept(commit, row.cluster, row.name, row.state, row.said, row.url))
    return f"| {_code(row.cluster)} | {name} | {_SIGNS[row.state]} | {_code(row.said)} <!-- landed:row {data} --> |"


def _code(text: str) -> str:
    """``text``, one line, as a code span: there no host sees mentions, references, links, emoji names or HTML.

    What could end the span or the table's cell, or look like hidden data, is replaced by what looks alike.
    """
    shown = text.replace("`", "'").replace("|", "¦").replace("<!--", "<!‐‐").replace("-->", "‐‐>")
    return f"`{shown}`" if shown else ""


def _tidy(row: Row) -> Row:
    """``row`` in one line each, cleaned and not too long. What was tidied stays as it is."""
    state = row.state if row.state in _SIGNS else State.PENDING
    return Row(_plain(row.cluster, 255) or "?", _plain(row.name, 600), state, _plain(row.said, 400), _address(row.url))


def _plain(text: str, limit: int) -> str:
    return cut(first_line(text.encode(errors="replace").decode()), limit)


def _address(url: str) -> str:
    """``url`` as a link's target, or nothing where it is no plain web address."""
    try:
        split = urlsplit(url.encode(errors="replace").decode())
    except ValueError:
        return ""
    if split.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", split.netloc):
        return ""
    query, fragment = f"?{split.query}" if split.query else "", f"#{split.fragment}" if split.fragment else ""
    safe = f"{split.scheme}://{split.netloc}" + quote(f"{split.path}{query}{fragment}", safe="/?#&=%+,;:.~-_@")
    return safe if len(safe) <= 2000 else ""


def _rows(text: str, commit: str) -> Iterator[Row]:
    """The rows of ``commit`` in an earlier text. They are as strange as any input: anybody may have edited it."""
    for data in _hidden(text, "row", "|", " |"):
        kept = _value(data, _Kept)
        if kept is not None and kept.commit == commit:
            yield _tidy(Row(kept.cluster, kept.name, kept.state, kept.said, kept.url))


def _left_out(text: str, commit: str) -> _LeftOut:
    found: dict[tuple[str, State], int] = {}
    for data in _hidden(text, "more", "", ""):
        more = _value(data, _More)
        if more is not None and more.commit == commit:
            found |= {(key, state): count for key, state, count in more.counts if state in _SIGNS}
    return found


def _hidden_counts(left: _LeftOut, commit: str) -> str:
    """What is left out, gravest first; of clusters that there is no room to name only that there are such."""
    ranked = sorted(left.items(), key=lambda item: (_GRAVITY[item[0][1]], item[0]))
    counts = [(key, state, min(count, 1_000_000)) for (key, state), count in ranked if key]
    unnamed = {state for (key, state) in left if not key} | {state for _, state, _ in counts[NAMED:]}
    data = _data(_More(commit, [*counts[:NAMED], *(("", state, 1) for state in sorted(unnamed))]))
    return f"<!-- landed:more {data} -->"


def _hidden(text: str, kind: str, start: str, end: str) -> Iterator[str]:
    """The data at the ends of lines: nowhere else is any, whatever it looks like."""
    if not is_ours(text):
        return
    for line in text.split("\n"):
        whole = line.strip()
        if whole.startswith(start) and whole.endswith(f" -->{end}"):
            _, found, data = whole.removesuffix(f" -->{end}").rpartition(f"<!-- landed:{kind} ")
            if found:
                yield data


def _data(value: object) -> str:
    """JSON in base64, in which no ``--`` and no ``|`` can be."""
    return b64encode(msgspec.json.encode(value)).decode()


def _value(data: str, kind: type[T]) -> T | None:
    try:
        return decode(b64decode(data, validate=True), kind)
    except (ValueError, msgspec.MsgspecError):  # not base64, not JSON, or not of that shape
        return None
