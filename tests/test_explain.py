"""Why something failed, and what will: tables, in the words of kubelet, the scheduler, the controllers and Flux."""

from __future__ import annotations

import shlex
import time
from typing import Any

import pytest
from msgspec import structs
from values import FLEET, NOW, SOURCE, A, cluster, git, k

from landed.explain import Evidence, Root, doomed, explained, roots
from landed.explain.quoting import last_lines, quoted
from landed.explain.said import said
from landed.explain.values import Below, Container, Pod, Warned
from landed.model import Condition, HelmRelease, Look, ObjectRef, Observation, Outcome, State

KS, HR = "Kustomization", "HelmRelease"
DEPLOYMENT = ObjectRef("Deployment", "apps", "web")
POD = ObjectRef("Pod", "apps", "web-7d9f8b-m3nrw")
IMAGE = "registry.example.com/acme/web:9.9"
TIMED_OUT = "health check failed after 5m0.009s: timeout waiting for: [Deployment/apps/web status: 'InProgress']"
PULL = (
    f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image '  # noqa: E501
    f'"{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found'
)
UNKNOWN_MANIFEST = (
    f'failed to pull image "{IMAGE}": reading manifest 9.9 in registry.example.com/acme/web: manifest unknown'
)
QUOTA = (
    'pods "web-7d9f8b-9lrtv" is forbidden: exceeded quota: compute, requested: limits.memory=2Gi, '
    "used: limits.memory=14Gi, limited: limits.memory=15Gi"
)
NO_ROOM = (
    "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found "
    "for incoming pod."
)
UNBOUND = (
    "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes are available: 2 "
    "Preemption is not helpful for scheduling."
)


def container(name: str = "web", **changes: Any) -> Container:
    return Container(name, IMAGE, **changes)


def pod(*containers: Container, **changes: Any) -> Pod:
    settings: dict[str, Any] = {"born": NOW - 120, "phase": "Pending", "containers": containers}
    return Pod(POD, **(settings | changes))


def unplaced(message: str, since: int = NOW - 120, **changes: Any) -> Pod:
    return pod(scheduled=Condition("False", "Unschedulable", message, since=since), **changes)


def below(*pods: Pod, ref: ObjectRef = DEPLOYMENT, **changes: Any) -> Below:
    settings: dict[str, Any] = {"status": "InProgress", "read": True, "pods": pods}
    return Below(ref, **(settings | changes))


def failure(
    name: str = "web", message: str = TIMED_OUT, reason: str = "HealthCheckFailed", kind: str = KS, **changes: Any
) -> Observation:
    ref = ObjectRef(kind, "apps", name)
    return Observation(ref, changes.pop("state", State.FAILURE), FLEET, A, reason, message, **changes)


def told(*objects: Below, message: str = TIMED_OUT, reason: str = "HealthCheckFailed", **changes: Any) -> Any:
    root = Root("prod", failure(message=message, reason=reason))
    return explained(root, Evidence(root.failure.about, message, reason, objects=objects, context="prod", **changes))


crash = container("api", waiting="CrashLoopBackOff", message="back-off 5m0s …", restarts=5, code=1, ended="Error")
missing = container(waiting="CreateContainerConfigError", message='configmap "web-settings" not found')

