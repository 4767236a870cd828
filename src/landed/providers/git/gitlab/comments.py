"""The one comment that is kept on a merge request of gitlab.com or GitLab of one's own.

GitLab takes 1,000,000 characters; ours stay far below. https://docs.gitlab.com/api/notes/#merge-requests
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from urllib.parse import quote

from msgspec import Struct

from landed import comments
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Comment, Finding, GitHost, Payload, Repository
from landed.providers.asking import ARRIVED, Answer, Task
from landed.providers.git.gitlab import examination
from landed.providers.git.gitlab.api import Api, Entry, is_number, without_job_token
from landed.providers.git.gitlab.dialect import MAY_COMMENT
from landed.providers.interface import Held, wanted

#: Of a line in the table.
DESCRIPTION_LIMIT = 255
CONTEXT_LIMIT = 255
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

#: Where a merge request says which commit it has brought.
_MERGED_AS = ("merge_commit_sha", "squash_commit_sha", "sha")


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitLabComments:
    """Make the provider. No request is made yet.

    Raises ConfigurationError where token or address cannot be used; CI_JOB_TOKEN cannot.
    """
    without_job_token(host, "comment on merge requests")
    return GitLabComments(Api(host, right=MAY_COMMENT, timeout=TIMEOUT, turns=turns, sleep=sleep))


class _Place(Struct, frozen=True):
    """Where a comment goes."""

    comment: Comment
    number: str
    """Of the merge request."""
    notes: str
    """Its notes, in the API."""
    known: str
    """The note that the handle names, or nothing."""


class GitLabComments:
    """One comment on each merge request of one GitLab. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._turns: dict[str, Lock] = {}
        """Where two commits belong to one merge request, one comes after the other."""
        self._user: int | None = None
        """Who we are; 0 where GitLab does not say; None before it was asked."""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Nothing: what a comment holds is read when it is edited."""
        return {}

    def deliver(self, payload: Payload) -> str:
        """Say it in our comment, which is made if need be, or raise DeliveryError. Gives ``request:note``.

        A comment that says so already is not written to. Gives "" where the commit belongs to no merge request.
        """
        comment = wanted(Comment, payload)
        place = self._place(comment)
        if place is None:
            return ""
        with self._turn(place):
            note = self._known(place) or next(self._ours(place), None)
            return self._edit(place, note) if note else self._create(place)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and may it comment there? Writes nothing."""
        return examination.examine(self._api, repositories)

    def _turn(self, place: _Place) -> Lock:
        with self._lock:
            return self._turns.setdefault(place.notes, Lock())

    def _place(self, comment: Comment) -> _Place | None:
        path = self._api.path(comment.repository)
        request, _, known = comment.handle.partition(":")
        if comment.request and not re.fullmatch(r"!?[0-9]{1,18}", comment.request):
            raise DeliveryError(
                f"{comment.repository}: {comment.request[:40]!r} is not the number of a merge request.",
                "Check the annotation that names it.",
            )
        known_request = request if _is_id(request) and _is_id(known) else ""
        number = comment.request.lstrip("!") or known_request or self._request_of(comment, path)
        if not number:
            return None
        notes = f"{path}/merge_requests/{number}/notes"
        return _Place(comment, number, notes, known if known_request == number else "")

    def _request_of(self, comment: Comment, path: str) -> str:
        """The number of the merge request that has brought, or is to bring, the commit; empty if there is none.

        https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit
        """
        what = f"the merge request of commit {comment.commit[:8]} of {comment.repository.path} cannot be found"
        task = self._api.task("GET", what, comment.repository)
        url = f"{path}/repository/commits/{quote(comment.commit, safe='')}/merge_requests?per_page=100"
        found = [entry for entry in self._api.pages(task, url) if is_number(entry.get("iid"))]
        best = next(iter(sorted(found, key=lambda entry: _distance(entry, comment.commit))), None)
        return str(best["iid"]) if best else ""

    def _known(self, place: _Place) -> Entry | None:
        """The note that the handle names, as long as it is there and ours."""
        if not place.known:
            return None
        task = self._task("GET", place, "read")
        try:
            answer = self._api.asker.ask(task, f"{place.notes}/{place.known}")
        except DeliveryError as error:
            if error.passing or error.read_only:
                raise
            return None  # somebody has deleted it; where nothing can be seen at all, the search says so
        note = self._api.entry(task, answer)
        return note if _looks_ours(note) and self._own(note, trusted=True) else None

    def _ours(self, place: _Place) -> Iterator[Entry]:
        """Our notes on the merge request, through all pages, oldest first."""
        return (note for note in self._marked(place) if self._own(note))

    def _marked(self, place: _Place) -> Iterable[Entry]:
        """Notes that look like ours, whoever wrote them."""
        url = f"{place.notes}?sort=asc&order_by=created_at&per_page=100"
        return filter(_looks_ours, self._api.pages(self._task("GET", place, "read"), url))

    def _own(self, note: Entry, *, trusted: bool = False) -> bool:
        """Whether the token's user wrote it. Where GitLab does not say who that is: whether it is ``trusted``."""
        author = note.get("author")
        user = self._who()
        return author.get("id") == user if user and isinstance(author, dict) else trusted and not user

    def _who(self) -> int:
        """The id of the token's user, asked for once; 0 where it cannot be known."""
        with self._lock:
            if self._user is None:
                task = self._api.task("GET", "the token's user cannot be read")
                try:
                    self._user = int(self._api.entry(task, self._api.asker.ask(task, "/user"))["id"])
                except DeliveryError as error:
                    if error.passing:
                        raise
                    self._user = 0
            return self._user

    def _edit(self, place: _Place, note: Entry) -> str:
        text = comments.body(place.comment, _text(note))
        if text.strip() != _text(note).strip():
            task = self._task("PUT", place, "written")
            answer = self._api.asker.ask(task, f"{place.notes}/{note['id']}", {"body": text})
            self._api.entry(task, answer)
        return f"{place.number}:{note['id']}"

    def _create(self, place: _Place) -> str:
        """Make the note. Where no answer came, it is looked for before it is made again."""
        text = comments.body(place.comment)
        found: list[Entry] = []

        def arrived() -> Answer | None:
            notes = (
                note for note in self._marked(place) if self._own(note, trusted=_text(note).strip() == text.strip())
            )
            found.extend(list(notes)[-1:])
            return ARRIVED if found else None

        task = self._task("POST", place, "written")
        answer = self._api.asker.ask(task, place.notes, {"body": text}, arrived)
        if found:
            return self._edit(place, found[0])
        return f"{place.number}:{self._api.entry(task, answer)['id']}"

    def _task(self, verb: str, place: _Place, done: str) -> Task:
        repository = place.comment.repository
        return self._api.task(verb, f"the comment on {repository.path}!{place.number} cannot be {done}", repository)


def _is_id(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,18}", text))


def _text(note: Entry) -> str:
    """What a note says; who edits it in a browser leaves other line breaks."""
    return str(note.get("body") or "").replace("\r\n", "\n")


def _looks_ours(note: Entry) -> bool:
    return is_number(note.get("id")) and not note.get("system") and comments.is_ours(_text(note))


def _distance(entry: Entry, commit: str) -> tuple[int, int]:
    """How far a merge request is from having brought ``commit``: merged as it, merged, open at it, open, neither."""
    state = entry.get("state")
    if state == "merged":
        rank = 0 if commit in (entry.get(name) for name in _MERGED_AS) else 1
    elif state in ("opened", "locked"):
        rank = 2 if entry.get("sha") == commit else 3
    else:
        rank = 4
    return rank, int(entry["iid"])
