"""Lines at the bottom of a terminal that are drawn again in place. No I/O: it gives what to write.

Only lines that have changed are written, and none is wiped before: nothing flickers. Control sequences are those that
every terminal of today knows, https://invisible-island.net/xterm/ctlseqs/ctlseqs.html .
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
#: Without a cursor that jumps about; and everything as it should be.
HIDE, SHOW = "\x1b[?25l", f"{_WRAP}\x1b[?25h"


class Line(Struct, frozen=True):
    """One line, painted, and how many columns it takes."""

    text: str
    width: int


class Frame:
    """What stands on the terminal at present; the cursor is in the last of its lines.

    ``reflows`` says that the terminal breaks lines anew when it gets narrower.
    """

    def __init__(self, *, reflows: bool) -> None:
        self._reflows = reflows
        self._lines: tuple[Line, ...] = ()
        self._size = (0, 0)

    def draw(self, lines: Sequence[Line], columns: int, height: int) -> str:
        """What puts ``lines`` in place of those before, on a terminal of that size. There is at least one line."""
        same = self._size == (columns, height)
        old = self._lines if same else ()
        # A wide character that the terminal takes for a wider one must not begin a line of its own.
        parts = [_NO_WRAP, self._to_first(columns, height)]
        for number, line in enumerate(lines):
            last = number == len(lines) - 1
            if last or number >= len(old) or old[number] != line:
                parts += [line.text, "\x1b[K"]
            parts.append("" if last else "\r\n")
        more = not same or len(self._lines) > len(lines)
        self._lines, self._size = tuple(lines), (columns, height)
        return "".join([*parts, "\x1b[J" if more else "", _WRAP])

    def erase(self, columns: int, height: int) -> str:
        """What wipes them; the cursor is then where the first one began."""
        wiped = f"{self._to_first(columns, height)}\x1b[J" if self._lines else ""
        self._lines = ()
        return wiped

    def _to_first(self, columns: int, height: int) -> str:
        up = min(self._rows(columns), height) - 1
        return f"\x1b[{up}A\r" if up > 0 else "\r"

    def _rows(self, columns: int) -> int:
        """How many rows of the terminal they take now."""
        if self._reflows and columns < self._size[0]:
            return sum(max(1, -(-line.width // columns)) for line in self._lines)
        return len(self._lines)
