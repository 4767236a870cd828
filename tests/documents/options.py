"""The README's table of options, made from click's own description.

``python tests/documents/options.py`` writes it into the README; a test fails while it differs.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from landed.cli.doctor import command as doctor
from landed.cli.preview import command as preview
from landed.cli.report import command as report
from landed.cli.status import command as status
from landed.cli.wait import command as wait
from landed.cli.watch import command as watch

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(<!-- options -->\n).*(<!-- /options -->)", re.DOTALL)


COMMANDS = {"wait": wait, "report": report, "watch": watch, "status": status, "preview": preview, "doctor": doctor}


def table() -> str:
    """Every option, with its default and which commands take it."""
    rows = ["| Option | Default | Does | Commands |", "|---|---|---|---|"]
    named: dict[str, click.Option] = {}
    for command in COMMANDS.values():
        for option in command.params:
            if isinstance(option, click.Option) and option.name:
                named.setdefault(option.name, option)
    for name, option in named.items():
        flags = ", ".join(f"`{flag}`" for flag in sorted(option.opts, key=len, reverse=True))
        help_ = (option.help or "").replace("|", "\\|")
        rows.append(f"| {flags} | {_default(option)} | {help_} | {_taken_by(name)} |")
    return "\n".join(rows) + "\n"


def _taken_by(name: str) -> str:
    takers = [called for called, command in COMMANDS.items() if name in _names(command)]
    return "all" if len(takers) == len(COMMANDS) else ", ".join(takers)


def _default(option: click.Option) -> str:
    value = option.to_info_dict()["default"]
    return f"`{value}`" if value not in (None, "", False, ()) and "Sentinel" not in repr(value) else ""


def _names(command: click.Command) -> set[str]:
    return {parameter.name or "" for parameter in command.params}


def written(text: str) -> str:
    """``text`` with the table in its place."""
    return PLACE.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
