"""Which failures count at once, and which only when they last."""

from __future__ import annotations

from landed.model import HelmRelease, Kustomization, Observation
from landed.verdict.memory import Failing

#: What Flux does not get over by trying again: the commit itself is wrong, or its health was waited for in vain.
#: https://fluxcd.io/flux/components/kustomize/kustomizations/#failed-kustomization
_TERMINAL = frozenset({"BuildFailed", "HealthCheckFailed"})

_NO_PATH = "kustomization path not found"
#: The API server has found the manifest itself wrong, and no webhook had a say in it.
_INVALID = "dry-run failed (Invalid)"
_WEBHOOK = "admission webhook"


def terminal(k: Kustomization | HelmRelease, said: Observation) -> bool:
    """Whether this failure is one that does not pass by itself."""
    stalled = k.stalled
    if stalled is not None and stalled.status == "True" and stalled.reason == said.reason:
        return True
    if isinstance(k, HelmRelease):
        return stalled is not None and stalled.status == "True"
    if said.reason == "ArtifactFailed":
        return said.message.startswith(_NO_PATH)
    if said.reason == "ReconciliationFailed":
        return _INVALID in said.message and _WEBHOOK not in said.message
    return said.reason in _TERMINAL


def lasting(said: Observation, failing: Failing | None, *, grace: float, now: int, final: bool) -> bool:
    """Whether a failure that may pass has lasted, and Flux has tried once more; at the end the first is enough."""
    if failing is None or failing.commit != said.commit or now - failing.first < grace:
        return False
    return final or said.since != failing.since


def repeated(k: Kustomization, said: Observation, grace: float) -> bool:
    """Whether Flux's own history says that this failure has lasted and was tried again: before anybody looked, too.

    Flux counts all runs that ended alike, however long ago the first was. So nothing else may have come between.
    """
    if not k.history:
        return False
    last, *others = k.history
    return (
        last.revision == said.revision
        and last.status == said.reason
        and last.times > 1
        and last.at - last.first >= grace
        and all(other.at <= last.first for other in others)
    )
