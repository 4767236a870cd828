"""Whether the source of a Kustomization will still bring the commit, or has gone another way.

A source that holds a commit on another line has either left ours (a force-push, a rollback), or has not fetched it yet:
at a force-push *to* our commit it looks the same. So the branch itself is asked, where somebody knows it; else the
source must have been seen to move, or have had an interval's time to do so.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from landed.model import Condition, Kustomization, Relation, Source
from landed.render import age
from landed.revision import short
from landed.verdict.question import CONTAINS

#: Our words, where Flux has none.
NOT_FETCHED = "SourceNotFetched"
LEFT = "Diverged"
UNKNOWN = "AncestryUnknown"

#: Seconds that a source may be late with looking.
SLACK = 30
#: What is taken for the interval of a source that does not say.
_INTERVAL = 300


class Ahead(Struct, frozen=True):
    """What a source has to do with the commit."""

    diverged: bool
    reason: str
    message: str
    since: int = 0


class Branch(Struct, frozen=True):
    """A source and what is known of the line that it follows."""

    source: Source
    head: str
    """The commit it holds."""
    relation: Relation
    """Of ``head`` to the commit."""
    moved: bool
    """Whether it was seen to change in this run."""
    held: bool
    """Whether it is known to have held the commit, or a later one, before."""
    asks: Callable[[str], Relation | None]
    """How a commit or a reference relates to the commit; None as long as it is being looked up."""


def ahead(branch: Branch, commit: str, *, began: int, now: int, final: bool) -> Ahead:
    """What becomes of ``commit`` by way of a source that does not hold it. Times are in our clock."""
    source = branch.source
    if branch.relation is Relation.UNKNOWN:
        return unknown(branch.head, commit)
    late = final or now - began > (source.interval or _INTERVAL) + SLACK
    if _gone(branch, late=late):
        way = "has gone back" if branch.relation is Relation.BEFORE else "has gone another way"
        message = f"{source.ref} {way}, to {short(source.revision)}, which does not contain {commit[:8]}"
        return Ahead(True, LEFT, message, source.updated)
    return Ahead(False, NOT_FETCHED, _not_fetched(source, now), source.updated)


def unknown(other: str, commit: str) -> Ahead:
    """What there is to say where nobody knows how ``other`` relates to ``commit``."""
    return Ahead(False, UNKNOWN, f"Nobody can say whether {other[:8]} contains {commit[:8]}")


def _gone(branch: Branch, *, late: bool) -> bool:
    kind, _, name = branch.source.pointer.partition("=")
    if kind == "commit":  # it follows this one, which it may have been told a moment ago
        return branch.asks(name.strip().lower()) in _LACKS
    if kind == "semver":
        return False  # the next version may be of another line
    apart = branch.relation is Relation.APART
    if not (apart or branch.held or late):
        return False  # the usual case: it has just not looked yet
    tip = _tip(branch)
    if tip is None or tip in CONTAINS:
        return False
    if tip is Relation.APART or (tip is Relation.BEFORE and (apart or branch.held)):
        return True
    if tip is Relation.BEFORE:
        return False
    return (apart or branch.held) and (branch.moved or (late and _looks(branch.source)))


#: The relations of what does not contain the commit.
_LACKS = frozenset({Relation.BEFORE, Relation.APART})


def _tip(branch: Branch) -> Relation | None:
    ref = followed(branch.source)
    return branch.asks(ref) if ref else Relation.UNKNOWN


def followed(source: Source) -> str:
    """The reference that a GitRepository follows; empty for what is none.

    https://fluxcd.io/flux/components/source/gitrepositories/#reference
    """
    if source.ref.kind != "GitRepository":
        return ""
    kind, _, name = source.pointer.partition("=")
    prefix = {"branch": "refs/heads/", "tag": "refs/tags/", "name": ""}.get(kind)
    ref = f"{prefix}{name}" if prefix is not None and name else ""
    return ref if ref.startswith(("refs/heads/", "refs/tags/")) else ""


def _trouble(source: Source) -> Condition | None:
    """What keeps a source from fetching."""
    if source.fetch_failed is not None and source.fetch_failed.status == "True":
        return source.fetch_failed
    return source.ready if source.ready is not None and source.ready.status == "False" else None


def _looks(source: Source) -> bool:
    """Whether time that passes says anything: a source that cannot fetch brings nothing, wherever its branch is."""
    return not source.suspended and _trouble(source) is None


def _not_fetched(source: Source, now: int) -> str:
    """When it last brought something is all that its status tells: looking in vain leaves no trace there."""
    last = f"last fetch of something new {age(now - source.updated)} ago, " if source.updated else ""
    every = last + (f"interval {age(source.interval)}" if source.interval else "interval unknown")
    failed = _trouble(source)
    if failed is not None and failed.message:
        return f"source not fetched yet, {every}; {source.ref} cannot fetch: {failed.message}"
    if source.suspended:
        return f"source not fetched yet: {source.ref} is suspended"
    return f"source not fetched yet, {every}; {source.ref} holds {short(source.revision)}"


def unfetched(k: Kustomization, source: Source | None, now: int) -> Ahead:
    """What there is to say of a source that holds no commit at all."""
    if source is None:
        return Ahead(False, NOT_FETCHED, f"Its source {k.source} is not there")
    if source.revision:
        what = "does not say of which commit it is; its origin revision is not set"
        return Ahead(False, "CommitUnknown", f"{source.ref} holds {short(source.revision)}, which {what}")
    return Ahead(False, NOT_FETCHED, _not_fetched(source, now))
