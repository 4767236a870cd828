"""Commit statuses: one for each object, and one for the whole commit on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

from msgspec import Struct, structs

from landed import render
from landed.model import CommitStatus, Destination, Mark, Observation, Outcome, State, Update
from landed.plan.news import News, View, common_state, fingerprint, fingerprint_of, is_news, standing_of
from landed.told import Told


class Wording(Struct, frozen=True):
    """How commit statuses are named. Placeholders: ``{cluster} {namespace} {name}``, in ``target_url`` also
    ``{repository} {commit}``.
    """

    context: str = "flux/{cluster}/{namespace}/{name}"
    commit_context: str = "flux/{cluster}"
    target_url: str = ""


def statuses(views: Iterable[View], told: Told, to: Destination, wording: Wording) -> Iterator[News]:
    """The statuses that are due on the Git host ``to``."""
    for view in views:
        for outcome in view.look.outcomes:
            if outcome.repository.host == to.host:
                yield from _statuses_of(outcome, view, told, to, wording)


def _statuses_of(outcome: Outcome, view: View, told: Told, to: Destination, wording: Wording) -> Iterator[News]:
    contexts = _Contexts(wording, outcome, to)
    standing: list[Observation] = []
    for observation in outcome.observations:
        context = contexts.of(observation)
        line = f"{outcome.repository.path} {context}"
        entry = told.entry(to.name, line, outcome.commit)
        standing.append(standing_of(observation, entry))
        if observation.keeps:
            continue
        print_ = fingerprint(observation)
        if is_news(entry, print_, past=observation.past):
            mark = Mark(line, outcome.commit, print_, view.commits_of(observation.about))
            said = render.say(observation, to.description_limit)
            yield contexts.status(context, mark, observation.state, said)
    state = common_state(outcome, standing)
    if state is None:
        return
    whole = structs.replace(outcome, observations=tuple(standing))
    context = contexts.whole()
    line = f"{outcome.repository.path} {context}"
    print_ = fingerprint_of(whole, state)
    if is_news(told.entry(to.name, line, outcome.commit), print_, past=outcome.past):
        mark = Mark(line, outcome.commit, print_, view.commits_in(outcome.repository))
        said = render.summary(whole, to.description_limit)
        yield contexts.status(context, mark, state, said, whole=True)


class _Contexts:
    """The contexts of one outcome at one Git host."""

    def __init__(self, wording: Wording, outcome: Outcome, to: Destination) -> None:
        self._wording = wording
        self._outcome = outcome
        self._to = to

    def of(self, observation: Observation) -> str:
        about = observation.about
        namespace = about.namespace if about.kind == "Kustomization" else f"{about.kind.lower()}/{about.namespace}"
        return self._fill(self._wording.context, namespace, about.name)

    def whole(self) -> str:
        return self._fill(self._wording.commit_context, "", "")

    def _fill(self, template: str, namespace: str, name: str) -> str:
        context = (
            template.replace("{cluster}", self._outcome.cluster)
            .replace("{namespace}", namespace)
            .replace("{name}", name)
        )
        return shorten(context, self._to.context_limit)

    def status(self, context: str, mark: Mark, state: State, said: str, *, whole: bool = False) -> News:
        outcome = self._outcome
        target = (
            self._wording.target_url.replace("{cluster}", outcome.cluster)
            .replace("{repository}", outcome.repository.path)
            .replace("{commit}", outcome.commit)
        )
        payload = CommitStatus(outcome.repository, outcome.commit, context, state, said, target)
        # Where a rate limit cuts a run short: failures first, then what speaks for the whole commit.
        rank = 0 if state is State.FAILURE else 1 if whole else 2 if state is State.SUCCESS else 3
        return News(Update(self._to.name, (mark,), payload), rank=rank)


def shorten(context: str, limit: int) -> str:
    """``context``, with its end replaced by a hash where it is longer than the host takes: unique and stable."""
    if len(context) <= limit:
        return context
    return f"{context[: limit - 9]}~{crc32(context.encode()):08x}"
