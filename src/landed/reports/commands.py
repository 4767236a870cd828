"""GitHub's workflow commands, and what keeps a stranger's text from being one. No I/O.

The runner reads every line of standard output and standard error. It obeys ``::name key=value::data`` at the start of
a line, blanks apart, and the older ``##[name]data`` anywhere in it.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from functools import cache

from landed.render import UNSEEN


def harmless(text: str) -> str:
    """``text`` as it may stand in any log: it obeys nobody, moves nothing, and still reads the same to people.

    Newlines stay; no line begins with ``::``, none holds ``##[``, and control characters are gone.
    """
    if text.isprintable() and "##" not in text and not text.lstrip().startswith("::"):
        return text  # nearly always, and then it costs next to nothing
    escapes, breaks, unseen, lone, at_start, anywhere = _patterns()
    text = breaks.sub("\n", escapes.sub("", text)).replace("\t", " ")
    text = lone.sub("\ufffd", unseen.sub("", text))
    return anywhere.sub("# #", at_start.sub(r"\1: :", text))


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compiled when the first text needs them: most runs meet none that does."""
    return (
        # What a terminal or a log viewer obeys: colours, cursor moves, titles, links, GitLab's section markers.
        re.compile("\x1b\\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\)|\x9b[0-9;?]*[@-~]"),
        re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]"),
        re.compile(UNSEEN),
        re.compile("[\ud800-\udfff]"),
        re.compile(r"^([^\S\n]*)::", re.MULTILINE),
        re.compile(r"##(?=\w*\[)"),
    )


def annotation(level: str, message: str, *, title: str = "", file: str = "", line: int = 0) -> str:
    """The command that marks a run with ``message``. ``level`` is ``error``, ``warning`` or ``notice``."""
    properties = {"file": harmless(file), "line": str(line) if line else "", "title": harmless(title)}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level}{' ' if given else ''}{given}::{_data(harmless(message))}"


def mask(secret: str) -> tuple[str, ...]:
    """The commands that make the runner replace ``secret`` by ``***``: one for each of its lines."""
    lines = (line.strip() for line in secret.replace("\r", "\n").split("\n"))
    return tuple(f"::add-mask::{_data(line)}" for line in lines if line)


def group(title: str) -> str:
    """The command that opens a foldable group of lines."""
    return f"::group::{_data(harmless(title))}"


def endgroup() -> str:
    """The command that ends the group."""
    return "::endgroup::"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
