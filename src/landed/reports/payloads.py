"""What an update says, whatever it is: the words that every report uses for it."""

from __future__ import annotations

from typing import NamedTuple

from landed.model import (
    Comment,
    CommitStatus,
    Deployment,
    Digest,
    Dispatch,
    Event,
    Occurrence,
    Payload,
    Repository,
    State,
    Update,
)
from landed.reports.rows import rank


class Words(NamedTuple):
    """An update in words, not cleaned."""

    kind: str
    """``status``, ``deployment``, ``comment``, ``dispatch``, ``message`` or ``event``."""
    commit: str
    """``acme/fleet@6dcd4ce2``."""
    state: str
    name: str
    """What it is about: context, environment, clusters, object."""
    said: str = ""


#: Several of a kind; what is sent to people is called a message in any case.
PLURALS = {
    "status": "statuses",
    "deployment": "deployments",
    "comment": "comments",
    "dispatch": "dispatches",
    "message": "messages",
}


def words(update: Update) -> Words:
    """What ``update`` says."""
    payload = update.payload
    if isinstance(payload, CommitStatus):
        return Words("status", _commit(payload), payload.state, payload.context, payload.description)
    if isinstance(payload, Deployment):
        return Words("deployment", _commit(payload), payload.state, payload.environment, payload.description)
    if isinstance(payload, Comment):
        state = min((str(row.state) for row in payload.rows), key=rank, default="")
        return Words("comment", _commit(payload), state, ", ".join(dict.fromkeys(row.cluster for row in payload.rows)))
    if isinstance(payload, Digest):
        return _digest(payload)
    commit = update.marks[0].commit[:8] if update.marks else ""
    if isinstance(payload, Occurrence):
        return _event("event", commit or "–", payload.event)._replace(state=payload.state)
    if isinstance(payload, Dispatch):
        return _event("dispatch", f"{payload.repository.path}@{commit}", payload.event)
    return _event("event", commit or "–", payload)


def place(payload: Payload) -> tuple[Repository, str] | None:
    """Repository and commit of what is told to a Git host about a commit."""
    if isinstance(payload, CommitStatus | Deployment | Comment):
        return payload.repository, payload.commit
    return None


def _commit(payload: CommitStatus | Deployment | Comment) -> str:
    return f"{payload.repository.path}@{payload.commit[:8]}"


def _event(kind: str, commit: str, event: Event) -> Words:
    about = event.involvedObject
    waits = State.PENDING if event.reason == "DependencyNotReady" else State.SUCCESS
    state = State.FAILURE if event.severity == "error" else waits
    name = f"{about.kind} {about.namespace}/{about.name}"
    return Words(kind, commit, state, name, f"{event.reason}: {event.message}"[:200])


def _digest(digest: Digest) -> Words:
    told = [story.outcome for story in digest.stories]
    state = min((str(story.state) for story in digest.stories), key=rank, default="")
    commits = [f"{outcome.repository.path}@{outcome.commit[:8]}" for outcome in told if outcome.commit]
    more = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
    return Words(
        "message", f"{commits[0]}{more}" if commits else "–", state, ", ".join(dict.fromkeys(o.cluster for o in told))
    )
