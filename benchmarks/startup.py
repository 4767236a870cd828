"""What it costs to start: the part of every run that no fleet is small enough to avoid."""

from __future__ import annotations

import os

from benchmarks.measure import Claim, ratio, rounds, table
from benchmarks.no_change import landed

_KUBECTL = "kubectl version --client"
TARGETS = {"--version": 0.35, "--help": 1.1}


def measure(number: int) -> list[Claim]:
    """Compare ``--version`` and ``--help`` with kubectl's shortest run."""
    commands = {f"landed {option}": [*landed(), option] for option in TARGETS}
    commands[_KUBECTL] = [os.environ.get("KUBECTL", "kubectl"), "version", "--client"]
    costs = rounds(commands, number, {"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    print(table(costs))
    return [
        Claim(f"{option}, × {_KUBECTL}", ratio(costs, f"landed {option}", _KUBECTL), target)
        for option, target in TARGETS.items()
    ]
