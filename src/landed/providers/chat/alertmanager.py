"""Prometheus Alertmanager: a failure fires an alert, a success resolves it; a wait for a dependency is an alert too, of
severity ``info``, which whatever comes of it resolves.

An alert is its labels, so what fired must be resolved by those very labels: the handle has them. What changes with each
commit is an annotation.

https://prometheus.io/docs/alerting/latest/alerts_api/ ,
https://fluxcd.io/flux/components/notification/providers/#prometheus-alertmanager
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct, structs

from landed import alarms, render
from landed.decoding import decode
from landed.http import Request, Response, json_request, not_taken
from landed.messages import one_line
from landed.model import Channel, Occurrence, Secret, State
from landed.providers.credentials import basic
from landed.providers.interface import Said, wanted

#: Seconds until an alert ends that nobody resolves: without an end Alertmanager would end it after its
#: ``resolve_timeout``, five minutes as a rule, although nothing is over. An object may have failed for years when it is
#: first told of, so it is longer than any does.
FIRES = 10 * 365 * 86400
#: Seconds before it happened that an end is dated, by our clock or the cluster's, whichever is behind: one that is
#: still to come for Alertmanager's clock would be taken for older than the one above, and the alert would go on firing.
_SKEW = 60
#: Characters of a label's value, and of the message: of what is over it has no more than a value, for there are many.
_VALUE, _MESSAGE = 1000, 10_000
#: Label sets in a handle; one is open as a rule, two while a dependency is waited for after a failure.
_OPEN = 4

#: https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
_LABEL = r"[A-Za-z_][A-Za-z0-9_]*"
#: What of an event's metadata changes with each commit.
_PASSING = frozenset({"revision", "originRevision", "commit", "change_request", "summary"})
_SILENT = frozenset({"commit_status", "token"})

#: What a failure of each kind of object may be called, with blanks between, where it is not known what fired.
#: https://fluxcd.io/flux/components/kustomize/api/v1/ , https://fluxcd.io/flux/components/helm/api/v2/ ,
#: https://fluxcd.io/flux/components/source/api/v1/
_APPLIES = "AccessDenied ArtifactFailed FeatureGateDisabled ReconciliationFailed"
_FETCHES = (
    "AuthenticationFailed Failed FeatureGateDisabled URLInvalid VerificationError"
    " AcquireLockFailed ArchiveOperationFailed DirectoryCreationFailed InvalidPath PatchOperationFailed"
    " ReadOperationFailed StatOperationFailed StorageOperationFailed"
)
_REASONS = {
    "Kustomization": f"{_APPLIES} BuildFailed DirectoryCreationFailed HealthCheckFailed InvalidCELExpression"
    " PruneFailed",
    # A release that was rolled back, or uninstalled, because it had failed says so.
    "HelmRelease": f"{_APPLIES} InstallFailed UpgradeFailed TestFailed RollbackFailed RollbackSucceeded"
    " UninstallFailed UninstallSucceeded ChartMutateError FactoryError RESTClientError ReconcileError SourceNotReady"
    " StateError ValuesError",
    "GitRepository": f"{_FETCHES} GitOperationFailed EmptyGitRepository InvalidProviderConfiguration",
    "OCIRepository": f"{_FETCHES} OCIArtifactPullFailed OCIArtifactLayerOperationFailed",
    "Bucket": f"{_FETCHES} BucketOperationFailed ClientError InvalidSTSConfiguration",
    "HelmRepository": f"{_FETCHES} IndexationFailed",
    "HelmChart": f"{_FETCHES} ChartPackageError ChartPullError ChartVerificationError DependencyBuildError"
    " InvalidChartReference MetadataPatchError Unknown ValuesFilesError",
    "ExternalArtifact": _FETCHES,
    "Deployment": "Stale",
}
_WAIT = "DependencyNotReady"

_API = "https://HOST/api/v2/alerts"
_HINTS = {
    "bad_data": "Alertmanager finds the alert not to be valid: check what eventMetadata adds.",
    "401": "Check username and password, or the token, of the Provider's Secret.",
    "404": f"Check the address: {_API}, behind the route prefix where Alertmanager has one.",
    "405": f"Check the address: {_API}",
    "410": f"Check the address: this Alertmanager has {_API} only.",
}


class _Opened(Struct, frozen=True, array_like=True):
    """An alert that fires."""

    labels: dict[str, str]
    since: int


class _Answer(Struct, frozen=True):
    status: str = ""


def requests(channel: Channel, payload: Said) -> Sequence[Request]:
    """One POST of everything that begins to fire and of everything that it resolves. It may be sent twice."""
    payload = wanted(Occurrence, payload)
    alerts, open_ = _alerts(payload)
    if not alerts:
        return ()
    return (_request(channel, alerts, msgspec.json.encode(open_[:_OPEN]).decode() if open_ else ""),)


def acknowledged(response: Response) -> str:
    """Nothing, for the request has the handle. Raises DeliveryError unless the answer has no words, or says success."""
    try:
        said = decode(response.body, _Answer).status if response.body.strip() else "success"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = ""
    if said != "success":
        raise not_taken(response, {}, f"Check the address: {_API}")
    return ""


def _alerts(it: Occurrence) -> tuple[list[dict[str, Any]], list[_Opened]]:
    """What to send, and what is open after that, the newest first."""
    known = _known(it)
    if it.state is State.SUCCESS:
        return [_resolved(one, it) for one in (*known, *_likely(it, known))], []
    if it.state not in (State.FAILURE, State.STALE, State.PENDING):
        return [], known
    labels = _labels(it)
    fresh = next((one for one in known if one.labels == labels), _Opened(labels, it.at))
    # A failure ends whatever was open; a wait ends only other waits, for what failed has not recovered.
    stays = [one for one in known if it.state is State.PENDING and not _is_wait(one)]
    ended = [one for one in known if one not in stays and one.labels != labels]
    if it.state is not State.PENDING:  # what fired for another reason, and was not taken down
        ended += [one for one in _likely(it, known) if one.labels != labels]
    return [_fires(fresh, it), *(_resolved(one, it) for one in ended)], [fresh, *stays]


def _is_wait(one: _Opened) -> bool:
    return one.labels.get("severity") == "info"


def _known(it: Occurrence) -> list[_Opened]:
    """What the handle says to be open. One that is not ours, or of another object, is as good as none."""
    try:
        found = decode(it.handle.encode(), list[_Opened]) if it.handle else []
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    return found if len(found) <= _OPEN and all(_ours(one, it) for one in found) else []


def _ours(one: _Opened, it: Occurrence) -> bool:
    own = {name: value for name, value in _own(it).items() if name in ("kind", "name", "namespace")}
    return (
        0 < one.since < 1 << 35
        and len(one.labels) <= 100
        and one.labels.get("alertname", "").startswith("Flux")
        and all(one.labels.get(name, "") == own.get(name, "") for name in ("kind", "name", "namespace"))
        and all(re.fullmatch(_LABEL, name) and _value(value) == value for name, value in one.labels.items())
    )


def _labels(it: Occurrence) -> dict[str, str]:
    """Flux's labels, and the metadata under names that are valid; what is empty is no label. Where the metadata calls
    the cluster something else, as it may do with several of them, its name is a label beside.
    """
    own = _own(it)
    found = dict(own)
    for name, value in sorted(it.event.metadata.items()):
        if name not in _PASSING | _SILENT:
            found.setdefault(_name(name), _value(value))
    if found.get("cluster") != _value(it.cluster):  # or the success of one cluster would end a failure of another
        found["observed_cluster"] = _value(it.cluster)
    return {name: value for name, value in found.items() if value}


def _own(it: Occurrence) -> dict[str, str]:
    event, about = it.event, it.event.involvedObject
    values = {
        "alertname": re.sub(r"\W", "", f"Flux{about.kind}{event.reason}", flags=re.ASCII),
        "severity": event.severity,
        "reason": event.reason,
        "kind": about.kind,
        "name": about.name,
        "namespace": about.namespace,
        "reportingcontroller": event.reportingController,
    }
    return {name: _value(value) for name, value in values.items()}


def _likely(it: Occurrence, known: Sequence[_Opened]) -> Iterator[_Opened]:
    """What else may fire, because the ledger was lost, or because it fired in this very run: to resolve what does not
    fire does no harm, and is told nobody.
    """
    about = it.event.involvedObject
    waits = [(_WAIT, "info")] if about.kind in ("Kustomization", "HelmRelease") else []
    for reason, severity in [*((reason, "error") for reason in _REASONS.get(about.kind, "").split()), *waits]:
        event = structs.replace(it.event, reason=reason, severity=severity)
        labels = _labels(structs.replace(it, event=event))
        if all(one.labels != labels for one in known):
            yield _Opened(labels, _ended(it))


def _fires(one: _Opened, it: Occurrence) -> dict[str, Any]:
    link = alarms.link(it)
    return {
        "labels": one.labels,
        "annotations": _annotations(it, _MESSAGE),
        "startsAt": render.rfc3339(one.since),
        "endsAt": render.rfc3339(max(it.at, one.since) + FIRES),
        **({"generatorURL": link} if link else {}),
    }


def _resolved(one: _Opened, it: Occurrence) -> dict[str, Any]:
    """A beginning is never after its end: where a clock was ahead then, it gives way."""
    ended = _ended(it)
    return {
        "labels": one.labels,
        "annotations": _annotations(it, _VALUE),
        "startsAt": render.rfc3339(min(one.since, ended)),
        "endsAt": render.rfc3339(ended),
    }


def _ended(it: Occurrence) -> int:
    return (min(it.at, it.told) if it.told else it.at) - _SKEW


def _annotations(it: Occurrence, most: int) -> dict[str, str]:
    """``message``, of ``most`` characters, and ``summary`` as Flux writes them, and what changes with each commit."""
    metadata = it.event.metadata
    values = {"message": alarms.message(it, most), "summary": metadata.get("summary", "")}
    values |= {name: metadata.get(name, "") for name in sorted(_PASSING - {"summary"})}
    values["commit"] = it.commit or values["commit"]
    values["headline"] = alarms.headline(it, 300)
    return {name: kept for name, value in values.items() if (kept := value if name == "message" else _value(value))}


def _name(text: str) -> str:
    """A label's name. Those that begin with two underscores are Prometheus' own."""
    valid = re.sub(r"[^A-Za-z0-9_]", "_", text)[:100]
    return re.sub(r"\A(?=\d)|\A_+", "_", valid) or "_"


def _value(text: str) -> str:
    return render.cut(one_line(text), _VALUE)


def _request(channel: Channel, alerts: list[dict[str, Any]], handle: str) -> Request:
    made = json_request(
        _url(channel.address),
        alerts,
        service=channel.called("Alertmanager"),
        hints=_HINTS,
        repeatable=True,
        handle=handle,
    )
    shown, password = _login(channel)
    if not shown:
        return made
    return structs.replace(
        made,
        headers={**made.headers, "Authorization": shown},
        hidden=tuple(Secret(text) for text in (password,) if text),
    )


def _url(address: Secret) -> Secret:
    """The alerts of the API: with or without a slash at its end, or only the server, and without a login."""
    parts = urlsplit(address.reveal().strip())
    path = parts.path.rstrip("/")
    path = path if path.endswith("/alerts") else f"{path.removesuffix('/api/v2')}/api/v2/alerts"
    return Secret(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path, fragment="").geturl())


def _login(channel: Channel) -> tuple[Secret, str]:
    """The header that says who we are, and the password in it: a user's name and password, else the token, else what
    stands in the address, as notification-controller has it; both empty where there is nothing.
    """
    token, parts = channel.token.reveal().strip(), urlsplit(channel.address.reveal().strip())
    if channel.username and channel.password:
        return basic(channel.username, channel.password.reveal()), channel.password.reveal()
    if token:
        return Secret(f"Bearer {token}"), ""
    if not parts.username:
        return Secret(""), ""
    password = unquote(parts.password or "")
    return basic(unquote(parts.username), password), password