#: What is below → the sentence, and what the next command has in it.
BELOW: dict[str, tuple[Below, str, str]] = {
    "pull": (
        below(pod(container(waiting="ImagePullBackOff", message=PULL))),
        f"Deployment apps/web: the image {IMAGE} of container web cannot be pulled (ImagePullBackOff): not found",
        "describe --namespace=apps pod/web-7d9f8b-m3nrw",
    ),
    "pull, old kubelet: only the Event says why": (
        below(
            pod(container(waiting="ImagePullBackOff", message=f'Back-off pulling image "{IMAGE}"')),
            warnings=(Warned(POD, "Failed", "Error: ImagePullBackOff", 2), Warned(POD, "Failed", UNKNOWN_MANIFEST, 1)),
        ),
        f"Deployment apps/web: the image {IMAGE} of container web cannot be pulled (ImagePullBackOff): manifest unknown",  # noqa: E501
        "describe",
    ),
    "pull, nobody says why": (
        below(pod(container(waiting="ImagePullBackOff", message=f'Back-off pulling image "{IMAGE}"'))),
        f"Deployment apps/web: the image {IMAGE} of container web cannot be pulled (ImagePullBackOff)",
        "describe",
    ),
    "pull, unauthorized": (
        below(pod(container(waiting="ErrImagePull", message="unexpected status from HEAD request: 401 Unauthorized"))),
        (
            f"Deployment apps/web: the image {IMAGE} of container web cannot be pulled (ErrImagePull): the registry wants "  # noqa: E501
            "other credentials (401)"
        ),
        "describe",
    ),
    "image name": (
        below(pod(structs.replace(container(waiting="InvalidImageName"), image="web:Latest:1"))),
        "Deployment apps/web: web:Latest:1 is no name of an image (container web, InvalidImageName)",
        "describe",
    ),
    "crash loop": (
        below(pod(crash, phase="Running")),
        (
            "Deployment apps/web: container api of Pod apps/web-7d9f8b-m3nrw exits with code 1 again and again "
            "(CrashLoopBackOff, 5 restarts)"
        ),
        "logs --namespace=apps pod/web-7d9f8b-m3nrw --container=api --previous",
    ),
    "crash loop with its last words": (
        below(pod(structs.replace(crash, log=("start", "FATAL: no database")), phase="Running")),
        (
            "Deployment apps/web: container api of Pod apps/web-7d9f8b-m3nrw exits with code 1 again and again "
            "(CrashLoopBackOff, 5 restarts): FATAL: no database"
        ),
        "--previous",
    ),
    "out of memory": (
        below(pod(structs.replace(crash, code=137, ended="OOMKilled"), phase="Running")),
        (
            "Deployment apps/web: container api of Pod apps/web-7d9f8b-m3nrw is killed for taking more memory than its "
            "limit again and again (CrashLoopBackOff, 5 restarts)"
        ),
        "--previous",
    ),
    "between two crashes": (
        below(pod(structs.replace(crash, waiting="", message="", restarts=2), phase="Running")),
        (
            "Deployment apps/web: container api of Pod apps/web-7d9f8b-m3nrw exits with code 1 again and again "
            "(Error, 2 restarts)"
        ),
        "logs",
    ),
    "ConfigMap missing": (
        below(pod(missing)),
        (
            "Deployment apps/web: container web of Pod apps/web-7d9f8b-m3nrw lacks what it refers to "
            '(CreateContainerConfigError): configmap "web-settings" not found'
        ),
        "describe",
    ),
    "key missing": (
        below(
            pod(
                container(
                    waiting="CreateContainerConfigError",
                    message="couldn't find key password in Secret apps/db",
                )
            )
        ),
        (
            "Deployment apps/web: container web of Pod apps/web-7d9f8b-m3nrw lacks what it refers to "
            "(CreateContainerConfigError): couldn't find key password in Secret apps/db"
        ),
        "describe",
    ),
    "start": (
        below(pod(container(waiting="RunContainerError", message='exec: "/app": no such file', code=128))),
        (
            "Deployment apps/web: container web of Pod apps/web-7d9f8b-m3nrw cannot be started (RunContainerError): "
            'exec: "/app": no such file'
        ),
        "describe",
    ),
    "no room": (
        below(unplaced(NO_ROOM)),
        "Deployment apps/web: no node has room: 0/3 nodes are available: 3 Insufficient cpu",
        "describe --namespace=apps pod/web-7d9f8b-m3nrw",
    ),
    "no node": (
        below(unplaced("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.")),
        "Deployment apps/web: no node takes it: 0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}",
        "describe",
    ),
    "unbound claim": (
        below(
            unplaced(UNBOUND, claims=("data",)),
            warnings=(
                Warned(
                    ObjectRef("PersistentVolumeClaim", "apps", "data"),
                    "ProvisioningFailed",
                    'storageclass.storage.k8s.io "fast" not found',
                ),
            ),
        ),
        (
            "Deployment apps/web: Pod apps/web-7d9f8b-m3nrw waits for a volume: storageclass.storage.k8s.io "
            '"fast" not found'
        ),
        "describe --namespace=apps deployment/web",
    ),
    "claim": (
        below(ref=ObjectRef("PersistentVolumeClaim", "apps", "data"), phase="Pending"),
        "PersistentVolumeClaim apps/data: no volume is bound to it",
        "describe --namespace=apps persistentvolumeclaim/data",
    ),
    "quota by condition": (
        below(conditions={"ReplicaFailure": Condition("True", "FailedCreate", QUOTA)}),
        f"Deployment apps/web: quota: {QUOTA}",
        "describe --namespace=apps resourcequota",
    ),
    "quota by Event": (
        below(
            ref=ObjectRef("StatefulSet", "apps", "db"),
            warnings=(Warned(ObjectRef("StatefulSet", "apps", "db"), "FailedCreate", f"Error creating: {QUOTA}"),),
        ),
        f"StatefulSet apps/db: quota: {QUOTA}",
        "resourcequota",
    ),
    "webhook refuses pods": (
        below(
            conditions={
                "ReplicaFailure": Condition(
                    "True", "FailedCreate", 'admission webhook "pods.acme.io" denied the request: no runAsNonRoot'
                )
            }
        ),
        "Deployment apps/web: the admission webhook pods.acme.io refuses its pods: no runAsNonRoot",
        "describe --namespace=apps deployment/web",
    ),
    "pods cannot be made": (
        below(conditions={"ReplicaFailure": Condition("True", "FailedCreate", 'serviceaccount "web" not found')}),
        'Deployment apps/web: its pods cannot be made (FailedCreate): serviceaccount "web" not found',
        "deployment/web",
    ),
    "deadline": (
        below(
            conditions={
                "Progressing": Condition(
                    "False", "ProgressDeadlineExceeded", 'ReplicaSet "web-7d9f8b" has timed out progressing.'
                ),
                "Available": Condition("False", "MinimumReplicasUnavailable", "Deployment does not have minimum …"),
            }
        ),
        (
            "Deployment apps/web: its pods did not become ready in time (ProgressDeadlineExceeded): "
            'ReplicaSet "web-7d9f8b" has timed out progressing.'
        ),
        "deployment/web",
    ),
    "probe": (
        below(
            pod(container(), phase="Running"),
            warnings=(Warned(POD, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500"),),
        ),
        (
            "Deployment apps/web: container web of Pod apps/web-7d9f8b-m3nrw is not ready: Readiness probe failed: "
            "HTTP probe failed with statuscode: 500"
        ),
        "pod/web-7d9f8b-m3nrw",
    ),
    "mount": (
        below(
            pod(container(waiting="ContainerCreating")),
            warnings=(Warned(POD, "FailedMount", 'MountVolume.SetUp failed: secret "tls" not found'),),
        ),
        (
            "Deployment apps/web: a volume cannot be mounted for Pod web-7d9f8b-m3nrw (FailedMount): "
            'MountVolume.SetUp failed: secret "tls" not found'
        ),
        "pod/web-7d9f8b-m3nrw",
    ),
    "job": (
        below(
            pod(container("migrate", code=2, ended="Error", over=True), phase="Failed"),
            ref=ObjectRef("Job", "apps", "migrate"),
            conditions={"Failed": Condition("True", "BackoffLimitExceeded", "Job has reached the specified …")},
        ),
        (
            "Job apps/migrate: it has failed (BackoffLimitExceeded): container migrate of Pod apps/web-7d9f8b-m3nrw "
            "exited with code 2 (Error)"
        ),
        "logs --namespace=apps pod/web-7d9f8b-m3nrw --container=migrate",
    ),
    "job without pods": (
        below(
            ref=ObjectRef("Job", "apps", "migrate"),
            conditions={"Failed": Condition("True", "DeadlineExceeded", "Job was active longer than …")},
        ),
        "Job apps/migrate: it has failed (DeadlineExceeded): Job was active longer than …",
        "job/migrate",
    ),
    "another kind": (
        below(
            ref=ObjectRef("Certificate", "apps", "tls"),
            conditions={"Ready": Condition("False", "DoesNotExist", "Issuing certificate as Secret does not exist")},
        ),
        "Certificate apps/tls: Ready is False (DoesNotExist): Issuing certificate as Secret does not exist",
        "certificate/tls",
    ),
    "not there": (
        below(absent=True, read=False, status="NotFound"),
        "Deployment apps/web: it is not in the cluster",
        "deployment/web",
    ),
    "nothing known": (
        below(read=False),
        "Deployment apps/web did not become healthy (InProgress)",
        "deployment/web",
    ),
    "a spec that nobody has seen": (
        below(pod(crash), current=False),
        "Deployment apps/web did not become healthy (InProgress)",
        "deployment/web",
    ),
}


@pytest.mark.parametrize("name", BELOW)
def test_the_most_telling_sentence(name: str) -> None:
    found, sentence, command = BELOW[name]
    made = told(found)
    assert made.message == sentence
    assert command in made.command
    assert made.command.split()[1] == "--context=prod"


def test_the_telling_comes_before_what_follows_from_it() -> None:
    late = below(conditions={"Progressing": Condition("False", "ProgressDeadlineExceeded", "timed out")})
    pulls = below(pod(container(waiting="ImagePullBackOff", message=PULL)), ref=ObjectRef("Deployment", "apps", "zoo"))
    assert told(late, pulls).message.startswith("Deployment apps/zoo: the image")
    assert [culprit.about.name for culprit in told(late, pulls).culprits] == ["web", "zoo"]


#: reason, message → sentence, the command
BY_MESSAGE = {
    "build": (
        "BuildFailed",
        ("kustomize build failed: accumulating resources: accumulation err='accumulating resources from 'web.yaml': "
        "open /tmp/kustomization-1234567/apps/web/web.yaml: no such file or directory'"),
        ("The manifests of ./apps/web do not build: accumulating resources: accumulation err='accumulating resources "
        "from 'web.yaml': open apps/web/web.yaml: no such file or directory'"),
        "kustomize build ./apps/web",
    ),
    "dry run": (
        "ReconciliationFailed",
        ('Service/apps/web dry-run failed (Invalid): Service "web" is invalid: spec.ports: Required value\n'
        "ConfigMap/apps/x created"),
        'Service apps/web: the API server refuses it (Invalid): Service "web" is invalid: spec.ports: Required value',
        "flux --context=prod diff kustomization web --namespace=apps --path=./apps/web",
    ),
    "dry run of old": (
        "ReconciliationFailed",
        'Service/apps/web dry-run failed, reason: Invalid, error: Service "web" is invalid',
        'Service apps/web: the API server refuses it (Invalid): Service "web" is invalid',
        "flux --context=prod diff kustomization web --namespace=apps --path=./apps/web",
    ),
    "cluster-wide": (
        "ReconciliationFailed",
        "Namespace/apps dry-run failed (Forbidden): namespaces is forbidden",
        "Namespace apps: the API server refuses it (Forbidden): namespaces is forbidden",
        "flux",
    ),
    "webhook": (
        "ReconciliationFailed",
        'Deployment/apps/web dry-run failed (Forbidden): admission webhook "policy.acme.io" denied the request: no limits',  # noqa: E501
        "Deployment apps/web: the admission webhook policy.acme.io refuses it: no limits",
        "flux",
    ),
    "webhook down": (
        "ReconciliationFailed",
        ("ExternalSecret/apps/app dry-run failed (InternalError): Internal error occurred: failed calling webhook "
        '"validate.acme.io": failed to call webhook: Post "https://hook.x.svc:443/v?timeout=15s": context deadline exceeded'),  # noqa: E501
        ('ExternalSecret apps/app: the admission webhook validate.acme.io cannot be asked: Post "https://hook.x.svc:443/v'
        '?timeout=15s": context deadline exceeded'),
        "flux",
    ),
    "no kind": (
        "ReconciliationFailed",
        'Certificate/apps/tls not found: no matches for kind "Certificate" in version "cert-manager.io/v1"',
        'Certificate apps/tls: not found: no matches for kind "Certificate" in version "cert-manager.io/v1"',
        "flux",
    ),
    "path": (
        "ArtifactFailed",
        "kustomization path not found: stat /tmp/kustomization-2468/apps/web: no such file or directory",
        "The path ./apps/web is not in what the source holds.",
        "git ls-tree HEAD -- ./apps/web",
    ),
    "prune": (
        "PruneFailed",
        "delete failed, errors: ConfigMap/apps/old delete failed: the server is currently unable to handle the request;",  # noqa: E501
        "ConfigMap apps/old: delete failed: the server is currently unable to handle the request;",
        "flux --context=prod events --namespace=apps --for=Kustomization/web",
    ),
    "anything": ("AccessDenied", "can't access 'GitRepository/x/y'", "Access denied: can't access 'GitRepository/x/y'", "flux"),  # noqa: E501
    "nothing": ("HealthCheckFailed", "", "Health check failed", "flux --context=prod events"),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_MESSAGE)
def test_what_flux_itself_says(name: str) -> None:
    reason, message, sentence, command = BY_MESSAGE[name]
    made = told(message=message, reason=reason, path="./apps/web")
    assert made.message == sentence
    assert made.command.startswith(command)
    assert made.path == "./apps/web"


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (TIMED_OUT, ["Deployment/apps/web InProgress"]),
        (
            "failed early due to stalled resources: [Deployment/apps/web status: 'Failed', Job/apps/x status: 'Failed']",  # noqa: E501
            ["Deployment/apps/web Failed", "Job/apps/x Failed"],
        ),
        (
            "Helm upgrade failed for release a/b with chart c@1: timeout waiting for: [StatefulSet/a/b status: 'InProgress']",  # noqa: E501
            ["StatefulSet/a/b InProgress"],
        ),
        ("timeout waiting for: [Namespace/apps status: 'Terminating']", ["Namespace//apps Terminating"]),
        ("timeout waiting for: [Role/a/system:x status: 'NotFound'", ["Role/a/system:x NotFound"]),
        ("can't determine status for 'Deployment/apps/web': boom", ["Deployment/apps/web Unknown"]),
        ("timeout waiting for: [; rm -rf / status: 'x', ../../x status: 'y']", []),
        ("timeout waiting for: []", []),
    ],
)
def test_the_objects_that_a_message_names(message: str, named: list[str]) -> None:
    assert [f"{one.ref} {one.status}" for one in said(message).named] == named


