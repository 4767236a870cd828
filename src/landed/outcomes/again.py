"""Whether a change of a Kustomization is worth a look."""

from __future__ import annotations

from functools import lru_cache

from msgspec import structs

from landed.model import Kustomization
from landed.revision import attempt

_attempt = lru_cache(maxsize=1024)(attempt)


def goes_on(before: Kustomization, now: Kustomization) -> bool:
    """Whether Flux has only begun, or gone on, to reconcile again what it has applied: until it is done, the result
    from before holds. It does so at every interval, and writes the object several times meanwhile.
    """
    return (
        _again(now)
        and before.ready is not None
        and (before.ready.status != "Unknown" or _again(before))
        and structs.replace(now, ready=before.ready, reconciling=before.reconciling, healthy=before.healthy) == before
    )


def _again(k: Kustomization) -> bool:
    """Whether a run is under way on what is applied, and nothing else has been attempted."""
    if k.ready is None or k.ready.status != "Unknown" or not k.applied or k.attempted != k.applied:
        return False
    return k.reconciling is None or _attempt(k.reconciling.message)[1] in ("", k.applied)
