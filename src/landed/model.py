"""The words of this tool, as frozen values. No I/O, no clock.

They are msgspec Structs rather than dataclasses: twenty frozen dataclasses cost 30 ms to define at every start,
twenty Structs less than 1 ms, and a no-change run on a small cluster is start-up bound.

Times are whole seconds since the Unix epoch, in the clock of whoever wrote them; 0 means unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class Secret:
    """A string that does not print itself. ``reveal`` gives it to the one place that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: for a header, a URL or a mask, never for a message."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


class State(StrEnum):
    """What an observation says. Only the first four are ever told to a Git host."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"
    SUPERSEDED = "superseded"
    """Flux went on to another commit before this one had a result. Never observed: it follows from what was told."""
    STALE = "stale"
    """The controller has not looked for longer than it should take. Told to channels, never to a Git host."""
    SUSPENDED = "suspended"
    DELETING = "deleting"
    NEW = "new"


#: The states that settle a commit. Pending never hides one of them.
RESULTS = frozenset({State.SUCCESS, State.FAILURE})


class ObjectRef(Struct, frozen=True, order=True, gc=False):
    """Which Kubernetes object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Condition(Struct, frozen=True, gc=False):
    """One entry of ``.status.conditions`` (its type is the field it is held in)."""

    status: str
    """``True``, ``False`` or ``Unknown``."""
    reason: str = ""
    message: str = ""
    generation: int = 0
    """``observedGeneration``; 0 where the condition has none."""
    since: int = 0
    """``lastTransitionTime``: moves when status, reason or message change."""


class Snapshot(Struct, frozen=True, gc=False):
    """One entry of a Kustomization's ``.status.history`` (Flux 2.7 and later)."""

    revision: str
    origin_revision: str
    status: str
    """``ReconciliationSucceeded``, ``ReconciliationFailed``, ``PruneFailed`` or ``HealthCheckFailed``."""
    at: int
    """``lastReconciled``."""
    duration: str = ""
    """Flux's own text, ``13.118402s``."""
    first: int = 0
    """``firstReconciled``: since when it has ended like this. Kept as a Kustomization's path is; so is ``times``."""
    times: int = 0
    """``totalReconciliations``: how often it has ended like this."""


class Source(Struct, frozen=True):
    """A GitRepository, OCIRepository, Bucket or ExternalArtifact."""

    ref: ObjectRef
    url: str = ""
    """``spec.url``; for a Bucket its endpoint; empty for an ExternalArtifact."""
    pointer: str = ""
    """What of the repository it follows (``branch=main``): equal pointers on one URL should yield equal revisions."""
    revision: str = ""
    """``.status.artifact.revision``; empty where there is no artifact."""
    origin_revision: str = ""
    """``org.opencontainers.image.revision`` of the artifact."""
    origin_url: str = ""
    """``org.opencontainers.image.source`` of the artifact."""
    updated: int = 0
    """``.status.artifact.lastUpdateTime``."""
    labels: Mapping[str, str] = {}
    """Kept only where the reader was asked to; so are ``metadata`` and ``uid``."""
    metadata: Mapping[str, str] = {}
    """As a Kustomization's."""
    uid: str = ""
    ready: Condition | None = None
    fetch_failed: Condition | None = None
    suspended: bool = False
    deleting: bool = False
    interval: int = 0
    """Seconds between two looks of source-controller; 0 where unknown. Kept only where a commit is waited for; so is
    ``handled``."""
    handled: str = ""
    """``lastHandledReconcileAt``: the last request to reconcile that the controller has seen."""


