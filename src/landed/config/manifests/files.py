"""The files in which manifests are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG

from landed.config.manifests.values import Place, Problem

ENDINGS = (".yaml", ".yml", ".json")
#: Bytes of a file.
LARGEST = 8 * 1024 * 1024
#: Files that are read.
MOST_FILES = 10_000


class Unusable(Exception):
    """A path gives nothing; the text says why."""


def found(paths: Iterable[str]) -> tuple[list[str], list[Problem]]:
    """The files that ``paths`` mean, each once: a file itself, a folder all YAML and JSON below it, sorted.

    Of a folder, what is hidden (``.git``) is left out; links are followed, but not twice to the same place.
    """
    files: dict[str, str] = {}
    problems = []
    for path in paths:
        if not path:
            problems.append(problem("--config", "the path is empty"))
            continue
        try:
            for file in _below(path) if Path(path).is_dir() else [_there(path)]:
                files.setdefault(os.path.realpath(file), file)
        except Unusable as error:
            problems.append(problem(path, str(error)))
        except (OSError, ValueError) as error:  # a name too long, a NUL in it, no right to look
            problems.append(problem(path, f"it cannot be read: {_why(error)}", "Check --config."))
    return list(files.values()), problems


def content(file: str) -> str:
    """The text of a file. Raises Unusable."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"it cannot be read: {_why(error)}") from None
    if len(data) > LARGEST:
        raise Unusable(f"it is larger than {LARGEST // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeError:
        raise Unusable("it is not text in UTF-8") from None


def problem(file: str, what: str, instead: str = "", line: int = 0, document: int = 0) -> Problem:
    """Something that is wrong with a file as a whole."""
    return Problem(Place(shown(file), line, document), "", "", what, instead)


def shown(file: str) -> str:
    """A path that can be printed, whatever its bytes are."""
    return file.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _there(path: str) -> str:
    if not Path(path).exists():
        raise Unusable("there is no such file or folder")
    return path


def _below(folder: str) -> list[str]:
    """Raises Unusable where there is nothing, or too much."""
    seen = {os.path.realpath(folder)}
    waiting, files = [folder], []
    while waiting:
        for entry in _visible(waiting.pop()):
            if _is_folder(entry):
                real = os.path.realpath(entry.path)
                waiting += [entry.path] if real not in seen else []
                seen.add(real)
            elif entry.name.endswith(ENDINGS) and _regular(entry):
                files.append(entry.path)
        if len(files) > MOST_FILES:
            raise Unusable(f"there are more than {MOST_FILES} files below it")
    if not files:
        raise Unusable(f"there is no file in it that ends in {', '.join(ENDINGS)}")
    return sorted(files)


def _visible(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise Unusable(f"{shown(folder)} cannot be read: {_why(error)}") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _regular(entry: os.DirEntry[str]) -> bool:
    """Whether it can be read like a file; a link to nowhere is kept, so that it is told."""
    try:
        return S_ISREG(entry.stat().st_mode)
    except OSError:
        return True


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "its name is not usable").lower()
