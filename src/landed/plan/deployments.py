"""Deployments: one for each commit in each environment, and a cluster is an environment.

An environment holds one commit at a time, so what came and went between two looks is not told here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from landed import render
from landed.model import RESULTS, Deployment, Destination, Mark, Outcome, State, Update
from landed.plan.contexts import rank_of
from landed.plan.news import News, View, begun, common_state, fingerprint_of, is_news
from landed.plan.wording import Wording, filled
from landed.revision import pointer, short
from landed.told import Entry, Told


def deployments(views: Iterable[View], told: Told, to: Destination, wording: Wording) -> Iterator[News]:
    """The deployments that are due on the Git host ``to``."""
    ended: set[tuple[str, str]] = set()
    for view in views:
        if not {view.look.cluster, "*"} & set(wording.environments):
            continue
        for outcome in view.look.outcomes:
            if outcome.repository.host == to.host and not outcome.past:
                yield from _of(view, outcome, told, to, wording, ended)


def _of(
    view: View, outcome: Outcome, told: Told, to: Destination, wording: Wording, ended: set[tuple[str, str]]
) -> Iterator[News]:
    line = f"{outcome.repository.path} {outcome.cluster}"
    whole = view.standing(outcome)
    state = common_state(whole)
    current = view.commits_in(outcome.repository)
    if state is not None:
        entry = told.entry(to.name, line, outcome.commit)
        print_ = fingerprint_of(whole, state, progress=to.progress)
        if is_news(entry, print_):
            mark = Mark(line, outcome.commit, print_, current)
            yield _news(_deployment(whole, state, to, wording, entry), mark, to)
    arrived = outcome.commit in view.heads(outcome.repository)
    for entry in told.destinations.get(to.name, {}).get(line, ()):
        waited = to.superseded and entry.state == State.PENDING and arrived
        replaced = to.retires and entry.state in RESULTS and state is State.SUCCESS
        if entry.commit not in current and (waited or replaced) and (line, entry.commit) not in ended:
            ended.add((line, entry.commit))
            yield _left(outcome, entry, current, to, wording)


def _deployment(
    whole: Outcome, state: State, to: Destination, wording: Wording, entry: Entry | None, commit: str = ""
) -> Deployment:
    commit = commit or whole.commit
    url = filled(wording.environment_url, whole.cluster, whole.repository.path, commit)
    return Deployment(
        whole.repository,
        commit,
        whole.cluster,
        state,
        render.summary(whole, to.description_limit),
        next((at for o in whole.observations if (at := pointer(o.revision))), ""),
        url,
        filled(wording.target_url, whole.cluster, whole.repository.path, commit),
        begun(whole),
        entry.handle if entry else "",
    )


def _left(outcome: Outcome, entry: Entry, current: tuple[str, ...], to: Destination, wording: Wording) -> News:
    """The end of a deployment whose commit nobody speaks of any more: it was waited for, and everybody has come to
    another one; or it was live, and another one is.
    """
    over = _deployment(outcome, State.SUPERSEDED, to, wording, entry, entry.commit)
    said = render.cut(f"Replaced by {short(outcome.commit)}", to.description_limit)
    line = f"{outcome.repository.path} {outcome.cluster}"
    mark = Mark(line, entry.commit, State.SUPERSEDED, current)
    return _news(structs.replace(over, description=said, begun=False), mark, to)


def _news(deployment: Deployment, mark: Mark, to: Destination) -> News:
    return News(Update(to.name, (mark,), deployment), rank=rank_of(deployment.state, whole=True))