# ── roots ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_look(
    *observations: Observation, silent: tuple[Observation, ...] = (), read: Any = None, name: str = "prod"
) -> Look:
    outcomes = (Outcome(name, FLEET, A, observations),) if observations else ()
    return Look(name, outcomes, silent=silent, read=read)


def waiting(name: str, on: str) -> Observation:
    return failure(name, "…", "DependencyNotReady", state=State.PENDING, waits_for=ObjectRef(KS, "apps", on))


def found(*looks: Look) -> list[tuple[str, list[str]]]:
    return [(root.failure.about.name, [ref.name for ref in root.waiting]) for root in roots(looks)]


def release(name: str = "db", owner: str = "web") -> HelmRelease:
    return HelmRelease(ObjectRef(HR, "apps", name), ObjectRef(KS, "apps", owner))


def names(*objects: str) -> str:
    return f"health check failed after 1s: failed early due to stalled resources: [{', '.join(objects)}]"


def test_who_waits_is_collapsed_through_others() -> None:
    assert found(a_look(failure("a"), waiting("b", "a"), waiting("c", "b"), waiting("d", "x"))) == [("a", ["b", "c"])]


def test_depends_on_counts_where_it_is_known() -> None:
    pending = failure("b", state=State.PENDING, reason="Progressing", message="Fetched, waiting for reconciliation")
    read = cluster(
        k("a"), k("b", depends_on=(ObjectRef(KS, "apps", "a"),)), k("c", depends_on=(ObjectRef(KS, "apps", "b"),))
    )
    content = Observation(ObjectRef(KS, "apps", "c"), State.SUCCESS, FLEET, A)
    assert found(a_look(failure("a"), pending, content, read=read)) == [("a", ["b"])]


