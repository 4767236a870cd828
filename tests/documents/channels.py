"""The README's table of channels, made from the registry.

``python tests/documents/channels.py`` writes it into the README; a test fails while it differs.
"""

from __future__ import annotations

import re
from pathlib import Path

from landed.registry import CHAT, ChatType

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(<!-- channels -->\n).*(<!-- /channels -->)", re.DOTALL)
_TOLD = {
    "digests": "messages",
    "events": "Flux's event object",
    "occurrences": "each result",
}


def table() -> str:
    """Every type, people first, by name."""
    rows = [
        "| `spec.type` | Takes | Is told | Edit | Thread | Resolve | Mention |",
        "|---|---|---|:-:|:-:|:-:|:-:|",
    ]
    in_order = sorted(CHAT.items(), key=lambda item: (list(_TOLD).index(item[1].takes), item[0]))
    return "\n".join([*rows, *(_row(type_, kind) for type_, kind in in_order)]) + "\n"


def _row(type_: str, kind: ChatType) -> str:
    name = f"`{type_}`" + ("" if kind.since else " ¹") + (" ²" if kind.extra else "")
    edits = {"": "", "always": "✓", "token": "with `token`"}[kind.edits]
    cells = (name, _settings(kind), _TOLD[kind.takes], edits, *map(_yes, (kind.threads, kind.resolves, kind.mentions)))
    return f"| {' | '.join(cells)} |"


def _settings(kind: ChatType) -> str:
    """Those that must be there in bold."""
    needed = kind.needs.split()
    return ", ".join(f"**`{name}`**" if name in needed else f"`{name}`" for name in kind.uses.split())


def _yes(can: bool) -> str:
    return "✓" if can else ""


def written(text: str) -> str:
    """``text`` with the table in its place."""
    return PLACE.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
