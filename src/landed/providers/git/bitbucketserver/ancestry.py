"""Which commit contains which, on Bitbucket Server and Data Center.

https://developer.atlassian.com/server/bitbucket/rest/v905/api-group-repository/#api-api-latest-projects-projectkey-repos-repositoryslug-commits-get

Commits are listed that one has and the other has not, both ways: only together they are an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from msgspec import Struct

from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository, Secret
from landed.providers import rest
from landed.providers.ancestry import Ancestry, Inquiry, Line, is_hash, patient
from landed.providers.asking import Answer, Task
from landed.providers.git.bitbucketserver.dialect import DIALECT, MAY_WRITE, said

MAY_READ = "To read commits takes `Repository read` (REPO_READ), for an HTTP access token and for its user."


class _Commit(Struct):
    id: str


class _Page(Struct):
    values: list[_Commit]
    isLastPage: bool


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
    """Make what asks ``host``; ``path`` is where a repository is."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        asker = rest.asker(patient(host), DIALECT, headers, timeout=timeout, turns=shared, sleep=sleep)

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            return _relate(inquiry, path(repository), commit, other)

        return Line(asker, task, relate, shared, MAY_READ, MAY_WRITE, sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, path: str, commit: str, other: str) -> Relation:
    answer, tip = _newest(inquiry, path, other, commit)
    _, own = _newest(inquiry, path, commit, other)
    if tip == commit or own == tip != "" or (not tip and not own and is_hash(other)):
        raise inquiry.nonsense(answer)
    if tip:
        return Relation.APART if own else Relation.AFTER
    return Relation.BEFORE if own else Relation.SAME


def _newest(inquiry: Inquiry, path: str, one: str, other: str) -> tuple[Answer, str]:
    """The newest commit that ``one`` has and ``other`` has not: itself, or none."""
    answer = inquiry.ask(f"{path}/commits?{urlencode({'until': one, 'since': other, 'limit': 1})}")
    if answer.status == 404 and _names_no_commit(answer):
        words = said(answer)
        raise inquiry.unknown(*([name for name in (one, other) if name in words] or (one, other)))
    page = inquiry.decoded(answer, _Page)
    newest = page.values[0].id.lower() if page.values else ""
    if newest and (not is_hash(newest) or (is_hash(one) and newest != one)):
        raise inquiry.nonsense(answer)
    if not newest and not page.isLastPage:
        raise inquiry.nonsense(answer)
    return answer, newest


def _names_no_commit(answer: Answer) -> bool:
    """Whether the repository is there, and what is looked for in it is not."""
    value = answer.value
    errors = value.get("errors") if isinstance(value, dict) else None
    names = [str(one.get("exceptionName")) for one in errors or () if isinstance(one, dict)]
    return any(name.rpartition(".")[2].startswith(("NoSuchCommit", "NoSuchBranch", "NoSuchTag")) for name in names)
