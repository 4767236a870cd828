"""Sentences for people, and what it takes to put a stranger's text into them. No I/O.

Everything that comes from a cluster or a commit is hostile: it may be long, hold control characters, or try to look
like something we said. ``clean`` and ``cut`` come before any service's own escaping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from zlib import crc32

from msgspec import structs

from landed.model import Event, InvolvedObject, Observation, Outcome, Repository, State
from landed.revision import loopback, short

# Patterns are compiled when they are first needed: a run without news needs none of them.
#: Control characters (all but the newline), zero-width characters, and everything that turns the writing direction.
UNSEEN = "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
_BREAKS = "\r\n|[\r\v\f\x85\u2028\u2029]"
_SPACES = r"[ \t\xa0]+"
_CAMEL = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_DURATION = r"\b\d+(?:\.\d+)?(?:h|ms|m|s|µs|us|ns)(?:\d+(?:\.\d+)?(?:ms|m|s))*\b"
_SCRATCH = r"/tmp/[\w.-]+?-?\d{4,}(?=/|\b)"  # noqa: S108 — a path in Flux's messages, not ours
_SCRATCH_PREFIX = r"stat /tmp/[\w.-]+?-?\d{4,}/"


def clean(text: str) -> str:
    """``text`` without control and direction characters; line breaks become newlines, blanks single."""
    return re.sub(_SPACES, " ", re.sub(UNSEEN, "", re.sub(_BREAKS, "\n", text.replace("\t", " ")))).strip()


def first_line(text: str) -> str:
    """The first line of ``text`` that says anything, cleaned."""
    return next((line.strip() for line in clean(text).split("\n") if line.strip()), "")


#: Characters that are looked at where one line is wanted: nobody has room for more.
_LONGEST_LINE = 20_000


def one_line(text: str) -> str:
    """``text`` cleaned, on one line. Half a surrogate pair is no Unicode: it becomes a ``?``."""
    return " ".join(clean(text[:_LONGEST_LINE]).split()).encode(errors="replace").decode()


def cut(text: str, limit: int) -> str:
    """``text``, or as many whole words of it as fit into ``limit`` characters together with an ellipsis."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    at_word = kept.rsplit(" ", 1)[0]
    return (at_word if len(at_word) > limit // 2 else kept).rstrip(" ,;:([") + "…"


def essence(text: str) -> str:
    """``text`` without what differs from run to run: durations and scratch folders."""
    return re.sub(_DURATION, "…", re.sub(_SCRATCH, "…", clean(text)))


def words(reason: str) -> str:
    """``HealthCheckFailed`` as ``Health check failed``; what is written in capitals stays so."""
    parts = re.split(_CAMEL, clean(reason))
    spelt = [part if part.isupper() and len(part) > 1 else part.lower() for part in parts]
    return " ".join([spelt[0][:1].upper() + spelt[0][1:], *spelt[1:]])


def age(seconds: int) -> str:
    """A length of time as people say it, to two units: ``45s``, ``12m``, ``3h 5m``, ``2d 4h``."""
    seconds = max(0, seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86400:
        hours, minutes = divmod(seconds // 60, 60)
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(seconds // 3600, 24)
    return f"{days}d {hours}h" if hours else f"{days}d"


def duration(text: str) -> str:
    """Flux's ``13.118402s`` or ``2m1.331s`` without the false precision: ``13.1s``, ``2m1s``."""
    whole, dot, rest = text.partition(".")
    if not dot or not rest.endswith("s") or rest.endswith(("ms", "µs", "ns")):
        return text
    return f"{whole}.{rest[0]}s" if "m" not in whole and "h" not in whole else f"{whole}s"


def name(observation: Observation) -> str:
    """The object as messages call it: ``apps/web``, other kinds than Kustomization spelt out."""
    about = observation.about
    plain = f"{about.namespace}/{about.name}"
    return plain if about.kind == "Kustomization" else f"{about.kind} {plain}"


def _trouble(observation: Observation) -> str:
    said = first_line(re.sub(_SCRATCH_PREFIX, "", observation.message))
    what = words(observation.reason)
    if not said:
        return what
    if said.lower().startswith(what.lower()):
        return said[:1].upper() + said[1:]
    return f"{what}: {said}"


def _waiting(observation: Observation) -> str:
    if observation.waits_for:
        return f"Waiting for {observation.waits_for.namespace}/{observation.waits_for.name}"
    return first_line(observation.message) or words(observation.reason)


def say(observation: Observation, limit: int = 140) -> str:
    """One observation as one line of at most ``limit`` characters, to be read beside its state."""
    if observation.together > 1:
        return cut(first_line(observation.message), limit)
    if observation.state is State.SUCCESS and observation.reason == "NewArtifact":
        return cut(f"Fetched {short(observation.revision or observation.commit)}", limit)
    if observation.state is State.SUCCESS:
        took = f" in {duration(observation.duration)}" if observation.duration else ""
        return cut(f"Applied {short(observation.revision or observation.commit)}{took}", limit)
    if observation.state is State.FAILURE:
        return cut(_trouble(observation), limit)
    return cut(_waiting(observation), limit)


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def names(observations: Iterable[Observation], most: int = 3) -> str:
    """The first few by name, the others by number."""
    listed = [name(observation) for observation in observations]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def summary(outcome: Outcome, limit: int = 140) -> str:
    """A whole outcome as one line: what is live, what failed, what is waited for."""
    by = {state: [o for o in outcome.observations if o.state is state] for state in State}
    total = len(outcome.observations)
    live = len(by[State.SUCCESS])
    if outcome.state is State.SUCCESS:
        return cut(_count(total, "object") + " live", limit)
    if outcome.state is State.FAILURE:
        failed = by[State.FAILURE]
        if total == 1:
            return say(failed[0], limit)
        return cut(f"{len(failed)} of {total} failed: {names(failed)}", limit)
    if total == 1:
        return say(outcome.observations[0], limit)
    return cut(f"{live} of {total} live, waiting for {names(by[State.PENDING])}", limit)


def explanation(observations: Iterable[Observation]) -> str:
    """What stands behind a status, in Markdown: every failure with its whole message and what to run next, then who
    waits, then who is live. Nothing in it is Markdown of a stranger's: it stands in code.
    """
    shown = tuple(observations)
    by = {state: [o for o in shown if o.state is state] for state in State}
    parts = [_failure(o) for o in by[State.FAILURE][:_EXPLAINED]]
    if len(by[State.FAILURE]) > _EXPLAINED:
        parts.append(f"… and {len(by[State.FAILURE]) - _EXPLAINED} more failed.")
    if by[State.PENDING]:
        parts.append("Waiting:\n" + _list(by[State.PENDING]))
    if by[State.SUCCESS]:
        parts.append("Live:\n" + _list(by[State.SUCCESS]))
    return "\n\n".join(parts)


#: Failures that an explanation tells of, lines of a list in it, and characters of one message.
_EXPLAINED, _LISTED, _QUOTED = 10, 50, 3000


def _failure(observation: Observation) -> str:
    message = clean(observation.message)
    message = message if len(message) <= _QUOTED else message[: _QUOTED - 1] + "…"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", message)), default=0))
    quoted = f"\n\n{fence}text\n{message}\n{fence}" if message else ""
    look = f"Look further: {_code(next_command(observation))}"
    return f"{_code(name(observation))} failed: {_code(words(observation.reason))}{quoted}\n\n{look}"


def _list(observations: list[Observation]) -> str:
    lines = [f"- {_code(name(o))}: {_code(say(o, 200))}" for o in observations[:_LISTED]]
    more = len(observations) - _LISTED
    return "\n".join([*lines, f"- … and {more} more"] if more > 0 else lines)


def _code(text: str) -> str:
    plain = clean(text).replace("\n", " ").replace("`", "'")
    return f"`{plain}`" if plain else ""


def next_command(observation: Observation) -> str:
    """The command that shows more about an object (https://fluxcd.io/flux/cmd/)."""
    about = observation.about
    if about.kind in ("Kustomization", "HelmRelease"):
        return f"flux events -n {about.namespace} --for {about.kind}/{about.name}"
    if about.kind in _FLUX_SOURCES:
        return f"flux get sources {_FLUX_SOURCES[about.kind]} -n {about.namespace} {about.name}"
    return f"kubectl describe -n {about.namespace} {about.kind.lower()}/{about.name}"


_FLUX_SOURCES = {
    "GitRepository": "git",
    "OCIRepository": "oci",
    "Bucket": "bucket",
    "HelmRepository": "helm",
    "HelmChart": "chart",
}


def commit_url(repository: Repository, commit: str) -> str:
    """Where people look at a commit; empty for a GitLab project that is known by its number: there is no such page.

    GitHub, Gitea and Azure DevOps call the page ``commit``, and GitLab answers to that. Bitbucket says ``commits``.
    """
    if not repository.host or repository.path.isdigit():
        return ""
    from urllib.parse import quote

    scheme = "http" if loopback(repository.host) else "https"
    plural = repository.host == "bitbucket.org" or re.search(_BITBUCKET_SERVER, repository.path) is not None
    # What is percent-encoded in a path is so because it would mean something else.
    path = quote(re.sub("%(?![0-9A-F]{2})", "%25", repository.path), safe="/%~", errors="replace")
    page, name_ = "commits" if plural else "commit", quote(commit, safe="", errors="replace")
    return f"{scheme}://{repository.host}/{path}/{page}/{name_}"


_BITBUCKET_SERVER = r"(?:\A|/)(?:projects|users)/[^/]+/repos/[^/]+\Z"

_CONTROLLERS = {
    "Kustomization": ("kustomize.toolkit.fluxcd.io/v1", "kustomize-controller"),
    "HelmRelease": ("helm.toolkit.fluxcd.io/v2", "helm-controller"),
}
_SOURCE_CONTROLLER = ("source.toolkit.fluxcd.io/v1", "source-controller")


def rfc3339(seconds: int) -> str:
    """Seconds since the epoch as Kubernetes writes times, ``2026-08-20T09:15:42Z``. No clock is read."""
    days, rest = divmod(seconds, 86400)
    # Days to a civil date, counting from 0000-03-01 so that leap days come last.
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    date = day - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{date:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"


def event(cluster: str, observation: Observation, now: int = 0) -> Event:
    """The observation as Flux's own event object, with the cluster's name added to its metadata. ``now``, in epoch
    seconds, is told where nobody knows when it came to that.

    https://fluxcd.io/flux/components/notification/events/
    """
    api_version, controller = _CONTROLLERS.get(observation.about.kind, _SOURCE_CONTROLLER)
    about = observation.about
    metadata = {"cluster": cluster, **observation.metadata}
    if observation.state is State.SUCCESS and about.kind == "Kustomization":
        metadata["commit_status"] = "update"
    if observation.commit and observation.commit not in observation.revision:
        metadata["originRevision"] = f"sha1:{observation.commit}"
    if observation.revision:
        metadata["revision"] = observation.revision
    return Event(
        InvolvedObject(about.kind, about.namespace, about.name, observation.uid, api_version),
        "error" if observation.state in (State.FAILURE, State.STALE) else "info",
        rfc3339(observation.since or now),
        event_message(observation),
        observation.reason,
        metadata,
        controller,
    )


def events(cluster: str, observation: Observation, now: int = 0) -> tuple[tuple[str, Event], ...]:
    """Everything that happened, as Flux's events, in Flux's order: what changed, that the health check passed, and the
    observation itself. Before each what tells it from others of the same object, "" for the observation's own.
    """
    main = event(cluster, observation, now)
    metadata = {key: value for key, value in main.metadata.items() if key != "commit_status"}
    plain = structs.replace(main, reason="Progressing", metadata=metadata)
    found = []
    if observation.changes:
        said = "\n".join(observation.changes)
        found.append((f"changes {crc32(said.encode()):08x}", structs.replace(plain, message=said[:39000])))
    if observation.health:
        found.append(("health", structs.replace(plain, message=observation.health[:39000])))
    return (*found, ("", main))


def event_message(observation: Observation) -> str:
    """What Flux's event about it says, in Flux's own wording where it has one; its limit is 39,000 characters."""
    if observation.state is State.SUCCESS and observation.about.kind == "Kustomization" and observation.revision:
        took = f" in {observation.duration}" if observation.duration else ""
        return f"Reconciliation finished{took}"
    return observation.message[:39000]
