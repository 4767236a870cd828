"""Which commit contains which, on Gitea and Forgejo.

https://docs.gitea.com/api/#tag/repository/operation/repoCompareDiff compares commits since Gitea 1.23. It lists every
commit between two, with its parents: a chain of them proves what contains what. An empty list proves nothing, as it is
also the answer where two commits have nothing in common. Where it does not compare, commits are listed that one has and
the other has not: https://docs.gitea.com/api/#tag/repository/operation/repoGetAllCommits
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from msgspec import Struct

from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository
from landed.providers.ancestry import Ancestry, Inquiry, Line, is_hash, named, patient
from landed.providers.asking import Answer
from landed.providers.git.gitea.api import Api
from landed.providers.git.gitea.dialect import said

#: Seconds between bytes: a long list of commits takes the server a while.
TIMEOUT = 15
MAY_READ = (
    "The token takes the scope `read:repository` (Repository: read), and its user the right to read the repository's"
    " code."
)
#: What costs the server something and is not needed; older ones do not know these words and answer all the same.
_BRIEFLY = "stat=false&verification=false&files=false"


class _Parent(Struct):
    sha: str


class _Commit(Struct):
    sha: str
    parents: list[_Parent] | None = None


class _Comparison(Struct):
    total_commits: int
    commits: list[_Commit] | None = None


class _Target(Struct):
    """Of a branch it is called ``id``, of a tag ``sha``."""

    id: str = ""
    sha: str = ""


class _Ref(Struct):
    commit: _Target


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Ancestry:
    """Make what asks ``host``."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        api = Api(patient(host), may=MAY_READ, timeout=TIMEOUT, turns=shared, sleep=sleep)

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            return _relate(inquiry, api.path(repository), commit, other)

        return Line(api.asker, api.task, relate, shared, MAY_READ, sleep=sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, path: str, commit: str, other: str) -> Relation:
    tip = other if is_hash(other) else _tip(inquiry, path, other)
    if tip == commit:
        return Relation.SAME
    there = _between(inquiry, path, commit, tip)
    if there is None:
        return _by_lists(inquiry, path, commit, tip)
    if _leads(there, tip, commit):
        return Relation.AFTER
    back = _between(inquiry, path, tip, commit)
    if back is None:
        return _by_lists(inquiry, path, commit, tip)
    return Relation.BEFORE if _leads(back, commit, tip) else Relation.APART


def _between(inquiry: Inquiry, path: str, base: str, head: str) -> Sequence[_Commit] | None:
    """The commits of ``head`` since it has left ``base``, all of them; None where Gitea does not compare commits."""
    answer = inquiry.ask(f"{path}/compare/{base}...{head}?{_BRIEFLY}")
    if answer.status == 404:
        return None
    found = inquiry.decoded(answer, _Comparison)
    commits = found.commits or []
    whole = found.total_commits == len(commits) and (not commits or any(one.sha == head for one in commits))
    if not whole or any(one.parents is None for one in commits):
        raise inquiry.nonsense(answer)
    return commits


def _leads(commits: Sequence[_Commit], head: str, base: str) -> bool:
    """Whether ``commits`` lead from ``head`` to its ancestor ``base``, parent by parent."""
    parents = {one.sha: [parent.sha for parent in one.parents or ()] for one in commits}
    pending, seen = [head], {head}
    while pending:
        following = set(parents.get(pending.pop(), ())) - seen
        if base in following:
            return True
        seen |= following
        pending.extend(following)
    return False


def _by_lists(inquiry: Inquiry, path: str, commit: str, tip: str) -> Relation:
    """What one has and the other has not. Raises DeliveryError where Gitea does not know one, or how to leave out."""
    for name in (commit, tip):
        answer = inquiry.ask(f"{path}/git/commits/{name}?{_BRIEFLY}")
        if answer.status in (404, 422) and "object does not exist" in said(answer).lower():
            raise inquiry.unknown(name)
        inquiry.decoded(answer, _Commit)
    lacks, adds = _has_more(inquiry, path, commit, tip), _has_more(inquiry, path, tip, commit)
    if (lacks and adds and _has_more(inquiry, path, commit, commit)) or not (lacks or adds):
        too_old = "it is too old to say what one commit has and another has not"
        raise inquiry.failure(too_old, "Gitea 1.20 or a later one is needed, or a checkout with --repository-path.")
    return Relation.APART if lacks and adds else Relation.BEFORE if lacks else Relation.AFTER


def _has_more(inquiry: Inquiry, path: str, one: str, other: str) -> bool:
    """Whether ``one`` has commits that ``other`` has not: the first that is listed is itself."""
    query = urlencode({"sha": one, "not": other, "limit": 1, "page": 1})
    answer = inquiry.ask(f"{path}/commits?{query}&{_BRIEFLY}")
    listed = inquiry.decoded(answer, list[_Commit])
    if listed and listed[0].sha != one:
        raise inquiry.nonsense(answer)
    return bool(listed)


def _tip(inquiry: Inquiry, path: str, ref: str) -> str:
    is_tag, name = named(ref)
    answer = inquiry.ask(f"{path}/{'tags' if is_tag else 'branches'}/{quote(name, safe='/')}")
    if answer.status == 404:
        raise _no_ref(inquiry, path, ref, answer)
    target = inquiry.decoded(answer, _Ref).commit
    tip = (target.id or target.sha).lower()
    if not is_hash(tip):
        raise inquiry.nonsense(answer)
    return tip


def _no_ref(inquiry: Inquiry, path: str, ref: str, answer: Answer) -> Exception:
    """Gitea says of a ref that it does not know what it says of a repository: so that is looked for."""
    return inquiry.unknown(ref) if inquiry.ask(path).status == 200 else inquiry.refused(answer)
