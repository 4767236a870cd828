"""A report as rows: one for each object and commit, what needs eyes first. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from landed import render
from landed.model import Look, Observation, Outcome, Report, State
from landed.reports.commands import harmless
from landed.revision import short

#: State → how it looks: never by colour alone.
SYMBOLS = {
    "unreadable": "✗",
    "failure": "✗",
    "failed": "✗",
    "diverged": "✗",
    "pending": "◌",
    "waiting": "◌",
    "success": "✓",
    "live": "✓",
    "stale": "◌",
    "superseded": "–",
    "suspended": "–",
    "deleting": "–",
    "new": "·",
}
COLOURS = {
    "unreadable": "red",
    "failure": "red",
    "failed": "red",
    "diverged": "red",
    "pending": "yellow",
    "waiting": "yellow",
    "stale": "yellow",
    "success": "green",
    "live": "green",
}
_RANKS = {state: number for number, state in enumerate(SYMBOLS)}


class Row(Struct, frozen=True):
    """What one object says about one commit. All texts are one line and harmless."""

    cluster: str
    state: str
    """A ``State``, a standing's, or ``unreadable`` for a whole cluster."""
    repository: str = ""
    commit: str = ""
    """As people read it: ``main@6dcd4ce2``; empty where no commit is spoken of."""
    name: str = ""
    reason: str = ""
    since: int = 0
    message: str = ""
    past: bool = False
    """The commit has come and gone."""

    @property
    def symbol(self) -> str:
        """The state as one character."""
        return SYMBOLS.get(self.state, "·")

    def age(self, now: int) -> str:
        """How long it has been saying so."""
        return render.age(now - self.since) if self.since else ""


def plain(text: str) -> str:
    """``text`` as one harmless line without leading, trailing or double blanks."""
    return " ".join(harmless(text).split())


def rows(report: Report) -> tuple[Row, ...]:
    """Every object, cluster by cluster: failures, what is on its way, what is live, what says nothing."""
    return tuple(row for look in report.looks for row in _of_cluster(look))


def outcomes(look: Look) -> tuple[Outcome, ...]:
    """The outcomes of a cluster: current ones before past ones, failures before the rest."""
    return tuple(sorted(look.outcomes, key=lambda o: (o.past, rank(o.state), o.repository, _first_seen(o), o.commit)))


def observations(of: Iterable[Observation]) -> tuple[Observation, ...]:
    """Failures first, then by name."""
    return tuple(sorted(of, key=lambda o: (rank(o.state), o.about, o.commit)))


def rank(state: str) -> int:
    """How far up a state belongs; one that nobody knows comes last."""
    return _RANKS.get(state, len(_RANKS))


def label(outcome: Outcome) -> str:
    """The commit as people read it, with its branch where one is known: ``main@6dcd4ce2``."""
    revision = next((o.revision for o in outcome.observations if o.revision), "")
    return plain(short(revision)) if outcome.commit[:8] in short(revision) else plain(outcome.commit[:8])


def _first_seen(outcome: Outcome) -> int:
    return -max(observation.since for observation in outcome.observations)


def _of_cluster(look: Look) -> Iterator[Row]:
    cluster = plain(look.cluster)
    yield from troubles(look)
    for outcome in outcomes(look):
        repository, commit = plain(outcome.repository.path), label(outcome) or "?"
        yield from (_row(cluster, o, repository, commit) for o in observations(outcome.observations))
    yield from silent(look)


def troubles(look: Look) -> Iterator[Row]:
    """What fails without any commit to blame, the cluster itself first."""
    cluster = plain(look.cluster)
    if look.error:
        yield Row(cluster, "unreadable", message=plain(look.error))
    yield from (_row(cluster, o) for o in observations(look.silent) if o.state is State.FAILURE)


def silent(look: Look) -> Iterator[Row]:
    """The objects that say nothing of any commit."""
    cluster = plain(look.cluster)
    yield from (_row(cluster, o) for o in observations(look.silent) if o.state is not State.FAILURE)


def _row(cluster: str, observation: Observation, repository: str = "", commit: str = "") -> Row:
    return Row(
        cluster,
        str(observation.state),
        repository,
        commit,
        plain(render.name(observation)),
        plain(observation.reason),
        observation.since,
        plain(_said(observation)),
        observation.past,
    )


def _said(observation: Observation) -> str:
    if observation.state in {State.SUCCESS, State.FAILURE, State.PENDING}:
        return render.say(observation, 200)
    return render.first_line(observation.message)
