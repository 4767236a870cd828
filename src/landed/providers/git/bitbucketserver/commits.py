"""What a commit is called on Bitbucket Server and Data Center.

https://developer.atlassian.com/server/bitbucket/rest/v905/api-group-repository/#api-api-latest-projects-projectkey-repos-repositoryslug-commits-commitid-get
"""

from __future__ import annotations

from msgspec import Struct

from landed.decoding import decode
from landed.providers.commits import Shown


class _Person(Struct):
    name: str | None = None
    """Of an author that Bitbucket knows it is the name to sign in with."""
    displayName: str | None = None
    emailAddress: str | None = None


class _Commit(Struct):
    id: str
    message: str
    author: _Person | None = None


def shown(text: str) -> Shown:
    """The commit that an answer shows. Raises MsgspecError."""
    commit = decode(text, _Commit)
    author = commit.author or _Person()
    login = author.name if author.displayName else None
    name = author.displayName or author.name or ""
    return Shown(commit.id, commit.message, name, "", author.emailAddress or "", login or "")
