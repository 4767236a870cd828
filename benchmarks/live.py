"""The two ends of a run that stays: an API server where something happens, a Git host that notes when it is told."""

from __future__ import annotations

import json
import time
from itertools import count as numbers
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from benchmarks import fleet
from benchmarks.servers import VERSION, ApiServer, GitHubServer
from benchmarks.wire import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.wire import Answer, Request

#: Seconds between two changes, in which the five lines of one reconciliation are spread evenly.
INTERVAL = 0.05
#: After how many further changes an object that fails is well again.
_ILL = 10

#: A line of a watch, and the object whose result it changes, "" if none.
_Said = tuple[bytes, str]


class LiveServer:
    """An ``ApiServer`` whose watches of Kustomizations say what they are ordered to.

    ``changes N``: N objects turn, one every ``INTERVAL``; gives when each was said. ``flood N``: so many lines at once,
    of reconciliations that change nothing, but for the last. ``followed``: how many watches there are.
    """

    def __init__(self, count: int, shape: fleet.Shape) -> None:
        self._lists = ApiServer(count, shape)
        self._count = count
        self._shape = shape
        self._watches: list[SimpleQueue[_Said]] = []
        self._versions = numbers(VERSION + 10, 10)
        self._turns = _turns(count)
        self._said: list[tuple[str, float]] = []

    def order(self, command: str) -> object:
        """Carry out an order; see above."""
        what, _, number = command.partition(" ")
        if what == "changes":
            return self._change(int(number))
        if what == "followed":
            return len(self._watches)
        if what == "flood":
            self._flood(int(number))
        else:
            self._lists.order(command)
        return None

    def __call__(self, request: Request) -> Answer | Flow:
        answer = self._lists(request)
        if isinstance(answer, Flow) and "/kustomizations?" in request.target:
            queue: SimpleQueue[_Said] = SimpleQueue()
            self._watches.append(queue)
            return Flow(self._follow(queue))
        return answer

    def _follow(self, queue: SimpleQueue[_Said]) -> Iterator[bytes]:
        try:
            while True:
                try:
                    line, about = queue.get(timeout=1.0)
                except Empty:
                    yield b""
                    continue
                if about:
                    self._said.append((about, time.monotonic()))
                yield line
        finally:
            self._watches.remove(queue)

    def _change(self, number: int) -> list[tuple[str, float]]:
        self._said.clear()
        due = time.monotonic()
        for _ in range(number):
            lines = self._turn()
            for line in lines:
                due += INTERVAL / len(lines)
                time.sleep(max(0.0, due - time.monotonic()))
                self._say(line)
        while len(self._said) < number and self._watches:  # the last one is on its way
            time.sleep(0.001)
        return list(self._said)

    def _flood(self, number: int) -> None:
        quiet = (
            fleet.reconciliation(place % self._count, next(self._versions), self._shape) for place in range(number // 5)
        )
        lines = [(line, "") for each in quiet for line in each][: number - 5]
        for said in [*lines, *self._turn()]:
            self._say(said)

    def _turn(self) -> list[_Said]:
        """The lines of the next reconciliation whose result is another one than before."""
        place, failing = next(self._turns)
        lines = fleet.reconciliation(place, next(self._versions), self._shape, failing=failing)
        return [*((line, "") for line in lines[:-1]), (lines[-1], fleet.name(place))]

    def _say(self, said: _Said) -> None:
        for queue in self._watches:
            queue.put(said)


def _turns(count: int) -> Iterator[tuple[int, bool]]:
    """One object after the other fails, and after a while is well again: there are always some that fail."""
    for place in numbers():
        yield place % count, True
        if place >= _ILL:
            yield (place - _ILL) % count, False


class PunctualGitHub:
    """A ``GitHubServer`` that notes when it was told of which object. ``taken`` gives that, and forgets it."""

    def __init__(self) -> None:
        self._host = GitHubServer()
        self._taken: list[tuple[str, float]] = []

    def order(self, command: str) -> object:
        """Carry out an order; see above."""
        if command == "taken":
            taken, self._taken = self._taken, []
            return taken
        self._host.order(command)
        return None

    def __call__(self, request: Request) -> Answer:
        if request.method == "POST":
            came = time.monotonic()
            namespace, _, name = json.loads(request.body)["context"].rpartition("/")
            self._taken.append((f"{namespace.rpartition('/')[2]}/{name}", came))
        return self._host(request)
