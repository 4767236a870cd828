"""Which Kustomizations are meant: namespaces, names and label selectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from landed.errors import ConfigurationError

_KEY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)?"
# Compiled when it is first used, which in most runs is never.
_REQUIREMENT = (
    r"(?s)"
    rf"\s*(?:!\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<equal>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\))?)"
    r"\s*(?:,(?=.)|\Z)"
)


class Requirement(Struct, frozen=True):
    """One part of a label selector; all of them must hold."""

    key: str
    operator: str
    """``in``, ``notin``, ``exists`` or ``absent``."""
    values: frozenset[str] = frozenset()

    def admits(self, labels: Mapping[str, str]) -> bool:
        """As Kubernetes has it: ``notin`` holds, too, where there is no such label."""
        if self.operator == "in":
            return self.key in labels and labels[self.key] in self.values
        if self.operator == "notin":
            return self.key not in labels or labels[self.key] not in self.values
        return (self.key in labels) is (self.operator == "exists")


class Wants(Struct, frozen=True):
    """What is to be known of objects beyond what speaks of commits. All of it costs time to read."""

    metadata: bool = False
    """What their annotations add to events."""
    details: bool = False
    """What Alerts are matched with and tell of: labels, health, inventories, intervals; ``metadata`` as well."""
    rollout: bool = False
    """What it takes to wait for a commit and to show how it fares: paths, intervals, handled requests, whole histories.
    """
    kinds: frozenset[str] = frozenset()
    """Kinds of sources and releases that are wanted although no Kustomization refers to them."""


class Selection(Struct, frozen=True):
    """Which Kustomizations are meant; an empty field means all."""

    namespaces: tuple[str, ...] = ()
    """Names; ``*`` and ``?`` stand for any characters and one."""
    kustomizations: tuple[str, ...] = ()
    """``name`` or ``namespace/name``, with ``*`` and ``?`` in both parts. Case matters, as in Kubernetes."""
    paths: tuple[str, ...] = ()
    """``spec.path``, with or without ``./`` and slashes at its ends; ``*`` and ``?`` match. What is below a folder is
    meant, too."""
    label_selector: str = ""
    """In Kubernetes' syntax; pass it to ``parse_label_selector`` first to know that it is good."""

    def admits(self, namespace: str, name: str, labels: Mapping[str, str], path: str = "") -> bool:
        """Whether a Kustomization is meant. Raises ConfigurationError if the label selector is not one."""
        if self.namespaces and not _matches(self.namespaces, namespace):
            return False
        if self.kustomizations and not _names(self.kustomizations, namespace, name):
            return False
        if self.paths and not _below(self.paths, path):
            return False
        if not self.label_selector:
            return True
        return all(requirement.admits(labels) for requirement in parse_label_selector(self.label_selector))


@lru_cache(maxsize=16)
def parse_label_selector(text: str) -> tuple[Requirement, ...]:
    """Read a label selector: ``a=b``, ``a==b``, ``a!=b``, ``a in (x,y)``, ``a notin (x)``, ``a``, ``!a``, with commas.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors .
    Raises ConfigurationError that says where it stopped making sense.
    """
    requirements = []
    rest = text.strip()
    while rest:
        match = re.match(_REQUIREMENT, rest)
        if match is None:
            raise ConfigurationError(
                f"The label selector {text!r} cannot be understood from {rest.strip()!r} on.",
                "Write it as for kubectl: app=web,tier!=db,env in (stage,prod),team,!legacy",
            )
        requirements.append(_requirement(match))
        rest = rest[match.end() :]
    return tuple(requirements)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"], "absent")
    if match["equal"]:
        operator = "notin" if match["equal"] == "!=" else "in"
        return Requirement(match["key"], operator, frozenset({match["value"]}))
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], match["set"], values)
    return Requirement(match["key"], "exists")


def _names(patterns: tuple[str, ...], namespace: str, name: str) -> bool:
    """A pattern without a slash is about the name alone."""
    return any(
        _matches((place,), namespace) and _matches((called,), name)
        for place, _, called in ((p if "/" in p else f"*/{p}").partition("/") for p in patterns)
    )


def _below(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a path, or a folder above it, is one of these."""
    parts = _parts(path)
    folders = ["/".join(parts[:number]) for number in range(len(parts) + 1)]
    return any(_matches(("/".join(_parts(pattern)),), folder) for pattern in patterns for folder in folders)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return _compiled(patterns).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    globs = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns)
    return re.compile("|".join(f"(?:{glob})" for glob in globs), re.DOTALL)
