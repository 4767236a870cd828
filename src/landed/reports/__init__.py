"""What a run has to say for itself: a registry of formats, one file per format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landed.model import Report
    from landed.reports.interface import Format, View

#: ``-o`` → module with ``render(report, view)``.
FORMATS = {
    "lines": "landed.reports.lines",
    "table": "landed.reports.table",
    "json": "landed.reports.jsonreport",
    "markdown": "landed.reports.markdown",
    "html": "landed.reports.html",
    "junit": "landed.reports.junit",
}


def render(name: str, report: Report, view: View) -> str:
    """``report`` in the format ``name``, which is a key of ``FORMATS``. Only that format is loaded."""
    chosen: Format = import_module(FORMATS[name])
    return chosen.render(report, view)
