"""``--shard``: which part of the clusters a run is for.

GitLab: https://docs.gitlab.com/ci/yaml/#parallel
Kubernetes: https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
GitHub: https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#strategy-context
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from landed.errors import ConfigurationError

#: More shards than anybody has clusters: beyond that it is a mistake.
MOST = 10_000

_HOW = (
    "Write I/N, counted from 1: 2/4. On GitHub: ${{ matrix.shard }}/${{ strategy.job-total }}, with matrix.shard from "
    "1. With GitLab's `parallel:`: auto. In an Indexed Job of Kubernetes: auto/N with N as in its completions."
)


class Shard(Struct, frozen=True):
    """One part of several."""

    number: int
    """From 1 to ``of``."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def shard(text: str, environ: Mapping[str, str]) -> Shard:
    """What ``--shard`` says: ``2/4``, ``auto``, or ``auto/4``. Raises ConfigurationError.

    Only ``auto`` asks the environment: a job that runs in parallel for other reasons must not lose clusters.
    """
    head, slash, tail = (part.strip() for part in text.partition("/"))
    if head.lower() == "auto":
        return _found(_count(tail, text) if slash else 0, environ)
    return _checked(_count(head, text), _count(tail, text), f"--shard {text}")


def _found(of: int, environ: Mapping[str, str]) -> Shard:
    """The shard that the environment speaks of; ``of`` is 0 where the option does not say how many there are."""
    index, total = environ.get("CI_NODE_INDEX", ""), environ.get("CI_NODE_TOTAL", "")
    if index:
        found = _checked(_number(index, "CI_NODE_INDEX"), _number(total, "CI_NODE_TOTAL"), "CI_NODE_INDEX")
        if of not in (0, found.of):
            raise ConfigurationError(
                f"--shard auto/{of} contradicts CI_NODE_TOTAL, which is {found.of}: clusters would be left out.",
                "Write auto, or change `parallel:`.",
            )
        return found
    completed = environ.get("JOB_COMPLETION_INDEX", "")
    if completed:
        if not of:
            raise ConfigurationError(
                "--shard auto: JOB_COMPLETION_INDEX is there, but a Job does not tell its pods how many there are.",
                "Write auto/N, with N as in the Job's completions.",
            )
        return _checked(_number(completed, "JOB_COMPLETION_INDEX") + 1, of, "JOB_COMPLETION_INDEX, counted from 0,")
    if total == "1" and of in (0, 1):  # GitLab, without ``parallel:``
        return Shard(1, 1)
    raise ConfigurationError("--shard auto finds neither CI_NODE_INDEX nor JOB_COMPLETION_INDEX.", _HOW)


def _count(text: str, whole: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ConfigurationError(f"--shard {whole!r} is not a shard.", _HOW)
    return int(text)


def _number(text: str, variable: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise ConfigurationError(f"--shard auto: {variable} is {text!r}, which is not a number.", _HOW)
    return int(text)


def _checked(number: int, of: int, where: str) -> Shard:
    if not 1 <= of <= MOST:
        raise ConfigurationError(f"{where}: there cannot be {of} shards.", _HOW)
    if not 1 <= number <= of:
        raise ConfigurationError(f"{where} names shard {number}, and there are shards 1 to {of}.", _HOW)
    return Shard(number, of)
