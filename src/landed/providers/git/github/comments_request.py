"""Which pull request a commit belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from landed.errors import DeliveryError
from landed.http import excerpt
from landed.model import Comment, Repository

if TYPE_CHECKING:
    from landed.providers.git.github.api import Api

ANNOTATION = "event.toolkit.fluxcd.io/change_request"

#: A comment or a pull request, as GitHub shows it.
Entry: TypeAlias = Mapping[str, Any]

#: How well a pull request fits a commit.
_MADE_IT, _HAS_IT, _PROPOSES_IT, _OPEN, _CLOSED = range(5)


class Requests:
    """Finds pull requests. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._known: dict[tuple[Repository, str], str] = {}

    def number(self, comment: Comment) -> str:
        """The number of the pull request, or "" where there is none. Raises DeliveryError."""
        if comment.request:
            return self._annotated(comment)
        key = comment.repository, comment.commit
        with self._lock:
            known = self._known.get(key, "")
        if known:
            return known
        found = self._search(comment)
        if found:  # where there is none, somebody may open one during a run that waits
            with self._lock:
                self._known[key] = found
        return found

    def _annotated(self, comment: Comment) -> str:
        if is_number(comment.request):
            return str(int(comment.request))
        strange = excerpt(comment.request.encode(errors="replace"), (self._api.host.token.reveal(),))
        raise DeliveryError(
            f"{self._api.who}: the comment on a pull request of {comment.repository.path} cannot be written:"
            f" the annotation {ANNOTATION} says {strange!r}, which is no number.",
            f"Set the annotation {ANNOTATION} to the pull request's number alone.",
        )

    def _search(self, comment: Comment) -> str:
        """Ask for the pull requests with the commit, and choose.

        https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
        """
        path = self._api.path(comment.repository)
        without = f"the pull request of {comment.commit[:8]} in {comment.repository.path} cannot be found"
        task = self._api.task("GET", without, comment.repository)
        url = f"{path}/commits/{quote(comment.commit, safe='')}/pulls?per_page=100"
        entries = [entry for entry in self._api.pages(task, url) if is_number(entry.get("number"))]
        # A number counts in one repository only, and of a fork's commit others' requests may be shown.
        own = [entry for entry in entries if _base(entry) == path.casefold()]
        if entries and not own:  # perhaps it was renamed
            shown = self._api.asker.ask(task, path).value
            renamed = f"/repos/{shown.get('full_name')}".casefold() if isinstance(shown, dict) else ""
            own = [entry for entry in entries if _base(entry) == renamed]
        chosen = min(own, key=lambda entry: _rank(entry, comment.commit), default=None)
        return "" if chosen is None or _rank(chosen, comment.commit) == _CLOSED else str(chosen["number"])


def is_number(value: object) -> bool:
    """Whether ``value`` counts something: an int above 0, or its digits."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0


def _base(entry: Entry) -> str:
    """The path, in the API and in small letters, of the repository that a pull request is made to."""
    base = entry.get("base")
    repository = base.get("repo") if isinstance(base, dict) else None
    return f"/repos/{repository.get('full_name')}".casefold() if isinstance(repository, dict) else ""


def _rank(entry: Entry, commit: str) -> int:
    head = entry.get("head")
    if entry.get("merged_at"):
        return _MADE_IT if entry.get("merge_commit_sha") == commit else _HAS_IT
    if entry.get("state") != "open":
        return _CLOSED
    return _PROPOSES_IT if isinstance(head, dict) and head.get("sha") == commit else _OPEN
