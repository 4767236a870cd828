"""Which commit contains which, on Azure DevOps.

https://learn.microsoft.com/en-us/rest/api/azure/devops/git/diffs/get?view=azure-devops-server-rest-5.0
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import GitHost, Relation, Repository
from landed.providers.ancestry import TELLING, Ancestry, Inquiry, Line, is_hash, named, patient
from landed.providers.asking import Answer
from landed.providers.git.azuredevops.api import API_VERSION, Api
from landed.providers.git.azuredevops.dialect import MAY_WRITE, no_such_commit, said

#: Seconds to make a connection, and between bytes.
TIMEOUT = 15
MAY_READ = (
    'Personal access token: scope "Code (read)"; "Code (status)" is not enough. Its user, or for System.AccessToken the'
    ' build service\'s identity, needs "Read" on the repository (Project settings, Repositories, Security).'
)


class _Diff(Struct):
    baseCommit: str
    targetCommit: str
    commonCommit: str | None = None
    aheadCount: int | None = None
    """Commits that the target has and the base has not; ``behindCount`` the other way."""
    behindCount: int | None = None


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Ancestry:
    """Make what asks ``host``. A token for statuses alone may not read commits."""

    def line() -> Line:
        shared = turns or TokenBucket.without_limit()
        api = Api(patient(host), timeout=TIMEOUT, turns=shared, sleep=sleep)

        def relate(inquiry: Inquiry, repository: Repository, commit: str, other: str) -> Relation:
            place, _, _ = api.statuses_url(repository, commit).rpartition("/commits/")
            return _relate(inquiry, place, commit, other)

        return Line(api.asker, api.task, relate, shared, MAY_READ, MAY_WRITE, sleep)

    return Ancestry(line)


def _relate(inquiry: Inquiry, place: str, commit: str, other: str) -> Relation:
    is_tag, name = named(other)
    kind = "commit" if is_hash(other) else "tag" if is_tag else "branch"
    query = {
        "baseVersionType": "commit",
        "baseVersion": commit,
        "targetVersionType": kind,
        "targetVersion": name,
        "diffCommonCommit": "true",
        "$top": 1,
        "api-version": API_VERSION,
    }
    answer = inquiry.ask(f"{place}/diffs/commits?{urlencode(query)}")
    if answer.status in TELLING and no_such_commit(answer):
        raise _unknown(inquiry, answer, commit, other)
    found = inquiry.decoded(answer, _Diff)
    # What it did not understand it leaves out without a word, and compares the default branch.
    if found.baseCommit.lower() != commit or (is_hash(other) and found.targetCommit.lower() != other):
        raise inquiry.nonsense(answer)
    return _judged(inquiry, answer, found, commit)


def _judged(inquiry: Inquiry, answer: Answer, found: _Diff, commit: str) -> Relation:
    ahead, behind = found.aheadCount, found.behindCount
    if not (found.commonCommit or "").strip("0"):  # nothing in common: then each has what the other has not
        if not (ahead and behind and is_hash(found.targetCommit.lower()) and found.targetCommit.lower() != commit):
            raise inquiry.nonsense(answer)
        return Relation.APART
    relation = inquiry.by_merge_base(answer, found.commonCommit or "", commit, found.targetCommit)
    expected = {
        Relation.SAME: (False, False),
        Relation.AFTER: (True, False),
        Relation.BEFORE: (False, True),
        Relation.APART: (True, True),
    }[relation]
    if any(
        count is not None and (count > 0) is not there for count, there in zip((ahead, behind), expected, strict=True)
    ):
        raise inquiry.nonsense(answer)
    return relation


def _unknown(inquiry: Inquiry, answer: Answer, commit: str, other: str) -> DeliveryError:
    words = said(answer)
    names = [name for name in (commit, other) if named(name)[1] in words]
    return inquiry.unknown(*(names or (commit, other)))
