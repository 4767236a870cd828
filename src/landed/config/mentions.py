"""``--mentions FILE``: who is called for a failure, from the author of a commit to the id that a service has for them.

The file is YAML or JSON: a mapping from authors to ids for all channels, or below a type or a Provider for those only::

    slack:
      Ada Lovelace: U024BE7LH
    apps/on-call:
      Ada Lovelace: "80351110224678912"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

from msgspec import Struct

from landed.config.manifests.nodes import Node
from landed.config.manifests.problems import quoted
from landed.config.manifests.reading import nearest
from landed.config.perprovider import listed
from landed.errors import ConfigurationError
from landed.registry import CHAT
from landed.render import one_line

#: Characters of a name and of an id; problems that are told.
LONGEST, _TOLD = 200, 50
_PROVIDER = r"(?a)[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*"
_TYPES = tuple(type_ for type_, kind in CHAT.items() if kind.mentions)


class Mentions(Struct, frozen=True):
    """Whom to call."""

    file: str = ""
    ids: Mapping[str, Mapping[str, str]] = {}
    """By type, ``NAMESPACE/NAME`` of a Provider, or "" for all: author as ``_name`` has them → id."""
    lines: Mapping[str, int] = {}
    """Where each of these stands."""

    def of(self, type_: str, provider: str, *author: str) -> str:
        """The id of an author, by all that they go by, on a channel. The most particular scope wins, and within it the
        first name; "" where nobody is to be called.
        """
        names = [name for name in map(_name, author) if name]
        scopes = [self.ids.get(key, {}) for key in dict.fromkeys((provider or type_, type_, ""))]
        return next(filter(None, (ids.get(name, "") for ids in scopes for name in names)), "")

    def check(self, there: Collection[tuple[str, str]]) -> None:
        """Raise ConfigurationError where a Provider is named that is not there, or can call nobody; ``there`` has the
        type and the Provider of every channel for people.
        """
        known = {provider: type_ for type_, provider in there}
        problems = []
        for key in (key for key in self.ids if "/" in key and known.get(key) not in _TYPES):
            what = f"there is no such Provider with a channel for people. {listed(there)}"
            problems.append((self.lines[key], key, _scope(known[key]) if key in known else what))
        _refuse(self.file, problems)


_Problem = tuple[int, str, str]


def mentions(path: str) -> Mentions:
    """Read the file. Raises ConfigurationError with everything that is wrong with it, each with its line."""
    from landed.config.manifests.composing import documents
    from landed.config.manifests.files import Unusable, content, shown

    file = one_line(shown(path))
    try:
        text = content(path)
    except Unusable as error:
        raise ConfigurationError(f"--mentions: {file}: {error}.", "Check the path.") from None
    roots, broken = documents(text)
    if broken:
        _refuse(file, [(broken.line, "", f"{broken.what}. {broken.instead}".strip())])
    given = [root for root in roots if root.type != "null"]
    if len(given) > 1:
        _refuse(file, [(given[1].line, "", "there is a second document. Write one mapping.")])
    return _read(file, given[0]) if given else Mentions(file)


def _read(file: str, root: Node) -> Mentions:
    if root.type != "map":
        _refuse(file, [(root.line, "", "it is no mapping. Write AUTHOR: ID, or TYPE: with such lines below it.")])
    reading = _Reading()
    reading.faults(root, "")
    for key, node in root.value.items():
        if node.type == "map":
            reading.group(key, node)
        else:
            reading.author("", key, node)
    _refuse(file, reading.problems)
    return Mentions(file, reading.ids, reading.lines)


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.ids: dict[str, dict[str, str]] = {}
        self.lines: dict[str, int] = {}
        self.problems: list[_Problem] = []

    def group(self, key: str, node: Node) -> None:
        """The authors below a type or a Provider."""
        self.faults(node, key)
        if problem := _scope(key):
            self.problems.append((node.line, key, problem))
            return
        self.lines[key] = node.line
        for author, id_ in node.value.items():
            self.author(key, author, id_)

    def author(self, scope: str, author: str, node: Node) -> None:
        """One line: who it is, and their id."""
        name, field = _name(author), f"{scope}, {author}" if scope else author
        known = self.ids.setdefault(scope, {})
        if not name or len(name) > LONGEST:
            self.problems.append((node.line, field, "that is no name of an author. Write it as the Git host shows it."))
        elif name in known:
            self.problems.append((node.line, field, "the author is there twice: case does not matter. Leave one out."))
        elif id_ := self._id(node, field):
            known[name] = id_

    def faults(self, node: Node, field: str) -> None:
        """What is wrong with a mapping itself."""
        for fault in node.faults:
            self.problems.append((fault.line, field, f"{fault.what}. {fault.instead}"))

    def _id(self, node: Node, field: str) -> str:
        """What is called an id: text, or a whole number as it was written."""
        whole = node.type == "number" and isinstance(node.value, int)
        value = str(node.value) if whole or node.type == "text" else None
        id_ = one_line(value) if value is not None else ""
        if value is None:
            self.problems.append((node.line, field, "that is no id. Write it as text, in quotes."))
        elif not id_ or len(id_) > LONGEST or id_ != value.strip():
            what = "is empty" if not id_ else "is too long, or holds characters that nobody sees"
            self.problems.append((node.line, field, f"the id {what}. Write it as the service shows it."))
        return id_


def _scope(key: str) -> str:
    """What is wrong with a key that has authors below it; "" for nothing."""
    if key in _TYPES or re.fullmatch(_PROVIDER, key):
        return ""
    if key in CHAT:
        return f"a channel of this type cannot call anybody. Those that can are {', '.join(_TYPES)}."
    near = nearest(key, _TYPES)
    instead = f"Did you mean {near}?" if near else f"Types are {', '.join(_TYPES)}."
    return f"it is neither a type of channel that can call somebody, nor NAMESPACE/NAME of a Provider. {instead}"


def _name(author: str) -> str:
    """As names are compared: case does not matter, nor whether an accent is a character of its own."""
    return unicodedata.normalize("NFC", one_line(author).casefold())


def _refuse(file: str, problems: list[_Problem]) -> None:
    """Raise ConfigurationError if there are any."""
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [
        f"- {file}{f':{line}' if line else ''}{f', {quoted(field)}' if field else ''}: {one_line(what)}"
        for line, field, what in sorted(problems)[:_TOLD]
    ]
    lines += [f"- … and {len(problems) - _TOLD} more."] if len(problems) > _TOLD else []
    raise ConfigurationError("\n".join([f"--mentions: {count} in {file}:", *lines]))
