"""How every object stands, one by one, whatever command has looked: what tables of objects are made from. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from landed import render
from landed.model import Kustomization, Look, ObjectRef, Observation, Report, Standing, State, Verdict
from landed.reports.rows import plain, rank

#: A cluster and an object of it.
Place: TypeAlias = tuple[str, ObjectRef]

#: What keeps a commit from being live, and what can no longer bring it.
LOST = frozenset({Verdict.FAILED, Verdict.DIVERGED})
_VERDICTS = {State.SUCCESS: Verdict.LIVE, State.FAILURE: Verdict.FAILED, State.PENDING: Verdict.WAITING}


def standings(report: Report) -> tuple[Standing, ...]:
    """Every object once: as the answer has it, else with the worst that it says of the present. Troubles first."""
    if report.answer is not None:
        return in_order(report.answer.standings)
    return in_order(one for look in report.looks for one in _seen(look))


def in_order(found: Iterable[Standing]) -> tuple[Standing, ...]:
    """Failures first, then by cluster and object."""
    return tuple(sorted(found, key=lambda one: (rank(one.state), one.cluster, one.about)))


def roots(found: Iterable[Standing]) -> tuple[Standing, ...]:
    """Those of ``found`` that do not wait for another one of it: where the trouble comes from."""
    every = tuple(found)
    places = {(one.cluster, one.about) for one in every}
    alone = (one for one in every if one.waits_for is None or (one.cluster, one.waits_for) not in places)
    return tuple(alone) or every


def called(about: ObjectRef) -> str:
    """The object as messages call it: ``apps/web``, other kinds than Kustomization spelt out. One harmless line."""
    name = "/".join(filter(None, (about.namespace, about.name)))
    return plain(name if about.kind == "Kustomization" else f"{about.kind} {name}")


def kustomizations(look: Look) -> tuple[Kustomization, ...]:
    """The Kustomizations that were read, where what was read is kept."""
    return tuple(sorted(look.read.kustomizations, key=lambda k: k.ref)) if look.read is not None else ()


def durations(report: Report) -> Mapping[Place, str]:
    """How long each object's last run took, in Flux's text, where that is known."""
    found: dict[Place, str] = {}
    for look in report.looks:
        for k in kustomizations(look):
            if k.history and k.history[0].duration:
                found[look.cluster, k.ref] = k.history[0].duration
        for outcome in look.outcomes:
            found.update({(look.cluster, o.about): o.duration for o in outcome.observations if _lasted(o)})
    return found


def _lasted(observation: Observation) -> bool:
    return bool(observation.duration) and not observation.past


def why(standing: Standing, limit: int = 200) -> str:
    """Why it stands so, in one harmless line."""
    waits = standing.waits_for is not None and standing.state == Verdict.WAITING
    if waits and not standing.message.startswith("Waiting for "):
        said = f"Waiting for {called(standing.waits_for)}" if standing.waits_for else ""
    else:
        said = plain(render.first_line(standing.message)) if waits else _trouble(standing)
    below = plain(standing.doomed)
    if below and below not in said:
        said = f"{said} (will fail: {below})" if said else f"Will fail: {below}"
    return render.cut(plain(said), limit)


def _trouble(standing: Standing) -> str:
    message, reason = plain(render.first_line(standing.message)), plain(standing.reason)
    if standing.state == Verdict.LIVE or not reason:
        return message
    spelt = plain(render.words(reason))
    if not message or message.lower().startswith(spelt.lower()):
        return message[:1].upper() + message[1:] if message else spelt
    return f"{spelt}: {message}"


def _seen(look: Look) -> Iterator[Standing]:
    worst: dict[ObjectRef, Observation] = {}
    current = (o for outcome in look.outcomes for o in outcome.observations if not o.past)
    for o in (*current, *look.silent):
        before = worst.setdefault(o.about, o)
        if rank(o.state) < rank(before.state):
            worst[o.about] = o
    for about, o in worst.items():
        yield Standing(
            look.cluster,
            about,
            str(_VERDICTS.get(o.state, o.state)),
            o.commit,
            o.revision,
            o.reason,
            o.message if o.state is not State.SUCCESS else render.say(o, 200),
            o.since,
            o.waits_for,
        )
