"""What a commit is called on Bitbucket Cloud.

https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commit-commit-get
"""

from __future__ import annotations

from msgspec import Struct

from landed.decoding import decode
from landed.providers.commits import Shown

#: What is asked for: an answer is long otherwise.
#: https://developer.atlassian.com/cloud/bitbucket/rest/intro/#partial-response
FIELDS = "fields=hash,message,author.raw,author.user.display_name,author.user.nickname,links.html.href"


class _User(Struct):
    display_name: str | None = None
    nickname: str | None = None


class _Author(Struct):
    raw: str | None = None
    """``Jane Doe <jane@example.com>``"""
    user: _User | None = None


class _Link(Struct):
    href: str | None = None


class _Links(Struct):
    html: _Link | None = None


class _Commit(Struct):
    hash: str
    message: str
    author: _Author | None = None
    links: _Links | None = None


def shown(text: str) -> Shown:
    """The commit that an answer shows. Raises MsgspecError."""
    commit = decode(text, _Commit)
    author = commit.author or _Author()
    user = author.user or _User()
    page = commit.links.html.href if commit.links and commit.links.html else None
    email = (author.raw or "").partition("<")[2].partition(">")[0]
    name = user.display_name or author.raw or ""
    return Shown(commit.hash, commit.message, name, page or "", email, user.nickname or "")
