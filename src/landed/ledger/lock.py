"""One run at a time: an advisory lock on a file beside the ledger.

The kernel frees the lock when the process ends, however it ends. The lock file itself stays: removing it would let
two runs hold two different files of the same name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from landed.errors import ConfigurationError

#: How often a lock that somebody holds is tried again, in seconds, and how long that goes without a word.
PAUSE = 0.1
PATIENCE = 1.0
NOTHING_SENT = "nothing was sent"
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@contextmanager
def held(
    path: str,
    timeout: float,
    *,
    what: str,
    so: str = NOTHING_SENT,
    warn: Callable[[str], None],
    progress: Callable[[str], None],
) -> Iterator[bool]:
    """Hold the lock ``path`` within the block; true if it is really held.

    Where the file system has no locks it is false, after a warning. ``what`` is what messages call the thing that is
    locked, ``so`` what follows where it cannot be had. Raises OSError, and ConfigurationError after ``timeout``
    seconds.
    """
    descriptor = _acquire(path, timeout, what, so, progress)
    try:
        locked = descriptor >= 0
        if not locked:
            warn(f"The file system of {what} has no locks: two runs at the same time may repeat each other's updates.")
        yield locked
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _acquire(path: str, timeout: float, what: str, so: str, progress: Callable[[str], None]) -> int:
    """A descriptor that holds the lock, or -1 where there are none."""
    begun = time.monotonic()
    said = False
    while True:
        descriptor, holder = _try(path)
        if not holder:
            return descriptor
        waited = time.monotonic() - begun
        if waited >= timeout:
            raise ConfigurationError(
                f"Another run ({holder}) has held {what} for {timeout:g} s; {so}.",
                "Let it finish and run again, or give this run a ledger of its own with --ledger.",
            )
        if waited >= PATIENCE and not said:
            progress(f"Waiting for another run ({holder}), which holds {what}")
            said = True
        time.sleep(min(PAUSE, max(0.0, timeout - waited)))


def _try(path: str) -> tuple[int, str]:
    """Try once: a descriptor (-1: no locks here) and "", or -1 and who holds it."""
    # Not through a symbolic link: a pull request may have put one here, and the pid is written to it.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(descriptor)
    except BlockingIOError:
        holder = _signature(descriptor)
        os.close(descriptor)
        return -1, holder
    except OSError as error:
        os.close(descriptor)
        if error.errno in _NO_LOCKS_HERE:
            return -1, ""
        raise
    return descriptor, ""


def _sign(descriptor: int) -> None:
    """Say who holds it, and let the cache step of a CI job read the file whatever the umask."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    with suppress(OSError):
        os.fchmod(descriptor, 0o644)


def _signature(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).strip()
    return f"pid {int(text)}" if text.isdigit() else "pid unknown"
