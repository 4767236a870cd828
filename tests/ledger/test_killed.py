"""A run is killed before each single system call it makes; the ledger found afterwards is the old or the new one."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from landed.ledger.file import FileLedger
from landed.model import Mark

STRACE = shutil.which("strace")
#: What waits for strace, which may see it or not; and what asks for memory: how often differs from run to run, and none
#: of it touches a file.
_OTHERS = frozenset({"select", "pselect6", "brk", "futex", "madvise", "mmap", "mprotect", "mremap", "munmap"})


def ledger_at(path: Path) -> FileLedger:
    return FileLedger(str(path), warn=print, progress=print)


def remember(path: Path, commit: str) -> None:
    """A whole run that tells one commit."""
    book = ledger_at(path)
    with book.open() as told:
        told.record("github.com", Mark("line", commit, "success", (commit,)), 1)
        book.save(told)


def traced(path: Path, *options: str) -> int:
    """A run in a process of its own, under strace with these ``options``: its wait status."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover — it is another process, and may die
        os.close(writer)
        select.select([reader], [], [])
        remember(path, "new")
        os._exit(0)
    os.close(reader)
    with subprocess.Popen([str(STRACE), "-p", str(pid), *options], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        os.close(writer)
        _, status = os.waitpid(pid, 0)
    if b"attached" not in attached:
        pytest.skip(f"strace may not attach here: {attached.decode().strip()}")
    return status


def system_calls(folder: Path) -> list[str]:
    """The names of the system calls of a run, from the one that opens the lock on."""
    remember(folder / "ledger.json", "old")
    traced(folder / "ledger.json", "-o", str(folder / "trace"))
    made = re.findall(r"^(\w+)\(", (folder / "trace").read_text(), re.MULTILINE)
    return [call for call in made if call not in _OTHERS]


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_killed_anywhere_the_ledger_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    still_old = []
    count: Counter[str] = Counter()
    for number, call in enumerate(system_calls(tmp_path / "trace")):
        count[call] += 1
        path = tmp_path / str(number) / "ledger.json"
        remember(path, "old")
        old = path.read_bytes()
        status = traced(path, "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={count[call]}")
        if not os.WIFSIGNALED(status):  # nothing is called after the end
            continue
        assert os.WTERMSIG(status) == signal.SIGKILL
        still_old.append(path.read_bytes() == old)
        remember(path, "next")
        held = [entry.commit for entry in ledger_at(path).peek().destinations["github.com"]["line"]]
        assert held == (["old", "next"] if still_old[-1] else ["old", "new", "next"])
        assert {entry.name for entry in path.parent.iterdir()} == {"ledger.json", "ledger.json.lock"}
    assert len(still_old) > 20, "every step was tried"
    # A run may make one call more or less than the one that was listed, so the steps may be tried in another order.
    assert (still_old[0], still_old[-1]) == (True, False), "first the old one, in the end the new one"