class Kustomization(Struct, frozen=True, gc=False):
    """A Flux Kustomization, as far as it speaks of commits."""

    ref: ObjectRef
    source: ObjectRef
    uid: str = ""
    generation: int = 0
    observed_generation: int = -1
    deleting: bool = False
    suspended: bool = False
    depends_on: tuple[ObjectRef, ...] = ()
    labels: Mapping[str, str] = {}
    """Kept only where the reader was asked to (a label selector over a file)."""
    metadata: Mapping[str, str] = {}
    """The annotations ``event.toolkit.fluxcd.io/KEY``, by KEY. Kept only where the reader was asked to."""
    ready: Condition | None = None
    reconciling: Condition | None = None
    stalled: Condition | None = None
    applied: str = ""
    """``lastAppliedRevision``"""
    applied_origin: str = ""
    """``lastAppliedOriginRevision``"""
    attempted: str = ""
    """``lastAttemptedRevision``: stale while a run is fetching, and after ArtifactFailed."""
    history: tuple[Snapshot, ...] = ()
    """Newest first. At most five; only the ones at or after the reader's ``since``."""
    healthy: Condition | None = None
    """Where something of it is health-checked. This and what follows is kept only where the reader was asked to."""
    inventory: tuple[str, ...] = ()
    """What stands in the cluster by its doing, as messages call it (``Deployment/apps/web``), sorted."""
    patience: int = 0
    """Seconds after which kustomize-controller must have looked again: ``interval`` and ``timeout`` together."""
    path: str = ""
    """``spec.path``. This and what follows is kept only where a commit is waited for or a report shows it."""
    handled: str = ""
    """As a source's."""


class HelmRelease(Struct, frozen=True):
    """A HelmRelease, tied to a commit by the Kustomization that applied it."""

    ref: ObjectRef
    owner: ObjectRef | None = None
    """From the labels ``kustomize.toolkit.fluxcd.io/name`` and ``/namespace``."""
    generation: int = 0
    observed_generation: int = -1
    deleting: bool = False
    suspended: bool = False
    labels: Mapping[str, str] = {}
    """As a source's; so is ``uid``."""
    metadata: Mapping[str, str] = {}
    """As a Kustomization's."""
    uid: str = ""
    attempted: str = ""
    """``lastAttemptedRevision``: the version of the chart. Kept as the labels are."""
    ready: Condition | None = None
    stalled: Condition | None = None


class Cluster(Struct, frozen=True):
    """One moment of one cluster: everything read, nothing judged."""

    name: str
    kustomizations: tuple[Kustomization, ...] = ()
    sources: Mapping[ObjectRef, Source] = {}
    helm_releases: tuple[HelmRelease, ...] = ()
    warnings: tuple[str, ...] = ()
    """Objects that made no sense, each named, and kinds that could not be read."""
    seen: int = 0
    """The newest ``lastReconciled`` among all histories: how far, in the cluster's clock, this look reaches."""
    beside: tuple[Kustomization, ...] = ()
    """Kustomizations that are not meant themselves, and that others which are wait for. Known only where a commit is
    waited for."""


class Repository(Struct, frozen=True, order=True):
    """A Git repository, independent of how its URL is spelt."""

    host: str
    """Lower case, with a port only where the web address needs one (``git.example.com:8443``)."""
    path: str
    """``owner/name``, ``group/subgroup/project`` …, without slashes at the ends and without ``.git``."""

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


class Observation(Struct, frozen=True, gc=False):
    """What one object says about one commit, or, with an empty commit, that it says nothing and why."""

    about: ObjectRef
    state: State
    repository: Repository | None = None
    commit: str = ""
    reason: str = ""
    """A Flux reason (``HealthCheckFailed``), or ours where Flux has none (``SpecChanged``)."""
    message: str = ""
    keeps: bool = False
    """Pending only because Flux looks again at what it already judged: whatever was said before still holds."""
    past: bool = False
    """From ``.status.history``: a result of a commit that has come and gone."""
    since: int = 0
    """When the object came to say this."""
    duration: str = ""
    """How long the reconciliation took (Flux's text), where known."""
    revision: str = ""
    """Flux's own string for the commit."""
    waits_for: ObjectRef | None = None
    """The dependency a DependencyNotReady names."""
    uid: str = ""
    begun: bool = False
    """Pending, and Flux is at work on it."""
    newest: bool = False
    """The commit is the one that its source holds now: whatever was waited for before is waited for no longer."""
    together: int = 1
    """How many objects speak here, because they share one context; then the message says how they stand."""
    metadata: Mapping[str, str] = {}
    """What the object adds to its events: its annotations ``event.toolkit.fluxcd.io/KEY``, by KEY. Where an Alert asks,
    also what that adds."""
    labels: Mapping[str, str] = {}
    """The object's. This and what follows is known only where an Alert asks."""
    inventory: tuple[str, ...] = ()
    """What stands in the cluster by the object's doing, sorted; of an object that shows a result."""
    changes: tuple[str, ...] = ()
    """What became of that since it was last told: ``Deployment/apps/web created``; Flux's own words where they can be
    read."""
    health: str = ""
    """What its health check said when it passed."""
    closes: bool = False
    """To be told only where it ends a failure that was told."""


