"""Text of strangers in Markdown that GitHub and GitLab show, and the tables around it. No I/O.

It stands in ``<code>`` or ``<pre>`` and has its punctuation written as entities, so that it is no markup, no link, no
mention and no reference to an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from landed.reports.rows import plain

_UNSAFE = re.compile(r"""[^\w ,./=;'"?%()…-]|_""")


def code(text: str) -> str:
    """A stranger's text as one line that is nothing but text, wherever it stands."""
    quoted = _quoted(text)
    return f"<code>{quoted}</code>" if quoted else ""


def block(lines: Iterable[str]) -> str:
    """Lines of a stranger as a block of text, one blank line above it; empty where there are none."""
    quoted = "\n".join(map(_quoted, lines))
    return f"\n<pre>{quoted}</pre>\n" if quoted else ""


def table(title: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """A heading and a table below it, or nothing where there are no lines."""
    above = f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}\n"
    for cells in lines:
        yield f"{above}| {' | '.join(cells)} |\n"
        above = ""


def _quoted(text: str) -> str:
    quoted = _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", plain(text))
    return quoted.replace("www.", "www&#46;")
