"""Which commit contains which, on Bitbucket Cloud.

https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-merge-base-revspec-get
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from msgspec import Struct

from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository, Secret
from landed.providers import rest
from landed.providers.ancestry import Ancestry, Inquiry, Line, is_hash, named, patient
from landed.providers.asking import Task
from landed.providers.git.bitbucket.dialect import DIALECT, MAY_WRITE, error_of, said

MAY_READ = (
    "To read commits takes the scope `repository` (access token, app password) or `read:repository:bitbucket` (API"
    " token) and access to the repository."
)


class _Commit(Struct):
    hash: str


class _Ref(Struct):
    target: _Commit


class _Page(Struct):
    values: list[_Commit]


def reader(
    host: GitHost,
    headers: Mapping[str, Secret | str],
    task: Callable[[str, str, Repository], Task],
    path: Callable[[Repository], str],
    *,
    timeout: float,
    turns: TokenBucket | None,
    sleep: Callable[[float], object],
) -> Ancestry:
    """Make what asks ``host``; ``path`` is what Bitbucket calls a repository, quoted."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        asker = rest.asker(patient(host), DIALECT, headers, timeout=timeout, turns=shared, sleep=sleep)

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            return _relate(inquiry, f"/repositories/{path(repository)}", commit, other)

        return Line(asker, task, relate, shared, MAY_READ, MAY_WRITE, sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, path: str, commit: str, other: str) -> Relation:
    tip = other if is_hash(other) else _tip(inquiry, path, other)
    if tip == commit:
        return Relation.SAME
    answer = inquiry.ask(f"{path}/merge-base/{commit}..{tip}?fields=hash")
    if answer.status == 404:
        return _without_merge_base(inquiry, path, commit, tip)
    return inquiry.by_merge_base(answer, inquiry.decoded(answer, _Commit).hash, commit, tip)


def _without_merge_base(inquiry: Inquiry, path: str, commit: str, tip: str) -> Relation:
    """Bitbucket does not document what it says of two commits with nothing in common: so it is looked what is so."""
    for name in (commit, tip):
        answer = inquiry.ask(f"{path}/commit/{name}?fields=hash")
        data = error_of(answer).get("data")
        if answer.status == 404 and ("commit not found" in said(answer).lower() or isinstance(data, dict)):
            raise inquiry.unknown(name)
        inquiry.decoded(answer, _Commit)
    if _has_more(inquiry, path, commit, tip) and _has_more(inquiry, path, tip, commit):
        return Relation.APART
    raise inquiry.failure("it knows both and finds no merge base", "Ask again later.", passing=True)


def _has_more(inquiry: Inquiry, path: str, one: str, other: str) -> bool:
    """Whether ``one`` has commits that ``other`` has not."""
    query = urlencode({"include": one, "exclude": other, "pagelen": 1, "fields": "values.hash"})
    return bool(inquiry.read(f"{path}/commits?{query}", _Page).values)


def _tip(inquiry: Inquiry, path: str, ref: str) -> str:
    is_tag, name = named(ref)
    answer = inquiry.ask(f"{path}/refs/{'tags' if is_tag else 'branches'}/{quote(name, safe='')}?fields=target.hash")
    if answer.status == 404 and inquiry.ask(f"{path}?fields=full_name").status == 200:
        raise inquiry.unknown(ref)
    tip = inquiry.decoded(answer, _Ref).target.hash.lower()
    if not is_hash(tip):
        raise inquiry.nonsense(answer)
    return tip
