"""A fleet on a bad morning, for the picture of the report in the README: three clusters, one failing Kustomization."""

from __future__ import annotations

from msgspec import structs

from landed.model import (
    Answer,
    Cluster,
    Condition,
    Culprit,
    Explanation,
    Kustomization,
    ObjectRef,
    PodTrouble,
    Report,
    Repository,
    Snapshot,
    Source,
    Standing,
    Verdict,
)
from landed.outcomes import judge

NOW = 1_787_217_342
FLEET = Repository("github.com", "acme/fleet")
NEW, OLD, OLDER, OLDEST = (
    "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b",
    "ae4f281df5a5d0ff3cad6371f76d5c29b6d953ec",
    "32096c2e0eff33d844ee6d675407ace18289357d",
    "50c9e8d5fc98727b4bbc93cf5d64a68db647f04f",
)
SOURCE = ObjectRef("GitRepository", "flux-system", "fleet")
#: Name → what it depends on.
DEPENDENCIES = {
    "infra/controllers": (),
    "infra/certificates": ("infra/controllers",),
    "infra/monitoring": ("infra/controllers",),
    "data/postgres": ("infra/controllers",),
    "data/queue": ("infra/controllers",),
    "shop/api": ("data/postgres", "data/queue", "infra/certificates"),
    "shop/checkout": ("shop/api", "data/queue"),
    "shop/frontend": ("shop/api", "infra/certificates"),
}
_MESSAGE = "health check failed after 5m0.021s: timeout waiting for: [Deployment/shop/api status: 'InProgress']"


def report() -> Report:
    """What ``landed wait`` would say of it."""
    clusters = (_cluster("staging"), _cluster("production-eu", failing="shop/api"), _cluster("production-us"))
    looks = tuple(structs.replace(judge(cluster, now=NOW), read=cluster) for cluster in clusters)
    standings = tuple(_standing(cluster.name, k) for cluster in clusters for k in cluster.kustomizations)
    answer = Answer(FLEET, NEW, Verdict.FAILED, standings, began=NOW - 431, ended=NOW)
    return Report(looks, exit_code=1, answer=answer, explanations=(_explanation(),))


def _ref(name: str) -> ObjectRef:
    return ObjectRef("Kustomization", *name.split("/"))


def _cluster(name: str, failing: str = "") -> Cluster:
    source = Source(
        SOURCE, "https://github.com/acme/fleet.git", "branch=main", f"main@sha1:{NEW}", updated=NOW - 420,
        ready=Condition("True", "Succeeded", generation=1, since=NOW - 420),
    )  # fmt: skip
    waiting = {"shop/checkout", "shop/frontend"} if failing else set()
    objects = tuple(
        _failed(k) if k == failing else _waiting(k, failing) if k in waiting else _live(k, place)
        for place, k in enumerate(DEPENDENCIES)
    )
    return Cluster(name, objects, {SOURCE: source}, seen=NOW - 40)


def _live(name: str, place: int) -> Kustomization:
    ready = Condition("True", "ReconciliationSucceeded", f"Applied revision: main@sha1:{NEW}", 1, NOW - 400 + 9 * place)
    took = f"{3 + 4 * place}.118402s"
    return _object(name, ready, NEW, (_snapshot(NEW, NOW - 400 + 9 * place, NOW - 40, 1 + place % 2, took), *_before()))


def _failed(name: str) -> Kustomization:
    ready = Condition("False", "HealthCheckFailed", _MESSAGE, 1, NOW - 71)
    failure = _snapshot(NEW, NOW - 71, NOW - 71, 1, "5m0.021s", "HealthCheckFailed")
    return _object(name, ready, OLD, (failure, *_before()))


def _waiting(name: str, needed: str) -> Kustomization:
    ready = Condition("False", "DependencyNotReady", f"dependency '{needed}' is not ready", 1, NOW - 390)
    return structs.replace(_object(name, ready, OLD, _before()), attempted=f"main@sha1:{OLD}")


def _object(name: str, ready: Condition, applied: str, history: tuple[Snapshot, ...]) -> Kustomization:
    return Kustomization(
        _ref(name), SOURCE, generation=1, observed_generation=1, ready=ready, applied=f"main@sha1:{applied}",
        attempted=f"main@sha1:{NEW}", depends_on=tuple(map(_ref, DEPENDENCIES[name])), history=history,
        path=f"./clusters/base/{name}",
    )  # fmt: skip


def _before() -> tuple[Snapshot, ...]:
    return (
        _snapshot(OLD, NOW - 5 * 3600, NOW - 640, 29, "8.4s"),
        _snapshot(OLDER, NOW - 26 * 3600, NOW - 6 * 3600, 118, "9.1s"),
        _snapshot(OLDEST, NOW - 27 * 3600, NOW - 26 * 3600 - 300, 4, "2m0.2s", "HealthCheckFailed"),
    )


def _snapshot(
    commit: str, first: int, last: int, times: int, took: str, status: str = "ReconciliationSucceeded"
) -> Snapshot:
    return Snapshot(f"main@sha1:{commit}", "", status, last, took, first, times)


def _standing(cluster: str, k: Kustomization) -> Standing:
    ready = k.ready or Condition("Unknown")
    if ready.status == "True":
        return Standing(cluster, k.ref, Verdict.LIVE, NEW, k.applied, since=ready.since)
    if ready.reason == "DependencyNotReady":
        why = "Waiting for shop/api, which has failed"
        return Standing(
            cluster, k.ref, Verdict.WAITING, NEW, k.attempted, ready.reason, why, ready.since, _ref("shop/api")
        )
    return Standing(cluster, k.ref, Verdict.FAILED, NEW, k.attempted, ready.reason, ready.message, ready.since)


def _explanation() -> Explanation:
    api = ObjectRef("Deployment", "shop", "api")
    image = "registry.example.com/shop/api:2.14.0"
    pulling = PodTrouble(
        "api-7d4b9c6f5-x2x8k", "api", "ImagePullBackOff",
        f'Back-off pulling image "{image}": not found',
    )  # fmt: skip
    crashing = PodTrouble(
        "api-7d4b9c6f5-q9zlm", "migrate", "CrashLoopBackOff", "back-off 2m40s restarting failed container", 5,
        ("INFO  connecting to postgres.data:5432", "INFO  applying 0042_orders_by_region",
         'ERROR relation "orders_by_region" already exists', "FATAL migration failed, giving up"),
    )  # fmt: skip
    return Explanation(
        "production-eu",
        _ref("shop/api"),
        "HealthCheckFailed",
        f"The image {image} of Deployment/shop/api cannot be pulled: not found.",
        (
            Culprit(
                api, "InProgress",
                ("Progressing: ProgressDeadlineExceeded: ReplicaSet \"api-7d4b9c6f5\" has timed out progressing.",),
                (pulling, crashing),
                (f'Failed: Failed to pull image "{image}": not found', "BackOff: Back-off restarting failed container"),
            ),
        ),
        (_ref("shop/checkout"), _ref("shop/frontend")),
        "clusters/base/shop/api",
        "kubectl --context production-eu -n shop describe deployment/api",
        ("The right to get pods/log in shop would show the last lines of the other containers.",),
    )  # fmt: skip
