"""What a commit is called on GitLab.

https://docs.gitlab.com/api/commits/#retrieve-a-commit
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
from landed.providers.git.gitlab.api import Api


class _Commit(Struct):
    id: str
    message: str
    """Whole: GitLab cuts ``title``."""
    author_name: str | None = None
    author_email: str | None = None
    web_url: str | None = None


def reader(host: GitHost, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Commits:
    """Make what asks ``host``."""
    api = Api(commits.hurried(host), timeout=commits.TIMEOUT, turns=turns, sleep=sleep)
    return Commits(
        host,
        api.asker,
        api.task,
        lambda repository, commit: f"{api.path(repository)}/repository/commits/{quote(commit, safe='')}?stats=false",
        _shown,
        sleep,
    )


def _shown(text: str) -> Shown:
    shown = decode(text, _Commit)
    return Shown(shown.id, shown.message, shown.author_name or "", shown.web_url or "", shown.author_email or "")
