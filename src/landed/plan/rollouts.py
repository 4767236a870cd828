"""Channels that can edit: one message for each commit, which follows it from reconciling to live or failed on every
cluster of the run, with what people must not miss as replies.

What is told of each cluster has a mark of its own, so that a cluster that cannot be read for a while changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct, structs

from landed.model import RESULTS, Destination, Digest, Mark, Observation, Outcome, Repository, State, Story, Update
from landed.plan.channels import QUIET, dressed, rest
from landed.plan.news import News, View
from landed.plan.stories import Telling, is_mute, line_in, story, telling
from landed.told import Entry, Told

_Together = dict[tuple[Repository, str], list[tuple[View, Telling]]]


def rollouts(
    views: Sequence[View], told: Told, to: Destination, now: int, unread: Collection[str] = ()
) -> Iterator[News]:
    """Messages that are due on ``to``, replies after what they answer. ``unread`` are clusters that nothing is known of
    at present.
    """
    together: _Together = defaultdict(list)
    for view in views:
        for outcome in view.look.outcomes:
            said = telling(view, outcome)
            if said is not None:
                together[outcome.repository, outcome.commit].append((view, said))
    for (repository, commit), parts in sorted(together.items(), key=lambda item: _newest_last(item[1])):
        yield from _Rollout(repository, commit, parts, told, to, now, unread).due()
    if told.knows(to.name):
        yield from _superseded(views, told, to)
    yield rest(views, told, to, now)


def _newest_last(parts: Iterable[tuple[View, Telling]]) -> bool:
    return any(o.newest for _, said in parts for o in said.outcome.observations)


class _Part(Struct, frozen=True):
    """What one cluster says of the commit, beside what was told of it."""

    said: Telling
    entry: Entry | None
    answered: Entry | None
    """What was last told in a reply."""
    mark: Mark
    story: Story

    @property
    def news(self) -> bool:
        """Whether the message must change: for any new state, but pending never hides a result."""
        entry = self.entry
        if entry is None or (entry.past and not self.said.outcome.past):
            return True
        if self.said.outcome.past or entry.fingerprint == self.mark.fingerprint:
            return False
        return not (entry.state in RESULTS and self.said.state is State.PENDING)

    @property
    def reply(self) -> Mark | None:
        """The mark of a reply, where one is due: for a failure, and for what ends one that was answered."""
        failed = self.said.state is State.FAILURE
        ended = self.said.state is State.SUCCESS and self.answered is not None and self.answered.state == State.FAILURE
        same = self.answered is not None and self.answered.fingerprint == self.mark.fingerprint
        if self.said.outcome.past or same or not (failed or ended):
            return None
        return structs.replace(self.mark, line=f"{self.mark.line} replies")


class _Rollout:
    """One commit on the clusters of this run."""

    def __init__(
        self,
        repository: Repository,
        commit: str,
        parts: Iterable[tuple[View, Telling]],
        told: Told,
        to: Destination,
        now: int,
        unread: Collection[str],
    ) -> None:
        self._about = f"{repository} {commit}"
        self._told = told
        self._to = to
        self._parts = [
            self._part(view, said, now) for view, said in parts if not is_mute(said, told, to) and _worth_it(said)
        ]
        lines = {cluster: f"{cluster} {repository}" for cluster in unread}
        self._unread = tuple(sorted(c for c, line in lines.items() if told.entry(to.name, line, commit)))

    def _part(self, view: View, said: Telling, now: int) -> _Part:
        commit = said.outcome.commit
        mark = Mark(said.line, commit, _print(said), view.commits_in(said.outcome.repository))
        entry = self._told.entry(self._to.name, said.line, commit)
        answered = self._told.entry(self._to.name, f"{said.line} replies", commit)
        return _Part(said, entry, answered, mark, story(said, self._told, self._to, now))

    def due(self) -> Iterator[News]:
        """The message, posted or edited; then the replies."""
        new = [part for part in self._parts if part.news]
        if new and self._quiet():
            yield News(silent=tuple((self._to.name, part.mark) for part in new))
            return
        replies = [(part, mark) for part in self._parts if (mark := part.reply) is not None]
        handle = self._handle()
        marks = tuple(part.mark for part in new)
        if not handle and not self._to.threads:  # what is posted beside it would say the same again
            marks += tuple(mark for _, mark in replies) if new else ()
            replies = [] if new else replies
        if new:
            stories = tuple(part.story for part in self._parts)
            yield self._news(marks, Digest(stories, self._about, handle, unread=self._unread))
        for part, mark in replies:
            yield self._news((mark,), Digest((part.story,), self._about, handle, reply=True))

    def _quiet(self) -> bool:
        """Whether all of it was so before this channel was served for the first time."""
        return not self._told.knows(self._to.name) and all(part.said.state in QUIET for part in self._parts)

    def _handle(self) -> str:
        """The message to edit; none where another commit was told in between, for nobody looks that far up."""
        entries = (part.entry for part in self._parts)
        return next((e.handle for e in entries if e is not None and e.handle and not e.past), "")

    def _news(self, marks: tuple[Mark, ...], digest: Digest) -> News:
        return News(Update(self._to.name, marks, dressed(digest, self._to)))


def _worth_it(said: Telling) -> bool:
    """Progress is told once Flux is at work, or has seen the commit: it may belong to a source that nobody follows."""
    return said.state in RESULTS or any(o.newest or o.begun or o.waits_for for o in said.outcome.observations)


def _print(said: Telling) -> str:
    """The fingerprint of a message that can be edited: how far it has come is worth an edit, too."""
    if said.state is not State.PENDING:
        return said.fingerprint
    observations = said.outcome.observations
    live = sum(o.state is State.SUCCESS for o in observations)
    return f"pending {live}/{len(observations)}"


def _superseded(views: Iterable[View], told: Told, to: Destination) -> Iterator[News]:
    """Messages that would wait for ever: nobody speaks of their commit any more, and everybody has come to another."""
    left: dict[str, list[tuple[Mark, Story, str]]] = defaultdict(list)
    for view in views:
        current = {o.repository: o for o in view.look.outcomes if not o.past}
        for repository, outcome in current.items():
            heads = view.heads(repository)
            if not heads:
                continue
            commits = view.commits_in(repository)
            for entry in told.destinations.get(to.name, {}).get(line_in(view.look.cluster, outcome), ()):
                if entry.state == State.PENDING and entry.handle and entry.commit not in commits:
                    mark = Mark(line_in(view.look.cluster, outcome), entry.commit, State.SUPERSEDED, commits)
                    told_of = _left(outcome, entry.commit, _by(view, repository, heads))
                    left[f"{repository} {entry.commit}"].append((mark, told_of, entry.handle))
    for about, parts in left.items():
        stories = tuple(story_ for _, story_, _ in parts)
        digest = Digest(stories, about, parts[0][2])
        yield News(Update(to.name, tuple(mark for mark, _, _ in parts), dressed(digest, to)))


def _by(view: View, repository: Repository, heads: Sequence[str]) -> str:
    """The revision that was taken up instead; "another commit" where there are several."""
    if len(heads) != 1:
        return "another commit"
    here = (o for o in view.look.outcomes if o.repository == repository and o.commit == heads[0])
    return next((o.revision for x in here for o in x.observations if o.revision), heads[0])


def _left(outcome: Outcome, commit: str, by: str) -> Story:
    about = outcome.observations[0].about
    gone = Observation(about, State.PENDING, outcome.repository, commit)
    return Story(Outcome(outcome.cluster, outcome.repository, commit, (gone,)), superseded_by=by)
