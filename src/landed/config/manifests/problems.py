"""What is wrong with manifests, as one message."""

from __future__ import annotations

from collections.abc import Iterable

from landed.config.manifests.values import Problem
from landed.render import clean, cut

#: Characters of a stranger's word that are quoted.
LONGEST_QUOTE = 60
#: Problems that are printed; more are counted.
MOST_LINES = 200


def one_line(text: str) -> str:
    """A stranger's text without what could pass for a line of ours."""
    return " ".join(clean(text).split())


def quoted(text: str) -> str:
    """A word of a manifest for a message: on one line, in quotes, and cut where it is long."""
    return f'"{cut(one_line(text), LONGEST_QUOTE)}"'


def render_problems(problems: Iterable[Problem]) -> str:
    """All of ``problems`` as one message: a line that counts them, and one line each, sorted by place."""
    told = sorted({_rank(problem): problem for problem in problems}.items(), key=lambda item: item[0])
    count = "1 problem" if len(told) == 1 else f"{len(told)} problems"
    lines = [f"{count} in the manifests:", *(f"- {_told(problem)}" for _, problem in told[:MOST_LINES])]
    if len(told) > MOST_LINES:
        lines.append(f"- … and {len(told) - MOST_LINES} more.")
    return "\n".join(lines)


def _rank(problem: Problem) -> tuple[str, int, int, str, str, str]:
    place = problem.place
    return place.file, place.document, place.line, problem.about, problem.field, problem.what


def _told(problem: Problem) -> str:
    where = ", ".join(one_line(part) for part in (str(problem.place), problem.about, problem.field) if part)
    said = " ".join(_sentence(one_line(part)) for part in (problem.what, problem.instead) if part)
    return f"{where}: {said}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
