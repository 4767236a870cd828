"""From documents to objects: what is read, what is left out, and what is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from landed.config.manifests.alert import alert, asks
from landed.config.manifests.nodes import Node
from landed.config.manifests.problems import one_line, quoted
from landed.config.manifests.provider import provider
from landed.config.manifests.reading import Reading, nearest
from landed.config.manifests.rules import GROUP, NEWEST, VERSIONS
from landed.config.manifests.secret import secret
from landed.config.manifests.values import Listener, Manifests, Place, Problem, Provider
from landed.model import Secret

#: Names that a note lists.
MOST_NAMES = 10
_LIST = "List"
_OURS = ("Provider", "Alert")
_KNOWN = tuple(f"{GROUP}/{version}" for version in VERSIONS)
_RECEIVER = "Receiver"


class Gathering:
    """Takes one document after the other."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._notes: list[str] = []
        self._providers: list[Provider] = []
        self._listeners: list[Listener] = []
        self._secrets: dict[tuple[str, str], Mapping[str, Secret]] = {}
        self._broken: set[tuple[str, str]] = set()
        self._asking: list[Listener] = []
        self._places: dict[tuple[str, str, str], Place] = {}
        self._others: Counter[str] = Counter()
        self._receivers = self._nothing = 0
        self._unplaced: list[str] = []

    def document(self, node: Node, file: str, number: int) -> None:
        """Take a document; an empty one is fine."""
        if node.type != "null":
            self._object(node, file, number, "", "")

    def manifests(self) -> Manifests:
        """Everything taken so far."""
        return Manifests(
            tuple(self._providers),
            tuple(self._listeners),
            self._secrets,
            (*dict.fromkeys(self._notes), *self._left_out()),
            frozenset(self._broken),
            tuple(self._asking),
        )

    def _object(self, node: Node, file: str, number: int, version: str, kind: str) -> None:
        """An object, or a list of some; ``version`` and ``kind`` are what its list says that it is."""
        version, kind = node.text("apiVersion") or version, node.text("kind") or kind
        group, _, of_group = version.partition("/")
        if kind.endswith(_LIST) and (group == GROUP or version == "v1"):
            self._list(node, file, number, version, kind.removesuffix(_LIST))
        elif (version, kind) == ("v1", "Secret"):
            self._secret(Reading(node, kind, NEWEST, file, number))
        elif group == GROUP and kind == _RECEIVER:
            self._receivers += 1
        elif group == GROUP or (kind in _OURS and _meant(group)):
            self._ours(Reading(node, kind or "object", of_group, file, number), version)
        elif version and kind:
            self._others[one_line(kind)] += 1
        else:
            self._nothing += 1

    def _list(self, node: Node, file: str, number: int, version: str, kind: str) -> None:
        """The items of a typed list need not say what they are."""
        items = node.entry("items")
        if items is not None and items.type != "list":
            place = Place(file, items.line, number)
            self.problems.append(Problem(place, kind + _LIST, "items", "it is not a list", "Write a list of objects."))
            return
        for item in items.value if items else ():
            self._object(item, file, number, version if kind else "", kind)

    def _ours(self, reading: Reading, version: str) -> None:
        """An object of Flux's notification group, or one that looks like it."""
        if reading.kind not in _OURS:
            near = nearest(reading.kind, _OURS)
            what = f"{GROUP} has no kind {quoted(reading.kind)}" if reading.node.text("kind") else "it is missing"
            reading.problem("kind", what, f"Did you mean {near}?" if near else "Write Provider or Alert.")
        elif version not in _KNOWN:
            what = f"{quoted(version)} is not read" if version else "it is missing"
            reading.problem("apiVersion", what, f"Write {GROUP}/{NEWEST}.")
        elif reading.node.entry("sops"):
            reading.problem("sops", "it is encrypted with SOPS", "Decrypt it first: sops decrypt FILE.")
        elif reading.kind == "Provider":
            found = provider(reading)
            if self._taken(reading) and found:
                self._providers.append(found)
        else:
            listener = alert(reading)
            if self._taken(reading) and listener:
                self._listeners.append(listener)
            elif reading.problems and (asked := asks(reading)):
                self._asking.append(asked)
        self._finish(reading)

    def _secret(self, reading: Reading) -> None:
        values = secret(reading)
        if self._taken(reading) and values is not None:
            self._secrets[reading.key] = values
        self._finish(reading)

    def _taken(self, reading: Reading) -> bool:
        """Whether this is the first of its name."""
        if not reading.name:
            return False
        first = self._places.setdefault((reading.kind, *reading.key), reading.place)
        if first is not reading.place:
            reading.problem("metadata.name", f"it is there already, at {first}", "Leave one of them out, or rename it.")
        elif not reading.named:
            self._unplaced.append(f"{reading.kind} {reading.name}")
        return first is reading.place

    def _finish(self, reading: Reading) -> None:
        self.problems += reading.problems
        self._notes += reading.notes
        if reading.problems and reading.kind == "Provider":
            self._broken.add(reading.key)

    def _left_out(self) -> list[str]:
        """Notes about many objects at once."""
        notes = []
        if self._unplaced:
            names = _some(self._unplaced)
            notes.append(f"No namespace is written in {names}, so {_it(self._unplaced)} taken to be in default")
        if self._others:
            kinds = [f"{count} {kind}" if count > 1 else kind for kind, count in sorted(self._others.items())]
            notes.append(_left(self._others.total(), "object", f" of other kinds ({_some(kinds)})"))
        if self._receivers:
            notes.append(_left(self._receivers, "Receiver"))
        if self._nothing:
            notes.append(_left(self._nothing, "document", " without apiVersion and kind"))
        return notes


def _it(names: list[str]) -> str:
    return "it is" if len(names) == 1 else "they are"


def _left(number: int, one: str, which: str = "") -> str:
    return f"1 {one}{which} is left out" if number == 1 else f"{number} {one}s{which} are left out"


def _meant(group: str) -> bool:
    """Whether somebody who wrote this for a group will have meant Flux's."""
    return not group or group.endswith("toolkit.fluxcd.io")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
