"""What the user's own files say of what is about to be told: templates in place of our words, and whom a failure calls.

A template says the words and a service lays them out: so they are escaped and cut as our own are. None of it can keep a
message from being told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import structs

from landed.config.perprovider import PerProvider
from landed.errors import ConfigurationError
from landed.model import Digest, State, Story, Update
from landed.render import cut, one_line
from landed.templating.mistake import Mistake
from landed.templating.variables import variables

#: Bytes of a file, and characters of what it says of one story: what is longer is cut off.
LARGEST, LONGEST = 64 * 1024, 20_000


class Template:
    """One file. It is compiled when a message is due, and complains once of each line."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self._source = source
        self._render: Callable[[dict[str, object]], Iterator[str]] | Mistake | None = None
        self._complained: set[int] = set()

    def words(self, values: dict[str, object]) -> tuple[str, ...]:
        """The title and the lines below it. Raises Mistake, with the line of the file."""
        text, length = [], 0
        for piece in self._compiled()(values):
            text.append(piece[: LONGEST - length])
            length += len(text[-1])
            if length >= LONGEST:
                break
        found = tuple(filter(None, map(one_line, "".join(text).splitlines())))
        if not found:
            raise Mistake("it says nothing")
        return found

    def complaint(self, mistake: Mistake) -> str:
        """What is wrong, where; "" where that was said before."""
        if mistake.line in self._complained:
            return ""
        self._complained.add(mistake.line)
        place = f"{one_line(self.file)} line {mistake.line}" if mistake.line else one_line(self.file)
        return f"{place}: {cut(one_line(str(mistake)), 300).rstrip('.')}. Its messages have the built-in text."

    def _compiled(self) -> Callable[[dict[str, object]], Iterator[str]]:
        from landed.templating.language import compiled  # imported late: most runs have no template, or nothing to tell

        if self._render is None:
            try:
                self._render = compiled(self._source)
            except Mistake as mistake:
                self._render = mistake
        if isinstance(self._render, Mistake):
            raise self._render
        return self._render


def templates(files: PerProvider) -> Callable[[str, str], Template | None]:
    """A channel's type and its Provider (``NAMESPACE/NAME``, or "") → the template of its messages, if it has one.

    Raises ConfigurationError for a file that cannot be read. What is wrong in one is told when a message is due.
    """
    read = {file: Template(file, _content(file, files.option)) for file in dict.fromkeys(files.values.values())}
    return lambda type_, provider: read.get(files.of(type_, provider))


def worded(
    updates: Sequence[Update], template_of: Callable[[str], Template | None], run_url: str = ""
) -> tuple[tuple[Update, ...], tuple[str, ...]]:
    """``updates`` in the words of the templates, and what is wrong with those: such a message keeps our words.

    ``template_of`` has the template of a destination, by its name; ``run_url`` is where people can watch this run.
    """
    warnings: list[str] = []

    def told(update: Update) -> Update:
        template = template_of(update.destination) if isinstance(update.payload, Digest) else None
        if template is None or not isinstance(update.payload, Digest):
            return update
        stories = tuple(_worded(story, template, update.payload, run_url, warnings) for story in update.payload.stories)
        return structs.replace(update, payload=structs.replace(update.payload, stories=stories))

    return tuple(map(told, updates)), tuple(filter(None, warnings))


def mentioned(updates: Sequence[Update], mention_of: Callable[[str, Sequence[str]], str]) -> tuple[Update, ...]:
    """``updates``, with who is to be called for a failure: in a new message or in a reply, where people are notified.

    An edit notifies nobody. Where a new message is answered in its thread at once, the answer calls.
    ``mention_of`` has the id of a commit's author, by the destination's name and all that they go by; "" for nobody.
    """
    answered = {key for update in updates if _reply(update) for key in _about(update)}

    def told(update: Update) -> Update:
        digest = update.payload
        if not isinstance(digest, Digest) or (digest.handle and not digest.reply):
            return update
        stories = tuple(
            structs.replace(story, mention=mention_of(update.destination, (story.author, *story.known_as)))
            if story.state is State.FAILURE and (digest.reply or key not in answered)
            else story
            for story, key in zip(digest.stories, _about(update), strict=True)
        )
        return structs.replace(update, payload=structs.replace(digest, stories=stories))

    return tuple(map(told, updates))


def _worded(story: Story, template: Template, digest: Digest, run_url: str, warnings: list[str]) -> Story:
    try:
        return structs.replace(story, words=template.words(variables(story, digest, run_url)))
    except Mistake as mistake:
        warnings.append(template.complaint(mistake))
        return story


def _reply(update: Update) -> bool:
    return isinstance(update.payload, Digest) and update.payload.reply


def _about(update: Update) -> tuple[tuple[str, str, str], ...]:
    """What each story of a message is about; nothing else is about the same where no message is kept."""
    digest = update.payload
    if not isinstance(digest, Digest):
        return ()
    return tuple((update.destination, digest.about, story.outcome.cluster) for story in digest.stories)


def _content(file: str, option: str) -> str:
    """The text of a file. Raises ConfigurationError."""
    shown = one_line(file)
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "its name is not usable").lower()
        raise ConfigurationError(f"{option}: {shown} cannot be read: {why}.", "Check the path.") from None
    if len(data) > LARGEST:
        raise ConfigurationError(f"{option}: {shown} is larger than {LARGEST // 1024} KiB.", "Take a shorter template.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeError:
        raise ConfigurationError(f"{option}: {shown} is not text in UTF-8.", "Save it as UTF-8.") from None