def test_cycles_end() -> None:
    assert found(a_look(waiting("a", "b"), waiting("b", "a"))) == []
    assert found(a_look(failure("a"), waiting("b", "c"), waiting("c", "b"))) == [("a", [])]
    loop = [failure(n, "x", "ArtifactFailed", waits_for=ObjectRef(KS, "apps", o)) for n, o in ("ab", "bc", "ca")]
    assert found(a_look(*loop, failure("z"))) == [("a", ["b", "c"]), ("z", [])]


def test_a_cycle_behind_a_failure_ends() -> None:
    read = cluster(k("a"), k("b", depends_on=(ObjectRef(KS, "apps", "c"),)), k("c"))
    assert found(a_look(failure("a"), waiting("b", "a"), waiting("c", "b"), read=read)) == [("a", ["b", "c"])]


def test_what_fails_for_more_than_what_it_depends_on_stays() -> None:
    above = failure("web", names("Kustomization/apps/x status: 'Failed'", "Deployment/apps/web status: 'Failed'"))
    read = cluster(k("x"), k("web", depends_on=(ObjectRef(KS, "apps", "x"),)))
    assert found(a_look(failure("x"), above, read=read)) == [("x", []), ("web", [])]


def test_a_release_that_fails_is_the_root() -> None:
    down = failure("db", "Helm upgrade failed", "UpgradeFailed", HR)
    above = failure("web", names("HelmRelease/apps/db status: 'Failed'"))
    assert found(a_look(above, down, waiting("c", "web"))) == [("db", ["c", "web"])]


