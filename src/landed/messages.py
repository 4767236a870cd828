"""How a rollout is told to people, whatever the service: a digest as plain passages for a service to lay out. No I/O.

Everything here is plain text on one line, cleaned but not escaped: a service escapes it, and cuts it to its own limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from landed import render
from landed.model import Digest, State, Story
from landed.story import lines, title

#: What stands before a title.
MARKS = {
    State.FAILURE: "❌",
    State.SUCCESS: "✅",
    State.PENDING: "⏳",
    State.SUPERSEDED: "⏭️",
    State.STALE: "💤",
    State.SUSPENDED: "⏸️",
}
#: Red, green, amber, greys; as ``#rrggbb``.
COLOURS = {
    State.FAILURE: "#cf222e",
    State.SUCCESS: "#2da44e",
    State.PENDING: "#bf8700",
    State.SUPERSEDED: "#6e7781",
    State.STALE: "#bf8700",
    State.SUSPENDED: "#6e7781",
}
_STANDS = {
    State.FAILURE: "failed",
    State.SUCCESS: "live",
    State.PENDING: "on the way",
    State.SUPERSEDED: "superseded",
    State.STALE: "silent",
    State.SUSPENDED: "suspended",
}
_ORDER = tuple(MARKS)


class Passage(Struct, frozen=True):
    """One story."""

    state: State
    title: str
    """``acme/fleet main@6dcd4ce2 failed on prod``"""
    lines: tuple[str, ...]
    """What there is to say below it, the most important first."""
    cluster: str
    place: str = ""
    """``acme/fleet@6dcd4ce2: Upgrade ingress-nginx (Ada Lovelace)``; empty where no commit is known."""
    link: str = ""
    """Where people look at the commit; empty where nobody knows."""

    @property
    def mark(self) -> str:
        """The sign of its state."""
        return MARKS[self.state]

    @property
    def colour(self) -> str:
        """The colour of its state, as ``#rrggbb``."""
        return COLOURS[self.state]


class Message(Struct, frozen=True):
    """A digest, ready to be laid out."""

    headline: str
    """The title of the only passage, or how many there are of which kind."""
    passages: tuple[Passage, ...]
    """At least one, the worst first."""
    more: str = ""
    """What had no room: ``… and 3 failed, 2 live``."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the Alert adds, ``summary`` first."""
    notes: tuple[str, ...] = ()
    """What is to be said below everything else."""

    @property
    def state(self) -> State:
        """The worst there is."""
        return self.passages[0].state

    @property
    def alone(self) -> bool:
        """Whether the headline is the title of the only passage."""
        return len(self.passages) == 1 and not self.more

    @property
    def notice(self) -> str:
        """All of it as one line, for where there is no room for more, such as a notification."""
        first = self.passages[0]
        if not self.alone:
            return f"{self.headline}; first: {first.title}"
        title = f"{first.mark} {first.title}"
        return f"{title}. {first.lines[0]}" if first.lines else title


def message(digest: Digest, most: int = 15) -> Message:
    """What ``digest`` says, in at most ``most`` passages. A digest has at least one story."""
    stories = sorted(digest.stories, key=lambda story: _ORDER.index(story.state))
    told, left = stories[:most], stories[most:]
    summary = (("summary", digest.summary),) if digest.summary else ()
    unread = f"Not seen at present: {', '.join(digest.unread)}" if digest.unread else ""
    return Message(
        title(told[0]) if len(stories) == 1 else f"{len(stories)} rollouts: {_count(stories)}",
        tuple(_passage(story) for story in told),
        f"… and {_count(left)}" if left else "",
        tuple((_plain(name), _plain(value)) for name, value in (*summary, *digest.facts)),
        (_plain(unread),) if unread else (),
    )


def fitted(text: str, limit: int, escape: Callable[[str], str] = lambda text: text) -> str:
    """``text`` escaped, and cut so that it has at most ``limit`` characters even then."""
    kept = render.cut(text, limit)
    while len(escaped := escape(kept)) > limit:
        kept = render.cut(kept, max(1, len(kept) * limit // len(escaped) - 1))
    return escaped


def within(lines: Sequence[str], limit: int, escape: Callable[[str], str] = lambda text: text) -> tuple[str, ...]:
    """As many of ``lines``, escaped, as have room in ``limit`` characters with a newline each, and how many do not.

    A single line that is too long is cut.
    """
    kept: list[str] = []
    room = limit - len("… and 10000 more")
    for line in lines:
        text = fitted(line, max(1, limit // 2), escape)
        if len(text) + 1 > room:
            return (*kept, f"… and {len(lines) - len(kept)} more")
        kept.append(text)
        room -= len(text) + 1
    return tuple(kept)


def _passage(story: Story) -> Passage:
    outcome = story.outcome
    place = f"{outcome.repository.path}@{outcome.commit[:8]}" if outcome.commit else ""
    place += f": {story.subject}" if story.subject else ""
    place += f" ({story.author})" if story.author else ""
    return Passage(
        story.state,
        title(story),
        lines(story),
        _plain(outcome.cluster) or "–",
        _plain(place),
        render.commit_url(outcome.repository, outcome.commit) if outcome.commit else "",
    )


def _count(stories: Sequence[Story]) -> str:
    """``1 failed, 2 live``: worst first."""
    numbers = Counter(story.state for story in stories)
    return ", ".join(f"{numbers[state]} {_STANDS[state]}" for state in _ORDER if numbers[state])


def _plain(text: str) -> str:
    return render.clean(text).replace("\n", " ")
