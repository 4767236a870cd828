"""What people see while a commit is waited for: a table that lives on a terminal, a line for each change in a log.

``terminal`` and ``log`` are the two; ``words`` says it, ``layout`` puts it into columns, ``frame`` draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from landed.model import Answer
from landed.reports.console import Console
from landed.reports.waiting.log import Log
from landed.reports.waiting.terminal import Screen


class Waiting:
    """Tells how the wait goes on. Around it as a context, so that the terminal is left as it was, and the log in order.

    ``clock`` gives seconds since the Unix epoch.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float]) -> None:
        seen = console.live and not console.quiet
        self._way: Screen | Log = Screen(console, clock=clock) if seen else Log(console, clock=clock)

    def __enter__(self) -> Waiting:
        self._way.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._way.stop()

    def tell(self, answer: Answer, left: float) -> None:
        """What is known at this moment, and how many seconds are left. The same once more is no news."""
        self._way.tell(answer, left)

    def next_in(self) -> float:
        """In how many seconds ``tell`` should be called again at the latest."""
        return self._way.next_in()
