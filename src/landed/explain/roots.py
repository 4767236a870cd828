"""Which failures of the present are causes, and which only wait for another one. No I/O, no clock."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from landed.explain.said import said
from landed.explain.values import Root
from landed.model import HelmRelease, Look, ObjectRef, Observation, State

#: What is told as a failure of its own. Everything else that fails is below one of these.
_SOURCES = frozenset({"GitRepository", "OCIRepository", "Bucket", "ExternalArtifact", "HelmRepository", "HelmChart"})
_APPLIED = frozenset({"Kustomization", "HelmRelease"})

#: Reasons of those who have not begun, because of something else.
_WAITS = frozenset({"DependencyNotReady", "ArtifactFailed", "SourceNotReady"})

#: Who waits for whom: waited for → who waits.
_Waits = Mapping[ObjectRef, set[ObjectRef]]


def roots(looks: Sequence[Look]) -> tuple[Root, ...]:
    """The failures of the present, causes before what comes of them; of several clusters in turn.

    What waits for a failure, by its own word or by ``dependsOn``, is collapsed into ``waiting``; so is a Kustomization
    that fails only because of HelmReleases or Kustomizations that it has applied and that fail themselves.
    """
    found = (_of_cluster(look) for look in looks if not look.error)
    return tuple(root for turn in zip_longest(*found) for root in turn if root is not None)


def _of_cluster(look: Look) -> list[Root]:
    present = [o for o in _observations(look) if not o.past]
    failing = {o.about: o for o in present if o.state is State.FAILURE and o.about.kind in _SOURCES | _APPLIED}
    if not failing:
        return []
    waits = _waits(look, present, failing)
    behind = {ref: _behind(ref, waits) for ref in failing}
    above: dict[ObjectRef, set[ObjectRef]] = defaultdict(set)
    for ref, those in behind.items():
        for other in those & failing.keys():
            above[other].add(ref)
    causes = {ref for ref in failing if not _caused(failing[ref], above[ref], waits)}
    for ref in sorted(failing):  # those who wait for one another alone: any of them is as good as another
        if ref not in causes and not above[ref] & causes:
            causes.add(ref)
    paths = {k.ref: k.path for k in look.read.kustomizations} if look.read is not None else {}
    ordered = sorted(causes, key=lambda ref: (len(above[ref] & causes), -len(behind[ref]), ref))
    return [Root(look.cluster, failing[r], tuple(sorted(behind[r] - causes)), paths.get(r, "")) for r in ordered]


def _observations(look: Look) -> Iterable[Observation]:
    return chain(chain.from_iterable(outcome.observations for outcome in look.outcomes), look.silent)


def _waits(look: Look, present: Sequence[Observation], failing: Mapping[ObjectRef, Observation]) -> _Waits:
    """Who waits for whom, of those who are not content at present."""
    waits: dict[ObjectRef, set[ObjectRef]] = defaultdict(set)
    uneasy = {o.about: o for o in present if o.state in (State.PENDING, State.FAILURE) and not o.keeps}
    for about, observation in uneasy.items():
        if observation.waits_for is not None:
            waits[observation.waits_for].add(about)
    if look.read is not None:
        for k in look.read.kustomizations:
            if k.ref in uneasy:
                for ref in (*k.depends_on, k.source):
                    waits[ref].add(k.ref)
    for above, below in _consequences(look, failing):
        waits[below].add(above)
    return waits


def _consequences(look: Look, failing: Mapping[ObjectRef, Observation]) -> Iterator[tuple[ObjectRef, ObjectRef]]:
    """Kustomizations whose health check fails because of what they applied fails, with each of that."""
    releases = look.read.helm_releases if look.read is not None else ()
    for about, failure in failing.items():
        heard = said(failure.message, failure.reason)
        if about.kind != "Kustomization" or heard.step != "health":
            continue
        named = {one.ref for one in heard.named} or {r.ref for r in releases if _owned(r, about)} & failing.keys()
        if named and about not in named and named <= failing.keys() and all(ref.kind in _APPLIED for ref in named):
            yield from ((about, ref) for ref in named)


def _owned(release: HelmRelease, about: ObjectRef) -> bool:
    return release.owner == about


def _caused(failure: Observation, above: set[ObjectRef], waits: _Waits) -> bool:
    """Whether a failure says nothing of its own: it waits for one of those ``above`` it, or only repeats them."""
    if not above:
        return False
    if failure.reason in _WAITS:
        return True
    heard = said(failure.message, failure.reason)
    if heard.step != "health":
        return False
    if heard.named:
        return {one.ref for one in heard.named} <= above
    return any(ref.kind == "HelmRelease" and failure.about in waits.get(ref, ()) for ref in above)


def _behind(ref: ObjectRef, waits: _Waits) -> set[ObjectRef]:
    """Everything that waits for ``ref``, directly or through others."""
    seen: set[ObjectRef] = set()
    queue = deque([ref])
    while queue:
        new = waits.get(queue.popleft(), set()) - seen - {ref}
        seen |= new
        queue.extend(new)
    return seen
