"""Files that are there wholly or not at all, and what is said when a place does not allow it."""

# pathlib would be loaded for these few lines alone, and every run would pay for it.
# ruff: noqa: PTH101, PTH102, PTH104, PTH105, PTH108, PTH112, PTH116, PTH118, PTH119, PTH120, PTH123, PTH208

from __future__ import annotations

import errno
import os
import re
import stat
import time
from contextlib import suppress

from landed.errors import ConfigurationError

#: Readable by whoever uploads the cache: in a container action that is another user than the one who wrote.
FILE_MODE = 0o644
FOLDER_MODE = 0o755
_LEFTOVER = re.compile(r"\.[0-9a-f]{8}\.tmp\Z")
_NO_UNNAMED_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})


def make_room(path: str) -> None:
    """Make the folders above ``path`` where they are missing, each 0755 whatever the umask. Raises OSError."""
    folder = os.path.dirname(path)
    if os.path.isdir(folder):
        return
    if folder != path:
        make_room(folder)
    with suppress(FileExistsError):
        os.mkdir(folder)
        os.chmod(folder, FOLDER_MODE)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)


def probe(path: str) -> None:
    """Make sure that ``path`` could be replaced, before anything is done that must be written there.

    Leaves nothing behind and no trace on the folder. Raises OSError.
    """
    folder = os.path.dirname(path)
    with suppress(FileNotFoundError):
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ENODEV, "Not a regular file", path)
        if found.st_dev != os.stat(folder).st_dev:  # mounted by itself: it cannot be replaced
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
    try:
        os.close(os.open(folder, getattr(os, "O_TMPFILE", 0) | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            raise
        descriptor, name = _temporary(path)
        os.close(descriptor)
        os.unlink(name)


def read(path: str, most: int) -> bytes | None:
    """The content of ``path``, at most ``most`` + 1 bytes of it; None where there is no such file. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ENODEV, "Not a regular file", path)
        return file.read(most + 1) if found.st_size > most else file.readall()


def write(path: str, content: bytes) -> None:
    """Put ``content`` in place of ``path``: whoever looks, and whatever dies, it is the old or the new.

    Raises OSError.
    """
    descriptor, name = _temporary(path)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            with suppress(PermissionError):  # some network file systems have no modes
                os.fchmod(descriptor, FILE_MODE)
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(os.path.dirname(path))


def sweep(path: str) -> None:
    """Remove what killed runs left of their attempts to write ``path``. Only for whoever holds its lock."""
    folder, base = os.path.split(path)
    for name in os.listdir(folder):
        if name.startswith(base) and _LEFTOVER.fullmatch(name, len(base)):
            with suppress(OSError):
                os.unlink(os.path.join(folder, name))


def put_aside(path: str, kind: str) -> str:
    """Rename ``path`` to ``<path>.<kind>-<UTC time>``, overwriting nothing.

    Gives the new name without its folder. Raises OSError.
    """
    stem = name = f"{path}.{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    number = 1
    while os.path.lexists(name):
        number += 1
        name = f"{stem}-{number}"
    os.rename(path, name)
    return os.path.basename(name)


def refusal(path: str, error: OSError, *, doing: str = "used") -> ConfigurationError:
    """The error for a user whose ledger ``path`` cannot be ``doing``: what is wrong, and what to do."""
    why, hint = _REASONS.get(error.errno or 0, (error.strerror or "", _ELSEWHERE))
    user = f" (this process is user {os.geteuid()})" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return ConfigurationError(f"The ledger {path} cannot be {doing}: {why}{user}.", hint.format(path=path))


_ELSEWHERE = "Point --ledger at a file in a folder that can be written, for example .landed/ledger.json"
_PERMITTED = "Make the folder of {path} writable for this user, or point --ledger somewhere else."
_ROOM = "Make room, or point --ledger at another file system. What was delivered may be told once more by the next run."
_REASONS = {
    errno.EISDIR: ("it is a directory", "Give --ledger a file, for example {path}/ledger.json"),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", _ELSEWHERE),
    errno.ENODEV: ("it is not a regular file", _ELSEWHERE),
    errno.EACCES: ("permission denied", _PERMITTED),
    errno.EPERM: ("permission denied", _PERMITTED),
    errno.EROFS: ("the file system is read-only", _ELSEWHERE),
    errno.ENOSPC: ("no space is left", _ROOM),
    errno.EDQUOT: ("the disk quota is used up", _ROOM),
    errno.EFBIG: ("it would be larger than files may be here", _ROOM),
    errno.EBUSY: (
        "it is a mount of its own and cannot be replaced",
        "Mount the folder that holds it instead of the file.",
    ),
    errno.ELOOP: ("it, or the lock beside it, is a symbolic link that leads nowhere", "Remove the link."),
    errno.ENAMETOOLONG: ("its name is too long", _ELSEWHERE),
}


def _temporary(path: str) -> tuple[int, str]:
    name = f"{path}.{os.urandom(4).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(name, flags, FILE_MODE), name


def _sync_folder(folder: str) -> None:
    """Make the new name last through a power cut. The file is in place already, so a refusal is not a failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
