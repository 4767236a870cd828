"""What Slack would show of a message, as values for the page. Unknown parts are named, never dropped silently.

https://api.slack.com/reference/block-kit/blocks , https://api.slack.com/reference/messaging/attachments
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from landed.sandbox.mrkdwn import plain_to_html, to_html

_COLOURS = {"good": "#2eb886", "warning": "#daa038", "danger": "#a30200"}
_HEX = re.compile(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")


class Part(Struct, frozen=True):
    """One thing below the other: ``kind`` says how it looks, ``html`` is safe to put into a page."""

    kind: str
    """``header``, ``section``, ``fields``, ``context``, ``divider``, ``actions``, ``title`` or ``unknown``"""
    html: tuple[str, ...] = ()


class Card(Struct, frozen=True):
    """Parts beside a colour bar; without a colour there is no bar."""

    parts: tuple[Part, ...]
    colour: str = ""


def cards(payload: dict[str, Any]) -> tuple[Card, ...]:
    """A message: its own blocks (or text), then its attachments."""
    blocks = objects(payload.get("blocks"))
    attachments = [_attachment(attachment) for attachment in objects(payload.get("attachments"))]
    own = _parts(blocks)
    if not own and payload.get("text") and not (attachments and payload.get("blocks")):
        own = (Part("section", (to_html(str(payload["text"])),)),)
    return tuple(card for card in (Card(own), *attachments) if card.parts)


def _attachment(attachment: dict[str, Any]) -> Card:
    colour = str(attachment.get("color") or "")
    found = _HEX.match(colour)
    bar = _COLOURS.get(colour) or (f"#{found[1]}" if found else "#8a8f98")
    return Card(_parts(objects(attachment.get("blocks"))) or _legacy(attachment), bar)


def _legacy(attachment: dict[str, Any]) -> tuple[Part, ...]:
    parts = []
    for field, kind in (("pretext", "section"), ("author_name", "context"), ("title", "title"), ("text", "section")):
        text = str(attachment.get(field) or "")
        if not text:
            continue
        link = str(attachment.get("title_link") or "") if field == "title" else ""
        parts.append(Part(kind, (_link(link, plain_to_html(text)) if link else to_html(text),)))
    fields = tuple(
        f"<strong>{plain_to_html(str(field.get('title', '')))}</strong><br>{to_html(str(field.get('value', '')))}"
        for field in objects(attachment.get("fields"))
    )
    if fields:
        parts.append(Part("fields", fields))
    if attachment.get("footer"):
        parts.append(Part("context", (to_html(str(attachment["footer"])),)))
    if not parts and attachment.get("fallback"):
        parts.append(Part("section", (plain_to_html(str(attachment["fallback"])),)))
    return tuple(parts)


def _parts(blocks: Iterable[dict[str, Any]]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for block in blocks:
        show = _BLOCKS.get(str(block.get("type")))
        if show is None:
            parts.append(Part("unknown", (plain_to_html(f"[{block.get('type')} block]"),)))
        else:
            parts += [part for part in show(block) if part.html or part.kind == "divider"]
    return tuple(parts)


def _header(block: dict[str, Any]) -> tuple[Part, ...]:
    return (Part("header", (_text(block.get("text")),)),)


def _section(block: dict[str, Any]) -> tuple[Part, ...]:
    text = _text(block.get("text"))
    fields = tuple(_text(field) for field in objects(block.get("fields")))
    accessory = block.get("accessory")
    actions = _buttons([accessory]) if isinstance(accessory, dict) else ()
    return (Part("section", (text,) if text else ()), Part("fields", fields), Part("actions", actions))


def _context(block: dict[str, Any]) -> tuple[Part, ...]:
    return (Part("context", tuple(_text(e) for e in objects(block.get("elements")) if e.get("type") != "image")),)


def _divider(_block: dict[str, Any]) -> tuple[Part, ...]:
    return (Part("divider"),)


def _actions(block: dict[str, Any]) -> tuple[Part, ...]:
    return (Part("actions", _buttons(objects(block.get("elements")))),)


_BLOCKS: dict[str, Callable[[dict[str, Any]], tuple[Part, ...]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "divider": _divider,
    "actions": _actions,
}


def _buttons(elements: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        _link(str(element.get("url") or ""), _text(element.get("text")))
        for element in elements
        if element.get("type") == "button"
    )


def _link(url: str, html: str) -> str:
    if not url.startswith(("https://", "http://")):
        return html
    return f'<a href="{plain_to_html(url)}" rel="noreferrer noopener" target="_blank">{html}</a>'


def _text(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    show = to_html if value.get("type") == "mrkdwn" else plain_to_html
    return show(str(value.get("text") or ""))


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; nothing where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
