"""What became of the objects that a Kustomization stands for, since that was last told.

Inventories are kept in the ledger and compared; where the cluster's own events can be read, Flux's words are better,
for they know what was changed as well as what came and went.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from landed.model import RESULTS, Happened, Look, ObjectRef, Observation, Outcome, State, Update
from landed.plan.news import line_of
from landed.told import Told

#: (cluster, object) → what the cluster's own events say of it.
Events = Mapping[tuple[str, ObjectRef], Sequence[Happened]]

_DONE = (" created", " configured", " deleted", " skipped")
_HEALTHY = "Health check passed in "


def changed(looks: Iterable[Look], told: Told, happened: Events | None = None) -> tuple[Look, ...]:
    """``looks`` with what changed since the inventories in ``told`` were taken; nothing of an object that has none."""
    return tuple(_each(look, lambda cluster, o: _with_changes(cluster, o, told, happened or {})) for look in looks)


def _each(look: Look, of: Callable[[str, Observation], Observation]) -> Look:
    def outcome(one: Outcome) -> Outcome:
        return structs.replace(one, observations=tuple(of(look.cluster, o) for o in one.observations))

    return structs.replace(
        look, outcomes=tuple(map(outcome, look.outcomes)), silent=tuple(of(look.cluster, o) for o in look.silent)
    )


def _with_changes(cluster: str, observation: Observation, told: Told, happened: Events) -> Observation:
    if observation.about.kind != "Kustomization" or observation.state not in RESULTS or observation.past:
        return observation
    said = [h for h in happened.get((cluster, observation.about), ()) if _is_about(h, observation)]
    words = [line for h in said for line in h.message.splitlines() if line.endswith(_DONE)]
    passed = next((h.message for h in said if h.message.startswith(_HEALTHY)), observation.health)
    changes = tuple(dict.fromkeys(words)) or compared(
        told.inventories.get(line_of(cluster, observation.about)), observation
    )
    return structs.replace(observation, changes=changes, health=passed)


def _is_about(happened: Happened, observation: Observation) -> bool:
    return happened.reason == "Progressing" and happened.revision == observation.revision


def compared(before: str | None, observation: Observation) -> tuple[str, ...]:
    """What came and went, in Flux's words: ``Deployment/apps/web created``."""
    if before is None or not _is_known(observation) or before == packed(observation.inventory):
        return ()
    was, is_ = set(unpacked(before)), set(observation.inventory)
    return (*(f"{name} created" for name in sorted(is_ - was)), *(f"{name} deleted" for name in sorted(was - is_)))


def _is_known(observation: Observation) -> bool:
    """Whether it shows what stands in the cluster. After a failure without an inventory nobody knows: the status may
    have been lost.
    """
    return bool(observation.inventory) or observation.state is State.SUCCESS


def stocked(looks: Iterable[Look], told: Told) -> bool:
    """Whether ``told`` holds every inventory as it is now."""
    return all(told.inventories.get(line) == now for line, now in _inventories(looks))


def take_stock(looks: Iterable[Look], told: Told) -> None:
    """Take down every inventory as it is now."""
    told.inventories.update(_inventories(looks))


def _inventories(looks: Iterable[Look]) -> Iterator[tuple[str, str]]:
    for look in looks:
        for observation in (*(o for x in look.outcomes for o in x.observations), *look.silent):
            if observation.about.kind != "Kustomization" or observation.state not in RESULTS or observation.past:
                continue
            if _is_known(observation):
                yield line_of(look.cluster, observation.about), packed(observation.inventory)


def packed(names: Sequence[str]) -> str:
    """Sorted names as a short text; the same names give the same text."""
    return b85encode(zlib.compress("\n".join(names).encode())).decode() if names else ""


#: Bytes that an inventory may have when it is unpacked: no honest one comes near.
_MOST = 8 << 20


def unpacked(text: str) -> tuple[str, ...]:
    """What was packed; nothing where that is not what it was."""
    try:
        names = zlib.decompressobj().decompress(b85decode(text), _MOST).decode()
    except (ValueError, zlib.error):
        return ()
    return tuple(names.split("\n")) if names else ()


def concerned(updates: Iterable[Update], looks: Iterable[Look]) -> Mapping[str, Collection[ObjectRef]]:
    """Cluster → the objects with results of the commits that ``updates`` are about: of these, more is worth knowing."""
    commits = {mark.commit for update in updates for mark in update.marks if mark.commit}
    found: dict[str, set[ObjectRef]] = {}
    for look in looks:
        for outcome in look.outcomes:
            if outcome.commit in commits:
                refs = {o.about for o in outcome.observations if o.state in RESULTS and not o.past}
                found.setdefault(look.cluster, set()).update(refs)
        holding = {o.about for o in look.fetched if o.commit in commits}
        found.setdefault(look.cluster, set()).update(holding)
    return {cluster: refs for cluster, refs in found.items() if refs}