def test_a_release_below_by_its_label() -> None:
    down = failure("db", "Helm upgrade failed", "UpgradeFailed", HR)
    read = cluster(k(), release())
    assert found(a_look(failure("web", "timed out"), down, read=read)) == [("db", ["web"])]


def test_a_kustomization_that_fails_for_more_than_its_release_stays() -> None:
    down = failure("db", "Helm upgrade failed", "UpgradeFailed", HR)
    above = failure("web", names("HelmRelease/apps/db status: 'Failed'", "Deployment/apps/web status: 'Failed'"))
    assert found(a_look(above, down)) == [("db", []), ("web", [])]


def test_a_kustomization_that_fails_otherwise_stays() -> None:
    down = failure("db", "Helm upgrade failed", "UpgradeFailed", HR)
    above = failure("web", "kustomize build failed: x", "BuildFailed")
    assert {name for name, _ in found(a_look(above, down, read=cluster(k(), release())))} == {"db", "web"}


def test_a_kustomization_below_a_kustomization() -> None:
    assert found(a_look(failure("all", names("Kustomization/apps/web status: 'Failed'")), failure())) == [
        ("web", ["all"])
    ]


def test_a_source_that_cannot_fetch() -> None:
    source = Observation(SOURCE, State.FAILURE, FLEET, reason="GitOperationFailed", message="authentication required")
    stuck = failure("web", "Source artifact not found, retrying in 30s", "ArtifactFailed")
    own = failure("own")
    read = cluster(k(), k("own"), git())
    look = a_look(stuck, own, silent=(source,), read=read)
    assert found(look) == [("fleet", ["web"]), ("own", [])]
    made = explained(roots([look])[0], Evidence(SOURCE, source.message, source.reason, context="prod"))
    assert made.message == "Git operation failed: authentication required"
    assert made.command == "flux --context=prod get sources git --namespace=flux-system fleet"


