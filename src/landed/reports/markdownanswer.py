"""What a Markdown report says of every object: the answer, what is missing, why, and clusters × objects. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from landed import render as sentences
from landed.model import Answer, Culprit, Explanation, PodTrouble, Report, Standing, Verdict
from landed.reports import answers
from landed.reports.markup import block, code, table
from landed.reports.rows import SYMBOLS, plain
from landed.reports.standings import Place, called, durations, standings, why

#: Columns and lines of the table of clusters × objects: beyond that, clusters are summed up, and live objects counted.
MOST_CLUSTERS = 6
MOST_OBJECTS = 200
MOST_OF_A_MESSAGE = 500


def headline(answer: Answer) -> Iterator[str]:
    """The answer above everything else, and what could not be found out."""
    symbol, _, said = answers.headline(answer).partition(" ")
    yield f"### {symbol} {code(said)}\n\n"
    applied = f", applied {code(answer.applied)}" if answer.applied and answer.applied != answer.commit else ""
    yield f"{code(answer.repository.path)} {code(answer.commit)}{applied}\n\n"
    notes = [f"- {text}\n" for text in map(code, answer.notes) if text]
    if notes:
        yield "".join(notes) + "\n"


def troubles(report: Report) -> Iterator[str]:
    """Every object that keeps the commit from being live."""
    if report.answer is None:
        return
    lines = (
        (
            f"{SYMBOLS[one.state]} {one.state}",
            code(one.cluster),
            code(called(one.about)),
            sentences.rfc3339(one.since) if one.since else "",
            code(why(one, MOST_OF_A_MESSAGE)),
        )
        for one in answers.missing(report.answer)
    )
    symbol = answers.symbol(report.answer)
    yield from table(f"{symbol} Not live", ("State", "Cluster", "Object", "Since", "Why"), lines)


# ── explanations ────────────────────────────────────────────────────────────────────────────────────────────────────


def explained(explanations: Iterable[Explanation]) -> Iterator[str]:
    """Each cause: in a sentence, then what is behind it, and what to run next."""
    for one in explanations:
        yield f"\n### {SYMBOLS[Verdict.FAILED]} Why: {code(called(one.about))} on {code(one.cluster)}\n\n"
        yield f"{code(sentences.cut(plain(one.message or one.reason), MOST_OF_A_MESSAGE))}\n"
        for culprit in one.culprits[: answers.MOST_CULPRITS]:
            yield from _culprit(culprit)
        yield from _facts(one)


def _culprit(culprit: Culprit) -> Iterator[str]:
    about = "/".join(filter(None, (culprit.about.kind, culprit.about.namespace, culprit.about.name)))
    shown = culprit.pods[: answers.MOST_PODS]
    said = (*culprit.conditions, *culprit.events[: answers.MOST_EVENTS], *map(answers.trouble, shown))
    yield f"\n- {code(about) or code('?')} {code(culprit.status)}".rstrip() + "\n"
    yield from (f"  - {text}\n" for text in map(code, said) if text)
    yield from (_log(pod) for pod in shown)


def _log(pod: PodTrouble) -> str:
    written = block(pod.log[-answers.MOST_LOG :])
    return f"\nLast lines of {code(pod.container or pod.pod)}:\n{written}" if written else ""


def _facts(one: Explanation) -> Iterator[str]:
    waiting = ", ".join(code(called(about)) for about in one.waiting[:10])
    more = f" and {len(one.waiting) - 10} more" if len(one.waiting) > 10 else ""
    facts = (
        ("Waiting for it", f"{waiting}{more}"),
        ("In the repository", code(one.path)),
        ("Next", code(one.command)),
        *(("To know more", code(sentence)) for sentence in one.lacking),
    )
    said = [f"- {name}: {text}\n" for name, text in facts if text]
    if said:
        yield "\n" + "".join(said)


# ── clusters × objects ──────────────────────────────────────────────────────────────────────────────────────────────


def matrix(report: Report) -> Iterator[str]:
    """Every object on every cluster, with how long its last run took; of many clusters, how many objects are what."""
    found = standings(report)
    clusters = tuple(dict.fromkeys((*(look.cluster for look in report.looks), *(one.cluster for one in found))))
    if len(clusters) > MOST_CLUSTERS:
        head = ("Cluster", *_states(found))
        yield from table("Clusters", head, (_counted(cluster, found) for cluster in clusters))
        return
    by_place = {(one.cluster, one.about): one for one in found}
    took = durations(report)
    objects = tuple(dict.fromkeys(one.about for one in found))
    lines = (
        (code(called(about)), *(_cell(by_place.get((cluster, about)), took) for cluster in clusters))
        for about in objects[:MOST_OBJECTS]
    )
    yield from table("Objects", ("Object", *map(code, clusters)), lines)
    if len(objects) > MOST_OBJECTS:
        yield f"\n… and {len(objects) - MOST_OBJECTS} more objects\n"


def _cell(one: Standing | None, took: Mapping[Place, str]) -> str:
    if one is None:
        return ""
    duration = took.get((one.cluster, one.about), "") if one.state == Verdict.LIVE else ""
    lasted = f" {code(sentences.duration(duration))}" if duration else ""
    return f"{SYMBOLS.get(one.state, '·')} {code(one.state)}{lasted}"


def _states(found: Sequence[Standing]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code(one.state) for one in found))


def _counted(cluster: str, found: Sequence[Standing]) -> tuple[str, ...]:
    mine = [code(one.state) for one in found if one.cluster == cluster]
    return code(cluster), *(str(mine.count(state)) if state in mine else "" for state in _states(found))
