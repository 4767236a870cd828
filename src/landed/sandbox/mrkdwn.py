"""Slack's mrkdwn as HTML, the way Slack shows it.

Everything is escaped; only links to the web become links. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

_CODE_BLOCK = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_ANGLE = re.compile(r"<([^<>\n]+)>")
#: A mark counts only around words: ``a*b*c`` is no emphasis.
_MARKS = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^\n]+?)(?<=\S){mark}(?![\w{mark}])"), tag)
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)
_EMOJI = re.compile(r":([a-z0-9_+-]+):")
#: Characters for private use stand for finished pieces of HTML; a message cannot bring its own.
_FIRST, _LAST = 0xE000, 0xF8FF
_STAND_INS = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_PICTURES = {
    "white_check_mark": "✅",
    "heavy_check_mark": "✔️",
    "x": "❌",
    "warning": "⚠️",
    "hourglass_flowing_sand": "⏳",
    "rocket": "🚀",
    "large_green_circle": "🟢",
    "red_circle": "🔴",
    "large_yellow_circle": "🟡",
}


def to_html(text: str) -> str:
    """``text`` as HTML that is safe to put into a page."""
    pieces: list[str] = []

    def aside(make: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
        def keep(found: re.Match[str]) -> str:
            if len(pieces) > _LAST - _FIRST:
                return ""
            pieces.append(make(found[1]))
            return chr(_FIRST + len(pieces) - 1)

        return keep

    text = _STAND_INS.sub("", text)
    text = _CODE_BLOCK.sub(aside(lambda code: f"<pre>{_plain(code)}</pre>"), text)
    text = _CODE.sub(aside(lambda code: f"<code>{_plain(code)}</code>"), text)
    text = _ANGLE.sub(aside(_angle), text)
    markup = _marked(_plain(text)).replace("\n", "<br>")
    return _STAND_INS.sub(lambda found: pieces[ord(found[0]) - _FIRST], markup)


def plain_to_html(text: str) -> str:
    """A ``plain_text`` object: emoji names count, nothing else does."""
    return _EMOJI.sub(_picture, _plain(text)).replace("\n", "<br>")


def _plain(text: str) -> str:
    """Text as HTML. Slack's three entities stand for their characters; nothing else is decoded."""
    decoded = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return html.escape(decoded)


def _angle(content: str) -> str:
    target, _, label = content.partition("|")
    if target.startswith(("https://", "http://")):
        shown = _plain(label or target)
        return f'<a href="{_plain(target)}" rel="noreferrer noopener" target="_blank">{shown}</a>'
    if target.startswith(("@", "#", "!")):
        return f'<span class="mention">{_plain(label or target)}</span>'
    return _plain(f"<{content}>")


def _marked(text: str) -> str:
    for pattern, tag in _MARKS:
        text = pattern.sub(rf"<{tag}>\1</{tag}>", text)
    return _EMOJI.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    return _PICTURES.get(found[1], found[0])