def test_only_the_present_counts() -> None:
    assert found(a_look(failure("old", past=True), failure("new"))) == [("new", [])]
    assert found(Look("prod", error="down"), a_look()) == []


def test_more_waiting_comes_first_and_clusters_take_turns() -> None:
    one = a_look(failure("a"), failure("b"), waiting("c", "b"), name="one")
    two = a_look(failure("x"), failure("y"), name="two")
    assert [name for name, _ in found(one, two)] == ["b", "x", "a", "y"]
    assert [root.cluster for root in roots([one, two])] == ["one", "two", "one", "two"]


def test_what_comes_of_a_failure_comes_after_it() -> None:
    read = cluster(
        k("a", depends_on=(ObjectRef(KS, "apps", "b"),)), k("b"), k("c", depends_on=(ObjectRef(KS, "apps", "a"),))
    )
    assert found(a_look(failure("a"), failure("b"), waiting("c", "a"), read=read)) == [("b", ["c"]), ("a", ["c"])]


def test_the_path_is_known_from_the_look() -> None:
    root = roots([a_look(failure(), read=cluster(k(path="./apps/web")))])[0]
    assert explained(root, Evidence(root.failure.about)).path == "./apps/web"


def test_thousands_of_failures_take_no_time() -> None:
    many = [failure(f"k{n}") for n in range(2000)]
    chain = [waiting(f"w{n}", f"w{n - 1}" if n else "k0") for n in range(2000)]
    began = time.process_time()
    assert len(roots([a_look(*many, *chain)])) == 2000
    assert time.process_time() - began < 5


