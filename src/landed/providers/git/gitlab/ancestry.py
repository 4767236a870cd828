"""Which commit contains which, on GitLab.

https://docs.gitlab.com/api/repositories/#retrieve-merge-base
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlencode

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository
from landed.providers.ancestry import Ancestry, Inquiry, Line, is_hash, named, patient
from landed.providers.git.gitlab.api import TIMEOUT, Api
from landed.providers.git.gitlab.dialect import said

MAY_READ = (
    "The token needs the scope `read_api` or `api`, and in a private project the role Reporter or more. CI_JOB_TOKEN"
    " cannot be used for this: give a checkout with --repository-path."
)


class _Commit(Struct):
    id: str


class _Ref(Struct):
    commit: _Commit
    """Of a tag, too, it is the commit and not the tag's own object."""


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Ancestry:
    """Make what asks ``host``."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        api = Api(patient(host), timeout=TIMEOUT, turns=shared, sleep=sleep)

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            return _relate(inquiry, f"{api.path(repository)}/repository", commit, other)

        return Line(api.asker, api.task, relate, shared, MAY_READ, api.right.hint, sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, path: str, commit: str, other: str) -> Relation:
    # By hashes alone: GitLab divides a name at its commas, and takes a branch for a tag of the same name.
    tip = other if is_hash(other) else _tip(inquiry, path, other)
    query = urlencode([("refs[]", commit), ("refs[]", tip)])
    answer = inquiry.ask(f"{path}/merge_base?{query}")
    if answer.status == 404 and "merge base" in said(answer).lower():
        return Relation.APART
    if answer.status == 400 and "could not find ref" in said(answer).lower():
        raise _why_not_found(inquiry, path, commit, tip)
    return inquiry.by_merge_base(answer, inquiry.decoded(answer, _Commit).id, commit, tip)


def _tip(inquiry: Inquiry, path: str, ref: str) -> str:
    is_tag, name = named(ref)
    answer = inquiry.ask(f"{path}/{'tags' if is_tag else 'branches'}/{quote(name, safe='')}")
    if answer.status == 404 and ("branch not found" in said(answer).lower() or "tag not found" in said(answer).lower()):
        raise inquiry.unknown(ref)
    tip = inquiry.decoded(answer, _Ref).commit.id.lower()
    if not is_hash(tip):
        raise inquiry.nonsense(answer)
    return tip


def _why_not_found(inquiry: Inquiry, path: str, *hashes: str) -> DeliveryError:
    """GitLab may name one that it does know: so each is looked for."""
    for name in hashes:
        answer = inquiry.ask(f"{path}/commits/{name}?stats=false")
        if answer.status == 404:
            return inquiry.unknown(name)
    return inquiry.unknown(*hashes)
