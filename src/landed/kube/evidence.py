"""What stands below a Kustomization or a HelmRelease that fails: read only then, and only so much of it.

Nothing here is an error: what may not be read is said, what is not there is left out, and after some seconds that which
has not come is left out, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from urllib.parse import quote

from msgspec import structs

from landed.explain.said import Named, said
from landed.explain.values import Below, Evidence, Question, Warned
from landed.flux import KINDS
from landed.kube.below import Thing, one
from landed.kube.client import Client
from landed.kube.errors import NotServed
from landed.kube.grants import resource
from landed.kube.incluster import CONTEXT
from landed.kube.inquiry import SILENT, Inquiry, Looker, Right, Unanswered, sentences
from landed.kube.kinds import WORKLOADS, Applied, Wanted, inventory, path
from landed.kube.warnings import about as concerning
from landed.kube.warnings import warnings
from landed.kube.workloads import look
from landed.model import ObjectRef
from landed.pool import Crew

#: Objects that are read below one Kustomization, seconds that all of it may take, and threads.
OBJECTS, WITHIN, WORKERS = 20, 10.0, 8

#: Seconds a request may take, and how often it is made where that may help.
TIMEOUT, TRIES = 5.0, 2

_RELEASE = "helm.toolkit.fluxcd.io"

#: Reasons for which a HelmRelease fails with its objects in the cluster.
_IN_CLUSTER = frozenset({"", "InstallFailed", "UpgradeFailed", "TestFailed", "RollbackFailed", "HealthCheckFailed"})


def evidence(
    client: Client,
    about: ObjectRef,
    *,
    message: str = "",
    reason: str = "",
    level: str = "objects",
    within: float = WITHIN,
    connect: Callable[[], Client] | None = None,
    hide: Callable[[str], str] = str,
) -> Evidence:
    """What stands below one object; as ``gathered``."""
    question = Question(about, message, reason)
    return gathered(client, [question], level=level, within=within, connect=connect, hide=hide)[0]


def gathered(
    client: Client,
    questions: Sequence[Question],
    *,
    level: str = "objects",
    within: float = WITHIN,
    connect: Callable[[], Client] | None = None,
    hide: Callable[[str], str] = str,
) -> tuple[Evidence, ...]:
    """What stands below each, in the order of ``questions``. Never raises.

    ``level`` is ``objects``, ``events`` or ``logs``, each with all before it; ``within`` are the seconds for all of it.
    ``connect`` makes one more client for another thread (default: twins of ``client``); ``hide`` takes out the secrets
    that are known.
    """
    end = monotonic() + within
    inquiry = Inquiry(connect or (lambda: client.twin(timeout=min(TIMEOUT, within), tries=TRIES)), end)
    events, logs = level in ("events", "logs"), level == "logs"
    cases = [_Case(question, Looker(inquiry, set(), events, logs, hide)) for question in questions]
    try:
        _work((case.begin for case in cases), end)
        tasks = [task for case in cases for task in case.tasks()]
        spaces = {ref.namespace for case in cases for ref in case.refs} if events else set()
        news: dict[str, tuple[Warned, ...]] = {}
        general = Looker(inquiry, set())
        _work([*(_warn(general, space, news) for space in sorted(spaces) if space), *tasks], end)
        return tuple(case.done(dict(news), set(general.lacks), _context(client)) for case in cases)
    finally:
        inquiry.close()


def _work(tasks: Iterable[Callable[[], None]], end: float) -> None:
    """Do them several at a time, and leave what is not done at the ``end``."""
    crew = Crew(_quietly, list(tasks), WORKERS)
    crew.wait(max(0.0, end - monotonic()))
    crew.stop()


def _quietly(task: Callable[[], None]) -> None:
    with suppress(Exception):  # whatever is wrong here: a failure that is not explained is still told
        task()


def _warn(by: Looker, namespace: str, news: dict[str, tuple[Warned, ...]]) -> Callable[[], None]:
    def task() -> None:
        news[namespace] = warnings(by, namespace)

    return task


def _context(client: Client) -> str:
    """The context for a command line; empty where kubectl would not know it."""
    return "" if client.endpoint.socket or client.context == CONTEXT else client.context


class _Case:
    """One question, and what has been found so far."""

    def __init__(self, question: Question, by: Looker) -> None:
        self.question = question
        self.refs: list[ObjectRef] = []
        self._by = by
        self._path = ""
        self._begun = False
        self._notes: list[str] = []
        self._wanted: list[Wanted] = []
        self._found: dict[ObjectRef, tuple[Below, frozenset[tuple[str, str]]]] = {}

    def begin(self) -> None:
        """Read the object itself, and decide what below it is looked at."""
        applied = _applied(self._by, self.question.about)
        self._begun = True
        if applied is None:
            return
        self._path = applied.spec.path or ""
        if applied.spec.kubeConfig is not None:
            self._notes.append("Its objects are on another cluster (spec.kubeConfig), which is not looked into.")
            return
        wanted = _wanted(self._by, self.question, applied)
        if len(wanted) > OBJECTS:
            self._notes.append(f"Of {len(wanted)} objects the first {OBJECTS} were looked at.")
        self._wanted = wanted[:OBJECTS]
        self.refs = [one.ref for one in self._wanted]

    def tasks(self) -> Iterable[Callable[[], None]]:
        """What is to be done for it, each by any thread."""

        def task(wanted: Wanted) -> Callable[[], None]:
            def do() -> None:
                self._found[wanted.ref] = look(self._by, wanted)

            return do

        return [task(wanted) for wanted in self._wanted]

    def done(self, news: Mapping[str, Collection[Warned]], lacks: set[Right], context: str) -> Evidence:
        """What was found by now."""
        found = dict(self._found)
        spaces = {ref.namespace for ref in self.refs}
        rights = set(self._by.lacks) | {right for right in lacks if right[2] in spaces}
        unheard = self._by.events and not {space for space in spaces if space} <= news.keys()
        if unheard or not self._begun or len(found) < len(self.refs) or (spaces and SILENT in lacks):
            rights.add(SILENT)
        objects = []
        for wanted in self._wanted:
            below, related = found.get(wanted.ref, (Below(wanted.ref, wanted.status, wanted.awaited), frozenset()))
            objects.append(structs.replace(below, warnings=concerning(news, wanted.ref.namespace, related)))
        question = self.question
        return Evidence(
            question.about,
            question.message,
            question.reason,
            self._path,
            context,
            tuple(objects),
            (*sentences(rights), *self._notes),
        )


def _applied(by: Looker, about: ObjectRef) -> Applied | None:
    """A Kustomization or HelmRelease, in the newest version that is served."""
    kind = KINDS.get(about.kind)
    if kind is None or about.kind not in ("Kustomization", "HelmRelease"):
        return None
    right = ("get", resource(kind.plural, kind.group), about.namespace)
    for version in kind.versions:
        try:
            body = by.inquiry.get(right, path(kind.group, version, kind.plural, about), {}, by.lacks)
        except NotServed:
            continue
        except Unanswered:
            return None
        return one(body, Applied)
    return None


def _wanted(by: Looker, question: Question, applied: Applied) -> list[Wanted]:
    """The objects that matter: those that the message names, else whatever runs pods."""
    heard = said(question.message, question.reason)
    release = question.about.kind == "HelmRelease"
    if question.message and heard.step != "health" and not (release and question.reason in _IN_CLUSTER):
        return []
    if release and not question.message and not applied.waits_for_all():
        return []
    held = list(inventory(applied))
    named = _named(heard.named, held)
    if named:
        below = [wanted for one in named if one.ref.kind == "HelmRelease" for wanted in _of_release(by, one.ref)]
        return list({wanted.ref: wanted for wanted in (*below, *named)}.values())
    if release:
        return _workloads(held) or _labelled(by, question.about, applied)
    if not question.message:
        held = [structs.replace(one, awaited=applied.waits(one.ref)) for one in held]
        return [one for one in _workloads(held) if one.awaited]
    return _workloads(held)


def _named(named: Iterable[Named], held: Iterable[Wanted]) -> list[Wanted]:
    known = {one.ref: one for one in held}
    return [structs.replace(known.get(n.ref, Wanted(n.ref)), status=n.status) for n in named]


def _workloads(held: Iterable[Wanted]) -> list[Wanted]:
    kinds = (*WORKLOADS, "PersistentVolumeClaim", "Pod")
    return sorted((one for one in held if one.ref.kind in kinds), key=lambda one: (kinds.index(one.ref.kind), one.ref))


def _of_release(by: Looker, about: ObjectRef) -> list[Wanted]:
    applied = _applied(by, about)
    if applied is None or applied.spec.kubeConfig is not None:
        return []
    return _workloads(inventory(applied)) or _labelled(by, about, applied)


def _labelled(by: Looker, about: ObjectRef, applied: Applied) -> list[Wanted]:
    """What helm-controller has labelled as a release's (https://fluxcd.io/flux/components/helm/helmreleases/)."""
    namespace = applied.spec.targetNamespace or about.namespace
    query = {"labelSelector": f"{_RELEASE}/name={about.name},{_RELEASE}/namespace={about.namespace}"}
    found: list[Wanted] = []
    for kind in WORKLOADS:
        group, plural = "batch" if kind == "Job" else "apps", f"{kind.lower()}s"
        where = f"/apis/{group}/v1/namespaces/{quote(namespace, safe='')}/{plural}"
        things: list[Thing] = []
        right = ("list", resource(plural, group), namespace)
        by.listed(right, where, query, Thing, things)
        found += [Wanted(ObjectRef(kind, namespace, t.metadata.name), group, "v1") for t in things if t.metadata.name]
    return found
