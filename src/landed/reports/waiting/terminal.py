"""A wait on a terminal: a table that lives at its bottom, drawn by rich, and is gone when the wait is over.

It bears a terminal that changes its size, and text that others print above it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from landed.model import Answer, Verdict
from landed.reports.console import Console
from landed.reports.rows import COLOURS, plain
from landed.reports.waiting.frame import HIDE, SHOW, Frame, Line
from landed.reports.waiting.layout import HEAD, Row, fitted, table
from landed.reports.waiting.words import counts, lasting, title

if TYPE_CHECKING:
    import rich.console

#: Seconds between two pictures.
EVERY = 0.125
#: Seconds after which ``tell`` should be called again; the time is counted here anyway.
AGAIN = 30.0
_SPINNERS = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
#: Notes that are shown, if there is room: the report at the end has all.
MOST_NOTES = 2


class Screen:
    """The table, redrawn by a thread of its own while the run is at work elsewhere."""

    def __init__(self, console: Console, *, clock: Callable[[], float], every: float = EVERY) -> None:
        self._console = console
        self._clock = clock
        self._every = every
        self._frame = Frame(reflows=console.reflows())
        self._write: Callable[[str], None] = lambda _: None
        self._spinner = _SPINNERS[0] if console.fits(_SPINNERS[0]) else _SPINNERS[1]
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._answer: Answer | None = None
        self._until = 0.0
        self._doing = ""
        self._pictures = 0
        self._kept: tuple[object, list[Line]] = (None, [])

    # ── the wait ────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Nothing is to be seen yet."""

    def tell(self, answer: Answer, left: float) -> None:
        """Show it."""
        answer = self._console.hidden(answer)
        with self._console.lock:
            self._answer, self._until = answer, self._clock() + left
            if self._thread is None:
                self._appear()
            self.draw()

    def next_in(self) -> float:
        """In seconds."""
        return AGAIN

    def stop(self) -> None:
        """Leave the terminal as it was, whatever ended the wait."""
        self._over.set()
        try:
            if self._thread is not None and self._thread.is_alive():
                self._thread.join()
        finally:
            with self._console.lock:
                if self._thread is not None:
                    self.erase()
                    self._write(SHOW)
                    self._console.lend(None)
                self._answer = None

    def _appear(self) -> None:
        self._thread = threading.Thread(target=self._tick, name="waiting", daemon=True)
        self._write = self._console.lend(self)
        self._write(HIDE)
        self._thread.start()

    def _tick(self) -> None:
        while not self._over.wait(self._every):
            with self._console.lock:
                self._pictures += 1
                self.draw()

    # ── for the console, which holds the lock ───────────────────────────────────────────────────────────────────────

    def draw(self) -> None:
        """The picture of this moment."""
        if self._answer is not None:
            columns, height = self._console.size()
            self._write(self._frame.draw(self._picture(self._answer, columns, height), columns, height))

    def erase(self) -> None:
        """Make room."""
        self._write(self._frame.erase(*self._console.size()))

    def doing(self, text: str) -> None:
        """Shown with the next picture."""
        self._doing = text

    # ── a picture ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _picture(self, answer: Answer, columns: int, height: int) -> list[Line]:
        now = int(self._clock())
        key = (answer, now, columns, height)
        if self._kept[0] is None or self._kept[0] != key:
            self._kept = key, self._drawn(self._body(answer, columns, height), columns)
        return [*self._drawn([self._head(answer, now)], columns), *self._kept[1]]

    def _drawn(self, parts: Sequence[Any], columns: int) -> list[Line]:
        """What rich makes of it, line by line, a column less than there are: so no line ends at the edge."""
        room = max(1, columns - 1)
        canvas = _canvas(room, colour=self._console.colour)
        lines: list[Line] = []
        for part in parts:
            for segments in canvas.render_lines(part, pad=False):
                lines.append(_line(segments, canvas))
        return lines

    def _head(self, answer: Answer, now: int) -> Any:
        from rich.text import Text

        passed = f"{lasting(now - answer.began)} passed, " if answer.began else ""
        times = f"{passed}{lasting(self._until - self._clock())} left"
        doing = f"  {self._doing} …" if self._doing else ""
        sign = self._spinner[self._pictures % len(self._spinner)]
        said = self._console.safe(title(answer, self._console.safe))
        head = Text(no_wrap=True, overflow="ellipsis")
        return head.append(sign, "cyan").append(f" {said}", "bold").append(f"  {times}").append(doing, "dim")

    def _body(self, answer: Answer, columns: int, height: int) -> list[Any]:
        from rich.text import Text

        notes = [" ".join(self._console.safe(plain(note)).split()) for note in answer.notes[:MOST_NOTES]]
        notes = notes if height > 12 else []
        # A line for the head, one for the counts, one for the names of columns, one that stays free.
        rows = table(answer, self._clock(), max(0, height - 4 - len(notes)), self._console.safe)
        parts: list[Any] = [Text(f"  {counts(answer)}", no_wrap=True, overflow="ellipsis")]
        if height > 4:
            parts += _table(rows, columns - 1)
        parts += [Text(f"· {note}", "dim", no_wrap=True, overflow="ellipsis") for note in notes]
        return parts[: max(0, height - 2)] if height <= 4 else parts


def _table(rows: Sequence[Row], room: int) -> Iterator[Any]:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    full = [row for row in rows if len(row.cells) == len(HEAD)]
    if full:
        drawn: Any = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        columns = fitted(full, room, cell_len)
        for number, width in columns:
            drawn.add_column(HEAD[number], no_wrap=True, overflow="ellipsis", width=width)
        above = ""
        for row in full:
            shown = [Text(row.cells[n], COLOURS.get(row.state, "dim") if n == 0 else "") for n, _ in columns]
            if row.cells[1] == above and len(shown) > 1:
                shown[1] = Text("")
            above = row.cells[1]
            drawn.add_row(*shown, style="" if row.state != Verdict.LIVE else "dim")
        yield drawn
    for row in rows:
        if len(row.cells) == 1:
            yield Text(row.cells[0], COLOURS.get(row.state, ""), no_wrap=True, overflow="ellipsis")


def _canvas(width: int, *, colour: bool) -> rich.console.Console:
    import io

    from rich.console import Console as Canvas

    return Canvas(
        file=io.StringIO(),
        width=width,
        height=1000,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )


def _line(segments: Sequence[Any], canvas: rich.console.Console) -> Line:
    from rich.cells import cell_len
    from rich.color import ColorSystem

    system = ColorSystem.STANDARD if canvas.color_system else None
    visible = len("".join(text for text, _, _ in segments).rstrip())  # blanks at its end would only be wrapped
    width, parts = 0, []
    for text, style, _ in segments:
        shown, visible = text[: max(0, visible)], visible - len(text)
        width += cell_len(shown)
        parts.append(style.render(shown, color_system=system) if style and system else shown)
    return Line("".join(parts), width)
