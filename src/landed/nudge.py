"""``--reconcile``: asks Flux to fetch and to apply now, each object once in a run.

First the sources, then, when a source has looked, the Kustomizations that follow it: asked at the same time they would
apply what there was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from landed.errors import ClusterError
from landed.model import Answer, Cluster, ObjectRef, Source, Standing, Verdict

Request = Callable[[ObjectRef, str], None]


class Reconcile:
    """Asks on the clusters of ``requests``, with one token for the whole run."""

    def __init__(
        self, requests: Mapping[str, Request], token: str, warn: Callable[[str], None], note: Callable[[str], None]
    ) -> None:
        """``token`` must be fresh: Flux looks once for each new one."""
        self._requests = requests
        self._token = token
        self._warn = warn
        self._note = note
        self._asked: set[tuple[str, ObjectRef]] = set()

    def __call__(self, clusters: Sequence[Cluster], answer: Answer) -> None:
        """Ask for what ``answer`` waits for."""
        for cluster in clusters:
            waiting = [one for one in answer.standings if one.cluster == cluster.name and _may_come(one)]
            self._sources(cluster, waiting)
            self._kustomizations(cluster, waiting)

    def _sources(self, cluster: Cluster, waiting: Iterable[Standing]) -> None:
        wanted = {one.about for one in waiting}
        for ref in sorted({k.source for k in cluster.kustomizations if k.ref in wanted}):
            source = cluster.sources.get(ref)
            if source is not None and _looks(source) and not (source.suspended or source.deleting):
                self._ask(cluster.name, ref)

    def _kustomizations(self, cluster: Cluster, waiting: Iterable[Standing]) -> None:
        waiting = list(waiting)
        wanted = {one.about for one in waiting}
        wanted -= {one.about for one in waiting if one.waits_for in wanted}  # it would find that it still waits
        for k in cluster.kustomizations:
            source = cluster.sources.get(k.source)
            if k.ref in wanted and source is not None and (source.handled == self._token or not _looks(source)):
                self._ask(cluster.name, k.ref)

    def _ask(self, cluster: str, about: ObjectRef) -> None:
        if (cluster, about) in self._asked or cluster not in self._requests:
            return
        self._asked.add((cluster, about))  # before it is tried: never twice
        try:
            self._requests[cluster](about, self._token)
        except ClusterError as error:
            self._warn(f"{cluster}: Flux could not be asked to look at {about}: {error.message} {error.hint}".rstrip())
        else:
            self._note(f"{cluster}: asked Flux to look at {about} now.")


def _looks(source: Source) -> bool:
    """Whether a controller looks for what is new when it is asked; what others put there has none."""
    return source.ref.kind != "ExternalArtifact"


def _may_come(standing: Standing) -> bool:
    return standing.state == Verdict.WAITING and standing.about.kind == "Kustomization"
