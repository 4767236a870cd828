"""Memory of processes that stay."""

from __future__ import annotations

import gc

from landed.cli.staying import stay


def test_a_process_that_stays_collects_its_garbage() -> None:
    before = gc.isenabled()
    gc.disable()
    try:
        stay()
        assert gc.isenabled()
    finally:
        if not before:
            gc.disable()
