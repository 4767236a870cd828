"""How a state looks, never by colour alone, and how a stranger's text may stand on the page. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from landed import render
from landed.model import State, Verdict
from landed.reports.commands import harmless
from landed.revision import short as short_revision


class Sign(Struct, frozen=True):
    """A state as people see it."""

    key: str
    """Its class in the style sheet."""
    symbol: str
    word: str


#: What needs eyes first comes first.
SIGNS = {
    sign.key: sign
    for sign in (
        Sign("failed", "✗", "failed"),
        Sign("doomed", "!", "will fail"),
        Sign("diverged", "≠", "diverged"),
        Sign("unreadable", "?", "not read"),
        Sign("missing", "?", "missing"),
        Sign("waiting", "◌", "waiting"),
        Sign("stale", "◌", "stale"),
        Sign("new", "·", "new"),
        Sign("deleting", "–", "deleting"),
        Sign("suspended", "–", "suspended"),
        Sign("superseded", "–", "superseded"),
        Sign("other", "·", "unknown"),
        Sign("live", "✓", "live"),
    )
}
_RANKS = {key: number for number, key in enumerate(SIGNS)}
_KEYS = {
    str(State.SUCCESS): "live",
    str(State.FAILURE): "failed",
    str(State.PENDING): "waiting",
    **{str(verdict): str(verdict) for verdict in Verdict},
    **{str(state): str(state) for state in (State.STALE, State.SUPERSEDED, State.SUSPENDED, State.DELETING, State.NEW)},
}


def key(state: str) -> str:
    """The key of the sign of a ``State``, a ``Verdict`` or a standing's state; ``other`` where it is none of them."""
    return _KEYS.get(state, "other")


def rank(key_: str) -> int:
    """How far up a sign belongs."""
    return _RANKS.get(key_, len(_RANKS))


def worst(keys: Iterable[str]) -> str:
    """The key that needs eyes most; ``other`` where there is none."""
    return min(keys, key=rank, default="other")


def line(text: str) -> str:
    """``text`` as one line that shows everything that it holds, without leading, trailing or double blanks."""
    return " ".join(_visible(text).split())


def lines(text: str) -> str:
    """``text`` with its line breaks and its blanks."""
    return _visible(text).strip("\n")


def _visible(text: str) -> str:
    text = harmless(text)
    if text.isascii():
        return text
    nobody, unseen, pile = _patterns()
    return pile.sub(r"\1", unseen.sub("", nobody.sub("\ufffd", text)))


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """What a page may not hold, what nobody can see, and marks that are piled up over other lines."""
    planes = "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    return (
        re.compile(f"[\ufdd0-\ufdef{planes}]"),
        re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U000e0000-\U000e0fff]"),
        re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
                   "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"),
    )  # fmt: skip


def digits(revision: str) -> str:
    """The commit, or what stands for one, in a revision or a bare commit, in eight characters: ``6dcd4ce2``."""
    said = short_revision(revision)
    said = said if said != revision else revision.rpartition(":")[2]
    return re.split("[@:]", said)[-1][:8]


def ago(then: int, now: int) -> str:
    """How long it has been at ``now``, ``12m ago``; empty where the time is not known."""
    return f"{render.age(now - then)} ago" if then else ""


def counted(number: int, one: str) -> str:
    """``1 cluster``, ``3 clusters``."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def moment(seconds: int) -> str:
    """RFC 3339, or nothing where a year would not have four digits."""
    return render.rfc3339(seconds) if 0 < seconds < 253_402_300_800 else ""


def link(url: str) -> str:
    """``url`` if it is a plain web address without a user, else nothing."""
    return url if re.fullmatch(r"(?i:https?)://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?][!#-;=?-_a-z~]*)?", url) else ""
