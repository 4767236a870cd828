"""Which Alert wants which event, https://fluxcd.io/flux/components/notification/alerts/ . No I/O.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): time to search grows with the text and never explodes.
The library is loaded only where there is a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from landed.errors import ConfigurationError
from landed.model import Alert, EventSource, ObjectRef
from landed.render import clean, cut

#: Characters of a pattern.
LONGEST = 2000
#: Characters of a message that are searched: an event's message has no more
#: (https://fluxcd.io/flux/components/notification/events/).
SEARCHED = 39_000
#: Steps of a compiled pattern. Its worst text costs this many for each byte: some seconds for a whole message.
_STEPS = 10_000
_MEMORY = 4 << 20
_SHOWN = 60


def selects(alert: Alert, about: ObjectRef, labels: Mapping[str, str]) -> bool:
    """Whether a source of ``alert`` means the object with these labels.

    Kind, namespace and name (or ``*``) must be equal, and all ``matchLabels`` be there, also beside a name.
    """
    return any(
        _means(alert, source, about) and all(labels.get(key) == value for key, value in source.labels)
        for source in alert.sources
    )


def mentions(alert: Alert, about: ObjectRef) -> bool:
    """Whether a source of ``alert`` means the object as far as can be told without its labels."""
    return any(_means(alert, source, about) for source in alert.sources)


def _means(alert: Alert, source: EventSource, about: ObjectRef) -> bool:
    return (
        source.kind == about.kind
        and (source.namespace or alert.namespace) == about.namespace
        and source.name in ("*", about.name)
    )


def admits(alert: Alert, severity: str, message: str) -> bool:
    """Whether ``alert`` lets an event of this severity and message through.

    ``info`` lets every severity through, any other word its own, and none at all nothing. Then one of ``inclusion``
    must be found in the message, if there are any, and none of ``exclusion``. A pattern that ``unusable`` refuses is
    found nowhere, as in Flux: a list of nothing but such inclusions lets nothing through.

    Raises ConfigurationError where there is a pattern and the library is not installed.
    """
    if not alert.severity or alert.severity not in ("info", severity):
        return False
    if not alert.inclusion and not alert.exclusion:
        return True
    text = _bytes(message[:SEARCHED])
    if alert.inclusion and not _found(alert.inclusion, text):
        return False
    return not _found(alert.exclusion, text)


def merged(alert: Alert, annotations: Mapping[str, str], controller: Mapping[str, str]) -> Mapping[str, str]:
    """The metadata of an event, sorted by key: what stands later wins.

    The object's annotations (without their prefix), the Alert's ``eventMetadata``, its ``summary``, the controller.
    """
    summary = {"summary": alert.summary} if alert.summary else {}
    return dict(sorted({**annotations, **dict(alert.metadata), **summary, **controller}.items()))


def unusable(pattern: str) -> str:
    """Why ``pattern`` cannot be used, as a sentence; empty where it can.

    Raises ConfigurationError where the library is not installed.
    """
    return _compiled(pattern)[1]


def _found(patterns: Iterable[str], text: bytes) -> bool:
    compiled = (_compiled(pattern)[0] for pattern in patterns)
    return any(pattern is not None and pattern.search(text) is not None for pattern in compiled)


def _bytes(text: str) -> bytes:
    """UTF-8, in which half a surrogate pair is what Go makes of it."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[Any, str]:
    """The compiled pattern and "", or None and why it cannot be used."""
    try:
        import re2
    except ImportError:
        raise ConfigurationError(
            "inclusionList and exclusionList need a library that is not installed.",
            "Install landed[re2], or use the image.",
        ) from None
    refused = _refused(pattern)
    if refused:
        return None, refused
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.never_capture = True  # nobody asks what a group found, and finding out costs time
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        return None, _sentence(error)
    return (compiled, "") if compiled.programsize <= _STEPS else (None, _TOO_LARGE)


def _refused(pattern: str) -> str:
    """What the library would take, or stumble over, and Go refuses."""
    if len(pattern) > LONGEST:
        return f"It has {len(pattern)} characters: at most {LONGEST} are read."
    if re.search("[\ud800-\udfff]", pattern):
        return "It holds half a character (an unpaired surrogate)."
    # What stands between \Q and \E means itself. \C finds a single byte, which no text of Go's consists of.
    if any(found[0] == r"\C" for found in re.finditer(r"(?s)\\Q.*?(?:\\E|\Z)|\\.", pattern)):
        return r"'\C' has no meaning after a backslash."
    return ""


_TOO_LARGE = "It is too large: repeat less, or make several patterns of it."
#: How the library's complaint begins → what it means; ``{}`` stands for the part of the pattern that it names.
_COMPLAINTS = {
    "missing )": "A parenthesis is opened and never closed.",
    "unexpected )": "A parenthesis is closed that was never opened.",
    "missing ]": "A square bracket is opened and never closed.",
    "no argument for repetition operator": "There is nothing before '{}' to repeat.",
    "bad repetition operator": "'{}' repeats what is repeated already.",
    "invalid repetition size": "'{}' is no number of times to repeat: at most 1000, also within one another.",
    "invalid escape sequence": "'{}' has no meaning after a backslash.",
    "trailing \\": "It ends in a backslash that escapes nothing.",
    "invalid perl operator": "'{}' is not in RE2's syntax, which has no looking ahead or behind, among others.",
    "invalid named capture group": "'{}' is no name of a group: it has the form (?P<name>…).",
    "invalid character class range": "'{}' is no range or class of characters.",
    "invalid character class": "'{}' is no class of characters.",
    "pattern too large": _TOO_LARGE,
}


def _sentence(error: Exception) -> str:
    """What the library says, in words; it gives bytes, with a part of the pattern behind a colon."""
    said = error.args[0] if error.args else b""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    named = clean(text.partition(": ")[2]).replace("\n", " ")
    about = cut("".join(c if c.isprintable() else "\ufffd" for c in named), _SHOWN)
    for start, sentence in _COMPLAINTS.items():
        if text.startswith(start):
            return sentence.replace("{}", about)
    return "It is not in RE2's syntax."
