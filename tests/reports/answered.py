"""Reports on a commit that was waited for."""

from __future__ import annotations

from msgspec.structs import replace
from reports.hostile import FLEET, NOW, A, B, report_of

from landed.model import (
    Answer,
    Cluster,
    Culprit,
    Explanation,
    Kustomization,
    Look,
    ObjectRef,
    Observation,
    Outcome,
    PodTrouble,
    Report,
    Repository,
    Snapshot,
    Source,
    Standing,
    State,
    Verdict,
)

SOURCE = ObjectRef("GitRepository", "flux-system", "fleet")
BEGAN = NOW - 100


def ref(name: str, kind: str = "Kustomization") -> ObjectRef:
    return ObjectRef(kind, "apps", name)


def stands(name: str, state: str = "live", cluster: str = "prod", **more: object) -> Standing:
    settings: dict[str, object] = {"commit": A, "revision": f"main@sha1:{A}", "since": NOW - 60}
    kind = str(more.pop("kind", "Kustomization"))
    return Standing(cluster, ref(name, kind), state, **(settings | more))  # type: ignore[arg-type]


def answered(*standings: Standing, verdict: Verdict = Verdict.LIVE, exit_code: int = 0, **more: object) -> Report:
    settings: dict[str, object] = {"began": BEGAN, "ended": NOW}
    answer = Answer(FLEET, A, verdict, standings, **(settings | more))  # type: ignore[arg-type]
    looks = tuple(Look(cluster) for cluster in dict.fromkeys(one.cluster for one in standings))
    return Report(looks, answer=answer, exit_code=exit_code)


def read(*kustomizations: Kustomization, cluster: str = "prod") -> Look:
    url = "https://github.com/acme/fleet"
    return Look(cluster, read=Cluster(cluster, kustomizations, {SOURCE: Source(SOURCE, url)}))


def k(name: str, *needs: str, path: str = "") -> Kustomization:
    return Kustomization(
        ref(name),
        SOURCE,
        depends_on=tuple(map(ref, needs)),
        applied=f"main@sha1:{A}",
        attempted=f"main@sha1:{A}",
        path=path or f"./apps/{name}",
        history=(Snapshot(f"main@sha1:{A}", "", "ReconciliationSucceeded", NOW - 60, "13.118402s", NOW - 90, 2),),
    )


PULL = PodTrouble("web-6d4cf56db6-x2x8v", "web", "ImagePullBackOff", "not found", 3, ("starting", "::error::x", ""))
WEB_CULPRIT = Culprit(
    ObjectRef("Deployment", "apps", "web"),
    "InProgress",
    ("Progressing: ProgressDeadlineExceeded",),
    (PULL,),
    ("Failed: pull access denied",),
)
WHY = Explanation(
    "prod",
    ref("web"),
    "HealthCheckFailed",
    "Deployment/apps/web: the image registry.example.com/acme/web:1 cannot be pulled",
    (WEB_CULPRIT,),
    (ref("api"),),
    "./apps/web",
    "kubectl -n apps describe pod web-6d4cf56db6-x2x8v",
    ("The right to get pods/log on prod would show the last lines of its log.",),
)

LIVE = replace(
    answered(stands("db"), stands("web"), stands("web", cluster="test"), stands("chart", kind="HelmRelease")),
    looks=(read(k("db"), k("web", "db")), read(k("web"), cluster="test")),
)
FAILED = replace(
    answered(
        stands("db"),
        stands("web", "failed", reason="HealthCheckFailed", message="health check failed after 30s: timeout"),
        stands("api", "waiting", reason="DependencyNotReady", message="dependency not ready", waits_for=ref("web")),
        stands("old", "suspended", commit=B, revision=f"main@sha1:{B}"),
        verdict=Verdict.FAILED,
        exit_code=1,
    ),
    looks=(read(k("api", "web"), k("db"), k("old"), k("web", "db")),),
    explanations=(WHY,),
)
SLOW = (
    stands("db"),
    stands("web", "waiting", "test", reason="Progressing", message="Running health checks", doomed="Pod: CrashLoop"),
)
STILL = answered(*SLOW, verdict=Verdict.WAITING, exit_code=143)
TIMED_OUT = answered(*SLOW, verdict=Verdict.WAITING, timed_out=True, exit_code=3, began=NOW - 900)
DIVERGED = answered(
    stands("web", "diverged", commit=B, message="main was moved to ae4f281d, which does not contain it"),
    verdict=Verdict.DIVERGED,
    exit_code=4,
)
UNREAD = replace(
    answered(stands("web"), verdict=Verdict.WAITING, unread=("test",), exit_code=5),
    looks=(Look("prod"), Look("test", error="The cluster test could not be read: it timed out.", hint="Is it up?")),
)
EMPTY = answered()
REPORTS = {
    "live": LIVE, "failed": FAILED, "still": STILL, "timed out": TIMED_OUT, "diverged": DIVERGED, "unread": UNREAD,
    "empty": EMPTY,
}  # fmt: skip


def answered_of(text: str) -> Report:
    """A report with an answer and all that belongs to it, in which everything that is text is ``text``."""
    about, other = ObjectRef(text, text, text), ObjectRef("Kustomization", text, f"{text}2")
    standings = tuple(
        Standing(cluster, which, state, text, text, text, text, NOW, other, text)
        for cluster in (text, f"{text} again")
        for which, state in ((about, "failed"), (other, "waiting"), (ref("x"), "live"), (ref("y"), "suspended"))
    )
    history = (Snapshot(text, text, text, NOW, text, NOW, 1),)
    kustomizations = (
        Kustomization(about, about, depends_on=(other,), applied=text, attempted=text, path=text, history=history),
    )
    pod = PodTrouble(text, text, text, text, 1, (text, text))
    culprit = Culprit(about, text, (text,), (pod,), (text,))
    one = Explanation(text, about, text, text, (culprit,), (other,), text, text, (text,))
    repository = Repository(text, text)
    answer = Answer(repository, text, Verdict.FAILED, standings, unread=(text,), began=BEGAN, ended=NOW, notes=(text,))
    look = Look(text, read=Cluster(text, kustomizations, {about: Source(about, text)}))
    return replace(
        report_of(text),
        looks=(look, *report_of(text).looks[1:]),
        answer=answer,
        explanations=(one,),
        notes=(text,),
    )


def seen(state: State, **more: object) -> Report:
    """A report without an answer, on one object."""
    one = Observation(ref("web"), state, FLEET, A, "Reason", "message", since=NOW - 60, **more)  # type: ignore[arg-type]
    if state in (State.SUCCESS, State.FAILURE, State.PENDING):
        return Report((Look("prod", (Outcome("prod", FLEET, A, (one,)),)),))
    return Report((Look("prod", silent=(one,)),))
