"""What it costs to ask whether a commit is live everywhere when it is: the answer that a pipeline hopes for.

A fleet of N Kustomizations, all from one repository, is Ready on the commit that is asked about, and the Git host has
been told. ``landed wait --commit`` is compared with ``kubectl wait --for=condition=Ready kustomizations --all -A``,
which does not ask for a commit, and asks for each object by itself.
"""

from __future__ import annotations

from math import ceil
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.fleet import Shape, commit, url
from benchmarks.measure import Claim, run, table
from benchmarks.no_change import PAGE, Site, landed, site

if TYPE_CHECKING:
    from benchmarks.measure import Cost

#: Kustomizations; of them the figures for time are claimed.
SIZE = 1000
#: Of the smoke test, which counts only.
FEW = 10
#: Of kubectl's time, on a clock and on the processor.
TARGET, CPU_TARGET = 0.005, 0.1
ROUNDS = 3
_NAMES = "landed wait", "kubectl wait"


def one_repository(count: int) -> Shape:
    """A fleet whose ``count`` Kustomizations all follow one GitRepository, and have applied what it holds."""
    return Shape(count, healthy=True)


def measure(count: int, number: int) -> list[Claim]:
    """Compare ``number`` rounds of ours, and one of kubectl's between them, on ``count`` Kustomizations."""
    ours, theirs = _NAMES
    with site(count, one_repository(count)) as here:
        claims = _counted(here, count)
        costs: dict[str, list[Cost]] = {name: [] for name in _NAMES}
        before = ceil(number / 2)
        costs[ours] += [run(_command(here), here.environment) for _ in range(before)]
        costs[theirs] += [_kubectl(here, count)]
        costs[ours] += [run(_command(here), here.environment) for _ in range(number - before)]
    print(table(costs))
    wall, cpu = (median(getattr(cost, what) for cost in costs[ours]) for what in ("wall", "cpu"))
    kubectl = costs[theirs][0]
    if count != SIZE:
        print(f"  × kubectl wait at N = {count}: time {wall / kubectl.wall:.4f}, CPU {cpu / kubectl.cpu:.3f}")
        return claims
    return [
        *claims,
        Claim("time, × kubectl wait", wall / kubectl.wall, TARGET, digits=4),
        Claim("CPU, × kubectl wait", cpu / kubectl.cpu, CPU_TARGET),
    ]


def exact(count: int) -> list[Claim]:
    """What can be counted."""
    with site(count, one_repository(count)) as here:
        return _counted(here, count)


def _counted(here: Site, count: int) -> list[Claim]:
    """One run, and what it asked. That it exits with 0 is its answer; ``run`` makes sure of that."""
    before = here.ledger
    here.cluster.seen()
    here.git_host.seen()
    run(_command(here), here.environment)
    cluster, git_host = here.cluster.seen(), here.git_host.seen()
    for request in cluster.requests:
        print(f"  asked: {request}")
    pages = ceil(count / PAGE) + 1
    return [
        Claim("requests to the cluster, more than pages", len(cluster.requests) - pages, 0),
        Claim("connections to the cluster", cluster.connections, 1),
        Claim("requests to the Git host", len(git_host.requests), 0),
        Claim("ledger written", before != here.ledger, 0),
    ]


def _command(here: Site) -> list[str]:
    return [*landed(), "wait", *here.options, f"--repository={url(0)}", f"--commit={commit(0)}"]


def _kubectl(here: Site, count: int) -> Cost:
    """The peer, once: it takes 0.2 s for each object."""
    here.cluster.seen()
    every = ["wait", "--for=condition=Ready", "kustomizations", "--all", "-A", "--timeout=2h"]
    cost = run([*here.kubectl, *every], here.environment)
    requests = here.cluster.seen().requests
    print(f"  kubectl wait: {cost.wall:.1f} s, {len(requests)} requests for {count} objects")
    return cost
