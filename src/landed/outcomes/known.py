"""What is looked up for more than one object of a cluster: worked out once, before anything is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache

from msgspec import Struct

from landed.model import Cluster, ObjectRef, Repository, Source
from landed.revision import ORIGIN, commit

#: What makes two Kustomizations wait for the same commits: repository, artifact URL where it is not Git, reference.
Line = tuple[Repository | None, str, str]


class Known(Struct, frozen=True):
    """A cluster, how it is looked at, and what its sources say together."""

    cluster: Cluster
    now: int
    since: int
    grace: int
    passing: Collection[ObjectRef]
    repositories: Mapping[ObjectRef, Repository | None]
    """Where the commits of each source are."""
    lines: Mapping[ObjectRef, Line]
    """What those who follow a source wait for new commits from."""
    newest: Mapping[ObjectRef, Source]
    """For each GitRepository that lags behind another one of the same URL and reference: that other one."""
    heads: Mapping[ObjectRef, str]
    """The commit that everybody who follows a source will come to, as far as is known."""
    commit: Callable[[str, str, str], str]
    """The commit behind a source's kind, its revision and its origin revision; "" if they name none."""


def know(
    cluster: Cluster,
    *,
    now: int,
    since: int,
    grace: int,
    passing: Collection[ObjectRef],
    locate: Callable[[str], Repository | None],
) -> Known:
    """Look up what all objects of ``cluster`` share; the rest is as in ``judge``."""
    commit_of = cache(_commit)  # of this look alone: many objects share a revision
    sources = cluster.sources
    repositories = {ref: locate(_url(source)) for ref, source in sources.items()}
    newest = _newest(sources.values(), repositories)
    ahead = {ref: newest.get(ref, source) for ref, source in sources.items()}
    return Known(
        cluster,
        now,
        since,
        grace,
        passing,
        repositories,
        lines={ref: (repositories[ref], _artifact(source), source.pointer) for ref, source in sources.items()},
        newest=newest,
        heads={ref: commit_of(s.ref.kind, s.revision, s.origin_revision) for ref, s in ahead.items()},
        commit=commit_of,
    )


def _commit(kind: str, revision: str, origin: str) -> str:
    return (origin and commit(origin, ORIGIN)) or commit(revision, kind)


def _url(source: Source) -> str:
    """Where the commits of a source are."""
    return source.url if source.ref.kind == "GitRepository" else source.origin_url


def _artifact(source: Source) -> str:
    return "" if source.ref.kind == "GitRepository" else source.url or str(source.ref)


def _newest(
    sources: Iterable[Source], repositories: Mapping[ObjectRef, Repository | None]
) -> Mapping[ObjectRef, Source]:
    groups: dict[tuple[Repository | None, str], list[Source]] = defaultdict(list)
    for source in sources:
        if source.ref.kind == "GitRepository" and source.revision and not (source.deleting or source.suspended):
            groups[repositories[source.ref], source.pointer].append(source)
    ahead = {}
    for group in groups.values():
        if len(group) > 1:
            newest = max(group, key=lambda s: (s.updated, s.ref))
            ahead.update({s.ref: newest for s in group if s.revision != newest.revision and s.updated < newest.updated})
    return ahead
