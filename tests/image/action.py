"""What the GitHub runner reads out of ``action.yml`` before it starts a container action.

https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax , and where that page is silent,
the runner's own source, https://github.com/actions/runner (ActionManifestManager, ContainerActionHandler).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from image.commands import ContractError
from msgspec import Struct

#: The contexts that exist where each field is evaluated.
CONTEXTS = {
    "args": ("inputs",),
    "env": ("inputs",),
    "default": ("github", "runner", "job", "matrix", "strategy"),
}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

Contexts = Mapping[str, Mapping[str, str]]


class Action(Struct, frozen=True):
    """A container action's metadata."""

    inputs: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]
    image: str
    args: tuple[str, ...]
    env: Mapping[str, str]


def load(path: Path) -> Action:
    """Read ``action.yml``; an action that the runner could not start is a ContractError."""
    meta = yaml.safe_load(path.read_text())
    runs = meta["runs"]
    if runs["using"] != "docker":
        raise ContractError("runs.using is not docker")
    image = runs["image"]
    if not image.startswith("docker://") and not (path.parent / image).is_file():
        raise ContractError(f"runs.image {image!r} is no file of this repository")
    return Action(
        meta.get("inputs", {}), meta.get("outputs", {}), image, tuple(runs.get("args", ())), runs.get("env", {})
    )


def text_of(value: object) -> str:
    """YAML's scalars as the runner hands them on: always strings."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def evaluate(value: object, where: str, contexts: Contexts) -> str:
    """Fill in the expressions of one field. A context that does not exist there is a ContractError."""

    def known(match: re.Match[str]) -> str:
        head, _, name = match[1].partition(".")
        if head not in CONTEXTS[where]:
            raise ContractError(f"{where}: there is no context {head!r} here: {match[0]}")
        if head == "inputs" and name not in contexts["inputs"]:
            raise ContractError(f"{where}: {match[0]} names no declared input")
        return contexts.get(head, {}).get(name, "")

    text = text_of(value)
    filled = EXPRESSION.sub(known, text)
    if "${{" in EXPRESSION.sub("", text):
        raise ContractError(f"{where}: an expression is not closed: {text}")
    return filled


def inputs_of(action: Action, given: Mapping[str, object], contexts: Contexts) -> tuple[dict[str, str], list[str]]:
    """The value of every input, and the runner's warnings. ``required`` is not enforced by the runner."""
    declared = {name.lower() for name in action.inputs}
    unexpected = [name for name in given if name.lower() not in declared]
    values = {name.lower(): text_of(value) for name, value in given.items()}
    for name, spec in action.inputs.items():
        if name.lower() not in values:
            values[name.lower()] = evaluate(spec.get("default", ""), "default", contexts)
    return values, [f"Unexpected input(s) '{name}'" for name in unexpected]


def variable(name: str) -> str:
    """The environment variable of an input: hyphens stay."""
    return f"INPUT_{name.replace(' ', '_').upper()}"


def arguments(args: tuple[str, ...], inputs: Mapping[str, str]) -> list[str]:
    """What is left of ``runs.args`` after the runner joined them into one command line and .NET took it apart."""
    values = [evaluate(argument, "args", {"inputs": inputs}) for argument in args]
    line = " ".join('"' + value.replace('"', '\\"') + '"' for value in values)
    return list(split(line))


def split(line: str) -> Iterator[str]:
    """Backslashes count only before a quotation mark; within quotation marks, blanks are text."""
    current, quoted, started = "", False, False
    for piece in re.findall(r'\\*"|\\+|\s|[^\\"\s]+', line):
        if piece.endswith('"'):
            slashes = len(piece) - 1
            current += "\\" * (slashes // 2)
            if slashes % 2:
                current += '"'
            else:
                quoted = not quoted
            started = True
        elif piece.isspace() and not quoted:
            if started:
                yield current
            current, started = "", False
        else:
            current, started = current + piece, True
    if started:
        yield current
