"""A command that goes on: what it says is read as it comes, and waited for."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from integration.command import Run, Workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds until something that should come is missed, on a machine that has other things to do.
PATIENCE = 60.0


class Lasting:
    """One process. Around it as a context, so that it is gone at the end."""

    def __init__(self, place: Workplace, *arguments: str, **environment: str) -> None:
        self._out: list[str] = []
        self._err: list[str] = []
        self.process = subprocess.Popen(
            place.command(*arguments),
            env={name: value for name, value in {**place.environment, **environment}.items() if value},
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        pipes = ((self.process.stdout, self._out), (self.process.stderr, self._err))
        self._threads = [threading.Thread(target=_read, args=pipe, daemon=True) for pipe in pipes]

    def __enter__(self) -> Lasting:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    @property
    def err(self) -> str:
        """Everything it has said until now."""
        return "".join(self._err)

    def log(self, message: str = "") -> Iterator[dict[str, Any]]:
        """The lines of a JSON log, all of them or those with this message."""
        for line in filter(_is_json, tuple(self._err)):
            entry = json.loads(line)
            if message in ("", entry["message"]):
                yield entry

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait until it is, as long as the process lives, and give it."""

        deadline = time.monotonic() + PATIENCE
        while not (found := true()):
            assert self.process.poll() is None, (self.process.returncode, "".join(self._out), self.err)
            assert time.monotonic() < deadline, self.err[-5000:]
            time.sleep(0.05)
        return found

    def says(self, text: str) -> None:
        """Wait until it has said this."""
        self.until(lambda: text in self.err)

    def end(self, number: int | None = None, within: float = PATIENCE) -> Run:
        """Wait for its end, after a signal if there is one to be sent."""
        if number is not None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            message = f"it goes on:\n{self.err[-5000:]}"
            raise AssertionError(message) from None
        for thread in self._threads:
            thread.join(5)
        return Run(code, "".join(self._out), self.err)


def _is_json(line: str) -> bool:
    """Whether it is not for the runner, as what masks a secret is."""
    return line.startswith("{")


def _read(pipe: Any, into: list[str]) -> None:
    for line in pipe:
        into.append(line)
