"""Costs of commands, and what is claimed of them.

The machine is never quiet, so commands take turns (A B C A B C …) and what is compared is the median of the
ratios within each round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LAUNCH = Path(__file__).with_name("launch.py")


class Cost(Struct, frozen=True):
    """What one run of a command cost."""

    cpu: float
    """Seconds, user and system, of the command and its children."""
    peak: float
    """MiB"""
    wall: float
    """Seconds"""


class Claim(Struct, frozen=True):
    """A figure and the most it may be."""

    subject: str
    value: float
    target: float
    unit: str = ""
    digits: int = 3
    """How exact it is."""

    @property
    def holds(self) -> bool:
        """Whether the figure, as it is printed, keeps to its target."""
        return round(self.value, self.digits) <= self.target

    def __str__(self) -> str:
        verdict = "ok" if self.holds else "OVER"
        unit = f" {self.unit}" if self.unit else ""
        return f"  {self.subject:<44} {self.value:>9.{self.digits}f}{unit}   target {self.target:g}{unit}   {verdict}"


class CommandError(Exception):
    """A measured command failed, so its cost means nothing."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run ``command`` once, its output thrown away, through a launcher so small that it does not show."""
    with tempfile.TemporaryDirectory() as folder:
        result, errors = Path(folder) / "cost", Path(folder) / "errors"
        with errors.open("wb") as stream:
            subprocess.run(
                [sys.executable, "-I", "-S", str(_LAUNCH), str(result), *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                check=True,
            )
        status, cpu, peak, wall = json.loads(result.read_text())
        if status:
            message = f"{' '.join(command[:3])} … exited with {status}:\n{errors.read_text()[-2000:]}"
            raise CommandError(message)
    return Cost(cpu, peak / 1024, wall)


def rounds(commands: Mapping[str, Sequence[str]], count: int, environment: Mapping[str, str]) -> dict[str, list[Cost]]:
    """Run all commands in turn ``count`` times, after one round that does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(count + 1):
        for name, command in commands.items():
            cost = run(command, environment)
            if number:
                costs[name].append(cost)
    return costs


def ratio(costs: Mapping[str, Sequence[Cost]], ours: str, theirs: str) -> float:
    """The median, over the rounds, of our CPU time as a multiple of theirs."""
    return median(a.cpu / b.cpu for a, b in zip(costs[ours], costs[theirs], strict=True))


def table(costs: Mapping[str, Sequence[Cost]]) -> str:
    """Medians, one command a line."""
    return "\n".join(
        f"  {name:<24} CPU {1000 * median(c.cpu for c in each):8.1f} ms"
        f"   peak {median(c.peak for c in each):7.1f} MiB   wall {1000 * median(c.wall for c in each):8.1f} ms"
        for name, each in costs.items()
    )
