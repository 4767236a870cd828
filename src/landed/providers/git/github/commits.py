"""What a commit is called on GitHub.

https://docs.github.com/en/rest/git/commits#get-a-commit-object , which is small: it shows no files.
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
from landed.providers.git.github.api import Api

MAY_READ = (
    'In a workflow: `permissions: contents: read`. Fine-grained token or App: "Contents: read" on that repository.'
    " Classic token: scope `repo`."
)


class _Author(Struct):
    name: str | None = None
    email: str | None = None


class _Commit(Struct):
    sha: str
    message: str
    author: _Author | None = None
    html_url: str | None = None


def reader(host: GitHost, like: Api, *, turns: TokenBucket | None, sleep: Callable[[float], object]) -> Commits:
    """Make what asks ``host``, with the token of the App's installation that ``like`` has, if any."""
    api = Api(commits.hurried(host), may_write=MAY_READ, timeout=commits.TIMEOUT, turns=turns, sleep=sleep)
    api.installation = like.installation  # one token serves both
    return Commits(
        host,
        api.asker,
        api.task,
        lambda repository, commit: f"{api.path(repository)}/git/commits/{quote(commit, safe='')}",
        _shown,
        sleep,
    )


def _shown(text: str) -> Shown:
    shown = decode(text, _Commit)
    author = shown.author or _Author()
    return Shown(shown.sha, shown.message, author.name or "", shown.html_url or "", author.email or "")