# ── what is certain to fail ─────────────────────────────────────────────────────────────────────────────────────────

DOOMED = {
    "pull": (below(pod(container(waiting="ImagePullBackOff", message=PULL))), "ImagePullBackOff"),
    "first pull": (below(pod(container(waiting="ErrImagePull", message=PULL))), ""),
    "image name": (below(pod(container(waiting="InvalidImageName"))), "InvalidImageName"),
    "crash loop": (below(pod(crash, phase="Running")), "CrashLoopBackOff"),
    "one crash": (below(pod(structs.replace(crash, waiting="", restarts=1), phase="Running")), ""),
    "settings": (below(pod(missing)), "CreateContainerConfigError"),
    "settings that may come": (below(pod(missing, born=NOW - 3)), ""),
    "create": (below(pod(container(waiting="CreateContainerError", message="x"))), "CreateContainerError"),
    "creating": (below(pod(container(waiting="ContainerCreating"))), ""),
    "not ready yet": (below(pod(container(), phase="Running")), ""),
    "no room": (below(unplaced(NO_ROOM)), "no node has room"),
    "no room yet": (below(unplaced(NO_ROOM, NOW - 5)), ""),
    "room is made": (below(unplaced(NO_ROOM, expected=True)), ""),
    "gated": (below(pod(scheduled=Condition("False", "SchedulingGated", "…", since=NOW - 99))), ""),
    "quota": (below(conditions={"ReplicaFailure": Condition("True", "FailedCreate", QUOTA, since=NOW - 60)}), "quota"),
    "quota at once": (below(conditions={"ReplicaFailure": Condition("True", "FailedCreate", QUOTA, since=NOW)}), ""),
    "refused for now": (
        below(conditions={"ReplicaFailure": Condition("True", "FailedCreate", "serviceaccount not found")}),
        "",
    ),
    "deadline": (
        below(conditions={"Progressing": Condition("False", "ProgressDeadlineExceeded", "x")}),
        "ProgressDeadlineExceeded",
    ),
    "job": (
        below(ref=ObjectRef("Job", "apps", "x"), conditions={"Failed": Condition("True", "BackoffLimitExceeded")}),
        "BackoffLimitExceeded",
    ),
    "nobody waits for it": (below(pod(crash), awaited=False), ""),
    "of an older spec": (below(pod(crash), current=False), ""),
    "all is well": (below(pod(crash), settled=True), ""),
    "not there yet": (below(absent=True), ""),
    "nothing": (below(), ""),
}


@pytest.mark.parametrize("name", DOOMED)
def test_what_is_certain_to_fail(name: str) -> None:
    one, word = DOOMED[name]
    sentences = doomed(Evidence(ObjectRef(KS, "apps", "web"), objects=(one,)), NOW)
    assert len(sentences) == bool(word)
    assert word in "".join(sentences)
    assert not sentences or sentences[0].startswith(f"{one.ref.kind} {one.ref.namespace}/{one.ref.name}: ")


# ── hostile text ────────────────────────────────────────────────────────────────────────────────────────────────────

NASTY = "\x1b[31mred\x1b[0m\r\n::error::x\x00\u202egpj.exe `$(rm -rf /)` " + "A" * 5000


def test_nothing_hostile_comes_through() -> None:
    pods = pod(
        container("c\n\x1b[2J", waiting="CrashLoopBackOff\n", message=NASTY, code=1, restarts=10**9), phase="Running"
    )
    odd = below(
        pods,
        conditions={"Ready": Condition("False", NASTY, NASTY)},
        warnings=(Warned(POD, NASTY, NASTY),),
        ref=ObjectRef("Widget", "apps", "web"),
    )
    made = told(odd, message=NASTY, reason="X\n::error::")
    said_ = [made.message, made.command, *made.lacking]
    for culprit in made.culprits:
        said_ += [*culprit.conditions, *culprit.events, culprit.status]
        said_ += [text for p in culprit.pods for text in (p.pod, p.container, p.reason, p.message, *p.log)]
    assert not [text for text in said_ if not text.isprintable()]
    assert max(map(len, said_)) <= 700


