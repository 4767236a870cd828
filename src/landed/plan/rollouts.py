"""Channels that can edit: one message for each commit, which follows it from reconciling to live or failed on every
cluster of the run, with what people must not miss as replies.

What is told of each cluster has a mark of its own, so that a cluster that cannot be read for a while changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct, structs

from landed.model import RESULTS, Destination, Digest, Mark, Observation, Outcome, Repository, State, Story, Update
from landed.plan.channels import QUIET, dressed, happened, held, held_back, over, rest
from landed.plan.news import News, View
from landed.plan.stories import AGAIN, FETCHED, Telling, is_mute, is_new, line_in, story, telling
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
            said = telling(view, outcome, told, to)
            if said is not None:
                together[outcome.repository, outcome.commit].append((view, said))
    left = _superseded(views, told, to) if told.knows(to.name) else {}
    in_order = [key for key, _ in sorted(together.items(), key=lambda item: _newest_last(item[1]))]
    all_ = [
        _Rollout(*key, together.get(key, ()), left.get(key, ()), told, to, now, unread)
        for key in (*in_order, *(key for key in left if key not in together))
    ]
    late = [rollout for rollout in all_ if rollout.was_held]
    if len(late) < 2:
        late = []
    for rollout in all_:
        if rollout not in late:
            yield from rollout.due()
    if late:
        yield from _after_quiet_hours(late, to)
    yield rest(views, told, to, now)


def _after_quiet_hours(rollouts: Iterable[_Rollout], to: Destination) -> Iterator[News]:
    """One message for all that was held. Messages that are there already are edited, which calls nobody."""
    stories: list[Story] = []
    marks: list[Mark] = []
    for rollout in rollouts:
        edit, said, answered = rollout.summed_up()
        if edit is not None:
            yield edit
        for story_, mark in said:
            stories += [story_] if story_ not in stories else []
            marks.append(mark)
        marks += answered
    if marks:
        yield News(Update(to.name, tuple(marks), dressed(Digest(tuple(stories)), to)))


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
        if self.said.state is not State.PENDING or entry is None:
            return is_new(self.said, entry)
        return entry.past or (entry.state not in RESULTS and entry.fingerprint != self.mark.fingerprint)

    @property
    def reply(self) -> Mark | None:
        """The mark of a reply, where one is due: for a failure, and for what ends one that was answered."""
        failed = self.said.state is State.FAILURE
        ended = self.said.state is State.SUCCESS and self.answered is not None and self.answered.state == State.FAILURE
        same = self.answered is not None and self.answered.fingerprint == self.mark.fingerprint
        if self.said.outcome.past or self.said.fingerprint == FETCHED or same or not (failed or ended):
            return None
        return structs.replace(self.mark, line=f"{self.mark.line} replies")


class _Left(Struct, frozen=True):
    """A cluster that has left the commit before it had a result there."""

    mark: Mark
    story: Story
    entry: Entry


class _Rollout:
    """One commit on the clusters of this run."""

    def __init__(
        self,
        repository: Repository,
        commit: str,
        parts: Iterable[tuple[View, Telling]],
        left: Sequence[_Left],
        told: Told,
        to: Destination,
        now: int,
        unread: Collection[str],
    ) -> None:
        self._about = f"{repository} {commit}"
        self._left = left
        self._told = told
        self._to = to
        self._parts = [
            self._part(view, said, now) for view, said in parts if not is_mute(said, told, to) and _worth_it(said)
        ]
        lines = {cluster: f"{cluster} {repository}" for cluster in unread}
        self._new = [part for part in self._parts if part.news]
        self._replies = [(part, mark) for part in self._parts if (mark := part.reply) is not None]
        self._now = now
        self._unread = tuple(sorted(c for c, line in lines.items() if told.entry(to.name, line, commit)))

    def _part(self, view: View, said: Telling, now: int) -> _Part:
        commit = said.outcome.commit
        entry = self._told.entry(self._to.name, said.line, commit)
        mark = Mark(said.line, commit, _print(said, entry), view.commits_in(said.outcome.repository))
        answered = self._told.entry(self._to.name, f"{said.line} replies", commit)
        return _Part(
            said, entry, answered, mark, story(said, self._told, self._to, over(said, self._told, self._to, now))
        )

    def due(self) -> Iterator[News]:
        """The message, posted or edited; then the replies."""
        new, replies = self._new, self._replies
        if new and self._baseline():
            yield News(silent=tuple((self._to.name, part.mark) for part in new))
            return
        if self._held():
            yield News(note=held_back(self._to), held=True)
            return
        handle = self._handle()
        marks = (*(part.mark for part in new), *(left.mark for left in self._left))
        if new and not handle:  # a new message says it all; what fails is answered in its thread, to be noticed
            said = [(p, mark) for p, mark in replies if p.said.state is State.SUCCESS or not self._to.threads]
            marks += tuple(mark for _, mark in said)
            replies = [pair for pair in replies if pair not in said]
        if marks:
            stories = (*(part.story for part in self._parts), *(left.story for left in self._left))
            yield self._news(marks, Digest(stories, self._about, handle, unread=self._unread))
        later = [pair for pair in replies if held(self._to, pair[0].said.state, self._now)]
        if later:  # the message says it beside what fails; what calls people waits
            yield News(note=held_back(self._to), held=True)
        for part, mark in (pair for pair in replies if pair not in later):
            yield self._news((mark,), Digest((part.story,), self._about, handle, reply=True))

    @property
    def was_held(self) -> bool:
        """Whether all that is new of it has happened before the quiet hours were over. It may have been before they
        began, where nobody looked until then.
        """
        fresh = [*self._new, *(part for part, _ in self._replies)]
        if self._to.quiet is None or not fresh or not self._told.knows(self._to.name):
            return False
        _, end = self._to.quiet(self._now)
        return self._now >= end and all(
            part.said.state is not State.PENDING and happened(part.said) < end for part in fresh
        )

    def summed_up(self) -> tuple[News | None, list[tuple[Story, Mark]], list[Mark]]:
        """The edit of a message that is there, where there is one; what a message about several commits says of this
        one; and the marks of the replies that need not be given besides.
        """
        handle = self._handle()
        stories = (*(part.story for part in self._parts), *(left.story for left in self._left))
        marks = (*(part.mark for part in self._new), *(left.mark for left in self._left))
        if handle:  # also where the message says it already and only the reply is owed
            edit = self._news(marks, Digest(stories, self._about, handle, unread=self._unread)) if marks else None
            return edit, [(part.story, mark) for part, mark in self._replies], []
        return None, [(p.story, p.mark) for p in self._new], [mark for _, mark in self._replies]

    def _held(self) -> bool:
        """Whether it is told later, all of it: nothing of what is new fails."""
        fresh = [*self._new, *(part for part, _ in self._replies)]
        states = [part.said.state for part in fresh] or ([State.SUPERSEDED] if self._left else [])
        return bool(states) and all(held(self._to, state, self._now) for state in states)

    def _baseline(self) -> bool:
        """Whether all of it was so before this channel was served for the first time."""
        return not self._told.knows(self._to.name) and all(part.said.state in QUIET for part in self._parts)

    def _handle(self) -> str:
        """The message to edit, where it was acknowledged last: it may have been posted anew. None where another commit
        was told in between, for nobody looks that far up.
        """
        entries = [p.entry for p in self._parts if p.entry and (p.said.outcome.past or not p.entry.past)]
        held = [entry for entry in (*entries, *(left.entry for left in self._left)) if entry.handle]
        return max(held, key=lambda entry: entry.when).handle if held else ""

    def _news(self, marks: tuple[Mark, ...], digest: Digest) -> News:
        return News(Update(self._to.name, marks, dressed(digest, self._to)))


def _worth_it(said: Telling) -> bool:
    """Progress is told once Flux is at work, or has seen the commit: it may belong to a source that nobody follows."""
    return said.state in RESULTS or any(o.newest or o.begun or o.waits_for for o in said.outcome.observations)


def _print(said: Telling, entry: Entry | None) -> str:
    """The fingerprint of a message that can be edited: how far it has come is worth an edit, too."""
    if said.state is not State.PENDING:
        return said.fingerprint
    observations = said.outcome.observations
    live = sum(o.state is State.SUCCESS for o in observations)
    returns = entry is not None and (entry.past or entry.fingerprint.endswith(AGAIN))
    return f"pending {live}/{len(observations)}{AGAIN if returns else ''}"


def _superseded(views: Iterable[View], told: Told, to: Destination) -> dict[tuple[Repository, str], list[_Left]]:
    """Commits that would wait for ever: nobody speaks of them any more, and everybody has come to another one."""
    left: dict[tuple[Repository, str], list[_Left]] = defaultdict(list)
    for view in views:
        current = {o.repository: o for o in view.look.outcomes if not o.past}
        for repository, outcome in current.items():
            heads = view.heads(repository)
            if not heads:
                continue
            line = line_in(view.look.cluster, outcome)
            spoken = {o.commit for o in view.look.outcomes if o.repository == repository}
            for entry in told.destinations.get(to.name, {}).get(line, ()):
                if entry.state == State.PENDING and entry.handle and entry.commit not in spoken:
                    mark = Mark(line, entry.commit, State.SUPERSEDED, view.commits_in(repository))
                    story_ = _story_of_one_left(outcome, entry.commit, _by(view, repository, heads))
                    left[repository, entry.commit].append(_Left(mark, story_, entry))
    return left


def _by(view: View, repository: Repository, heads: Sequence[str]) -> str:
    """The revision that was taken up instead; "another commit" where there are several."""
    if len(heads) != 1:
        return "another commit"
    here = (o for o in view.look.outcomes if o.repository == repository and o.commit == heads[0])
    return next((o.revision for x in here for o in x.observations if o.revision), heads[0])


def _story_of_one_left(outcome: Outcome, commit: str, by: str) -> Story:
    about = outcome.observations[0].about
    gone = Observation(about, State.PENDING, outcome.repository, commit)
    return Story(Outcome(outcome.cluster, outcome.repository, commit, (gone,)), superseded_by=by)
