"""Reports as files: ``--write FORMAT=PATH``. A file is there wholly or not at all."""

# pathlib would be loaded for these few lines alone, and every run would pay for it.
# ruff: noqa: PTH100, PTH103, PTH105, PTH108, PTH112, PTH120, PTH123

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from landed.errors import ConfigurationError
from landed.reports import FORMATS
from landed.reports.commands import harmless

if TYPE_CHECKING:
    from landed.model import Report
    from landed.reports.interface import Format, View

#: What can be written → module with ``render(report, view)``.
WRITTEN: Mapping[str, str] = {
    **{name: FORMATS[name] for name in ("json", "markdown", "junit", "html") if name in FORMATS},
    "dotenv": "landed.reports.dotenv",
}
FILE_MODE = 0o644


class Target(Struct, frozen=True):
    """A file that is wanted."""

    format: str
    path: str


def parse(targets: Sequence[str]) -> tuple[Target, ...]:
    """Read ``FORMAT=PATH`` of each, before anything is done.

    Raises ConfigurationError for a format that does not exist, a place that is none, and one that is named twice.
    """
    found: dict[str, Target] = {}
    for text in targets:
        target = _read(text)
        place = os.path.abspath(target.path)
        if place in found:
            raise ConfigurationError(
                f"--write names {harmless(target.path)} twice.", "Give each report a file of its own."
            )
        found[place] = target
    return tuple(found.values())


def write(report: Report, targets: Sequence[str], view: View) -> None:
    """Write ``report``, which holds no secrets any more, to every target; folders that are missing are made.

    Raises ConfigurationError for the first that cannot be written, after all others are.
    """
    failed: ConfigurationError | None = None
    for target in parse(targets):
        chosen: Format = import_module(WRITTEN[target.format])
        try:
            _put(os.path.realpath(target.path), chosen.render(report, view).encode("utf-8", "replace"))
        except OSError as error:
            failed = failed or ConfigurationError(
                f"The {target.format} report could not be written to {harmless(target.path)}: {error.strerror}.",
                "Point --write at a file in a folder that can be written.",
            )
    if failed is not None:
        raise failed


def _read(text: str) -> Target:
    name, equals, path = text.partition("=")
    name, path = name.strip().lower(), path.strip()
    if not equals or name not in WRITTEN:
        wrong = f"--write {harmless(text)} names no file." if not equals else f"--write knows no format {name!r}."
        raise ConfigurationError(harmless(wrong), f"Write FORMAT=PATH with one of {', '.join(WRITTEN)}.")
    if not path or "\0" in path or path == "-":
        raise ConfigurationError(
            f"--write {harmless(text)} names no file.", f"Write {name}=PATH; -o is for standard output."
        )
    if path.endswith("/") or os.path.isdir(path):
        raise ConfigurationError(
            f"--write {harmless(text)} names a folder.", f"Give it a file, such as {harmless(path.rstrip('/'))}/report."
        )
    return Target(name, path)


def _put(path: str, content: bytes) -> None:
    """Raises OSError."""
    if path.startswith(("/dev/", "/proc/")):  # a pipe or a terminal: there is nothing to replace
        with open(path, "wb", buffering=0) as stream:
            stream.write(content)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    name = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
