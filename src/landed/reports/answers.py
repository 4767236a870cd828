"""What became of the commit that was waited for, in plain lines: what it came to, what is missing, and why. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from landed import render
from landed.model import Answer, Culprit, Explanation, PodTrouble, Report, Standing, Verdict
from landed.reports.lines import aligned, clusters
from landed.reports.rows import SYMBOLS, plain, rank
from landed.reports.standings import LOST, called, in_order, roots, why

#: Objects that a headline names, and lines of one kind that a log gets; what is more is counted.
MOST_NAMES = 3
MOST_LINES = 50
#: Of one explanation: objects, pods of an object, warnings of an object, lines of a pod's log.
MOST_CULPRITS, MOST_PODS, MOST_EVENTS, MOST_LOG = 3, 3, 3, 10


def headline(answer: Answer) -> str:
    """The answer in one line: ``✓ 6dcd4ce2 is live on 2 clusters (12 Kustomizations) after 1m40s``."""
    said = _said(answer)
    unread = f"; nothing is known of {_listed(map(plain, answer.unread))}" if answer.unread else ""
    return f"{symbol(answer)} {said}{unread}"


def symbol(answer: Answer) -> str:
    """The verdict as one character. What nothing is known of, and what nothing brings, never looks good."""
    if answer.verdict is Verdict.LIVE and answer.unread:
        return SYMBOLS[Verdict.WAITING]
    if answer.verdict is Verdict.LIVE and not any(one.state == Verdict.LIVE for one in answer.standings):
        return SYMBOLS["suspended"]
    return SYMBOLS[answer.verdict]


def lasted(answer: Answer) -> str:
    """How long was waited: ``1m40s``; empty where it is not known."""
    if not answer.began or answer.ended < answer.began:
        return ""
    minutes, seconds = divmod(answer.ended - answer.began, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def missing(answer: Answer) -> tuple[Standing, ...]:
    """What keeps the commit from being live: what has failed or cannot bring it any more before what is waited for, and
    causes before what depends on them.
    """
    found = in_order(one for one in answer.standings if one.state in LOST or one.state == Verdict.WAITING)
    first = frozenset(roots(found))
    return tuple(sorted(found, key=lambda one: (rank(one.state), one not in first)))


def passages(report: Report, now: int, *, listed: bool = False) -> tuple[str, ...]:
    """All there is to say of ``report.answer``, and the explanations; each line stands for itself and is harmless.

    ``listed`` where every object stands above it already.
    """
    answer = report.answer
    if answer is None:
        return tuple(_explained(report.explanations))
    notes = (f"· {plain(note)}" for note in answer.notes)
    objects = () if listed else (*_missing(answer, now), *_set_aside(answer))
    return (headline(answer), *objects, *notes, *_explained(report.explanations))


def _missing(answer: Answer, now: int) -> Iterator[str]:
    table = [_row(one, now) for one in missing(answer)]
    yield from aligned(table[:MOST_LINES])
    if len(table) > MOST_LINES:
        yield f"… and {len(table) - MOST_LINES} more"


def _said(answer: Answer) -> str:
    commit, after = plain(answer.commit[:8]), lasted(answer)
    if answer.verdict is Verdict.LIVE:
        return _live(answer, commit, f" after {after}" if after else "")
    lost = [one for one in missing(answer) if one.state == answer.verdict]
    where = f" on {_listed(dict.fromkeys(plain(one.cluster) for one in lost))}" if lost else ""
    names = f": {_named(lost)}" if lost else ""
    if answer.verdict is Verdict.FAILED:
        return f"{commit} failed{where}{names}"
    if answer.verdict is Verdict.DIVERGED:
        return f"{commit} can no longer land{where}{names}"
    still = f": still missing {_named(lost)}{where}" if lost else ""
    if answer.timed_out:
        return f"{commit} timed out{f' after {after}' if after else ''}{still}"
    return f"{commit} is not live yet{f' after {after}' if after else ''}{still}"


def _live(answer: Answer, commit: str, after: str) -> str:
    live = [one for one in answer.standings if one.state == Verdict.LIVE]
    if not live:
        return f"Nothing is meant to bring {commit}: no Kustomization is waited for"
    kinds = [one.about.kind == "Kustomization" for one in live]
    counted = ((sum(kinds), "Kustomization"), (len(kinds) - sum(kinds), "HelmRelease"))
    objects = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counted if n)
    applied = plain(answer.applied[:8])
    within = f" as part of {applied}" if applied and answer.applied != answer.commit else ""
    return f"{commit} is live{within} on {clusters(len({one.cluster for one in live}))} ({objects}){after}"


def _listed(names: Iterable[str]) -> str:
    """A few by name, the others by number."""
    found = list(names)
    more = len(found) - MOST_NAMES
    return ", ".join(found[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _named(found: Sequence[Standing]) -> str:
    """The causes by name, what depends on them by number."""
    causes = roots(found)
    behind = len(found) - len(causes)
    depend = f" ({behind} more depend{'s' if behind == 1 else ''} on it)" if behind else ""
    return _listed(dict.fromkeys(called(one.about) for one in causes)) + depend


def _row(one: Standing, now: int) -> tuple[str, ...]:
    """State, cluster, object, since when, why."""
    since = f"for {render.age(now - one.since)}" if one.since else ""
    return f"{SYMBOLS.get(one.state, '·')} {plain(one.state)}", plain(one.cluster), called(one.about), since, why(one)


def _set_aside(answer: Answer) -> Iterator[str]:
    """What is not waited for."""
    states = dict.fromkeys(one.state for one in in_order(answer.standings))
    for state in states:
        if state not in set(Verdict):
            names = [f"{called(one.about)} on {plain(one.cluster)}" for one in answer.standings if one.state == state]
            yield f"{SYMBOLS.get(state, '·')} {plain(state)}, not waited for: {_listed(names)}"


# ── explanations ────────────────────────────────────────────────────────────────────────────────────────────────────


def _explained(explanations: Iterable[Explanation]) -> Iterator[str]:
    for one in explanations:
        yield f"Why {called(one.about)} on {plain(one.cluster)} is not live: {plain(one.message) or plain(one.reason)}"
        yield from (f"  {line}" for line in details(one))


def details(one: Explanation) -> Iterator[str]:
    """What is behind a cause, one harmless line each, the most telling first; the next command last."""
    for culprit in one.culprits[:MOST_CULPRITS]:
        yield from _culprit(culprit)
    if len(one.culprits) > MOST_CULPRITS:
        yield f"… and {len(one.culprits) - MOST_CULPRITS} more objects"
    if one.waiting:
        yield f"Waiting for it: {_listed(map(called, one.waiting))}"
    if one.path:
        yield f"In the repository: {plain(one.path)}"
    yield from (f"To know more: {plain(sentence)}" for sentence in one.lacking)
    if one.command:
        yield f"Next: {plain(one.command)}"


def _culprit(culprit: Culprit) -> Iterator[str]:
    status = f" ({plain(culprit.status)})" if culprit.status else ""
    about = plain("/".join(filter(None, (culprit.about.kind, culprit.about.namespace, culprit.about.name))))
    yield f"{about}{status}"
    yield from (f"  {plain(condition)}" for condition in culprit.conditions)
    for pod in culprit.pods[:MOST_PODS]:
        yield f"  {trouble(pod)}"
        yield from (f"    | {plain(line)}".rstrip() for line in pod.log[-MOST_LOG:])
    if len(culprit.pods) > MOST_PODS:
        yield f"  … and {len(culprit.pods) - MOST_PODS} more pods"
    yield from (f"  {plain(event)}" for event in culprit.events[:MOST_EVENTS])


def trouble(pod: PodTrouble) -> str:
    """Why a pod does not run, in one harmless line."""
    container = f", container {plain(pod.container)}" if pod.container else ""
    restarts = f" ({pod.restarts} restart{'' if pod.restarts == 1 else 's'})" if pod.restarts else ""
    said = ": ".join(filter(None, (plain(pod.reason), plain(pod.message))))
    return f"Pod {plain(pod.pod)}{container}: {said}{restarts}"
