"""A report as one page that needs nothing else: no script, no file, no address. Made to be published.

Everything that a template prints is cleaned and escaped before; what a stranger wrote is text and nothing else. The
page's own policy forbids scripts, forms and whatever would have to be fetched.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from landed.model import Report
from landed.reports.html import causes, graph, head, matrix, rest, seen, signs, timeline
from landed.reports.interface import View
from landed.reports.lines import summary

if TYPE_CHECKING:
    import jinja2


def render(report: Report, view: View) -> str:
    """The whole page. Ages are counted from ``view.now``; nothing else of ``view`` makes a difference."""
    columns = seen.columns(report)
    page = _environment().get_template("report.html.j2").render(
        now=view.now,
        head=head.head(report, columns, view.now),
        matrix=matrix.matrix(columns, view.now),
        causes=causes.causes(report, columns),
        explained=bool(report.explanations),
        pictures=graph.pictures(columns),
        timelines=timeline.timelines(columns, view.now),
        tables=rest.tables(report, columns),
        summary=summary(report),
        box={"width": graph.WIDTH, "height": graph.HEIGHT},
        axis={"width": timeline.WIDTH, "lane": timeline.LANE},
    )  # fmt: skip
    return page if page.endswith("\n") else f"{page}\n"


@cache
def _environment() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup, escape

    def finished(value: object) -> object:
        """Whatever is printed is cleaned, so that no template can forget it."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return signs.line(value)
        return value

    def block(text: str) -> Markup:
        """Text with its line breaks, written so that they break no line of the page itself."""
        return Markup(str(escape(signs.lines(text))).replace("\n", "&#10;"))  # noqa: S704 — escaped just before

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landed.reports.html", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=finished,
    )
    environment.filters.update(block=block, moment=signs.moment)
    environment.globals.update(ago=signs.ago, counted=signs.counted)
    return environment
