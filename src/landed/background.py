"""What more is worth knowing of what is about to be told: what Flux's own events say, and who wrote a commit.

None of it can fail a run, and a run without news asks for none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import structs

from landed.model import Described, Digest, Happened, Look, ObjectRef, Repository, Story, Update
from landed.plan.changes import Events, concerned
from landed.pool import at_once
from landed.providers.outlet import Outlet
from landed.render import first_line

#: What is asked for the events of some objects; gives a note where they cannot be read.
Asked = Callable[[Collection[ObjectRef]], tuple[Mapping[ObjectRef, Sequence[Happened]], str]]

#: Commits that are asked about in one look: beyond these, nobody reads every message.
MOST = 20

#: How source-controller tells of a new commit; the subject is cut to fifty characters.
_STORED = re.compile(r"stored artifact for commit '(.+)'", re.DOTALL)


def events(
    ask: Mapping[str, Asked], looks: Sequence[Look], updates: Sequence[Update]
) -> tuple[Events, tuple[str, ...]]:
    """What the clusters' own events say of what ``updates`` are about, and what could not be read."""
    found: dict[tuple[str, ObjectRef], Sequence[Happened]] = {}
    notes: list[str] = []
    for cluster, wanted in concerned(updates, looks).items():
        if cluster in ask:
            happened, note = ask[cluster](wanted)
            found.update({(cluster, ref): said for ref, said in happened.items()})
            notes += [f"{cluster}: {note}"] if note else []
    return found, tuple(notes)


def described(
    outlets: Iterable[Outlet], updates: Sequence[Update], looks: Iterable[Look], happened: Events
) -> tuple[Update, ...]:
    """``updates``, with the title and the author of every commit that a message is about, as far as anybody knows."""
    wanted = {
        (story.outcome.repository, story.outcome.commit): None
        for update in updates
        if isinstance(update.payload, Digest)
        for story in update.payload.stories
        if story.outcome.commit
    }
    if not wanted:
        return tuple(updates)
    known = _subjects(looks, happened) | _asked(tuple(outlets), tuple(wanted)[:MOST])
    return tuple(_with(update, known) for update in updates)


def _with(update: Update, known: Mapping[tuple[Repository, str], Described]) -> Update:
    def told(story: Story) -> Story:
        found = known.get((story.outcome.repository, story.outcome.commit))
        if found is None:
            return story
        return structs.replace(story, subject=found.subject, author=found.author, known_as=found.known_as)

    if not isinstance(update.payload, Digest):
        return update
    stories = tuple(map(told, update.payload.stories))
    return structs.replace(update, payload=structs.replace(update.payload, stories=stories))


def _asked(
    outlets: Sequence[Outlet], wanted: Sequence[tuple[Repository, str]]
) -> dict[tuple[Repository, str], Described]:
    found: dict[tuple[Repository, str], Described] = {}

    def ask(commit: tuple[Repository, str]) -> None:
        outlet = next((outlet for outlet in outlets if outlet.knows(commit[0])), None)
        if outlet is None:
            return
        with suppress(Exception):  # whatever is wrong: a message without a title is still a message
            found[commit] = outlet.described(*commit)

    at_once(ask, wanted)
    return {key: _bounded(one) for key, one in found.items()}


def _bounded(one: Described) -> Described:
    others = tuple(first_line(name)[:100] for name in one.known_as[:3])
    return Described(first_line(one.subject)[:300], first_line(one.author)[:100], one.url, others)


def _subjects(looks: Iterable[Look], happened: Events) -> dict[tuple[Repository, str], Described]:
    """What source-controller's events call the commits that sources hold."""
    found: dict[tuple[Repository, str], Described] = {}
    for look in looks:
        for observation in look.fetched:
            for said in happened.get((look.cluster, observation.about), ()):
                match = _STORED.fullmatch(said.message)
                if match and said.revision == observation.revision and observation.repository is not None:
                    found[observation.repository, observation.commit] = Described(first_line(match[1]), "")
    return found
