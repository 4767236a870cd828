"""The words of a story: its title, and what there is to say below it, as plain text on one line each. No I/O.

A failure reads root cause first: what others wait for comes before what merely failed as well, and who waits is counted
rather than listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from landed import render
from landed.model import ObjectRef, Observation, Outcome, State, Story
from landed.revision import short

#: Lines for failures, for roots that are waited for, for changes and for what is live; characters of one failure.
_FAILURES, _ROOTS, _CHANGES, _LIVE = 10, 5, 5, 5
_FAILURE, _LINE = 400, 200

_STANDS = {State.SUCCESS: "is live on", State.FAILURE: "failed on", State.PENDING: "is on its way to"}
_SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket", "HelmRepository", "HelmChart", "ExternalArtifact"})


def title(story: Story) -> str:
    """Which commit, where, and how it stands: ``acme/fleet main@6dcd4ce2 is live on prod``."""
    outcome = story.outcome
    text = _of_commit(story) if outcome.commit else _of_object(story)
    if story.rolled_back_from:
        text += f", rolled back from {story.rolled_back_from[:8]}"
    return render.one_line(text)


def _of_commit(story: Story) -> str:
    outcome = story.outcome
    revision = next((o.revision for o in outcome.observations if o.revision), "") or outcome.commit
    if story.superseded_by:
        stands = "was superseded on"
    elif story.flapping:
        stands = "is flapping on"
    elif all(o.about.kind in _SOURCES for o in outcome.observations):
        stands = "was fetched on"
    elif story.state is State.PENDING and not any(o.begun or _settled(o) for o in outcome.observations):
        stands = "is waiting on"
    elif story.state is State.SUCCESS and outcome.past:
        stands = "was live on"
    else:
        stands = _STANDS[story.state]
    return f"{outcome.repository.path} {short(revision)} {stands} {outcome.cluster}"


def _settled(observation: Observation) -> bool:
    return observation.state in (State.SUCCESS, State.FAILURE) and observation.about.kind not in _SOURCES


def _of_object(story: Story) -> str:
    first, cluster = story.outcome.observations[0], story.outcome.cluster
    revision = short(first.revision) if first.revision else ""
    if story.state is State.STALE:
        return f"{first.about.name} is silent on {cluster}"
    if story.state is State.SUSPENDED:
        return f"{first.about} is suspended on {cluster} while {revision} is waiting"
    if story.state is State.FAILURE:
        return f"{first.about} is failing on {cluster}"
    if story.broken_for or not (revision or first.message) or first.message == "Works again":
        return f"{first.about} works again on {cluster}"
    if first.about.kind in _SOURCES:
        return f"{first.about} holds {revision} on {cluster}"
    return f"{first.about} is live on {cluster}" + (f" at {revision}" if revision else "")


def lines(story: Story) -> tuple[str, ...]:
    """What there is to say below the title, the most important first."""
    return tuple(map(render.one_line, _said(story)))


def _said(story: Story) -> Iterator[str]:
    state, observations = story.state, story.outcome.observations
    if story.superseded_by:
        yield f"Flux went on to {short(story.superseded_by)} before this one had a result."
    elif state is State.STALE:
        yield from _silence(observations)
    elif story.flapping:
        yield from _to_and_fro(story)
    elif state is State.FAILURE:
        yield from _failure(story)
    elif state is State.PENDING:
        yield from _progress(observations)
    else:
        yield from _success(story)


def _silence(observations: Sequence[Observation]) -> Iterator[str]:
    first, *objects = observations
    yield first.message
    if len(objects) > 1:
        yield f"{len(objects)} Kustomizations have not been looked at: {render.names(objects)}"


def _to_and_fro(story: Story) -> Iterator[str]:
    flapping = [o for o in story.outcome.observations if o.about in story.flapping]
    yield f"Between success and failure, several times within ten minutes: {render.names(flapping)}"
    failed = [o for o in story.outcome.observations if o.state is State.FAILURE and o not in flapping]
    yield from (f"{render.name(o)}: {render.say(o, _FAILURE)}" for o in failed[:_FAILURES])
    if len(failed) > _FAILURES:
        yield f"… and {len(failed) - _FAILURES} more failed"
    yield "What comes of it is told when it is at rest."
    yield f"Look further: {render.next_command(flapping[0])}"


def _failure(story: Story) -> Iterator[str]:
    observations = story.outcome.observations
    roots = _roots(observations)
    failed = sorted(
        (o for o in observations if o.state is State.FAILURE),
        key=lambda o: (-roots[o.about], o.about.kind != "HelmRelease", o.about),
    )
    yield from (f"{render.name(o)}: {render.say(o, _FAILURE)}" for o in failed[:_FAILURES])
    if len(failed) > _FAILURES:
        yield f"… and {len(failed) - _FAILURES} more failed"
    yield from _waiting(roots)
    if story.failing_since:
        yield f"Failing since {story.failing_since[:8]}."
    yield f"Look further: {render.next_command(failed[0])}"


def _progress(observations: Iterable[Observation]) -> Iterator[str]:
    objects = [o for o in observations if o.about.kind not in _SOURCES]
    live = sum(o.state is State.SUCCESS for o in objects)
    if live:
        yield f"{live} of {len(objects)} live"
    yield from _waiting(_roots(objects))
    busy = [o for o in objects if o.state is State.PENDING and o.waits_for is None]
    if busy:
        yield f"{render.name(busy[0])}: {render.say(busy[0], _LINE)}"
    if len(busy) > 1:
        yield f"… and {len(busy) - 1} more on the way"


def _roots(observations: Iterable[Observation]) -> Counter[ObjectRef]:
    """What is waited for in the end → how many objects wait for it, directly or behind others."""
    waits = {o.about: o.waits_for for o in observations if o.state is State.PENDING and o.waits_for is not None}
    return Counter(_root(about, waits) for about in waits)


def _root(about: ObjectRef, waits: Mapping[ObjectRef, ObjectRef]) -> ObjectRef:
    seen = {about}
    while about in waits and waits[about] not in seen:  # two that wait for each other wait for ever
        about = waits[about]
        seen.add(about)
    return about


def _waiting(roots: Counter[ObjectRef]) -> Iterator[str]:
    for root, number in sorted(roots.items(), key=lambda item: (-item[1], item[0]))[:_ROOTS]:
        yield f"{number} {'waits' if number == 1 else 'wait'} for {root.namespace}/{root.name}"
    if len(roots) > _ROOTS:
        yield f"… and {sum(roots.values()) - sum(n for _, n in roots.most_common(_ROOTS))} wait for others"


def _success(story: Story) -> Iterator[str]:
    outcome = story.outcome
    if story.broken_for:
        yield f"Recovered: it was broken for {render.age(story.broken_for)}."
    if not outcome.commit:
        yield from _lone(outcome)
        return
    objects = [o for o in outcome.observations if o.about.kind not in _SOURCES] or list(outcome.observations)
    yield from (f"{render.name(o)}: {_live(o)}" for o in objects[:_LIVE])
    if len(objects) > _LIVE:
        yield f"… and {len(objects) - _LIVE} more"
    yield from _changes(objects)


def _live(observation: Observation) -> str:
    said = render.say(observation, _LINE)
    health = render.first_line(observation.health)
    return f"{said}; {health[:1].lower()}{health[1:]}" if health else said


def _lone(outcome: Outcome) -> Iterator[str]:
    said = render.first_line(outcome.observations[0].message)
    if said and said != "Works again":
        yield said
    yield from _changes(outcome.observations)


def _changes(observations: Iterable[Observation]) -> Iterator[str]:
    """What was created, configured and deleted: a few by name, many by number."""
    changes = [change for o in observations for change in o.changes]
    if len(changes) <= _CHANGES:
        yield from changes
        return
    numbers = Counter(change.rpartition(" ")[2] for change in changes)
    yield ", ".join(f"{number} {how}" for how, number in sorted(numbers.items()))
