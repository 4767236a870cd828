"""Answers to show while somebody waits, and a terminal that shows what a person would see."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
import threading
from typing import TYPE_CHECKING, Any

import pyte

from landed.model import Answer, ObjectRef, Repository, Standing, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_766_400_600
FLEET = Repository("github.com", "acme/fleet")
COMMIT = "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b"
OLD = "0123456789abcdef0123456789abcdef01234567"


class Clock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def standing(name: str = "web", state: str = "waiting", cluster: str = "prod", **changes: Any) -> Standing:
    kind = changes.pop("kind", "Kustomization")
    namespace = changes.pop("namespace", "apps")
    commit = changes.pop("commit", OLD if state == "waiting" else COMMIT)
    return Standing(cluster, ObjectRef(kind, namespace, name), state, commit, **changes)


def health_checks(name: str = "web", **changes: Any) -> Standing:
    message = f"Running health checks for revision main@sha1:{COMMIT} with a timeout of 2m0s"
    return standing(name, reason="Progressing", message=message, since=NOW - 70, **changes)


def answer(*standings: Standing, verdict: Verdict = Verdict.WAITING, **changes: Any) -> Answer:
    ordered = tuple(sorted(standings, key=lambda one: (one.cluster, one.about)))
    return Answer(FLEET, COMMIT, verdict, ordered, began=NOW, **changes)


class Terminal:
    """A pseudo-terminal, and what is to be seen on it."""

    def __init__(self, columns: int = 80, lines: int = 24, encoding: str = "utf-8") -> None:
        self._master, slave = pty.openpty()
        self.stream = io.TextIOWrapper(io.FileIO(slave, "w"), encoding=encoding, write_through=True)
        self.screen = pyte.Screen(columns, lines)
        self.written = b""
        self._feed = pyte.ByteStream(self.screen)
        self._marks = 0
        self._read = threading.Condition()
        self.resize(columns, lines)
        self._reader = threading.Thread(target=self._watch, daemon=True)
        self._reader.start()

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        with self._read:
            self.screen.resize(lines, columns)

    def see(self) -> list[str]:
        """The lines from the top to the last one that shows anything."""
        self._marks += 1
        mark = f"mark {self._marks}"
        os.write(self.stream.fileno(), f"\x1b]2;{mark}\x07".encode())
        with self._read:
            assert self._read.wait_for(lambda: self.screen.title == mark, 10), "the terminal shows nothing more"
            shown = [line.rstrip() for line in self.screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def close(self) -> None:
        self.stream.close()
        self._reader.join(10)
        os.close(self._master)

    def _watch(self) -> None:
        while True:
            try:
                read = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            with self._read:
                self.written += read
                self._feed.feed(read)
                self._read.notify_all()


def widths(shown: Sequence[str]) -> int:
    """Columns of the widest line."""
    from wcwidth import wcswidth

    return max(wcswidth(line) for line in shown)
