"""Two runs at once, as two jobs of one workflow may be: the second waits, and has nothing left to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults import inside
from faults.world import STATUSES

if TYPE_CHECKING:
    from integration.command import Workplace


def test_two_runs_at_once_tell_everything_once(place: Workplace) -> None:
    runs = [place.start() for _ in range(2)]
    ended = [(run.communicate(timeout=60)[1], run.returncode) for run in runs]

    assert [code for _, code in ended] == [0, 0], ended
    assert place.statuses() == STATUSES
    assert len(place.written()) == len(set(place.written()))
    assert len(place.slack.taken) == len(place.generic.taken) == 1


def test_two_runs_with_ledgers_of_their_own_do_not_write_a_status_twice(place: Workplace) -> None:
    """A cache that was not restored: what the Git host holds counts as told."""
    inside.report(place)
    place.forget()

    done = inside.report(place, LANDED_LEDGER=str(place.folder / "another.json"))

    assert done.code == 0
    assert place.written() == []
    assert place.statuses() == STATUSES