class Outcome(Struct, frozen=True):
    """What one cluster says about one commit.

    With an empty commit (and ``Repository("", "")``) it is a trouble that no commit can be blamed for, such as a source
    that cannot fetch: only channels are told.
    """

    cluster: str
    repository: Repository
    commit: str
    observations: tuple[Observation, ...]
    """At least one; sorted; one per object."""
    missing: tuple[ObjectRef, ...] = ()
    """The Kustomizations that follow the same reference and do not speak of this commit: they have moved on to another
    one, and nobody may say that this one is live."""

    @property
    def whole(self) -> bool:
        """Whether everybody who should speaks of the commit."""
        return not self.missing

    @property
    def state(self) -> State:
        """Failure wins, then pending: success takes everybody."""
        states = {observation.state for observation in self.observations}
        if State.FAILURE in states:
            return State.FAILURE
        return State.SUCCESS if self.whole and states == {State.SUCCESS} else State.PENDING

    @property
    def past(self) -> bool:
        """Whether all of it is known from histories only: the commit came and went."""
        return all(observation.past for observation in self.observations)


class Look(Struct, frozen=True):
    """One look at one cluster, judged."""

    cluster: str
    outcomes: tuple[Outcome, ...] = ()
    silent: tuple[Observation, ...] = ()
    """Objects that speak of no commit: suspended, new, being deleted, known by a digest only; and, with the state
    failure, sources that cannot fetch although everything behind them may still look green."""
    healthy: tuple[ObjectRef, ...] = ()
    """Sources that can fetch: what ends a trouble that was told."""
    fetched: tuple[Observation, ...] = ()
    """What sources hold, for those who want to hear of sources: with the state success, and a commit where it is known.
    """
    warnings: tuple[str, ...] = ()
    seen: int = 0
    error: str = ""
    """Why the cluster could not be read; then everything else is empty."""
    hint: str = ""
    """What to do about the error."""
    gone: tuple[ObjectRef, ...] = ()
    """Objects that are deleted, and that something was open of."""
    read: Cluster | None = None
    """What was judged, where somebody wants to know more of it than this."""


class CommitStatus(Struct, frozen=True):
    """What a Git host stores about a commit under one context."""

    repository: Repository
    commit: str
    context: str
    state: State
    """success, failure, pending or superseded"""
    description: str
    target_url: str = ""
    begun: bool = False
    """Pending, and Flux is at work on it: hosts that can tell queued from in progress do."""
    detail: str = ""
    """The explanation in Markdown, for hosts that have room for more than a line."""
    handle: str = ""
    """What the host gave when it took the last one of this commit and context."""


class Deployment(Struct, frozen=True):
    """What a Git host stores about a commit in one environment."""

    repository: Repository
    commit: str
    environment: str
    state: State
    """success, failure, pending or superseded"""
    description: str
    ref: str = ""
    """The branch or tag that Flux follows; empty where the revision does not say."""
    environment_url: str = ""
    log_url: str = ""
    begun: bool = False
    """Pending, and Flux is at work on it."""
    handle: str = ""
    """The deployment's id, where the host gave one for this commit and environment."""


class Row(Struct, frozen=True, order=True):
    """One line of the table in a comment."""

    cluster: str
    name: str
    """As messages call the object: ``apps/web``, ``HelmRelease apps/web``."""
    state: State
    said: str
    """One line, as a commit status would have it; not escaped."""
    url: str = ""


class Comment(Struct, frozen=True):
    """The one comment that is kept on a pull or merge request, as far as this run knows it."""

    repository: Repository
    commit: str
    rows: tuple[Row, ...]
    """Everything that the clusters of this run say of the commit, sorted."""
    request: str = ""
    """The number of the request, where an annotation names it; else it is found from the commit."""
    handle: str = ""
    """The comment's id, where the host gave one."""
    left: tuple[str, ...] = ()
    """Clusters that have left the commit for another one: what was pending there is superseded."""