@pytest.mark.parametrize("name", ["web; rm -rf ~", "$(id)", "a\nb", "-x", "it's", "`id`", "x --token=1"])
def test_commands_are_quoted_for_a_shell(name: str) -> None:
    ref = ObjectRef("Deployment", name, name)
    made = told(below(ref=ref, absent=True))
    words = shlex.split(made.command)
    assert words[0] == "kubectl"
    assert words[1:] == [
        "--context=prod",
        "describe",
        f"--namespace={name}".replace("\n", " "),
        f"deployment/{name}".replace("\n", " "),
    ]
    build = told(message="kustomize build failed: x", reason="BuildFailed", path=name)
    assert shlex.split(build.command) == ["kustomize", "build", f"./{name}".replace("\n", " ")]


SECRETS = {
    "password=hunter2hunter": "hunter2",
    'login with {"password": "correct horse battery"}': "horse",
    'msg="{\\"token\\":\\"abcdef123456\\"}"': "abcdef",
    "DB_PASSWORD: s3cr3t!": "s3cr3t",
    "Authorization: Bearer abc.def.ghi": "abc.def",
    "authorization: Digest username=x, response=6629fae": "6629fae",
    "curl -H 'X-Api-Key: 0123456789'": "0123456789",
    "Cookie: session=deadbeef; other=1": "deadbeef",
    "using bearer abcdefghij": "abcdefghij",
    "postgres://app:pa55w0rd@db.apps:5432/x": "pa55w0rd",
    "postgres://app:pa/55@db.apps:5432/x": "55@db",
    "https://ghp0token@github.com/x": "ghp0token",
    "key AKIAIOSFODNN7EXAMPLE used": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "wJalr",
    "AWS_SECRET_ACCESS_KEY=/wJalrXUtnFEMIK7MDENGbPxRfi": "wJalr",
    "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "eyJzdWI",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "klmnop",
    "glpat-abcdefghij0123456789": "abcdefghij",
    "xoxb-1234567890-abcdefghij": "abcdefghij",
    "SECRET => 'two words'": "words",
    "to\u200bken=abcdef\x1b[0mghij": "abcdef",
    "signature=0a1b2c3d&x=1": "0a1b2c3d",
}


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    assert SECRETS[text] in text.replace("\u200b", "")
    assert SECRETS[text] not in quoted(text)
    assert SECRETS[text] not in "".join(last_lines(f"before\n{text}\nafter"))
    assert "***" in quoted(text)


@pytest.mark.parametrize(
    "text",
    [
        'secret "db" not found',
        "couldn't find key password in Secret apps/db",
        "Readiness probe failed: Get http://10.0.0.1:8080/healthz: dial tcp 10.0.0.1:8080: connection refused",
        f"registry.example.com/acme/web@sha256:{'0a' * 32}: not found",
        "basic checks failed",
        'secrets "db" is forbidden: User "x" cannot get resource',
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert quoted(text) == text


def test_keys_over_several_lines() -> None:
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 5)
    whole = f"one\n-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\ntwo"
    assert last_lines(whole) == ("one", "***", "two")
    assert last_lines(whole[40:]) == ("***", "two")
    assert "MII" not in "".join(last_lines(whole[:200]))
    assert last_lines(f"x\n{body}\ny") == ("x", "***", "***", "***", "***", "***", "y")


def test_known_secrets_are_hidden() -> None:
    assert quoted("it is tr0ub4dor here", hide=lambda text: text.replace("tr0ub4dor", "***")) == "it is *** here"


@pytest.mark.parametrize(
    "text",
    ["a" * 10**6, "password" * 10**5, "://" * 10**5, "-----BEGIN A-----" * 10**4, "eyJ" * 10**5, "x=" * 10**5, '"\\' * 10**5,  # noqa: E501
     "secret: " * 10**5, "cookie=" * 10**5, "bearer " * 10**5, "\x1b[" * 10**5, "A/" * 10**5, "http://a:" * 10**5],
)  # fmt: skip
def test_a_text_made_for_it_takes_no_time(text: str) -> None:
    began = time.process_time()
    last_lines(text)
    said(f"timeout waiting for: [{text}", "HealthCheckFailed")
    said(text, "ReconciliationFailed")
    told(below(pod(container(waiting="ImagePullBackOff", message=text)), warnings=(Warned(POD, "Failed", text),)))
    assert time.process_time() - began < 3
