"""A stranger's words, fit to be shown: no control characters, no secrets as far as they look like one, cut. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

from landed.render import clean, cut

#: Characters of one message, of a sentence that quotes some, of one line of a log, and lines of a log.
MESSAGE, SENTENCE, LINE, LINES = 300, 600, 200, 10

#: Characters that are looked at: of a longer text the end.
SEARCHED = 1 << 16

# Patterns are compiled when they are first needed. Whatever repeats in them is bounded, so that a text made for it
# cannot hang a run.
_COLOURS = r"\x1b\[[0-9;:?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)"
_SECRET = r"""(?xs)
      -----BEGIN[ ][A-Z0-9 ]{1,60}-----.*?(?:-----END[ ][A-Z0-9 ]{1,60}-----|\Z)
    | \beyJ[\w-]{8,}(?:\.[\w-]*){0,4}                                   # a JSON web token
    | \b(?:gh[pousr]_|github_pat_|glpat-|gloas-|glrt-|xox[abeoprs]-|xapp-|dckr_pat_|npm_|hv[bs]\.|s\.(?=\w{24}\b)|ya29\.
          |AIza|sk-|[rs]k_(?:live|test)_|whsec_|k8s-aws-v1\.|SG\.|lin_api_|pypi-|dop_v1_|sq0)[\w.-]{10,}
    | \b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b
    | (?<=://)[^\s/"'<>]{1,256}@                                        # a URL's user and password
    | (?<=://)[^\s/:@"'<>]{0,256}:[^\s@"'<>]{1,256}@
    | (?P<header>(?i:\b(?:proxy-)?authorization|\b(?:set-)?cookie|\bx-[a-z-]{0,30}(?:key|token)|\bprivate-token)
        (?:\\{0,2}["'])?\s{0,3}[:=]\s{0,3}(?:\\{0,2}["'])?)[^\n"'\\]+
    | (?P<scheme>(?i:\bbearer)\s{1,3}|(?i:\bbasic)\s{1,3}(?=[\w+/-]{0,80}[A-Z0-9=]))[\w.~+/=-]{6,}
    | (?P<name>(?i:token|secret|passw(?:or)?d|passwd|pwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key
          |client[_-]?key|encryption[_-]?key|signing[_-]?key|credential|signature|dsn)[\w-]{0,32}
        (?:\\{0,2}["'])?\s{0,3}(?:=>|[:=])\s{0,3})
        (?:"(?:[^"\\\n]|\\.){1,2048}"|'[^'\n]{1,2048}'|\\{1,2}"[^"\n]{1,2048}|(?!/)[^\s"',;&}\\]+|/[^\s"',;&}\\]{12,})
    | (?m:^)[ ]?[A-Za-z0-9+/]{60,}={0,2}[ ]?(?m:$)                      # a line of a key
    """  # noqa: S105 — what secrets look like


def quoted(text: str, limit: int = MESSAGE, hide: Callable[[str], str] = str) -> str:
    """``text`` on one line of at most ``limit`` characters; ``hide`` takes out the secrets that are known."""
    return cut(" ".join(_scrubbed(text, hide).split()), limit)


def last_lines(text: str, most: int = LINES, hide: Callable[[str], str] = str) -> tuple[str, ...]:
    """The last lines of a log that say anything, each cut."""
    lines = [line.strip() for line in _scrubbed(text, hide).split("\n")]
    return tuple(cut(line, LINE) for line in lines if line)[-most:]


def _scrubbed(text: str, hide: Callable[[str], str]) -> str:
    plain = clean(re.sub(_COLOURS, "", text[-SEARCHED:]))  # first: a secret may be cut in two by what is not seen
    end, begin = plain.find("-----END "), plain.find("-----BEGIN ")
    if end >= 0 and not 0 <= begin < end:  # the beginning of a key was cut off
        plain = "***" + plain[plain.find("\n", end) if "\n" in plain[end:] else len(plain) :]
    return re.sub(_SECRET, _but_its_name, hide(plain))


def _but_its_name(match: re.Match[str]) -> str:
    kept = match["header"] or match["scheme"] or match["name"] or ""
    return f"{kept}***" + ("@" if match.group().endswith("@") and not kept else "")
