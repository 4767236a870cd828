"""The contexts of one outcome at one Git host: which observations each stands for, and what is written under it."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from msgspec import structs

from landed import render
from landed.model import CommitStatus, Destination, Mark, Observation, Outcome, State, Update
from landed.plan.news import News, begun
from landed.plan.wording import Expression, Wording, filled
from landed.revision import short
from landed.told import Entry


class Contexts:
    """Names what is said of one outcome, and makes the statuses that say it."""

    def __init__(self, wording: Wording, outcome: Outcome, to: Destination) -> None:
        self._wording = wording
        self._outcome = outcome
        self._to = to
        self._expression = to.expression or wording.expression
        self.problems: list[str] = []
        """Why there are observations without a context, as far as ``each`` has come."""

    def each(self) -> Iterator[tuple[str, Observation]]:
        """Every observation with its context; those that share one are taken together. A context of "" has no name.

        Only an expression can give several objects one context. The worst of them speaks for all.
        """
        if self._expression is None:
            yield from ((self.of(observation), observation) for observation in self._outcome.observations)
            return
        groups: dict[str, list[Observation]] = {}
        for observation in self._outcome.observations:
            groups.setdefault(self._evaluated(self._expression, observation), []).append(observation)
        for context, observations in groups.items():
            if len(observations) == 1 or not context:
                yield from ((context, observation) for observation in observations)
            else:
                yield context, _together(structs.replace(self._outcome, observations=tuple(observations)))

    def _evaluated(self, expression: Expression, observation: Observation) -> str:
        try:
            return self._named(expression, observation)
        except ValueError as error:
            about = f"{self._outcome.cluster}: {observation.about}"
            self.problems.append(f"{about} gets no commit status of its own: {error}")
            return ""

    def _named(self, expression: Expression, observation: Observation) -> str:
        context = expression(render.event(self._outcome.cluster, observation), self._to)
        context = shorten(context, self._to.context_limit)
        if context == self.whole():
            raise ValueError(f"{context} is what the status of the whole commit is called")
        return context

    def of(self, observation: Observation) -> str:
        """The context of one object, by the template."""
        about = observation.about
        namespace = about.namespace if about.kind == "Kustomization" else f"{about.kind.lower()}/{about.namespace}"
        return self._fill(self._wording.context, namespace, about.name)

    def whole(self) -> str:
        """The context of the whole commit on this cluster."""
        return self._fill(self._wording.commit_context, "", "")

    def line(self, context: str) -> str:
        """How the ledger calls the context."""
        return f"{self._outcome.repository.path} {context}"

    def _fill(self, template: str, namespace: str, name: str) -> str:
        context = (
            template.replace("{cluster}", self._outcome.cluster)
            .replace("{namespace}", namespace)
            .replace("{name}", name)
        )
        return shorten(context, self._to.context_limit)

    def status(self, context: str, mark: Mark, said: Observation, entry: Entry | None) -> News:
        """The status of one context."""
        return self._news(
            CommitStatus(
                self._outcome.repository,
                self._outcome.commit,
                context,
                said.state,
                render.say(said, self._to.description_limit),
                self._target(self._outcome.commit),
                said.begun,
                render.explanation((said,)) if self._to.details else "",
                entry.handle if entry else "",
            ),
            mark,
        )

    def status_of_all(self, context: str, mark: Mark, state: State, whole: Outcome, entry: Entry | None) -> News:
        """The status of the whole commit."""
        return self._news(
            CommitStatus(
                whole.repository,
                whole.commit,
                context,
                state,
                render.summary(whole, self._to.description_limit),
                self._target(whole.commit),
                begun(whole),
                render.explanation(whole.observations) if self._to.details else "",
                entry.handle if entry else "",
            ),
            mark,
            whole=True,
        )

    def superseded(self, context: str, entry: Entry, current: tuple[str, ...], by: str) -> News:
        """The last status of an earlier commit, which Flux left for ``by`` (a revision; "" where that is not sure)."""
        said = f"Superseded: Flux went on to {short(by) if by else 'another commit'} before this was applied"
        line = self.line(context)
        return self._news(
            CommitStatus(
                self._outcome.repository,
                entry.commit,
                context,
                State.SUPERSEDED,
                render.cut(said, self._to.description_limit),
                self._target(entry.commit),
                handle=entry.handle,
            ),
            Mark(line, entry.commit, State.SUPERSEDED, current),
        )

    def _target(self, commit: str) -> str:
        return filled(self._wording.target_url, self._outcome.cluster, self._outcome.repository.path, commit)

    def _news(self, status: CommitStatus, mark: Mark, *, whole: bool = False) -> News:
        return News(Update(self._to.name, (mark,), status), rank=rank_of(status.state, whole=whole))


def rank_of(state: State, *, whole: bool = False) -> int:
    """Where a rate limit cuts a run short: failures first, then what speaks for a whole commit."""
    return 0 if state is State.FAILURE else 1 if whole else 2 if state is State.SUCCESS else 3


def shorten(context: str, limit: int) -> str:
    """``context``, with its end replaced by a hash where it is longer than the host takes: unique and stable."""
    if len(context) <= limit:
        return context
    return f"{context[: limit - 9]}~{crc32(context.encode()):08x}"


def _together(outcome: Outcome) -> Observation:
    """Several observations as one, in the state that they add up to."""
    state = structs.replace(outcome, missing=()).state
    worst = next(o for o in outcome.observations if o.state is state)
    keeps = state is not State.FAILURE and any(o.keeps for o in outcome.observations)
    failed = [f"{o.about} {o.reason}" for o in outcome.observations if o.state is State.FAILURE]
    reason = worst.reason if len(failed) < 2 else f"{len(failed)} {crc32(chr(10).join(failed).encode()):08x}"
    said = render.summary(outcome, 400)
    return structs.replace(worst, reason=reason, message=said, keeps=keeps, together=len(outcome.observations))
