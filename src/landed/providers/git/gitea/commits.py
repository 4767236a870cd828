"""What a commit is called on Gitea and Forgejo.

https://docs.gitea.com/api/#tag/repository/operation/repoGetSingleCommit
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from msgspec import Struct

from landed.decoding import decode
from landed.http import TokenBucket
from landed.model import GitHost
from landed.providers import commits
from landed.providers.commits import Commits, Shown
from landed.providers.git.gitea.api import Api

#: What costs the server something and is not needed; older ones do not know these words and answer all the same.
_BRIEFLY = "stat=false&verification=false&files=false"


class _Signature(Struct):
    name: str | None = None
    email: str | None = None


class _Content(Struct):
    message: str
    author: _Signature | None = None


class _User(Struct):
    full_name: str | None = None
    login: str | None = None


class _Commit(Struct):
    sha: str
    commit: _Content
    author: _User | None = None
    """Where Gitea knows the e-mail address."""
    html_url: str | None = None


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Commits:
    """Make what asks ``host``."""
    api = Api(commits.hurried(host), timeout=commits.TIMEOUT, turns=turns, sleep=sleep)
    return Commits(
        host,
        api.asker,
        api.task,
        lambda repository, commit: f"{api.path(repository)}/git/commits/{quote(commit, safe='')}?{_BRIEFLY}",
        _shown,
        sleep,
    )


def _shown(text: str) -> Shown:
    shown = decode(text, _Commit)
    known, signed = shown.author or _User(), shown.commit.author or _Signature()
    name = known.full_name or signed.name or ""
    page = shown.html_url or ""
    return Shown(shown.sha, shown.commit.message, name, page, signed.email or "", known.login or "")
