"""How a server's process is started, found and ended."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

#: Where the servers are: what ``.ci/servers.sh`` prints.
VARIABLE = "LANDED_TEST_SERVERS"
#: Seconds a server may take to come up, on a machine that has other things to do.
PATIENCE = 90
#: A state in /proc/net/tcp: waits for connections.
_LISTEN = "0A"


def folder() -> Path:
    """Where the servers are, or a skip that says how to get them."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        pytest.skip(f"needs {VARIABLE}, see .ci/servers.sh")
    return Path(named)


def program(name: str) -> str:
    """The path of one of the servers below the folder. A folder that lacks it is an error, not a skip."""
    path = folder() / name
    if not path.exists():
        pytest.fail(f"{VARIABLE} has no {name}: run .ci/servers.sh again")
    return str(path.absolute())


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, or of this process, however it ends."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*_bound_to_us(), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _bound_to_us() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if which("setpriv") else []


def until(what: str, found: Callable[[], T | None], *, patience: float = PATIENCE) -> T:
    """Ask until there is an answer that is not None or empty.

    Raises AssertionError with what was waited for when the patience, in seconds, is used up.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.02)
    message = f"waited {patience} seconds for {what}"
    raise AssertionError(message)


def port_of(process: subprocess.Popen[bytes], log: Path, *, patience: float = PATIENCE) -> int:
    """The TCP port on which a process listens, as the kernel knows it: so it may choose one for itself.

    Raises AssertionError with the end of its log when it ends before it listens, or does not listen in time.
    """

    def listening() -> int | None:
        if process.poll() is not None:
            message = f"a server ended with {process.returncode} before it listened"
            raise AssertionError(message)
        try:
            return _listening(process.pid)
        except OSError:  # it has just ended
            return None

    try:
        return until("a server to listen", listening, patience=patience)
    except AssertionError as error:
        message = f"{error}; the end of its log:\n{log.read_text(errors='replace')[-3000:]}"
        raise AssertionError(message) from None


def _listening(pid: int) -> int | None:
    """https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html"""
    sockets = _sockets(pid)
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in sockets:
                return int(fields[1].rpartition(":")[2], 16)
    return None


def _sockets(pid: int) -> set[str]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes
