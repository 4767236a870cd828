"""How much a template may do: so that none can hang a run or eat its memory, whatever it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

#: Steps (a part of a loop's body that is passed through, an element that a filter looks at), and characters and
#: elements that are made, all in all; characters of one text, elements of one list, bits of one number.
STEPS, MADE = 100_000, 2_000_000
TEXT, LIST, BITS = 20_000, 1000, 256
#: What a filter may be told: how wide, how many.
WIDTH = 1000
_SCALARS = (str, int, float, type(None))


class Over(Exception):
    """It takes more than there is."""


class Budget:
    """What is left."""

    def __init__(self) -> None:
        self._steps, self._made = STEPS, MADE

    def renew(self) -> None:
        """As if nothing had been used."""
        self._steps, self._made = STEPS, MADE

    def spend(self, steps: int) -> None:
        """Take ``steps``. Raises Over."""
        self._steps -= steps
        if self._steps < 0:
            raise Over(f"it takes more than {STEPS} steps")

    def each(self, values: Iterable[Any], weight: int = 1) -> Iterator[Any]:
        """``values``, of which each costs ``weight`` steps."""
        for value in values:
            self.spend(weight)
            yield value

    def hold(self, value: Any) -> Any:
        """``value``, which was just made. Raises Over where it, or everything so far, is too large."""
        if hasattr(value, "__next__"):
            return self.each(value)
        if isinstance(value, int):
            room(value.bit_length(), BITS, "a number is too large")
        if isinstance(value, str):
            room(len(value), TEXT, f"a text is longer than {TEXT} characters")
        if isinstance(value, (list, tuple, dict)):
            room(len(value), LIST, f"a list has more than {LIST} elements")
        self._made -= len(value) if isinstance(value, (str, list, tuple, dict)) else 1
        if self._made < 0:
            raise Over("it makes too much text")
        return value

    def bounded(self, filter_: Callable[..., Any], *, any_second: bool = False) -> Callable[..., Any]:
        """A filter that pays for what it looks at and makes.

        Beside its value it takes text and small numbers, so that nothing can be put into lists many times over;
        ``any_second`` where it gives what it takes.
        """
        first = 1 if hasattr(filter_, "jinja_pass_arg") else 0

        @wraps(filter_)
        def called(*args: Any, **kwargs: Any) -> Any:
            value, beside = args[first], (*args[first + 1 :], *kwargs.values())
            for one in () if any_second else beside:
                _small(one)
            if isinstance(value, (list, tuple, dict, range, str)):
                self.spend(1 + len(value) // (100 if isinstance(value, str) else 1))
            value = self.each(value) if hasattr(value, "__next__") else value
            return self.hold(filter_(*args[:first], value, *args[first + 1 :], **kwargs))

        return called


def room(size: int, most: int, what: str) -> None:
    """Raise Over where ``size`` is more than ``most``: asked before it is made."""
    if size > most:
        raise Over(what)


def _small(value: object) -> None:
    from jinja2 import Undefined

    if not isinstance(value, (*_SCALARS, Undefined)):
        raise Over("a filter takes text and numbers only beside its value")
    if isinstance(value, int) and abs(value) > WIDTH:
        raise Over(f"a filter takes numbers up to {WIDTH} only")
