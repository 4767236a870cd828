"""What a commit is called on Azure DevOps.

https://learn.microsoft.com/en-us/rest/api/azure/devops/git/commits/get?view=azure-devops-server-rest-5.0
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from landed.decoding import decode
from landed.http import TokenBucket
from landed.model import GitHost, Repository
from landed.providers import commits
from landed.providers.commits import Commits, Shown
from landed.providers.git.azuredevops.api import Api


class _Author(Struct):
    name: str | None = None
    email: str | None = None


class _Commit(Struct):
    commitId: str
    comment: str
    author: _Author | None = None
    remoteUrl: str | None = None


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Commits:
    """Make what asks ``host``. A token for statuses alone may not read commits."""
    api = Api(commits.hurried(host), timeout=commits.TIMEOUT, turns=turns, sleep=sleep)

    def url(repository: Repository, commit: str) -> str:
        path, _, query = api.statuses_url(repository, commit).partition("?")
        return f"{path.removesuffix('/statuses')}?{query}"

    return Commits(host, api.asker, api.task, url, _shown, sleep)


def _shown(text: str) -> Shown:
    shown = decode(text, _Commit)
    author = shown.author or _Author()
    return Shown(shown.commitId, shown.comment, author.name or "", shown.remoteUrl or "", author.email or "")
