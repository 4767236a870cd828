"""Made-up examples of what is told: a message that says it is a test, and the situations of ``landed preview``.

One fleet, one commit, one cluster, always the same: nobody has to break anything to see how that would read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from landed import render
from landed.model import (
    Comment,
    CommitStatus,
    Deployment,
    Destination,
    Digest,
    Dispatch,
    Event,
    ObjectRef,
    Observation,
    Occurrence,
    Outcome,
    Payload,
    Repository,
    Row,
    State,
    Story,
)

SITUATIONS = ("failure", "success", "recovery", "dependency")
NOW = 1_790_000_000
_FLEET = Repository("git.example.com", "acme/fleet")
_COMMIT = "3f9c1a7be2d04856a1c97f0d5b8e64a2c70d19f3"
_REVISION = f"main@sha1:{_COMMIT}"
_SUBJECT = "Give the gateway a certificate of its own"
_AUTHOR = "Robin Miller"
_BROKEN_FOR = 12 * 60
_INFRA = ObjectRef("Kustomization", "flux-system", "infra")
_APPS = (
    "auth/login", "auth/sessions", "billing/invoices", "billing/ledger", "billing/payments", "data/exports",
    "media/images", "media/thumbnails", "observability/dashboards", "observability/traces", "shop/cart", "shop/catalog",
    "shop/checkout", "shop/search", "shop/web", "support/helpdesk", "support/mail",
)  # fmt: skip


def situation(name: str, takes: str, cluster: str = "example", now: int = NOW) -> tuple[Payload, ...]:
    """What a destination that takes ``takes`` (as ``Destination.takes``) would be told in the situation ``name``.

    A reply follows the message that it answers, and gets its handle once that is posted. Raises ValueError for a
    situation or a kind of destination that there is not.
    """
    story = _story(name, cluster, now)
    outcome = story.outcome
    if takes == "digests":
        return (Digest((story,)),)
    if takes == "messages":
        about = f"{_FLEET} {_COMMIT}"
        answers = (Digest((story,), about, reply=True),) if name in ("failure", "recovery") else ()
        return (Digest((story,), about), *answers)
    if takes == "events":
        return _events(outcome)
    if takes == "occurrences":
        return _occurrences(name, outcome)
    if takes == "dispatches":
        return tuple(Dispatch(_FLEET, event) for event in _events(outcome))
    if takes == "statuses":
        return _statuses(outcome)
    if takes == "deployments":
        return (Deployment(_FLEET, _COMMIT, cluster, outcome.state, render.summary(outcome), "main"),)
    if takes == "comments":
        rows = sorted(Row(cluster, render.name(o), o.state, render.say(o)) for o in outcome.observations)
        return (Comment(_FLEET, _COMMIT, tuple(rows), request="42"),)
    raise ValueError(f"There is no example for what takes {takes!r}.")


def asked(payloads: Sequence[Payload], to: Destination) -> Iterator[Payload]:
    """What of ``payloads`` the Alert of ``to`` lets through, with what it adds."""
    from landed.alerts import admits, merged
    from landed.plan.channels import dressed

    alert = next(iter(to.alerts), None)
    for payload in payloads:
        if isinstance(payload, Digest):
            over = any(story.broken_for for story in payload.stories)
            failed = any(story.state is State.FAILURE for story in payload.stories)
            if (to.threads or not payload.reply) and (alert is None or alert.severity == "info" or failed or over):
                yield dressed(payload, to)
        elif alert is not None and isinstance(payload, Event | Occurrence):
            event = payload if isinstance(payload, Event) else payload.event
            said = structs.replace(event, metadata=merged(alert, event.metadata, {}))
            ends = isinstance(payload, Occurrence) and payload.state is State.SUCCESS
            if ends or admits(alert, event.severity, event.message):
                yield said if isinstance(payload, Event) else structs.replace(payload, event=said)
        else:
            yield payload


def _story(name: str, cluster: str, now: int) -> Story:
    if name not in SITUATIONS:
        raise ValueError(f"There is no situation {name!r}: there are {', '.join(SITUATIONS)}.")
    made = {"failure": _failed, "success": _live, "recovery": _live, "dependency": _waiting}[name](now)
    observations = tuple(sorted(made, key=lambda observation: observation.about))
    return Story(
        Outcome(cluster, _FLEET, _COMMIT, observations),
        broken_for=_BROKEN_FOR if name == "recovery" else 0,
        subject=_SUBJECT,
        author=_AUTHOR,
    )


def _failed(now: int) -> Sequence[Observation]:
    said = "health check failed after 5m0s: timeout waiting for: [Deployment/gateway/gateway status: 'InProgress']"
    root = _observed(_INFRA, State.FAILURE, "HealthCheckFailed", said, now - 20)
    return (structs.replace(root, duration="5m3.218s"), *_dependants(_APPS, now))


def _waiting(now: int) -> Sequence[Observation]:
    root = _observed(_INFRA, State.PENDING, "Progressing", "Reconciling: health checks", now - 50)
    return (structs.replace(root, begun=True), *_dependants(_APPS[:3], now))


def _dependants(apps: Sequence[str], now: int) -> Sequence[Observation]:
    said = f"dependency '{_INFRA.namespace}/{_INFRA.name}' is not ready"
    waiting = (_observed(_app(app), State.PENDING, "DependencyNotReady", said, now - 30) for app in apps)
    return [structs.replace(observation, waits_for=_INFRA) for observation in waiting]


def _live(now: int) -> Sequence[Observation]:
    changes = {
        _INFRA: ("Certificate/gateway/gateway created", "Deployment/gateway/gateway configured"),
        _app("shop/cart"): ("Deployment/shop/cart configured",),
        _app("shop/web"): ("ConfigMap/shop/web-old deleted", "Deployment/shop/web configured"),
        _app("shop/search"): (),
    }
    said = f"Applied revision: {_REVISION}"
    return [
        structs.replace(
            _observed(about, State.SUCCESS, "ReconciliationSucceeded", said, now - 20),
            duration="41.207s" if changed else "1.318s",
            changes=changed,
            health="Health check passed in 38.114s" if changed else "",
        )
        for about, changed in changes.items()
    ]


def _observed(about: ObjectRef, state: State, reason: str, message: str, since: int) -> Observation:
    return Observation(about, state, _FLEET, _COMMIT, reason, message, since=since, revision=_REVISION, newest=True)


def _app(path: str) -> ObjectRef:
    return ObjectRef("Kustomization", *path.split("/"))


def _events(outcome: Outcome) -> tuple[Event, ...]:
    """As Flux sends them: what changed, that it is healthy and done; each failure, and who waits for another."""
    told = (o for o in outcome.observations if o.state is not State.PENDING or o.waits_for is not None)
    return tuple(event for o in told for _, event in render.events(outcome.cluster, o))


def _occurrences(name: str, outcome: Outcome) -> tuple[Occurrence, ...]:
    """Of a recovery, only what ends."""
    told = (o for o in outcome.observations if o.state is not State.PENDING or o.waits_for is not None)
    return tuple(
        Occurrence(
            render.event(outcome.cluster, o),
            o.state,
            f"{outcome.cluster} {o.about}",
            outcome.cluster,
            o.since,
            _FLEET,
            _COMMIT,
            render.commit_url(_FLEET, _COMMIT),
            41.207,
            o.changes,
        )
        for o in told
    )[: 1 if name == "recovery" else None]


def _statuses(outcome: Outcome) -> tuple[CommitStatus, ...]:
    """One for the object that it is about, and one for the commit on the whole cluster."""
    told = min(outcome.observations, key=lambda o: o.state is not State.FAILURE)
    context = f"flux/{outcome.cluster}"
    own = f"{context}/{told.about.namespace}/{told.about.name}"
    return (
        CommitStatus(_FLEET, _COMMIT, own, told.state, render.say(told), detail=render.explanation((told,))),
        CommitStatus(
            _FLEET,
            _COMMIT,
            context,
            outcome.state,
            render.summary(outcome),
            detail=render.explanation(outcome.observations),
        ),
    )


def test_payload(takes: str) -> Digest | Event | Occurrence:
    """What ``landed doctor --send-test`` sends to a channel that takes ``digests``, ``messages``, ``events`` or
    ``occurrences``: of the last one that all is well, for nobody should be woken by a test.
    """
    observation = Observation(
        ObjectRef("Kustomization", "flux-system", "test"),
        State.SUCCESS,
        _FLEET,
        "0" * 40,
        "ReconciliationSucceeded",
        "A test message from landed doctor",
        revision="test@sha1:" + "0" * 40,
    )
    event = render.event("test", observation)
    if takes == "occurrences":
        return Occurrence(event, State.SUCCESS, f"test {observation.about}", "test", NOW, _FLEET, "0" * 40)
    if takes == "events":
        return event
    return Digest((Story(Outcome("test", _FLEET, "0" * 40, (observation,))),))
