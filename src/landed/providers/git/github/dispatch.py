"""Repository dispatches on github.com, GHE.com and GitHub Enterprise Server: events that start workflows.

https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from msgspec import structs

from landed import events
from landed.errors import DeliveryError
from landed.http import TokenBucket, clean
from landed.model import Dispatch, Event, Finding, GitHost, Payload, Repository
from landed.providers.asking import Answer, Meaning, Task
from landed.providers.git.github import examination
from landed.providers.git.github.api import Api
from landed.providers.git.github.dialect import Right, dialect, said
from landed.providers.interface import Held, wanted

#: Commit statuses' own: a dispatch has neither descriptions nor contexts.
DESCRIPTION_LIMIT = 140
CONTEXT_LIMIT = 255
#: Characters of an event's type.
TYPE_LIMIT = 100
#: Bytes of what comes with it: GitHub's limit is 64 KB, and it does not say how it counts them.
PAYLOAD_LIMIT = 60_000
#: Seconds to make a connection, and between bytes.
TIMEOUT = 15

DISPATCHES = Right(
    "contents",
    "send events to workflows",
    'In a workflow: `permissions: contents: write`. Fine-grained token or App: "Contents: read and write"'
    " on that repository. Classic token: scope `repo`, or `public_repo` for public repositories.",
    frozenset({"repo"}),
    frozenset({"public_repo"}),
)
_CUT = "… (cut by landed: GitHub takes 64 KB)"


def connect(
    host: GitHost, *, turns: TokenBucket | None = None, sleep: Callable[[float], object] = time.sleep
) -> GitHubDispatch:
    """Make the provider. No request is made yet. Raises ConfigurationError where token or address cannot be used."""
    tongue = structs.replace(dialect(DISPATCHES.hint), explain=_explain)
    return GitHubDispatch(Api(host, tongue=tongue, timeout=TIMEOUT, turns=turns, sleep=sleep))


class GitHubDispatch:
    """Repository dispatches on one GitHub. Safe to use from several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def held(self, repository: Repository, commit: str) -> Mapping[str, Held]:
        """Nothing: GitHub does not tell which events there were."""
        return {}

    def deliver(self, payload: Payload) -> str:
        """Send one event with one request, or raise DeliveryError.

        It is not sent again where no answer came (the error is uncertain then): a workflow must not run twice.
        """
        dispatch = wanted(Dispatch, payload)
        type_ = event_type(dispatch.event)
        without = f"the event {clean(type_)} cannot be sent to {dispatch.repository.path}"
        task = self._api.task("POST", without, dispatch.repository)
        url = f"{self._api.path(dispatch.repository)}/dispatches"
        content = client_payload(dispatch.event)
        if content is None:
            raise DeliveryError(
                f"{task.who}: {without}: it is larger than the 64 KB that GitHub takes.",
                "Shorten the annotations event.toolkit.fluxcd.io/… of the object.",
            )
        answer = self._api.asker.ask(task, url, {"event_type": type_, "client_payload": content})
        if answer.status != 204:
            raise self._api.asker.nonsense(task, answer)
        return ""

    def examine(self, repositories: Sequence[Repository]) -> Sequence[Finding]:
        """For ``landed doctor``: can the repositories be seen, and what does the token show? Writes nothing."""
        return examination.examine(self._api, repositories, DISPATCHES)


def event_type(event: Event) -> str:
    """``Kustomization/apps.flux-system``, what workflows name in ``on.repository_dispatch.types``.

    Where it is longer than GitHub takes, a hash replaces its end: unique and stable.
    """
    about = event.involvedObject
    text = f"{about.kind}/{about.name}.{about.namespace}"
    if len(text) <= TYPE_LIMIT:
        return text
    return f"{text[: TYPE_LIMIT - 9]}~{crc32(text.encode(errors='replace')):08x}"


def client_payload(event: Event) -> Mapping[str, Any] | None:
    """``event`` as Flux writes it, its message cut as far as it must be; None where that is not enough."""
    whole = events.members(event)
    if _size(whole) <= PAYLOAD_LIMIT:
        return whole
    fits, too_many = 0, len(event.message)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        shorter = _size({**whole, "message": event.message[:middle] + _CUT}) <= PAYLOAD_LIMIT
        fits, too_many = (middle, too_many) if shorter else (fits, middle)
    whole["message"] = event.message[:fits] + _CUT
    return whole if _size(whole) <= PAYLOAD_LIMIT else None


def _size(value: Mapping[str, Any]) -> int:
    """Bytes of JSON in its longest form, in which everything but ASCII is escaped."""
    return len(json.dumps(value))


def _explain(task: Task, answer: Answer) -> Meaning:
    if answer.status == 404 and said(answer):
        hint = "GitHub says so, too, where the token may read but not write. " + DISPATCHES.hint
        return Meaning(f"the repository {task.repository} does not exist, or the token cannot see it", hint)
    return dialect(DISPATCHES.hint).explain(task, answer)
