"""How a rollout is told to people, whatever the service: a digest as plain passages for a service to lay out. No I/O.

Everything here is plain text on one line, cleaned but not escaped: a service escapes it, and cuts it to its own limits.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

from msgspec import Struct

from landed import render
from landed.model import Digest, State, Story
from landed.render import one_line as one_line  # what lays a message out needs it, too
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
    mention: str = ""
    """Who is to be called by name, as the service calls them; empty for nobody, and where it is no failure. The user's
    own, and still to be checked."""

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
    brief: bool = False
    """It follows a commit as that goes on: what is long is for its thread."""

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


class Size(Struct, frozen=True):
    """How much is said, where a service counts the bytes of a whole message: the layout is tried with ever less."""

    passages: int
    details: int
    """Characters of all of them together."""
    line: int
    """Characters of a title or another line."""
    facts: int


class Markup(Struct, frozen=True):
    """How a service writes text, where it has a ``Size``, and what is the same whatever the service."""

    escape: Callable[[str], str]
    """Makes text nothing but text."""
    bold: Callable[[str], str] = str
    """Makes text bold that is escaped already."""
    link: Callable[[str, str], str] = lambda name, address: name
    """Makes a link of a name that is escaped already, and an address that can stand in one."""
    longest: int = 500
    """Characters that an address may have, not to be left out."""

    def line(self, text: str, size: Size) -> str:
        """``text`` escaped, as much of it as a line has room for."""
        return fitted(text, size.line, self.escape)

    def where(self, passage: Passage, size: Size) -> str:
        """The cluster, and the commit with a link to it."""
        cluster, name = self.line(passage.cluster, size), self.line(passage.place, size)
        address = linkable(passage.link, self.longest)
        if name and address:
            name = self.link(name, address)
        return f"{cluster} · {name}" if name else cluster

    def below(self, told: Message, size: Size) -> list[str]:
        """What stands below all passages, line by line: what had no room, what the Alert adds, and notes."""
        shown, more = facts(told, size.facts)
        return [
            *([self.escape(told.more)] if told.more else []),
            *(f"{self.bold(self.line(name, size) or '–')}: {self.line(value, size) or '–'}" for name, value in shown),
            *([f"… and {more} more"] if more else []),
            *within(told.notes, size.line * 3, self.escape),
        ]


def message(digest: Digest, most: int = 15) -> Message:
    """What ``digest`` says, in at most ``most`` passages. A digest has at least one story."""
    stories = sorted(digest.stories, key=lambda story: _ORDER.index(story.state))
    told, left = stories[:most], stories[most:]
    summary = (("summary", digest.summary),) if digest.summary else ()
    unread = f"Not seen at present: {', '.join(digest.unread)}" if digest.unread else ""
    return Message(
        _title(told[0]) if len(stories) == 1 else f"{len(stories)} rollouts: {_count(stories)}",
        tuple(_passage(story) for story in told),
        f"… and {_count(left)}" if left else "",
        tuple((one_line(name), one_line(value)) for name, value in (*summary, *digest.facts)),
        (one_line(unread),) if unread else (),
        bool(digest.about) and not digest.reply,
    )


def fitted(text: str, limit: int, escape: Callable[[str], str] = lambda text: text) -> str:
    """``text`` escaped, and cut so that it has at most ``limit`` characters even then."""
    kept = render.cut(text, limit)
    while len(escaped := escape(kept)) > limit and kept != "…":
        # A single character that has no room escaped cannot be cut any further.
        kept = render.cut(kept, max(1, len(kept) * limit // len(escaped) - 1)) if len(kept) > 1 else "…"
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


#: Lines below a title in a message that is brief.
BRIEF = 3


def shortened(lines: Sequence[str], most: int = BRIEF) -> tuple[str, ...]:
    """At most ``most`` of ``lines``, and how many there are besides."""
    return (*lines[:most], f"… and {len(lines) - most} more") if len(lines) > most else tuple(lines)


def facts(told: Message, most: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """What of the facts has room in ``most`` lines, one of them left for a count; and how many have none."""
    shown = told.facts if len(told.facts) <= most else told.facts[: most - 1]
    return shown, len(told.facts) - len(shown)


def called(told: Message, form: str) -> tuple[str, ...]:
    """Who is to be called by name, each once, as far as what they are called is all of the form of a pattern."""
    return tuple(dict.fromkeys(p.mention for p in told.passages if re.fullmatch(form, p.mention)))


def uncalled(text: str) -> str:
    """``text``, in which nobody is called at large: ``@here`` and its like get a space that has no width."""
    return _CALLS.sub("@\u200b", text)


_CALLS = re.compile(r"@(?=here|channel|everyone|all|room|topic|stream)", re.IGNORECASE)


def units(text: str) -> int:
    """Its length in UTF-16, as services count that are written in JavaScript or Java."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


def linkable(address: str, most: int, keep: str = "") -> str:
    """``address`` as what can stand in a link of ``most`` characters: a web address, in which whatever could end the
    link is percent-encoded but for ``keep``; empty where it is none, or too long.
    """
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    quoted = quote(address, safe=f":/?=@%~#&+,;{keep}", errors="replace") if good else ""
    return quoted if len(quoted) <= most else ""


def identity(digest: Digest) -> str:
    """What tells one message from another, in 32 hexadecimal digits: the same when it is sent again by a later run.

    Times are when objects came to say what they say, so that the same words about something new are another message.
    """
    said = [
        [story.state, story.superseded_by, story.outcome.cluster, str(story.outcome.repository), story.outcome.commit]
        + [f"{o.about} {o.state} {o.reason} {o.since}" for o in story.outcome.observations]
        for story in digest.stories
    ]
    whole = json.dumps([digest.about, digest.handle, digest.reply, said])  # also where half a pair is in it
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _passage(story: Story) -> Passage:
    outcome = story.outcome
    place = f"{outcome.repository.path}@{outcome.commit[:8]}" if outcome.commit else ""
    place += f": {story.subject}" if story.subject else ""
    place += f" ({story.author})" if story.author else ""
    return Passage(
        story.state,
        _title(story),
        tuple(map(one_line, story.words[1:])) if story.words else lines(story),
        one_line(outcome.cluster) or "–",
        one_line(place),
        render.commit_url(outcome.repository, outcome.commit) if outcome.commit else "",
        one_line(story.mention) if story.state is State.FAILURE else "",
    )


def _title(story: Story) -> str:
    return one_line(story.words[0]) if story.words else title(story)


def _count(stories: Sequence[Story]) -> str:
    """``1 failed, 2 live``: worst first."""
    numbers = Counter(story.state for story in stories)
    return ", ".join(f"{numbers[state]} {_STANDS[state]}" for state in _ORDER if numbers[state])
