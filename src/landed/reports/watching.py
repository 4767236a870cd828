"""What a run that stays says as it goes on: a line for each update that was delivered, and for what keeps it from that.

It runs for weeks: what it remembers is bounded by how many clusters there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landed import render
from landed.model import CommitStatus, Delivery, Deployment, Digest, Event, Look, Outcome, Report, Repository, Update
from landed.reports.console import Console
from landed.reports.payloads import place, words
from landed.reports.rows import plain

#: What is told once and not at every look: updates that a dry run would send, and those that a token may not write.
MOST_REMEMBERED = 1000
#: Characters of an error in a line.
LONGEST = 600


class Watching:
    """Tells what each look has brought."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._unreadable: frozenset[str] = frozenset()
        self._notes: frozenset[str] = frozenset()
        self._once: dict[int, None] = {}

    def tell(self, report: Report) -> None:
        """What is new in it."""
        self._clusters(report.looks)
        for delivery in report.deliveries:
            self._delivery(delivery, report.looks)
        for update in report.planned:
            if self._first(update):
                self._say("planned", update, report.looks)
        for warning in report.warnings:
            self._console.warn(warning)
        for note in report.notes:
            if note not in self._notes:
                self._console.tell(render.cut(self._line(note), LONGEST))
        self._notes = frozenset(report.notes)

    def reloaded(self, problem: str = "", hint: str = "") -> None:
        """The configuration was read again; or could not be, and the one before stays."""
        if problem:
            text = f"the configuration could not be read again, the one before stays: {self._line(problem)}"
            self._console.tell(text, level="error", hint=hint)
        else:
            self._console.tell("the configuration was read again")

    def leads(self, holder: str, *, ours: bool) -> None:
        """Who delivers from now on, where several run and one of them leads; ``holder`` is empty where nobody does."""
        text = "leading" if ours else f"following {plain(holder)}" if holder else "nobody leads"
        message = "leading" if ours else "following" if holder else "nobody leads"
        self._console.tell(text, {"holder": holder}, message=message)

    # ── clusters ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _clusters(self, looks: Sequence[Look]) -> None:
        """When one is lost, and when it is back; a look may be at some of them only."""
        for look in looks:
            name, known = look.cluster, look.cluster in self._unreadable
            if look.error and not known:
                self._unreadable |= {name}
                error = render.cut(self._line(look.error), LONGEST)
                fields = {"cluster": name, "error": error}
                text = f"{plain(name)} cannot be read: {error}" if name not in error else error
                self._console.tell(text, fields, level="error", message="cluster cannot be read", hint=look.hint)
            elif known and not look.error:
                self._unreadable -= {name}
                self._console.tell(f"{plain(name)} can be read again", {"cluster": name}, message="cluster is back")

    # ── deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _delivery(self, delivery: Delivery, looks: Sequence[Look]) -> None:
        update = delivery.update
        if not delivery.error:
            # Where nobody has measured it, nothing is said of it.
            took: float | None = getattr(delivery, "took", None) or None
            self._say("delivered", update, looks, took=took)
            return
        if delivery.read_only and not self._first(update):
            return
        self._say("not written" if delivery.read_only else "not delivered", update, looks, failed=delivery)

    def _say(
        self,
        what: str,
        update: Update,
        looks: Sequence[Look],
        *,
        took: float | None = None,
        failed: Delivery | None = None,
    ) -> None:
        said = words(update)
        fields: dict[str, object] = {"destination": update.destination, "type": said.kind, **_about(update, looks)}
        parts = [what, plain(update.destination), plain(said.commit), plain(said.name), said.state]
        if took is not None:
            fields["took_ms"] = round(took * 1000)
            parts.append(f"({round(took * 1000)} ms)")
        text = "  ".join(filter(None, parts))
        if failed is None:
            self._console.tell(text, fields, message=what)
            return
        error = render.cut(self._line(failed.error), LONGEST)
        fields |= {"error": error, "passing": failed.passing, "uncertain": failed.uncertain}
        level = "warning" if failed.read_only else "error"
        self._console.tell(f"{text}: {error}", fields, level=level, message=what, hint=failed.hint)

    def _first(self, update: Update) -> bool:
        """Whether it is the first time for this."""
        essence = (update.destination, *((mark.line, mark.commit, mark.fingerprint) for mark in update.marks))
        known = hash(essence) in self._once
        self._once.pop(hash(essence), None)
        self._once[hash(essence)] = None
        if len(self._once) > MOST_REMEMBERED:
            del self._once[next(iter(self._once))]
        return not known

    def _line(self, text: str) -> str:
        """Before it is cut: half a secret is found by nobody."""
        return " ".join(self._console.safe(text).split())


def _about(update: Update, looks: Sequence[Look]) -> Mapping[str, object]:
    """Repository, commit, state, context and cluster, empty where there is none or nobody knows."""
    payload, said = update.payload, words(update)
    commit = update.marks[0].commit if update.marks else ""
    repository = getattr(payload, "repository", None)
    at = place(payload)
    if at is not None:
        repository, commit = at
    elif isinstance(payload, Digest):
        told = next((s.outcome for s in payload.stories if s.outcome.commit), None)
        repository, commit = (told.repository, told.commit) if told is not None else (None, "")
    context = said.name if isinstance(payload, CommitStatus | Deployment) else ""
    return {
        "repository": str(repository) if isinstance(repository, Repository) else "",
        "commit": commit,
        "state": str(said.state),
        "context": context,
        "cluster": _cluster(update, looks),
    }


def _cluster(update: Update, looks: Sequence[Look]) -> str:
    """The clusters that it speaks of. A commit status names none: it is the one whose outcome it tells, if that is
    plain to see.
    """
    payload = update.payload
    if isinstance(payload, Event):
        return payload.metadata.get("cluster", "")
    if not isinstance(payload, CommitStatus | Deployment):
        event = getattr(payload, "event", None)
        return event.metadata.get("cluster", "") if isinstance(event, Event) else words(update).name
    spoken = [look for look in looks if any(_same(payload, outcome) for outcome in look.outcomes)]
    names = [look.cluster for look in spoken or looks]
    if len(names) > 1:
        context = words(update).name
        names = [name for name in names if f"/{name}/" in f"/{context}/"]
    return names[0] if len(names) == 1 else ""


def _same(payload: CommitStatus | Deployment, outcome: Outcome) -> bool:
    return (payload.repository, payload.commit) == (outcome.repository, outcome.commit)
