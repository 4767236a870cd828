"""Where a checkout keeps what it has, and the commits of it: read without Git, its configuration or its hooks.

https://git-scm.com/docs/gitrepository-layout

Parents are read as they are recorded: neither ``shallow`` nor grafts nor replacements change them. So a commit at the
border of a shallow checkout still names its parents, although they are not there.
"""

from __future__ import annotations

import os
import re
import struct
import weakref
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from landed.checkout.walk import Known
from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.pack import Pack, PackIndex

#: Commits that are kept in mind.
KEPT = 500_000
#: Bytes of a pack that are read for a commit, and characters of it that are needed: the rest is its message.
READ, HEAD = 2048, 4096

_COMMIT, _TAG = 1, 4
_HEADER = re.compile(rb"tree [0-9a-f]+\n((?:parent [0-9a-f]+\n)*)")
_COMMITTER = re.compile(rb"^committer .*> (\d{1,18}) ", re.MULTILINE)
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Place(NamedTuple):
    """A repository on disk."""

    git: Path
    """Of a worktree its own folder, with its HEAD."""
    common: Path
    """What all worktrees share."""
    bare: bool


def place(path: str | os.PathLike[str]) -> Place:
    """The repository that ``path`` is in, or below. Raises ConfigurationError."""
    try:
        start = Path(path).resolve(strict=True)
        for folder in (start, *start.parents):
            found = _place_at(folder)
            if found:
                return found
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"The checkout {path} cannot be read: {why}.", _HINT) from None
    raise ConfigurationError(f"{path} is not in a Git checkout.", _HINT)


_HINT = "Give the folder of one with --repository-path."


def _place_at(folder: Path) -> Place | None:
    inner = folder / ".git"
    if inner.is_file():
        text = inner.read_text(errors="surrogateescape").strip()
        git = folder / text.removeprefix("gitdir:").strip() if text.startswith("gitdir:") else None
        if git is None or not (git / "HEAD").exists():
            raise OSError(0, f"{inner} names no Git folder that is there")
    else:
        git = next((one for one in (inner, folder) if _is_git(one)), None)
        if git is None:
            return None
    shared = git / "commondir"
    common = git / shared.read_text(errors="surrogateescape").strip() if shared.is_file() else git
    return Place(git, common, bare=git == folder and folder.name != ".git")


def _is_git(folder: Path) -> bool:
    own = (folder / "objects").is_dir() and (folder / "refs").is_dir()
    head = folder / "HEAD"
    return (head.exists() or head.is_symlink()) and (own or (folder / "commondir").is_file())


@cache
def broken() -> tuple[type[Exception], ...]:
    """What reading may raise where something is not there, or not as it should be."""
    from dulwich import errors

    return (
        *(KeyError, IndexError, ValueError, TypeError, OSError, EOFError, AssertionError, RecursionError),
        *(OverflowError, NotImplementedError, MemoryError, struct.error, zlib.error),
        *(errors.ApplyDeltaError, errors.ChecksumMismatch, errors.FileFormatException, errors.ObjectMissing),
        *(errors.MissingCommitError, errors.NotGitRepository, errors.RefFormatError, errors.WrongObjectException),
    )


class Objects:
    """The objects of one repository. Not for several threads at once."""

    def __init__(self, common: Path, kind: str) -> None:
        """Take ``kind`` as the name of the hash: ``sha1``, ``sha256``. Raises one of ``broken()``."""
        from dulwich.object_format import get_object_format
        from dulwich.object_store import DiskObjectStore

        format_ = get_object_format(kind)
        self.length = format_.hex_length
        self._store = DiskObjectStore(common / "objects", object_format=format_)
        self._files: list[int] = []
        self._packs: list[tuple[PackIndex, int]] | None = None
        self._kept: dict[str, Known] = {}
        # Before Python goes: the library's own clean-up does not work then any more, and says so.
        weakref.finalize(self, _close, self._store, self._files)

    def look(self, name: str) -> Known | None:
        """The commit ``name``; None where it is not there, or is no commit."""
        known = self._kept.get(name)
        if known is None:
            content = self._from_packs(name)
            if content is None:
                kind, content = self.raw(name)
                if kind != _COMMIT:
                    return None
            known = _known(content)
            if known is not None:
                if len(self._kept) >= KEPT:
                    self._kept.clear()
                self._kept[name] = known
        return known

    def peeled(self, name: str) -> str:
        """The commit that the object ``name`` is, or that it is a tag of; "" for anything else."""
        for _ in range(10):
            kind, content = self.raw(name)
            if kind == _COMMIT:
                return name
            target = re.match(rb"object ([0-9a-f]+)\n", content) if kind == _TAG else None
            if target is None:
                return ""
            name = target[1].decode()
        return ""

    def starting(self, prefix: str) -> list[str]:
        """The commits whose hash begins with ``prefix``, at least four digits; of tags, what they are tags of."""
        with suppress(*broken()):
            names = {name.decode() for name in self._store.iter_prefix(prefix.encode())}
            return sorted({commit for name in names if name.startswith(prefix) and (commit := self.peeled(name))})
        return []

    def raw(self, name: str) -> tuple[int, bytes]:
        """Number of its kind, and content; 0 where it is not there or cannot be read."""
        if not (_HASH.fullmatch(name) and len(name) == self.length):
            return 0, b""
        from dulwich.objects import ObjectID

        with suppress(*broken()):
            return self._store.get_raw(ObjectID(name.encode()))
        return 0, b""

    def _from_packs(self, name: str) -> bytes | None:
        """The beginning of a commit, read where the pack's index says: several times as fast as the library's way.

        None where it is not in a pack, or not as a whole there. https://git-scm.com/docs/gitformat-pack
        """
        if self._packs is None:
            self._packs = [opened for pack in self._all_packs() if (opened := self._opened(pack))]
        binary = bytes.fromhex(name)
        for position, (index, file) in enumerate(self._packs):
            try:
                content = _commit_at(file, index.object_offset(binary))  # type: ignore[arg-type]
            except KeyError:
                continue
            except broken():
                return None
            if position:
                self._packs.insert(0, self._packs.pop(position))
            return content
        return None

    def _opened(self, pack: Pack) -> tuple[PackIndex, int] | None:
        with suppress(*broken()):
            index, path = pack.index, os.fspath(pack.data.path)
            self._files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            return index, self._files[-1]
        return None

    def _all_packs(self) -> Iterator[Pack]:
        with suppress(*broken()):
            yield from self._store.packs
        with suppress(*broken()):
            for store in self._store.alternates:
                yield from getattr(store, "packs", ())


def _commit_at(file: int, offset: int) -> bytes | None:
    data = os.pread(file, READ, offset)
    if (data[0] >> 4) & 7 != _COMMIT:
        return None
    start = 1
    while data[start - 1] & 0x80:
        start += 1
    content = zlib.decompressobj().decompress(data[start:], HEAD)
    return content if b"\n\n" in content else None


def _known(content: bytes) -> Known | None:
    """What the header of a commit says."""
    head = _HEADER.match(content)
    if head is None:
        return None
    when = _COMMITTER.search(content, head.end(), content.find(b"\n\n"))
    parents = head[1].decode().split()[1::2]
    return Known(int(when[1]) if when else 0, tuple(parents))


def _close(store: DiskObjectStore, files: list[int]) -> None:
    for number in files:
        with suppress(OSError):
            os.close(number)
    with suppress(Exception):
        store.close()
