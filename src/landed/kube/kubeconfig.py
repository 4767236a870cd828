"""kubeconfig files: found, read and merged as kubectl does it.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from landed.errors import ConfigurationError

#: Longer than any path: what is given is the content, and must not be printed.
LONGEST_PATH = 255

GIVEN = "the given kubeconfig"
HINT = "Give --kubeconfig (or LANDED_KUBECONFIG) a path, the kubeconfig itself, or its base64."


class Entry(Struct, frozen=True):
    """One named cluster, user or context, with where it stands."""

    fields: Mapping[str, Any]
    file: str
    """The file's path, or words for a kubeconfig that is in no file."""
    folder: str
    """What relative paths in it are relative to."""

    def __repr__(self) -> str:
        return f"Entry({self.file})"


class Kubeconfig(Struct, frozen=True):
    """All files merged: of each name, and of current-context, the first occurrence."""

    origin: str
    """Words for messages: the files that were read."""
    current: str = ""
    contexts: Mapping[str, Entry] = {}
    clusters: Mapping[str, Entry] = {}
    users: Mapping[str, Entry] = {}


def load(option: str, environ: Mapping[str, str]) -> Kubeconfig | None:
    """Read what ``option`` says, else ``KUBECONFIG``, else ``~/.kube/config``; None where there is none of them.

    ``option`` is a path, a list of paths, a kubeconfig's text, or the base64 of one.
    Raises ConfigurationError, which never holds a file's content.
    """
    if option.strip():
        return _given(option.strip())
    listed = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if listed:
        found = [path for path in listed if _exists(path)]
        return _merge([_file(path) for path in found]) if found else None
    usual = str(Path(environ.get("HOME") or os.path.expanduser("~")) / ".kube" / "config")  # noqa: PTH111
    return _merge([_file(usual)]) if _exists(usual) else None


def inline(option: str) -> str:
    """The text of a kubeconfig that was given as such or as base64; empty if ``option`` is a path."""
    decoded = _base64(option)
    if decoded:
        return decoded
    return option if "\n" in option.strip() or option.lstrip().startswith("{") else ""


def files(option: str) -> list[str]:
    """The paths in ``option``, in order. Empty entries are skipped, as kubectl does."""
    return [_at_home(path) for path in option.split(os.pathsep) if path]


def _at_home(path: str) -> str:
    try:
        return os.path.expanduser(path)  # noqa: PTH111 — Path.expanduser raises where there is no such user
    except ValueError:  # a NUL in the user's name
        return path


def _given(option: str) -> Kubeconfig:
    text = inline(option)
    if text:
        return _merge([(_parse(text.encode(), GIVEN), GIVEN, str(Path.cwd()))])
    paths = files(option)
    found = [path for path in paths if _exists(path)]
    if not found:
        raise ConfigurationError(_missing(option), HINT)
    return _merge([_file(path) for path in found])


def _missing(option: str) -> str:
    if len(option) > LONGEST_PATH:
        return f"The given kubeconfig ({len(option)} characters) is neither a path, nor YAML, nor the base64 of YAML."
    return f"There is no kubeconfig at {option}."


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name too long, a NUL in it
        return False


def _base64(text: str) -> str:
    """What ``text`` is the base64 of, if that looks like a kubeconfig; a path can be valid base64, too."""
    try:
        decoded = a2b_base64("".join(text.split()), strict_mode=True).decode("utf-8-sig")
    except (Base64Error, UnicodeError, ValueError):
        return ""
    return decoded if any(word in decoded for word in ("clusters", "apiVersion", "current-context")) else ""


def _file(path: str) -> tuple[Any, str, str]:
    try:
        text = Path(path).read_bytes()
    except IsADirectoryError:
        raise ConfigurationError(f"The kubeconfig {path} is a directory.", HINT) from None
    except OSError as error:
        raise ConfigurationError(f"The kubeconfig {path} cannot be read: {error.strerror}.", HINT) from None
    return _parse(text, path), path, str(Path(path).absolute().parent)