class Held(Struct, frozen=True):
    """What a Git host holds already of what it may be told."""

    state: State
    description: str = ""
    """Empty where the host keeps none."""
    handle: str = ""
    """What it takes to change it: the id of a check run or a deployment; empty for commit statuses."""


class Described(Struct, frozen=True):
    """What a Git host calls a commit, not cleaned: anybody may have written it."""

    subject: str
    """The first line of its message."""
    author: str
    """The name of who wrote it, as people see it; empty where only an e-mail address is known."""
    url: str = ""
    """Its page, where the host names one of its own."""
    known_as: tuple[str, ...] = ()
    """What else the author goes by, as far as the host says: e-mail address and login."""


class Story(Struct, frozen=True):
    """An outcome worth telling people, with what they were told before."""

    outcome: Outcome
    broken_for: int = 0
    """Seconds between the failure being told and its end, or now where nobody knows better."""
    rolled_back_from: str = ""
    """The commit that this one, told before, has replaced."""
    superseded_by: str = ""
    """A revision: Flux left the commit for it before this one had a result."""
    failing_since: str = ""
    """The commit that it has failed since, where that is an earlier one."""
    flapping: tuple[ObjectRef, ...] = ()
    """What goes to and fro between success and failure."""
    subject: str = ""
    """The first line of the commit's message."""
    author: str = ""
    known_as: tuple[str, ...] = ()
    """What else the author goes by; never shown."""
    mention: str = ""
    """How the service calls the person who is to be called by name here; empty for nobody."""
    words: tuple[str, ...] = ()
    """What a template of the user's says instead of our own words: the title, then the lines."""

    @property
    def state(self) -> State:
        """How the story reads."""
        if self.superseded_by:
            return State.SUPERSEDED
        if self.flapping:
            return State.FAILURE
        alone = self.outcome.observations[0].state if not self.outcome.commit else None
        return alone if alone in (State.SUSPENDED, State.STALE) else self.outcome.state


class Digest(Struct, frozen=True):
    """What a channel is told at once: everything new in one look, or one commit in the message that follows it."""

    stories: tuple[Story, ...]
    about: str = ""
    """Whatever this is about, the same at every look, where the message is edited as that goes on; else empty."""
    handle: str = ""
    """What the service called the message when it was posted; empty where a new one is to be posted."""
    reply: bool = False
    """An answer in the thread of the message ``handle``, or beside it where there are no threads."""
    summary: str = ""
    """What the Alert says in general; so do the ``facts``."""
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value, in order."""
    unread: tuple[str, ...] = ()
    """Clusters of which nothing is known at present, although something may have been told."""


class InvolvedObject(Struct, frozen=True, omit_defaults=True):
    """Kubernetes' ObjectReference, in the member order Flux writes."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    apiVersion: str = ""
    resourceVersion: str = ""


class Event(Struct, frozen=True):
    """Flux's event object, https://fluxcd.io/flux/components/notification/events/ , in its member order."""

    involvedObject: InvolvedObject
    severity: str
    timestamp: str
    message: str
    reason: str
    metadata: Mapping[str, str]
    reportingController: str


class Happened(Struct, frozen=True):
    """What a controller said of an object in one of the cluster's own Events, which are kept for an hour or so."""

    reason: str
    message: str
    revision: str = ""
    """Flux's own string, where the Event is annotated with one."""
    origin_revision: str = ""
    at: int = 0
    """When it was said last."""
    severity: str = "info"
    """``info`` or ``error``."""


class Dispatch(Struct, frozen=True):
    """An event for the workflows of a repository."""

    repository: Repository
    event: Event


