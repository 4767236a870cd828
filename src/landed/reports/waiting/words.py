"""The words of a wait, made of strangers' text that has yet to be made harmless. No I/O, no clock."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from landed import render
from landed.model import Answer, Standing, Verdict
from landed.reports.rows import plain
from landed.reports.standings import called, in_order
from landed.revision import attempt

#: What is waited for. The others of a standing's states are told, and not waited for.
WAITED_FOR = frozenset({str(verdict) for verdict in Verdict})
#: Numbers and times, which differ at every look: ``40s``, ``10 minutes``, ``2/3``.
_NUMBERS = r"\d[\w.:/@-]*(?:\s(?:ms|[smhd]|seconds?|minutes?|hours?|days?)\b)?"


def title(answer: Answer, safe: Callable[[str], str]) -> str:
    """``waiting for 6dcd4ce2 of acme/fleet``. ``safe`` makes a text harmless, which comes before it is cut."""
    of = f" of {plain(answer.repository.path)}" if answer.repository.path else ""
    return f"waiting for {plain(safe(answer.commit))[:8]}{of}"


def counts(answer: Answer) -> str:
    """``9 of 12 live, 2 waiting, 1 failed, 1 suspended``: what is not waited for is not among the twelve."""
    states = Counter(one.state for one in answer.standings)
    wanted = sum(number for state, number in states.items() if state in WAITED_FOR)
    others = [Verdict.FAILED, Verdict.DIVERGED, Verdict.WAITING, *sorted(set(states) - WAITED_FOR)]
    parts = (f"{states[state]} {plain(state)}" for state in others if states[state])
    return ", ".join((f"{states[Verdict.LIVE]} of {wanted} live", *parts))


def missing(answer: Answer) -> Sequence[Standing]:
    """What keeps the commit from being live, what has failed first."""
    return in_order(one for one in answer.standings if one.state in WAITED_FOR and one.state != Verdict.LIVE)


def placed(one: Standing) -> str:
    """``apps/web on prod``."""
    return f"{called(one.about)} on {plain(one.cluster)}"


def why(one: Standing) -> str:
    """Why it is not live, in one line; empty where it is."""
    if one.state == Verdict.LIVE:
        return ""
    if one.state == Verdict.WAITING and one.doomed:
        return f"will fail: {plain(one.doomed)}"
    if one.state == Verdict.WAITING and one.waits_for is not None:
        return f"waits for {called(one.waits_for)}"
    phase, _ = attempt(one.message)
    return phase or _said(one)


def _said(one: Standing) -> str:
    said, what = plain(render.first_line(one.message)), plain(render.words(one.reason))
    if one.state != Verdict.FAILED or not what or said.lower().startswith(what.lower()):
        return said or what
    return f"{what}: {said}" if said else what


def essence(text: str) -> str:
    """``text`` without numbers: how long something has taken is no news."""
    return re.sub(_NUMBERS, "#", text)


def lasting(seconds: float) -> str:
    """A length of time to the second, as people write it: ``45s``, ``2m30s``, ``12m``, ``1h5m``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    return f"{rest}s"
