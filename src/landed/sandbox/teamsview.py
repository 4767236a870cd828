"""What Microsoft Teams would show of an Adaptive Card, as values for the page. Unknown parts are named.

https://learn.microsoft.com/adaptive-cards/schema-explorer/adaptive-card
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from landed.sandbox.markdown import link
from landed.sandbox.slackview import Card, Part, objects
from landed.sandbox.teamsinbox import CARD

#: The colours of a container's style.
_STYLES = {"attention": "#c4314b", "good": "#2d8a4f", "warning": "#b07a00", "emphasis": "#7a828e", "accent": "#5b5fc7"}


def cards(payload: dict[str, Any]) -> tuple[Card, ...]:
    """A message: each container of its cards by itself, and what stands between them."""
    contents = [a.get("content") for a in objects(payload.get("attachments")) if a.get("contentType") == CARD]
    found = [card for content in contents if isinstance(content, dict) for card in _body(objects(content.get("body")))]
    return tuple(card for card in found if card.parts)


def _body(elements: Iterable[dict[str, Any]]) -> Iterable[Card]:
    for element in elements:
        if element.get("type") == "Container":
            colour = _STYLES.get(str(element.get("style")), "")
            yield Card(tuple(part for item in objects(element.get("items")) for part in _parts(item)), colour)
        else:
            yield Card(tuple(_parts(element)))


def _parts(element: dict[str, Any]) -> Iterable[Part]:
    type_ = str(element.get("type"))
    show = _ELEMENTS.get(type_)
    if show is None:
        yield Part("unknown", (html.escape(f"[{type_}]"),))
        return
    part = show(element)
    if part.html:
        yield part


def _rich(element: dict[str, Any]) -> Part:
    inlines = element.get("inlines")
    runs = [run if isinstance(run, dict) else {"text": run} for run in (inlines if isinstance(inlines, list) else ())]
    text = "".join(_run(run) for run in runs)
    first = runs[0] if runs else {}
    return Part(_kind(first), (text,) if text else ())


def _run(run: dict[str, Any]) -> str:
    text = html.escape(str(run.get("text") or ""))
    return f"<strong>{text}</strong>" if run.get("weight") == "Bolder" and _kind(run) == "section" else text


def _kind(look: dict[str, Any]) -> str:
    """How a text looks: its size and whether it is subtle."""
    if look.get("size") == "Large":
        return "header"
    if look.get("size") == "Medium":
        return "title"
    return "context" if look.get("isSubtle") else "section"


def _text(element: dict[str, Any]) -> Part:
    text = html.escape(str(element.get("text") or ""))
    return Part(_kind(element), (text,) if text else ())


def _facts(element: dict[str, Any]) -> Part:
    facts = objects(element.get("facts"))
    return Part("fields", tuple(f"<strong>{_of(fact, 'title')}</strong><br>{_of(fact, 'value')}" for fact in facts))


def _of(holder: dict[str, Any], name: str) -> str:
    return html.escape(str(holder.get(name) or ""))


def _actions(element: dict[str, Any]) -> Part:
    actions = (a for a in objects(element.get("actions")) if a.get("type") == "Action.OpenUrl")
    return Part("actions", tuple(link(str(a.get("url") or ""), _of(a, "title")) for a in actions))


_ELEMENTS: dict[str, Callable[[dict[str, Any]], Part]] = {
    "RichTextBlock": _rich,
    "TextBlock": _text,
    "FactSet": _facts,
    "ActionSet": _actions,
}
