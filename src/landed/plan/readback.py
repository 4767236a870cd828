"""What a Git host holds already counts as told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import structs

from landed import render
from landed.model import CommitStatus, Deployment, Held, Repository, Update
from landed.told import Intent, Told


def unsure(updates: Iterable[Update], told: Told) -> dict[str, tuple[tuple[Repository, str], ...]]:
    """Destination → the commits of which it must be read back what is there before anything is written: the ledger
    does not know one of their contexts, or a run that was broken off may have written it.
    """
    begun = set(told.begun)
    found: dict[str, set[tuple[Repository, str]]] = defaultdict(set)
    for update in updates:
        if not isinstance(update.payload, CommitStatus | Deployment):
            continue
        for mark in update.marks:
            known = told.entry(update.destination, mark.line, mark.commit) is not None
            if not known or Intent(update.destination, mark.line, mark.commit) in begun:
                found[update.destination].add((update.payload.repository, update.payload.commit))
    return {destination: tuple(sorted(commits)) for destination, commits in found.items()}


def recall(
    told: Told,
    updates: Iterable[Update],
    found: Mapping[tuple[str, Repository, str], Mapping[str, Held]],
    now: int,
) -> None:
    """Take down in ``told`` what a Git host holds already.

    ``found``: (destination, repository, commit) → context, or environment → what is there. What says the same as we
    would, durations apart, counts as told; anything else as an earlier state.
    """
    for update in updates:
        wanted = update.payload
        if not isinstance(wanted, CommitStatus | Deployment):
            continue
        context = wanted.context if isinstance(wanted, CommitStatus) else wanted.environment
        there = found.get((update.destination, wanted.repository, wanted.commit), {}).get(context)
        if there is None:
            continue
        mark = update.marks[0]
        kept = mark if _same(there, wanted) else structs.replace(mark, fingerprint=f"{there.state} found")
        told.record(update.destination, kept, now, handle=there.handle)


def _same(there: Held, wanted: CommitStatus | Deployment) -> bool:
    if there.state is not wanted.state:
        return False
    return not there.description or render.essence(there.description) == render.essence(wanted.description)
