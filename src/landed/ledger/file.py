"""The ledger in a file, as ``format`` describes it. ``<path>.lock`` beside it is held for the whole run.

At most 100,000 entries and 32 MiB are kept: entries of commits that have come and gone leave first, oldest first, then
older ones of the commits that lines speak of now, and the newest of a line last. What cannot be read is renamed to
``<path>.damaged-<UTC time>`` or ``<path>.newer-<UTC time>`` and never overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from landed.ledger import whole
from landed.ledger.format import MOST_BYTES_READ, UnreadableError, decode, encode
from landed.ledger.lock import held
from landed.told import Told, merge


def connect(
    path: str, *, lock_timeout: float, warn: Callable[[str], None], progress: Callable[[str], None]
) -> FileLedger:
    """The ledger at ``path``, which may be missing, and whose folder may be."""
    return FileLedger(path, lock_timeout=lock_timeout, warn=warn, progress=progress)


class FileLedger:
    """A ledger in one file. See ``landed.ledger.interface.Ledger``."""

    def __init__(
        self,
        path: str,
        *,
        lock_timeout: float = 30.0,
        warn: Callable[[str], None],
        progress: Callable[[str], None],
    ) -> None:
        # Through a symbolic link to what it names, so that the link stays and everybody locks the same file.
        self._path = os.path.realpath(path)
        self._shown = path
        self._lock_timeout = lock_timeout
        self._warn = warn
        self._progress = progress
        self._locked = False
        self._known: int | None = None
        self._others = Told()

    @contextmanager
    def open(self) -> Iterator[Told]:
        """Hold the ledger and give what it says. Raises ConfigurationError before anything is read."""
        self._refuse_early()
        hold = held(
            f"{self._path}.lock",
            self._lock_timeout,
            what=f"the ledger {self._shown}",
            warn=self._warn,
            progress=self._progress,
        )
        try:
            self._locked = hold.__enter__()
        except OSError as error:
            raise whole.refusal(self._shown, error) from None
        try:
            yield self._load()
        finally:
            hold.__exit__(None, None, None)
            self._locked = False

    def peek(self) -> Told:
        """What the ledger says, without holding, making, moving or writing anything."""
        raw = self._read()
        if raw is None:
            return Told()
        try:
            return decode(raw)
        except UnreadableError as error:
            self._warn(f"The ledger {self._shown} cannot be read: {error}.")
            return Told()

    def save(self, told: Told) -> None:
        """Write wholly or not at all; not at all, too, if nothing differs from what is stored."""
        stored = self._read()
        wanted = encode(self._joined(told))
        if stored == wanted:
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
        """What ``raw``, just read from the file, says; if nothing, the file is put aside."""
        try:
            return decode(raw)
        except UnreadableError as error:
            try:
                kept = whole.put_aside(self._path, error.kind)
            except OSError as refused:
                raise whole.refusal(self._shown, refused) from None
            self._warn(f"The ledger {self._shown} cannot be read: {error}. It is kept as {kept}; this run starts anew.")
            return Told()

    def _write(self, content: bytes) -> None:
        try:
            if self._locked:
                whole.sweep(self._path)
            whole.write(self._path, content)
        except OSError as error:
            raise whole.refusal(self._shown, error, doing="written") from None
        self._known = hash(content)
