"""What Discord would show of a message, as values for the page.

https://docs.discord.com/developers/resources/message#embed-object
"""

from __future__ import annotations

import html
from typing import Any

from landed.sandbox.markdown import link, to_html
from landed.sandbox.slackview import Card, Part, objects

_NO_COLOUR = "#8a8f98"


def cards(payload: dict[str, Any]) -> tuple[Card, ...]:
    """A message: its text, then its embeds."""
    content = str(payload.get("content") or "")
    own = Card((Part("section", (to_html(content),)),) if content else ())
    return tuple(card for card in (own, *map(_embed, objects(payload.get("embeds")))) if card.parts)


def _embed(embed: dict[str, Any]) -> Card:
    parts = []
    if title := str(embed.get("title") or ""):
        parts.append(Part("title", (link(str(embed.get("url") or ""), to_html(title)),)))
    if description := str(embed.get("description") or ""):
        parts.append(Part("section", (to_html(description),)))
    fields = tuple(_field(field) for field in objects(embed.get("fields")))
    parts += [Part("fields", fields)] if fields else []
    footer = embed.get("footer")
    if isinstance(footer, dict) and footer.get("text"):
        parts.append(Part("context", (html.escape(str(footer["text"])),)))
    return Card(tuple(parts), _colour(embed.get("color")))


def _field(field: dict[str, Any]) -> str:
    return f"<strong>{to_html(str(field.get('name', '')))}</strong><br>{to_html(str(field.get('value', '')))}"


def _colour(value: object) -> str:
    return f"#{value:06x}" if isinstance(value, int) and 0 <= value <= 0xFFFFFF else _NO_COLOUR
