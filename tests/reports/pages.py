"""A page as a browser would take it, by a parser that keeps what it had to forgive; and fleets to make pages of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

import tinyhtml5.parser
from msgspec import structs
from reports.hostile import FLEET, NOW, A, B

from landed.model import (
    Answer,
    Cluster,
    Condition,
    Culprit,
    Explanation,
    HelmRelease,
    Kustomization,
    Look,
    ObjectRef,
    PodTrouble,
    Report,
    Snapshot,
    Source,
    Standing,
    Verdict,
)
from landed.outcomes import judge
from landed.reports import render
from landed.reports.interface import View

SOURCE = ObjectRef("GitRepository", "flux-system", "fleet")
_XHTML = "{http://www.w3.org/1999/xhtml}"
_SVG = "{http://www.w3.org/2000/svg}"


class Page:
    """What a browser makes of a page. ``errors`` is what the page's author got wrong, by the HTML specification."""

    def __init__(self, text: str) -> None:
        parser = tinyhtml5.parser.HTMLParser()
        self.root: Element = parser.parse(text)
        self.errors = parser.errors
        self.elements: list[Element] = list(self.root.iter())

    def all(self, tag: str, within: Element | None = None) -> list[Element]:
        """The elements of a name, of HTML or SVG, in order."""
        wanted = {_XHTML + tag, _SVG + tag}
        return [one for one in (self.elements if within is None else within.iter()) if one.tag in wanted]

    def by_id(self, name: str) -> Element:
        """The one element with this id."""
        (found,) = [one for one in self.elements if one.get("id") == name]
        return found

    def tags(self) -> set[str]:
        """Every name of an element."""
        return {one.tag.rpartition("}")[2] for one in self.elements if isinstance(one.tag, str)}


def text(element: Element) -> str:
    """What people read, blanks single."""
    return " ".join("".join(element.itertext()).split())


def page(report: Report, now: int = NOW) -> Page:
    return Page(render("html", report, View(now)))


def ref(name: str) -> ObjectRef:
    return ObjectRef("Kustomization", "apps", name)


def revision(commit: str) -> str:
    return f"main@sha1:{commit}"


def ks(
    name: str, *needs: str, state: str = "True", reason: str = "", message: str = "", **more: object
) -> Kustomization:
    """A Kustomization that has applied A, unless said otherwise."""
    usual = {"True": "ReconciliationSucceeded", "False": "HealthCheckFailed"}
    settings = {
        "generation": 1,
        "observed_generation": 1,
        "ready": Condition(state, reason or usual[state], message, 1, NOW - 600),
        "depends_on": tuple(map(ref, needs)),
        "applied": revision(A if state == "True" else B),
        "attempted": revision(A),
        "path": f"./apps/{name}",
    } | more
    return Kustomization(ref(name), SOURCE, **settings)  # type: ignore[arg-type]


def snapshot(commit: str, status: str, first: int, last: int, times: int = 1, took: str = "8.118s") -> Snapshot:
    return Snapshot(revision(commit), "", status, NOW - last, took, NOW - first, times)


def look(name: str, *objects: Kustomization, releases: Sequence[HelmRelease] = (), read: bool = True) -> Look:
    """A cluster, judged."""
    source = Source(SOURCE, "https://github.com/acme/fleet", "branch=main", revision(A), updated=NOW - 700,
                    ready=Condition("True", "Succeeded", generation=1))  # fmt: skip
    cluster = Cluster(name, objects, {SOURCE: source}, tuple(releases))
    return structs.replace(judge(cluster, now=NOW), read=cluster if read else None)


def answer(verdict: Verdict, *standings: Standing, **more: object) -> Answer:
    settings = {"began": NOW - 431, "ended": NOW} | more
    return Answer(FLEET, A, verdict, standings, **settings)  # type: ignore[arg-type]


def stands(name: str, state: str, cluster: str = "prod", **more: object) -> Standing:
    settings = {"commit": A, "since": NOW - 60} | more
    return Standing(cluster, ref(name), state, **settings)  # type: ignore[arg-type]


def everything(text: str) -> Report:
    """A report in which everything that is text is ``text``, of what ``report_of`` does not hold."""
    about = ObjectRef("Kustomization", text, text)
    release = ObjectRef("HelmRelease", text, text)
    standings = tuple(
        Standing(text, one, state, text, text, text, text, NOW - 60, about, text)
        for state in (*map(str, Verdict), "suspended", "deleting", text)
        for one in (about, release, ObjectRef("Kustomization", text, f"{state}{text}"))
    )
    condition = Condition("False", text, text, 1, NOW - 5)
    k = Kustomization(
        about, ObjectRef(text, text, text), text, 1, 1, depends_on=(about, ObjectRef("Kustomization", text, "gone")),
        ready=condition, applied=text, applied_origin=text, attempted=f"{text}2", path=text,
        history=tuple(Snapshot(text, text, text, NOW - n, text, NOW - 2 * n, n) for n in (9, 99, 999)),
    )  # fmt: skip
    cluster = Cluster(text, (k,), helm_releases=(HelmRelease(release, about, attempted=text, ready=condition),))
    pod = PodTrouble(text, text, text, text, 3, (text, text))
    culprit = Culprit(ObjectRef(text, text, text), text, (text,), (pod,), (text,))
    explained = Explanation(text, about, text, text, (culprit,), (about,), text, text, (text,))
    given = Answer(FLEET, text, Verdict.FAILED, standings, (f"{text}!",), True, NOW - 60, NOW, (text,))
    looks = (structs.replace(judge(cluster, now=NOW), read=cluster), Look(f"{text}!", error=text or "x", hint=text))
    return Report(looks, warnings=(text,), notes=(text,), answer=given, explanations=(explained,))


def rows(page: Page) -> Iterator[tuple[str, list[str]]]:
    """The lines of the matrix: a name, and what stands in each place."""
    (table,) = [one for one in page.all("table") if "matrix" in (one.get("class") or "")]
    for row in page.all("tr", table):
        names, cells = page.all("th", row), page.all("td", row)
        if cells:
            yield text(names[0]), [_brief(page, cell) for cell in cells]


def _brief(page: Page, cell: Element) -> str:
    buttons = [one for one in page.all("button", cell) if one.get("popovertargetaction") is None]
    return text(buttons[0] if buttons else cell)
