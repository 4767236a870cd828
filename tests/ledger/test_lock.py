from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landed.errors import ConfigurationError
from landed.ledger import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = """
import sys
sys.path[:0] = %r
from landed.ledger.lock import held
with held(sys.argv[1], 0, what="it", warn=print, progress=print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD % sys.path, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def hold(path: Path, timeout: float, said: list[str]) -> None:
    with lock.held(str(path), timeout, what="the ledger x", warn=said.append, progress=said.append):
        pass


def test_a_lock_that_stays_taken_is_an_error_that_names_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    said: list[str] = []
    with another_run(path) as other:
        with pytest.raises(ConfigurationError) as caught:
            hold(path, 0.15, said)
        assert caught.value.message == (
            f"Another run (pid {other.pid}) has held the ledger x for 0.15 s; nothing was sent."
        )
        assert "--ledger" in caught.value.hint
        let_go(other)
    assert said == [], "less than a second needs no words"


def test_a_lock_that_is_let_go_in_time_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    monkeypatch.setattr(lock, "PAUSE", 0.01)
    path = tmp_path / "x.lock"
    said: list[str] = []
    with another_run(path) as other:
        waits = threading.Event()

        def progress(text: str) -> None:
            said.append(text)
            waits.set()

        def end() -> None:
            waits.wait(10)
            let_go(other)

        helper = threading.Thread(target=end)
        helper.start()
        with lock.held(str(path), 30, what="the ledger x", warn=said.append, progress=progress) as locked:
            assert locked
            assert path.read_text() == f"{os.getpid()}\n"
        helper.join()
    assert said == [f"Waiting for another run (pid {other.pid}), which holds the ledger x"], "said once"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 100, b"1" * 100])
def test_a_lock_held_by_a_stranger_is_respected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.lock"
    path.write_bytes(content)
    with path.open("rb") as stranger:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match=r"Another run \(pid (unknown|1+)\)"):
            hold(path, 0, [])


def test_a_lock_left_by_a_run_that_died_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("123456789\n")
    with lock.held(str(path), 0, what="it", warn=print, progress=print) as locked:
        assert locked
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_there_is_one_warning_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuses)
    said: list[str] = []
    with lock.held(str(tmp_path / "x.lock"), 0, what="the ledger x", warn=said.append, progress=print) as locked:
        assert not locked
    assert len(said) == 1
    assert "the ledger x has no locks" in said[0]


def test_another_failure_of_the_lock_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(OSError, match="Input/output"):
        hold(tmp_path / "x.lock", 0, [])


def test_many_runs_take_turns(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from landed.ledger.file import FileLedger
from landed.model import Mark
for n in range(5):
    book = FileLedger({str(tmp_path / "ledger.json")!r}, warn=print, progress=print)
    with book.open() as told:
        told.record("github.com", Mark("line " + sys.argv[1] + " " + str(n), "a", "success"), n)
        book.save(told)
"""
    runs = [subprocess.Popen([sys.executable, "-c", program, str(n)], stdout=subprocess.PIPE) for n in range(4)]
    assert [run.communicate()[0] for run in runs] == [b""] * 4
    assert [run.returncode for run in runs] == [0] * 4
    from landed.ledger.format import decode

    assert decode((tmp_path / "ledger.json").read_bytes()).count() == 20