class Occurrence(Struct, frozen=True):
    """One thing that happened to one object, or to a commit on a whole cluster, with what it takes to end it later: for
    services that keep alerts which are resolved, or spans of time.
    """

    event: Event
    """As Flux would have sent it. Of a commit on a whole cluster the object's kind is empty, and its name the
    commit."""
    state: State
    """What begins: a failure (or silence), a wait for a dependency (pending), or a success, which ends both."""
    key: str
    """The same for whatever happens to the object, or to the commit: ``prod Kustomization/apps/web``."""
    cluster: str
    at: int
    """When it happened, in the cluster's clock; where that does not say, when it was seen."""
    repository: Repository = Repository("", "")
    """Empty where no commit is known."""
    commit: str = ""
    url: str = ""
    """Where people look at the commit."""
    seconds: float = 0.0
    """How long it took until then; 0 where unknown."""
    changes: tuple[str, ...] = ()
    """What became of what stands in the cluster: ``Deployment/apps/web created``."""
    handle: str = ""
    """What the service called what is still open of the object; empty where nothing is, or it has no names."""
    told: int = 0
    """When it is told, in our clock; 0 where that does not matter."""


#: What can be delivered.
Payload: TypeAlias = CommitStatus | Deployment | Comment | Dispatch | Digest | Event | Occurrence


class Mark(Struct, frozen=True, order=True):
    """What the ledger will hold once an update is acknowledged."""

    line: str
    """What is told about, commit apart: ``owner/name flux/prod/apps/web``."""
    commit: str
    fingerprint: str
    """State and reason, never the message: ``failure HealthCheckFailed``."""
    current: tuple[str, ...] = ()
    """The commits that the line speaks of at present: what is told of any other one is past from now on."""


class Update(Struct, frozen=True):
    """One thing to deliver to one destination."""

    destination: str
    marks: tuple[Mark, ...]
    payload: Payload


class EventSource(Struct, frozen=True):
    """An entry of an Alert's ``eventSources``."""

    kind: str
    name: str
    """``*`` for all."""
    namespace: str
    labels: tuple[tuple[str, str], ...] = ()
    """``matchLabels``, sorted."""


class Alert(Struct, frozen=True):
    """Which events a destination wants to hear of, https://fluxcd.io/flux/components/notification/alerts/ ."""

    namespace: str
    name: str
    provider: str
    """The name of its Provider, in the same namespace."""
    uid: str = ""
    severity: str = "info"
    """``info`` or ``error``."""
    sources: tuple[EventSource, ...] = ()
    inclusion: tuple[str, ...] = ()
    """Regular expressions of which one must be found in an event's message, if there are any."""
    exclusion: tuple[str, ...] = ()
    """Regular expressions of which none may be found."""
    metadata: tuple[tuple[str, str], ...] = ()
    """``eventMetadata``, sorted."""
    summary: str = ""
    clusters: tuple[str, ...] = ()
    """The clusters whose events are meant; none for all."""


class Destination(Struct, frozen=True):
    """Somewhere updates go, as far as the plan must know it."""

    name: str
    """Stable and free of secrets: the ledger's key (``github.com``, ``slack``, ``Alert apps/on-call``)."""
    takes: str
    """A Git host ``statuses``, ``deployments``, ``comments`` or ``dispatches``; a channel ``digests`` (a message for
    each look), ``messages`` (one for each commit, edited as it goes on), ``events`` or ``occurrences``."""
    host: str = ""
    """Of a Git host: the repositories' host it answers for."""
    description_limit: int = 140
    context_limit: int = 255
    superseded: bool = False
    """Whether it has a word for a commit that was never tried because Flux went on to another."""
    retires: bool = False
    """Whether what an earlier commit was told to be must be ended when another one takes its place."""
    progress: bool = False
    """Whether it tells queued from in progress."""
    details: bool = False
    """Whether it has room for an explanation."""
    threads: bool = False
    """Whether a message can be answered in a thread of its own."""
    alerts: tuple[Alert, ...] = ()
    """Who wants it told; where there are none, everything is."""
    within: Repository | None = None
    """The one repository it is for, or the path that its repositories begin with."""
    beside: tuple[Repository, ...] = ()
    """Repositories, or paths that they begin with, of which others tell the same host."""
    whole: bool = True
    """Whether a commit on all of a cluster is told of, too, beside its objects."""
    resolves: bool = False
    """Whether it keeps what failed open until somebody ends it."""
    expression: Callable[[Event, Destination], str] | None = None
    """What names a commit status, instead of the run's wording. Raises ValueError with a sentence."""
    quiet: Callable[[int], tuple[int, int]] | None = None
    """Of a channel for people: now → the quiet hours that now is in, or else the last ones, from and to. In them only
    failures are told; what was held is told in one message after."""


