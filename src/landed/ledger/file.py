"""The ledger in a file, as ``format`` describes it. ``<path>.lock`` beside it is held for the whole run.

Where runs share it, each holds ``<path>.<part>.lock`` for that long, and ``<path>.lock`` only to read and to write.

At most 100,000 entries and 32 MiB are kept: entries of commits that have come and gone leave first, oldest first, then
older ones of the commits that lines speak of now, and the newest of a line last. What cannot be read is renamed to
``<path>.damaged-<UTC time>`` or ``<path>.newer-<UTC time>`` and never overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from landed.ledger import whole
from landed.ledger.format import MOST_BYTES_READ, UnreadableError, decode, encode
from landed.ledger.lock import NOTHING_SENT, held
from landed.told import Told, merge

if TYPE_CHECKING:
    from landed.ledger import Share
    from landed.ledger.sharing import Since


def connect(
    path: str,
    *,
    lock_timeout: float,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
    shared: Share | None = None,
) -> FileLedger:
    """The ledger at ``path``, which may be missing, and whose folder may be."""
    return FileLedger(path, lock_timeout=lock_timeout, warn=warn, progress=progress, shared=shared)


class FileLedger:
    """A ledger in one file. See ``landed.ledger.interface.Ledger``."""

    def __init__(
        self,
        path: str,
        *,
        lock_timeout: float = 30.0,
        warn: Callable[[str], None],
        progress: Callable[[str], None],
        shared: Share | None = None,
    ) -> None:
        # Through a symbolic link to what it names, so that the link stays and everybody locks the same file.
        self._path = os.path.realpath(path)
        self._shown = path
        self._lock_timeout = lock_timeout
        self._warn = warn
        self._progress = progress
        self._shared = shared
        self._since: Since | None = None
        self._locked = False
        self._known: int | None = None
        self._written: int | None = None
        self._others = Told()

    @contextmanager
    def open(self) -> Iterator[Told]:
        """Hold the ledger and give what it says. Raises ConfigurationError before anything is read."""
        self._refuse_early()
        if self._shared is None:
            with self._held():
                yield self._load()
            return
        from landed.ledger.sharing import Since, visible  # imported late: most runs are alone

        with self._lock(f"{self._path}.{self._shared.name}.lock", f"part {self._shared.name} of the ledger"):
            with self._held():
                told = visible(self._load(), self._shared.clusters)
            self._since = Since(told, self._shared.clusters)
            yield told

    @contextmanager
    def _held(self, so: str = NOTHING_SENT) -> Iterator[None]:
        """Hold what is stored."""
        with self._lock(f"{self._path}.lock", "the ledger", so) as self._locked:
            try:
                yield
            finally:
                self._locked = False

    @contextmanager
    def _lock(self, path: str, what: str, so: str = NOTHING_SENT) -> Iterator[bool]:
        """Hold the lock ``path``; true if it is really held. Raises ConfigurationError."""
        hold = held(
            path,
            self._lock_timeout,
            what=f"{what} {self._shown}",
            so=so,
            warn=self._warn,
            progress=self._progress,
        )
        try:
            locked = hold.__enter__()
        except OSError as error:
            raise whole.refusal(self._shown, error) from None
        try:
            yield locked
        finally:
            hold.__exit__(None, None, None)

    def peek(self) -> Told:
        """What the ledger says, without holding, making, moving or writing anything."""
        raw = self._read()
        if raw is None:
            return Told()
        try:
            told = decode(raw)
        except UnreadableError as error:
            self._warn(f"The ledger {self._shown} cannot be read: {error}.")
            return Told()
        if self._shared is None:
            return told
        from landed.ledger.sharing import visible

        return visible(told, self._shared.clusters)

    def save(self, told: Told) -> None:
        """Write wholly or not at all; not at all, too, if nothing differs from what is stored."""
        if self._shared is not None:
            with self._held("what was delivered may be told once more by the next run"):
                self._save_share(told)
            return
        stored = self._read()
        wanted = encode(self._joined(told))
        if stored == wanted:
            return
        if stored is not None and hash(stored) == self._written:  # as we left it: it need not be understood again
            self._write(wanted)
            return
        if stored is not None:
            theirs = self._understood(stored)
            if hash(stored) != self._known:  # put there since we read: a cache restored, a run without a lock
                self._others = merge(self._others, theirs)
                wanted = encode(self._joined(told))
            unchanged = encode(theirs)
        else:
            unchanged = encode(Told())
        if wanted != unchanged:
            self._write(wanted)

    def _save_share(self, told: Told) -> None:
        """Put what this run has changed into what the others have stored."""
        stored = self._read()
        there = None if stored is None else self._usable(stored)
        assert self._since is not None  # noqa: S101 — a part is opened before it is saved
        together = self._since.joined(told, there)
        wanted = encode(together)
        if stored != wanted and together != (Told() if there is None else there):
            self._write(wanted)
        self._since.stored(told)

    def _joined(self, told: Told) -> Told:
        """``told``, and what others stored while we were at it."""
        return merge(self._others, told) if self._others != Told() else told

    def _refuse_early(self) -> None:
        try:
            whole.make_room(self._path)
            whole.probe(self._path)
        except OSError as error:
            raise whole.refusal(self._shown, error) from None

    def _load(self) -> Told:
        self._others = Told()
        raw = self._read()
        self._known = None if raw is None else hash(raw)
        return Told() if raw is None else self._understood(raw)

    def _read(self) -> bytes | None:
        try:
            return whole.read(self._path, MOST_BYTES_READ)
        except OSError as error:
            raise whole.refusal(self._shown, error, doing="read") from None

    def _understood(self, raw: bytes) -> Told:
        """What ``raw``, just read from the file, says; if nothing, the file is put aside, and it is as if empty."""
        return self._usable(raw) or Told()

    def _usable(self, raw: bytes) -> Told | None:
        try:
            return decode(raw)
        except UnreadableError as error:
            try:
                kept = whole.put_aside(self._path, error.kind)
            except OSError as refused:
                raise whole.refusal(self._shown, refused) from None
            self._warn(f"The ledger {self._shown} cannot be read: {error}. It is kept as {kept}; this run starts anew.")
            return None

    def _write(self, content: bytes) -> None:
        try:
            if self._locked:
                whole.sweep(self._path)
            whole.write(self._path, content)
        except OSError as error:
            raise whole.refusal(self._shown, error, doing="written") from None
        self._known = self._written = hash(content)
