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

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(<!-- options -->\n).*(<!-- /options -->)", re.DOTALL)


def table() -> str:
    """Every option of ``landed report``, with its default and which other commands take it."""
    others = {"status": _names(status), "preview": _names(preview), "doctor": _names(doctor)}
    rows = ["| Option | Default | Does |", "|---|---|---|"]
    for option in report.params:
        if not isinstance(option, click.Option):
            continue
        flags = ", ".join(f"`{flag}`" for flag in sorted(option.opts, key=len, reverse=True))
        also = [name for name, known in others.items() if option.name in known]
        help_ = (option.help or "").replace("|", "\\|")
        rows.append(f"| {flags} | {_default(option)} | {help_}{_also(also)} |")
    return "\n".join(rows) + "\n"


def _default(option: click.Option) -> str:
    value = option.to_info_dict()["default"]
    return f"`{value}`" if value not in (None, "", False, ()) and "Sentinel" not in repr(value) else ""


def _names(command: click.Command) -> set[str]:
    return {parameter.name or "" for parameter in command.params}


def _also(commands: list[str]) -> str:
    return f" *Also: {', '.join(commands)}.*" if commands else ""


def written(text: str) -> str:
    """``text`` with the table in its place."""
    return PLACE.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