class Delivery(Struct, frozen=True):
    """What became of one update."""

    update: Update
    error: str = ""
    """Empty when it was acknowledged."""
    hint: str = ""
    passing: bool = False
    """A later run may succeed without anybody's doing."""
    uncertain: bool = False
    """It may have been carried out although no answer came back."""
    read_only: bool = False
    """The host knows the token, and it may not write there: as on a pull request from a fork."""
    handle: str = ""
    """What the destination gave to find it again."""
    took: float = 0.0
    """Seconds until it was acknowledged."""


class Relation(StrEnum):
    """How a commit that is found somewhere relates to the commit that is asked about."""

    SAME = "same"
    AFTER = "after"
    """A descendant: it contains the commit that is asked about."""
    BEFORE = "before"
    """An ancestor of it."""
    APART = "apart"
    """Neither contains the other."""
    UNKNOWN = "unknown"
    """Nobody could say. Never guessed from."""


class Verdict(StrEnum):
    """The answer of the gate."""

    LIVE = "live"
    FAILED = "failed"
    WAITING = "waiting"
    DIVERGED = "diverged"
    """What is applied does not contain the commit, and its source will never bring it."""


class Standing(Struct, frozen=True):
    """How one object of one cluster stands to the commit that is asked about."""

    cluster: str
    about: ObjectRef
    state: str
    """A ``Verdict``; or ``suspended`` or ``deleting``, which are not waited for."""
    commit: str = ""
    """The commit that this speaks of: the one that is applied, or the one that failed or is being tried."""
    revision: str = ""
    """Flux's own string for it."""
    reason: str = ""
    """As an observation's."""
    message: str = ""
    """Why, in a sentence. It may quote Flux."""
    since: int = 0
    """Since when; 0 where unknown."""
    waits_for: ObjectRef | None = None
    """The dependency that it waits for."""
    doomed: str = ""
    """What is seen below it that will make it fail, before Flux gives up: ``Deployment/apps/web: ImagePullBackOff``."""


class Answer(Struct, frozen=True):
    """What the gate has found out about one commit."""

    repository: Repository
    commit: str
    verdict: Verdict
    standings: tuple[Standing, ...]
    """Of every Kustomization that is meant, and of the HelmReleases below them; by cluster, then by object."""
    unread: tuple[str, ...] = ()
    """Clusters of which nothing is known at present."""
    timed_out: bool = False
    """It was still waiting when its time was up."""
    began: int = 0
    """When the wait began, in our clock; so is ``ended``."""
    ended: int = 0
    notes: tuple[str, ...] = ()
    """What could not be found out, and who could tell: an ancestry that nobody knows."""

    @property
    def applied(self) -> str:
        """The one commit that everything live has applied; empty where nothing is, or they differ."""
        commits = {one.commit for one in self.standings if one.state == Verdict.LIVE}
        return commits.pop() if len(commits) == 1 else ""


class PodTrouble(Struct, frozen=True):
    """Why a container of a pod, or a pod itself, does not run."""

    pod: str
    container: str = ""
    """Empty where it is the pod as a whole, such as one that no node has room for."""
    reason: str = ""
    """``ImagePullBackOff``, ``CrashLoopBackOff``, ``Unschedulable`` …"""
    message: str = ""
    restarts: int = 0
    log: tuple[str, ...] = ()
    """The last lines it has written, without secrets; where they were asked for."""


class Culprit(Struct, frozen=True):
    """An object below a Kustomization that keeps it from being healthy."""

    about: ObjectRef
    """Its namespace is empty where it has none."""
    status: str = ""
    """What Flux calls it: ``InProgress``, ``Failed``, ``NotFound`` …"""
    conditions: tuple[str, ...] = ()
    """What its conditions complain of: ``Progressing: ProgressDeadlineExceeded: …``."""
    pods: tuple[PodTrouble, ...] = ()
    events: tuple[str, ...] = ()
    """The last warnings about it and its pods, newest first: ``FailedScheduling: …``."""


