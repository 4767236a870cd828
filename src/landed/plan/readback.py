"""What a Git host holds already counts as told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import structs

from landed import render
from landed.model import CommitStatus, Repository, State, Update
from landed.told import Intent, Told


def unsure(updates: Iterable[Update], told: Told) -> dict[str, tuple[tuple[Repository, str], ...]]:
    """Destination → the commits whose statuses must be read back before anything is written: the ledger does not know
    one of their contexts, or a run that was broken off may have written it.
    """
    begun = set(told.begun)
    found: dict[str, set[tuple[Repository, str]]] = defaultdict(set)
    for update in updates:
        if not isinstance(update.payload, CommitStatus):
            continue
        for mark in update.marks:
            known = told.entry(update.destination, mark.line, mark.commit) is not None
            if not known or Intent(update.destination, mark.line, mark.commit) in begun:
                found[update.destination].add((update.payload.repository, update.payload.commit))
    return {destination: tuple(sorted(commits)) for destination, commits in found.items()}


def recall(
    told: Told,
    updates: Iterable[Update],
    found: Mapping[tuple[str, Repository, str], Mapping[str, tuple[State, str]]],
    now: int,
) -> None:
    """Take down in ``told`` what a Git host holds already.

    ``found``: (destination, repository, commit) → context → state and description. A status that says what we would
    say, durations apart, counts as told; any other one as an earlier state.
    """
    for update in updates:
        wanted = update.payload
        if not isinstance(wanted, CommitStatus):
            continue
        there = found.get((update.destination, wanted.repository, wanted.commit), {}).get(wanted.context)
        if there is None:
            continue
        state, description = there
        mark = update.marks[0]
        same = state is wanted.state and render.essence(description) == render.essence(wanted.description)
        kept = mark if same else structs.replace(mark, fingerprint=f"{state} found")
        told.record(update.destination, kept, now)
