"""The Action's and the component's inputs, made from click's own descriptions.

``python tests/documents/inputs.py`` writes them into ``action.yml`` and ``templates/landed.yml``; tests fail while they
differ from the options.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landed.cli.report import command as report
from landed.cli.wait import command as wait
from landed.cli.watch import command as watch

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
#: Where a default differs from click's: the job's own token, and each command's own format.
DEFAULTS = {"github_token": "${{ github.token }}", "output": ""}
#: What the component's job hands on to GitLab by itself.
REPORTS = {"write": "junit=.landed/junit.xml\ndotenv=.landed/verdict.env"}
#: What would be none in YAML without quotes.
_PLAIN = re.compile(r"[A-Za-z.$][^:#\"'\n]*(?<! )")


def options() -> dict[str, dict[str, Any]]:
    """The options of the commands that CI systems run, in click's own words, without ``--help``."""
    found: dict[str, dict[str, Any]] = {}
    for command in (wait, report, watch):
        for param in command.to_info_dict(click.Context(command))["params"]:
            if param["envvar"]:
                found.setdefault(param["name"], param)
    return found


def secret(option: dict[str, Any]) -> bool:
    """Whether its value must not show in a pipeline's configuration."""
    return bool(option["type"]["name"] == "secret")


def description(option: dict[str, Any]) -> str:
    """An option's help, in the words of a place where nothing can be repeated."""
    text = str(option["help"])
    for repeatable in ("Repeatable; one per line in a variable.", "Repeatable on the command line."):
        text = text.replace(repeatable, "Several: one per line." if "one per line" in repeatable else "").strip()
    return text


def default(option: dict[str, Any]) -> str:
    """An option's default as an input has it: always a string."""
    value = option["default"]
    if value is None or (option["multiple"] and not value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def choices(name: str, option: dict[str, Any]) -> list[str]:
    """What an input may be, where that is limited."""
    limited = ["false", "true"] if option["is_flag"] else list(option["type"].get("choices", ()))
    return ["", *limited] if name == "output" else limited


def _entry(name: str, option: dict[str, Any], indent: str, *, limited: bool) -> Iterator[str]:
    yield f"{indent}{name}:"
    text = description(option)
    line = f"{indent}  description: {text if _PLAIN.fullmatch(text) else json.dumps(text)}"
    if len(line) <= 106 and "`" not in text[:1]:
        yield line
    else:
        yield f"{indent}  description: >-"
        inner = f"{indent}    "
        yield from textwrap.wrap(text, 106, initial_indent=inner, subsequent_indent=inner, break_on_hyphens=False)
    value = (DEFAULTS | (REPORTS if limited else {})).get(name, default(option))
    bare = _PLAIN.fullmatch(value) and value not in ("true", "false") and "{" not in value.replace("${{", "")
    yield f"{indent}  default: {value if bare else json.dumps(value)}"
    if limited and (among := choices(name, option)):
        quoted = (json.dumps(each) if each in ("", "true", "false") else each for each in among)
        yield f"{indent}  options: [{', '.join(quoted)}]"


def action(text: str) -> str:
    """``action.yml`` with the inputs in their place."""
    lines = [line for name, option in options().items() for line in _entry(name, option, "  ", limited=False)]
    head, _, rest = text.partition("    default: report\n")
    return f"{head}    default: report\n" + "\n".join(lines) + "\n\noutputs:\n" + rest.partition("\noutputs:\n")[2]


def component(text: str) -> str:
    """``templates/landed.yml`` with the inputs and the variables in their places."""
    plain = {name: option for name, option in options().items() if not secret(option)}
    lines = [line for name, option in plain.items() for line in _entry(name, option, "    ", limited=True)]
    head, commands, rest = re.split(r"(?<=default: report\n)(      options: \[.*\]\n)", text, maxsplit=1)
    body = rest.partition("\n---\n")[2]
    handed = "\n".join(f'    LANDED_{name.upper()}: "$[[ inputs.{name} ]]"' for name in plain)
    body = re.sub(r"(    GIT_STRATEGY: .*\n)(?:    LANDED_.*\n)+", lambda match: f"{match[1]}{handed}\n", body)
    return head + commands + "\n".join(lines) + "\n---\n" + body


if __name__ == "__main__":
    for place, written in ((ROOT / "action.yml", action), (ROOT / "templates" / "landed.yml", component)):
        place.write_text(written(place.read_text()))