class Explanation(Struct, frozen=True):
    """The root cause of one failure, as far as it could be found."""

    cluster: str
    about: ObjectRef
    reason: str
    message: str
    """The cause in one sentence, the most telling first."""
    culprits: tuple[Culprit, ...] = ()
    waiting: tuple[ObjectRef, ...] = ()
    """Everything that waits for it, directly or through others."""
    path: str = ""
    """Where it is in the repository."""
    command: str = ""
    """The next command to run."""
    lacking: tuple[str, ...] = ()
    """Permissions that would tell more, each as a sentence."""


class Report(Struct, frozen=True):
    """Everything a run has to say for itself."""

    looks: tuple[Look, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    planned: tuple[Update, ...] = ()
    """With ``--dry-run``: what would have been sent."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out on purpose, and how it is asked for."""
    exit_code: int = 0
    answer: Answer | None = None
    """What became of the commit that was waited for."""
    explanations: tuple[Explanation, ...] = ()
    """Of what has failed, where they were asked for."""


class Finding(Struct, frozen=True):
    """One thing ``landed doctor`` looked at."""

    subject: str
    """What was looked at: ``kubeconfig``, ``RBAC``, ``GitHub token`` …"""
    level: str
    """``ok``, ``warning`` or ``problem``."""
    message: str
    hint: str = ""
    """What to do about it, ready to paste where possible."""


class GitHubApp(Struct, frozen=True):
    """A GitHub App to act as."""

    id: str
    private_key: Secret
    """In PEM format."""
    installation_id: str = ""
    installation_owner: str = ""
    """User or organization that has installed it; needed where there is no ``installation_id``."""


class Network(Struct, frozen=True):
    """How a destination is reached, where that is not as usual."""

    proxy: Secret = Secret("")
    """URL of an HTTP, HTTPS or SOCKS5 proxy, with a user and password where it takes them."""
    ca: str = ""
    """Certificates to trust beside the usual ones, in PEM format."""
    certificate: str = ""
    """Our own certificate, in PEM format; ``key`` is its key."""
    key: Secret = Secret("")
    timeout: float = 0.0
    """Seconds between bytes; 0 as usual."""


class GitHost(Struct, frozen=True):
    """A Git host to keep commit statuses on."""

    type: str
    """As in Flux's ``Provider.spec.type``: ``github`` …"""
    host: str
    """The host of the repositories it answers for: ``github.com``."""
    api_url: str
    """Where its API is, without a slash at its end: ``https://api.github.com``, ``https://ghes.example.com/api/v3``,
    ``https://example.com/gitlab/api/v4``, ``https://git.example.com/api/v1`` (Gitea), ``https://api.bitbucket.org/2.0``,
    ``https://bitbucket.example.com/context/rest``, ``https://dev.azure.com``, ``https://azure.example.com/tfs``."""
    token: Secret = Secret("")
    max_wait: float = 60.0
    """Seconds a delivery may wait for a rate limit before it is left for the next run."""
    network: Network = Network()
    web_url: str = ""
    """Where people look at it, its relative root included: ``https://example.com/gitlab``. Empty: ``https://HOST``."""
    aliases: tuple[str, ...] = ()
    """Other names that its repositories' URLs may have as host."""
    app: GitHubApp | None = None
    """Instead of a token."""
    job_token: bool = False
    """The token is GitLab's ``CI_JOB_TOKEN``: it cannot set commit statuses."""
    writes: tuple[tuple[int, float], ...] = ()
    """At most so many writes in any so many seconds; none where the host has no limit."""


class Channel(Struct, frozen=True):
    """A place to tell people."""

    type: str
    """As in Flux's ``Provider.spec.type``: ``slack``, ``generic`` …"""
    name: str
    """The ledger's key and what messages call it; holds no secret."""
    address: Secret
    channel: str = ""
    """``Provider.spec.channel``, whatever that is to the service; so is ``username``."""
    username: str = ""
    token: Secret = Secret("")
    """``token`` of the Provider's Secret; for ``generic-hmac`` the key. Of ``slack`` a bot's token."""
    password: Secret = Secret("")
    headers: tuple[tuple[str, Secret], ...] = ()
    """Headers to add, for services that take any."""
    network: Network = Network()

    def called(self, service: str) -> str:
        """How messages speak of it: ``Slack``, or with a name of its own ``Slack (Alert apps/on-call)``."""
        return service if self.name == self.type else f"{service} ({self.name})"
