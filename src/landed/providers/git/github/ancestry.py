"""Which commit contains which, on GitHub.

https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository
from landed.providers.ancestry import Ancestry, Inquiry, Line, is_hash, patient
from landed.providers.git.github.api import TIMEOUT, Api
from landed.providers.git.github.commits import MAY_READ
from landed.providers.git.github.dialect import said

#: Status → the relation, and whether the other one is ahead, and behind.
_MEANT = {
    "identical": (Relation.SAME, False, False),
    "ahead": (Relation.AFTER, True, False),
    "behind": (Relation.BEFORE, False, True),
    "diverged": (Relation.APART, True, True),
}


class _Commit(Struct):
    sha: str


class _Comparison(Struct):
    """The status is exact, however many commits are listed."""

    status: str
    ahead_by: int | None = None
    behind_by: int | None = None
    base_commit: _Commit | None = None
    merge_base_commit: _Commit | None = None


def reader(host: GitHost, like: Api, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Ancestry:
    """Make what asks ``host``, with the token of the App's installation that ``like`` has, if any."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        api = Api(patient(host), may_write=MAY_READ, timeout=TIMEOUT, turns=shared, sleep=sleep)
        api.installation = like.installation  # one token serves both

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            return _relate(inquiry, api.path(repository), commit, other)

        return Line(api.asker, api.task, relate, shared, MAY_READ, sleep=sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, path: str, commit: str, other: str) -> Relation:
    answer = inquiry.ask(f"{path}/compare/{commit}...{quote(other, safe='')}?per_page=1")
    if answer.status == 404 and "no common ancestor" in said(answer).lower():
        return Relation.APART
    if answer.status in (404, 422):
        raise _why_not_found(inquiry, path, commit, other)
    found = inquiry.decoded(answer, _Comparison)
    relation, ahead, behind = _MEANT.get(found.status, (Relation.UNKNOWN, False, False))
    held = relation in (Relation.SAME, Relation.AFTER)
    sound = (
        relation is not Relation.UNKNOWN
        and not (relation is Relation.SAME and is_hash(other))
        and (found.ahead_by is None or (found.ahead_by > 0) is ahead)
        and (found.behind_by is None or (found.behind_by > 0) is behind)
        and (found.base_commit is None or found.base_commit.sha == commit)
        and (found.merge_base_commit is None or (found.merge_base_commit.sha == commit) is held)
    )
    if not sound:
        raise inquiry.nonsense(answer)
    return relation


def _why_not_found(inquiry: Inquiry, path: str, *names: str) -> DeliveryError:
    """GitHub says of a commit that it does not know what it says of a repository: so each is looked for."""
    for name in names:
        answer = inquiry.ask(f"{path}/commits/{quote(name.removeprefix('refs/'), safe='')}?per_page=1")
        if answer.status in (404, 422) and "no commit found" in said(answer).lower():
            return inquiry.unknown(name)
        if answer.status != 200:
            return inquiry.refused(answer)
    return inquiry.failure("it knows both and cannot compare them", "Ask again later.", passing=True)
