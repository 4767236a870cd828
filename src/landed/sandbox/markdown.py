"""Discord's Markdown as HTML, the way Discord shows it.

Everything is escaped; only links to the web become links.
https://support.discord.com/hc/en-us/articles/210298617
"""

from __future__ import annotations

import html
import re

#: What is finished as soon as it is found, in this order; what is left over may have emphasis in it.
_PIECES = re.compile(
    r"\\(?P<plain>[^a-zA-Z0-9\s])"
    r"|```(?:\w*\n)?(?P<block>.+?)```"
    r"|`(?P<code>[^`\n]+)`"
    r"|\[(?P<label>[^\]\n]+)\]\((?P<target>https?://[^)\s]+)\)"
    r"|<(?P<mention>[@#][!&]?\d+)>|(?P<all>@(?:everyone|here))\b"
    r"|(?P<bare>https?://[^\s<>]+)",
    re.DOTALL,
)
_MARKS = tuple(
    (re.compile(rf"{mark}(?=\S)(.+?)(?<=\S){mark}"), tag)
    for mark, tag in ((r"\*\*", "strong"), ("__", "u"), ("~~", "s"), (r"\*", "em"), (r"(?<!\w)_(?!_)", "em"))
)
#: Characters for private use stand for finished pieces of HTML; a message cannot bring its own.
_FIRST, _LAST = 0xE000, 0xF8FF
_STAND_INS = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


def to_html(text: str) -> str:
    """``text`` as HTML that is safe to put into a page."""
    pieces: list[str] = []

    def aside(found: re.Match[str]) -> str:
        if len(pieces) > _LAST - _FIRST:
            return ""
        pieces.append(_piece(found))
        return chr(_FIRST + len(pieces) - 1)

    markup = html.escape(_PIECES.sub(aside, _STAND_INS.sub("", text)))
    for pattern, tag in _MARKS:
        markup = pattern.sub(rf"<{tag}>\1</{tag}>", markup)
    return _STAND_INS.sub(lambda found: pieces[ord(found[0]) - _FIRST], markup.replace("\n", "<br>"))


def link(url: str, shown: str) -> str:
    """A link to the web around HTML; the HTML alone where ``url`` leads elsewhere."""
    if not url.startswith(("https://", "http://")):
        return shown
    return f'<a href="{html.escape(url)}" rel="noreferrer noopener" target="_blank">{shown}</a>'


def _piece(found: re.Match[str]) -> str:
    part, text = found.lastgroup or "", html.escape(found[found.lastgroup or 0])
    if part == "block":
        return f"<pre>{text}</pre>"
    if part == "code":
        return f"<code>{text}</code>"
    if part == "target":
        return link(found["target"], html.escape(found["label"]))
    if part in ("mention", "all"):
        return f'<span class="mention">{text}</span>'
    return link(found["bare"], text) if part == "bare" else text
