"""What ``landed doctor`` found, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from landed.model import Finding
from landed.reports.jsonreport import written
from landed.reports.rows import plain

SCHEMA = "landed.findings/1"
_SYMBOLS = {"ok": "✓", "warning": "!", "problem": "✗"}


def render(findings: Sequence[Finding], format_: str) -> str:
    """``format_`` is ``table`` or ``json``: ``{"schema", "findings": [{"subject", "level", "message", "hint"}]}``."""
    if format_ == "json":
        found = [{"subject": f.subject, "level": f.level, "message": f.message, "hint": f.hint} for f in findings]
        return written({"schema": SCHEMA, "findings": found}, indent=2) + "\n"
    return "\n".join((*_lines(findings), _summary(findings))) + "\n"


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    width = max((len(plain(finding.subject)) for finding in findings), default=0)
    for finding in findings:
        yield f"{_SYMBOLS.get(finding.level, '·')} {plain(finding.subject).ljust(width)}  {plain(finding.message)}"
        for line in finding.hint.splitlines():  # a hint may be a command or a manifest, ready to paste
            yield f"  {' ' * width}  {_pasted(line)}".rstrip()


def _pasted(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + plain(line)


def _summary(findings: Sequence[Finding]) -> str:
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if not problems and not warnings:
        return "Everything is as it should be."
    return f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}."


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
