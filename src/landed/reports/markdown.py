"""A report as Markdown: for the summary of a GitHub job, a comment, a wiki. The dialect is GitHub's and GitLab's.

What comes from a cluster or a commit is no markup: ``markup`` sees to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from landed import render as sentences
from landed.model import Delivery, Look, Observation, Outcome, Report, State
from landed.reports.interface import View
from landed.reports.lines import summary
from landed.reports.markup import code, table
from landed.reports.payloads import words
from landed.reports.rows import SYMBOLS, label, observations, outcomes, plain

#: The runner drops a summary of more than 1 MiB as a whole.
#: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
MOST_BYTES = 1_000_000
MOST_OF_A_MESSAGE = 500
#: Objects of one commit that are named where all is well.
MOST_NAMES = 5
_SENTENCES = {State.FAILURE: "failed on", State.PENDING: "is on its way to"}


def render(report: Report, view: View) -> str:
    """The whole report, failures first, within what the runner takes. ``view`` makes no difference."""
    return within(report, MOST_BYTES)


def within(report: Report, most: int) -> str:
    """The report in at most ``most`` bytes of UTF-8; what is left out is the end, and it says so."""
    kept: list[str] = []
    left = most - len(_CUT.encode())
    for part in _parts(report):
        left -= len(part.encode())
        if left < 0:
            kept.append(_CUT)
            break
        kept.append(part)
    return "".join(kept)


_CUT = "\n**Cut here: the rest is more than a summary may hold.**\n"


def _parts(report: Report) -> Iterator[str]:
    """The text in pieces that may each be the last."""
    if report.answer is not None:
        from landed.reports import markdownanswer  # imported late: most reports answer nothing

        yield from markdownanswer.headline(report.answer)
    yield f"**{summary(report)}**\n"
    yield from _unreadable(report.looks)
    yield from _undelivered(report.deliveries)
    if report.answer is None:
        yield from _troubles(report.looks)
    yield from _by_object(report)
    found = [(look.cluster, outcome) for look in report.looks for outcome in outcomes(look)]
    if report.answer is None:
        yield from _by_commit(report, found)
    yield from table("Warnings", ("Warning",), ((code(warning),) for warning in report.warnings))
    yield from table("Left out", ("What",), ((code(note),) for note in report.notes))


def _by_object(report: Report) -> Iterator[str]:
    """What is asked of every object: how it stands, why, and who depends on whom."""
    if report.answer is None and not report.explanations and all(look.read is None for look in report.looks):
        return
    from landed.reports import markdownanswer
    from landed.reports.graph import fenced

    yield from markdownanswer.troubles(report)
    yield from markdownanswer.explained(report.explanations)
    yield from markdownanswer.matrix(report)
    yield from fenced(report)


def _by_commit(report: Report, found: Sequence[tuple[str, Outcome]]) -> Iterator[str]:
    for state in _SENTENCES:
        for cluster, outcome in found:
            if outcome.state is state and not outcome.past:
                yield from _outcome(cluster, outcome)
    yield from table("Live", ("Cluster", "Commit", "Objects"), _brief(found, past=False))
    yield from table("Came and went", ("Cluster", "Commit", "Objects"), _brief(found, past=True))
    yield from table("Says nothing of any commit", ("Cluster", "Object", "State", "Message"), _silent(report.looks))


def _unreadable(looks: Iterable[Look]) -> Iterator[str]:
    for look in looks:
        if look.error:
            yield f"\n### {SYMBOLS['unreadable']} {code(look.cluster)} could not be read\n\n{code(look.error)}\n"
            if look.hint:
                yield f"\n{code(look.hint)}\n"


def _undelivered(deliveries: Sequence[Delivery]) -> Iterator[str]:
    lines = (
        (code(delivery.update.destination), _what(delivery), code(delivery.error), code(delivery.hint))
        for delivery in deliveries
        if delivery.error and not delivery.read_only
    )
    yield from table(f"{SYMBOLS['failure']} Not delivered", ("To", "What", "Why", "What to do"), lines)
    kept = (
        (f"{SYMBOLS.get(said.state, '·')} {code(said.state)}", code(said.commit), code(said.name), code(said.said))
        for said in (words(delivery.update) for delivery in deliveries if delivery.read_only)
    )
    yield from table("Not written, for want of a right", ("State", "Commit", "What", "Description"), kept)


def _what(delivery: Delivery) -> str:
    said = words(delivery.update)
    return (
        "message" if said.kind in ("message", "event") else code(f"{said.name} {delivery.update.marks[0].commit[:8]}")
    )


def _troubles(looks: Iterable[Look]) -> Iterator[str]:
    """What fails without any commit to blame."""
    lines = (
        (code(look.cluster), code(sentences.name(o)), code(o.reason), _message(o))
        for look in looks
        for o in observations(look.silent)
        if o.state is State.FAILURE
    )
    yield from table(f"{SYMBOLS['failure']} Failing", ("Cluster", "Object", "Reason", "Message"), lines)


def _outcome(cluster: str, outcome: Outcome) -> Iterator[str]:
    """A commit that is not live: every object that is not, and the others in one line."""
    title = f"{SYMBOLS[outcome.state]} {code(_commit(outcome))} {_SENTENCES[outcome.state]} {code(cluster)}"
    live = [o for o in outcome.observations if o.state is State.SUCCESS]
    lines = [
        (f"{SYMBOLS[o.state]} {o.state}", code(sentences.name(o)), code(o.reason), _message(o))
        for o in observations(outcome.observations)
        if o.state is not State.SUCCESS
    ]
    if live:
        lines.append((f"{SYMBOLS[State.SUCCESS]} {State.SUCCESS}", _named(live), "", ""))
    yield from table(title, ("State", "Object", "Reason", "Message"), lines)


def _brief(found: Iterable[tuple[str, Outcome]], *, past: bool) -> Iterator[tuple[str, str, str]]:
    for cluster, outcome in found:
        if outcome.past is past and (past or outcome.state is State.SUCCESS):
            commit = f"{SYMBOLS[outcome.state]} {code(_commit(outcome))}"
            yield code(cluster), commit, _named(observations(outcome.observations))


def _silent(looks: Iterable[Look]) -> Iterator[tuple[str, str, str, str]]:
    for look in looks:
        for o in observations(look.silent):
            if o.state is not State.FAILURE:
                yield code(look.cluster), code(sentences.name(o)), str(o.state), _message(o)


def _commit(outcome: Outcome) -> str:
    return f"{outcome.repository.path} {label(outcome)}"


def _named(live: Sequence[Observation]) -> str:
    """A few by name, the others counted."""
    more = f" and {len(live) - MOST_NAMES} more" if len(live) > MOST_NAMES else ""
    return ", ".join(filter(None, (code(sentences.name(o)) for o in live[:MOST_NAMES]))) + more


def _message(observation: Observation) -> str:
    return code(sentences.cut(plain(observation.message), MOST_OF_A_MESSAGE))
