"""The one comment that is kept on a pull request of github.com, GHE.com or GitHub Enterprise Server.

https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, structs

from landed import comments
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Comment, Finding, GitHost, Payload, Repository
from landed.providers.asking import ARRIVED, Answer, Meaning, Task
from landed.providers.git.github import examination
from landed.providers.git.github.api import Api
from landed.providers.git.github.comments_author import Author
from landed.providers.git.github.comments_request import ANNOTATION, Entry, Requests, is_number
from landed.providers.git.github.dialect import Right, dialect, said
from landed.providers.interface import Held, wanted
from landed.render import cut

#: Of a line in the table.
DESCRIPTION_LIMIT = 255
CONTEXT_LIMIT = 255
#: Of the whole comment.
BODY_LIMIT = 65_536
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

COMMENTS = Right(
    "pull_requests",
    "write comments on pull requests",
    'In a workflow: `permissions: pull-requests: write`. Fine-grained token or App: "Pull requests: read and write"'
    " on that repository. Classic token: scope `repo`, or `public_repo` for public repositories.",
    frozenset({"repo"}),
    frozenset({"public_repo"}),
)


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitHubComments:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    tongue = structs.replace(dialect(COMMENTS.hint), explain=_explain)
    return GitHubComments(Api(host, tongue=tongue, timeout=TIMEOUT, turns=turns, sleep=sleep))


class _Place(Struct, frozen=True):
    """Where a comment goes."""

    comment: Comment
    number: str
    """Of the pull request."""
    path: str
    """The repository's, in the API."""


class GitHubComments:
    """One comment on each pull request of one GitHub. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._requests = Requests(api)
        self._author = Author(api)

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Nothing: what a comment holds is read when it is edited."""
        return {}

    def deliver(self, payload: Payload) -> str:
        """Say it in our comment, which is made if need be, or raise DeliveryError. Gives ``request:comment``.

        A comment that says so already is not written to. Gives "" where the commit belongs to no pull request.
        """
        comment = wanted(Comment, payload)
        number = self._requests.number(comment)
        if not number:
            return ""
        place = _Place(comment, number, self._api.path(comment.repository))
        existing = self._known(place) or next(iter(self._ours(place)), None)
        return self._edit(place, existing) if existing else self._create(place)

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: can the repositories be seen, and what does the token show? Writes nothing."""
        return examination.examine(self._api, repositories, COMMENTS)

    def _known(self, place: _Place) -> Entry | None:
        """The comment that the handle names, as long as it is there, ours, and on this pull request."""
        number, _, id_ = place.comment.handle.partition(":")
        if number != place.number or not is_number(id_):
            return None
        task = self._task("GET", place, "read")
        answer = self._api.ask_if_there(task, f"{place.path}/issues/comments/{id_}")
        if answer is None:
            return None  # somebody has deleted it; where nothing can be seen at all, the search says so
        entry = self._entry(task, answer)
        here = str(entry.get("issue_url", "")).endswith(f"/issues/{place.number}")
        return entry if here and self._is_ours(entry) else None

    def _ours(self, place: _Place) -> list[Entry]:
        """Our comments on the pull request, through all pages, oldest first."""
        task = self._task("GET", place, "read")
        url = f"{place.path}/issues/{place.number}/comments?per_page=100"
        return [entry for entry in self._api.pages(task, url) if is_number(entry.get("id")) and self._is_ours(entry)]

    def _is_ours(self, entry: Entry) -> bool:
        return comments.is_ours(_text(entry)) and self._author.wrote(entry)

    def _edit(self, place: _Place, existing: Entry) -> str:
        text = cut(comments.body(place.comment, _text(existing)), BODY_LIMIT)
        if text.strip() != _text(existing).strip():
            task = self._task("PATCH", place, "written")
            answer = self._api.asker.ask(task, f"{place.path}/issues/comments/{existing['id']}", {"body": text})
            self._entry(task, answer)
        return f"{place.number}:{existing['id']}"

    def _create(self, place: _Place) -> str:
        """Make the comment. Where no answer came, it is looked for before it is made again."""
        found: list[Entry] = []

        def arrived() -> Answer | None:
            found.extend(self._ours(place)[:1])
            return ARRIVED if found else None

        task = self._task("POST", place, "written")
        text = cut(comments.body(place.comment), BODY_LIMIT)
        answer = self._api.asker.ask(task, f"{place.path}/issues/{place.number}/comments", {"body": text}, arrived)
        if found:
            return self._edit(place, found[0])
        made = self._entry(task, answer)
        older = self._instead_of(place, made)
        return self._edit(place, older) if older else f"{place.number}:{made['id']}"

    def _instead_of(self, place: _Place, made: Entry) -> Entry | None:
        """The comment that another job has made just before; ours is deleted then, as one is enough."""
        try:
            first = next(iter(self._ours(place)), made)
            if int(first["id"]) >= int(made["id"]):
                return None
            task = self._task("DELETE", place, "deleted")
            self._api.ask_if_there(task, f"{place.path}/issues/comments/{made['id']}")
        except DeliveryError:
            return None  # two comments that are right are better than an error
        return first

    def _task(self, verb: str, place: _Place, done: str) -> Task:
        repository = place.comment.repository
        return self._api.task(verb, f"the comment on {repository.path}#{place.number} cannot be {done}", repository)

    def _entry(self, task: Task, answer: Answer) -> Entry:
        """The comment that ``answer`` shows. Raises DeliveryError if it is something else."""
        value = answer.value
        if not isinstance(value, dict) or not is_number(value.get("id")):
            raise self._api.asker.nonsense(task, answer)
        return value


def _text(entry: Entry) -> str:
    """What a comment says; who edits it in a browser leaves other line breaks."""
    return str(entry.get("body") or "").replace("\r\n", "\n")


def _explain(task: Task, answer: Answer) -> Meaning:
    words = said(answer).lower()
    if answer.status in (403, 410, 422) and "locked" in words:
        return Meaning("the conversation is locked", "Unlock it, or use the token of somebody who may write there.")
    if answer.status in (403, 422) and "submitted too quickly" in words:
        return Meaning("comments come too fast", "The update is sent by a later run.", passing=True)
    if answer.status == 410:
        return Meaning("it takes no comments", f"Check whether it was deleted, and the annotation {ANNOTATION}.")
    if answer.status == 404 and words and "no commit found" not in words:
        hint = "GITHUB_TOKEN sees the workflow's own repository only: for others give a token or an App's. "
        what = f"the repository {task.repository}, or the request in it, does not exist, or the token cannot see it"
        return Meaning(what, hint + COMMENTS.hint)
    return dialect(COMMENTS.hint).explain(task, answer)
