"""The one comment that is kept on a pull request of Gitea or Forgejo.

https://docs.gitea.com/api/#tag/issue/operation/issueCreateComment
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from urllib.parse import quote

from msgspec import Struct

from landed import comments
from landed.errors import DeliveryError
from landed.http import TokenBucket
from landed.model import Comment, Finding, GitHost, Payload, Repository
from landed.providers.asking import Answer, Task
from landed.providers.git.gitea import examination
from landed.providers.git.gitea.api import Api, Entry, is_number
from landed.providers.git.gitea.dialect import MAY_COMMENT
from landed.providers.interface import Held, wanted

#: Of a line in the table.
DESCRIPTION_LIMIT = CONTEXT_LIMIT = 255
#: Seconds between bytes.
TIMEOUT = 15
#: Pages of pull requests, the last changed first, in which a commit's is looked for.
PAGES = 4


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GiteaComments:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    return GiteaComments(Api(host, may=MAY_COMMENT, timeout=TIMEOUT, turns=turns, sleep=sleep))


class _Place(Struct, frozen=True):
    """Where a comment goes."""

    comment: Comment
    path: str
    """The repository's, in the API."""
    number: int
    """Of the pull request."""


class GiteaComments:
    """One comment on each pull request of one Gitea or Forgejo. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._busy: dict[tuple[str, int], Lock] = {}
        self._login = ""

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Nothing: what a comment holds is read when it is edited."""
        return {}

    def deliver(self, payload: Payload) -> str:
        """Say it in our comment, which is made if need be, or raise DeliveryError. Gives ``request:comment``.

        A comment that says so already is not written to. Gives "" where the commit belongs to no pull request, or there
        is nothing to say.
        """
        comment = wanted(Comment, payload)
        path = self._api.path(comment.repository)
        number = self._request(comment, path)
        if not number:
            return ""
        place = _Place(comment, path, number)
        with self._alone(place):
            existing = self._known(place) or self._ours(place)
            written = self._edited(place, existing) if existing else 0
            if not written and not comment.rows:
                return ""
            return f"{number}:{written or self._created(place)}"

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: is the token good, and can it see the repositories? Writes nothing."""
        return examination.examine(self._api, repositories, push=False)

    def _alone(self, place: _Place) -> Lock:
        """Two commits of one request must not make two comments."""
        with self._lock:
            return self._busy.setdefault((place.path, place.number), Lock())

    def _task(self, verb: str, comment: Comment, what: str) -> Task:
        return self._api.task(verb, f"the comment on {comment.commit[:8]} {what}", comment.repository)

    def _request(self, comment: Comment, path: str) -> int:
        """The number of the request that the comment goes to; 0 where the commit belongs to none.

        Gitea from 1.22 on finds the request that a commit has merged. Before, and for one that is open, the requests
        that changed last are looked through.
        """
        if comment.request:
            if re.fullmatch(r"[1-9][0-9]{0,17}", comment.request):
                return int(comment.request)
            raise DeliveryError(
                f"{self._api.who}: {comment.request[:40]!r} is not the number of a pull request.",
                "Check the annotation event.toolkit.fluxcd.io/change_request.",
            )
        return self._merged(comment, path) or self._listed(comment, path)

    def _merged(self, comment: Comment, path: str) -> int:
        task = self._task("GET", comment, "cannot be written, as its pull request is not found")
        answer = self._api.asker.once(task, f"{path}/commits/{quote(comment.commit, safe='')}/pull")
        if not isinstance(answer, Answer) or answer.status != 200:
            return 0  # the list says what is wrong
        return _number(self._api.entry(task, answer))

    def _listed(self, comment: Comment, path: str) -> int:
        task = self._task("GET", comment, "cannot be written, as its pull request is not found")
        open_ = 0
        url = f"{path}/pulls?state=all&sort=recentupdate"
        for entry in self._api.pages(task, url, PAGES, enough=True):
            if entry.get("merged") is True and entry.get("merge_commit_sha") == comment.commit:
                return _number(entry)
            head = entry.get("head")
            is_head = isinstance(head, dict) and head.get("sha") == comment.commit
            open_ = open_ or (_number(entry) if entry.get("state") == "open" and is_head else 0)
        return open_

    def _known(self, place: _Place) -> Entry | None:
        """The comment that the handle names, as long as it is there, ours, and on this pull request."""
        handle = re.fullmatch(r"([1-9][0-9]{0,17}):([1-9][0-9]{0,17})", place.comment.handle)
        if not handle or int(handle[1]) != place.number:
            return None
        task = self._task("GET", place.comment, "cannot be read")
        answer = self._api.asker.once(task, f"{place.path}/issues/comments/{handle[2]}")
        if not isinstance(answer, Answer) or answer.status != 200:
            return None  # somebody has deleted it, or the search says what is wrong
        entry = self._api.entry(task, answer)
        urls = entry.get("pull_request_url"), entry.get("issue_url")
        here = any(str(url or "").endswith(f"/{place.number}") for url in urls)
        return entry if here and self._is_ours(entry) else None

    def _ours(self, place: _Place) -> Entry | None:
        """Our oldest comment on the pull request."""
        task = self._task("GET", place.comment, f"cannot be written, as those on #{place.number} are not readable")
        entries = list(self._api.pages(task, f"{place.path}/issues/{place.number}/comments"))
        ours = [entry for entry in entries if is_number(entry.get("id")) and self._is_ours(entry)]
        return min(ours, key=lambda entry: int(entry["id"]), default=None)

    def _is_ours(self, entry: Entry) -> bool:
        """Whether we wrote it. Others may copy the marker, and are not spoken for."""
        user = entry.get("user")
        login = user.get("login") if isinstance(user, dict) else None
        return comments.is_ours(_text(entry)) and isinstance(login, str) and login.lower() == self._me()

    def _me(self) -> str:
        with self._lock:
            if not self._login:
                task = self._api.task("GET", "who the token's user is cannot be read, so no comment is known as ours")
                answer = self._api.asker.ask(task, "/user")
                value = answer.value
                login = value.get("login") if isinstance(value, dict) else None
                if not isinstance(login, str) or not login:
                    raise self._api.asker.nonsense(task, answer)
                self._login = login.lower()
            return self._login

    def _edited(self, place: _Place, existing: Entry) -> int:
        """The id of ``existing``, which says it now; 0 where somebody has deleted it meanwhile."""
        id_, text = int(existing["id"]), comments.body(place.comment, _text(existing))
        if _same(text, _text(existing)):
            return id_
        task = self._task("PATCH", place.comment, f"on #{place.number} cannot be edited")
        where = f"{place.path}/issues/comments/{id_}"
        try:
            answer = self._api.asker.ask(task, where, {"body": text})
        except DeliveryError as error:
            if error.passing or not self._is_gone(place, where):
                raise
            return 0
        if self._api.entry(task, answer)["id"] != id_:
            raise self._api.asker.nonsense(task, answer)
        return id_

    def _is_gone(self, place: _Place, where: str) -> bool:
        look = self._api.asker.once(self._task("GET", place.comment, "cannot be read"), where)
        return isinstance(look, Answer) and look.status == 404

    def _created(self, place: _Place) -> int:
        text = comments.body(place.comment)
        task = self._task("POST", place.comment, f"on #{place.number} cannot be written")
        url = f"{place.path}/issues/{place.number}/comments"
        answer = self._api.asker.ask(task, url, {"body": text}, lambda: self._arrived(place, text))
        return int(self._api.entry(task, answer)["id"])

    def _arrived(self, place: _Place, text: str) -> Answer | None:
        entry = self._ours(place)
        there = entry is not None and _same(_text(entry), text)
        return Answer(201, {}, json.dumps(entry)) if there else None


def _text(entry: Entry) -> str:
    body = entry.get("body")
    return body if isinstance(body, str) else ""


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same but for line ends and blanks around."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def _number(entry: Entry) -> int:
    number = entry.get("number")
    return number if isinstance(number, int) and is_number(number) else 0