def _parse(text: bytes, file: str) -> Any:
    """The document as dicts and lists, without its nulls: Go reads null as absent, and so must we."""
    try:
        return _without_nulls(_decode(text.decode("utf-8-sig")))
    except UnicodeError:
        raise ConfigurationError(f"{_name(file)} is not a text file in UTF-8.", HINT) from None
    except RecursionError:
        raise ConfigurationError(f"{_name(file)} is nested too deeply to be a kubeconfig.") from None


def _decode(text: str) -> Any:
    if text.lstrip().startswith("{"):
        from msgspec import DecodeError
        from msgspec.json import decode

        try:
            return decode(text)
        except DecodeError:
            pass  # JSON with YAML's liberties
    return _yaml(text)


def _yaml(text: str) -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # A date stays the text that it is in the file, as in Go.
    plain = {
        first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
        for first, known in base.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, type("Loader", (base,), {"yaml_implicit_resolvers": plain}))  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return _Broken(f" (line {mark.line + 1})" if mark else "")
    except ValueError:
        return _Broken("")


class _Broken(Struct, frozen=True):
    """Not YAML. The parser's own message quotes the text, which may be a secret, so only the place is kept."""

    where: str


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _merge(documents: Iterable[tuple[Any, str, str]]) -> Kubeconfig:
    read = [(_mapping(document, file), file, folder) for document, file, folder in documents]
    origin = ", ".join(file for _, file, _ in read)
    if not any(document for document, _, _ in read):
        raise ConfigurationError(f"{_name(origin)} is empty.", HINT)
    parts: dict[str, dict[str, Entry]] = {"contexts": {}, "clusters": {}, "users": {}}
    current = ""
    for document, file, folder in read:
        current = current or _text(document.get("current-context", ""), "current-context", file)
        for part, merged in parts.items():
            for name, entry in _entries(document, part, file, folder).items():
                merged.setdefault(name, entry)
    return Kubeconfig(origin=origin, current=current, **parts)


def _mapping(document: Any, file: str) -> Mapping[str, Any]:
    if document is None:
        return {}
    if isinstance(document, _Broken):
        raise ConfigurationError(f"{_name(file)} is not valid YAML{document.where}.", HINT)
    if not isinstance(document, dict):
        raise ConfigurationError(f"{_name(file)} is not a kubeconfig: it holds no mapping.", HINT)
    return document


def _entries(document: Mapping[str, Any], part: str, file: str, folder: str) -> dict[str, Entry]:
    """The entries of one part of one file by name. A name that occurs twice in it is refused, as by kubectl."""
    listed = document.get(part, [])
    if not isinstance(listed, list):
        raise ConfigurationError(f"{_name(file)} is not a kubeconfig: {part} is not a list.")
    entries: dict[str, Entry] = {}
    for place, item in enumerate(listed):
        name, fields = _entry(item, part, f"{part}[{place}]", file)
        if name in entries:
            raise ConfigurationError(f'{_name(file)}: {part} has "{name}" twice.', "Give each its own name.")
        entries[name] = Entry(fields, file, folder)
    return entries


def _entry(item: Any, part: str, place: str, file: str) -> tuple[str, Mapping[str, Any]]:
    fields = item.get(part[:-1], {}) if isinstance(item, dict) else None
    if not isinstance(fields, dict) or not item.get("name"):
        raise ConfigurationError(
            f"{_name(file)}: {place} is not of the form {{name: …, {part[:-1]}: {{…}}}}.",
        )
    return _text(item["name"], f"{place}.name", file), fields


def _text(value: Any, place: str, file: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{_name(file)}: {place} must be text.", "Put the value in quotes.")
    return value


def _name(file: str) -> str:
    return "The given kubeconfig" if file == GIVEN else f"The kubeconfig {file}"
