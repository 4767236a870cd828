"""What the page is about: the answer, or what is seen, in a few words. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from landed import render
from landed.model import Answer, ObjectRef, Report, Standing, State, Verdict
from landed.reports.html import signs
from landed.reports.html.seen import Column
from landed.reports.html.signs import SIGNS, Sign, counted
from landed.reports.lines import what_is_seen

#: Things that are named at the top, and clusters that are named with one.
MOST_MISSING, MOST_CLUSTERS = 15, 4
#: Characters of a message at the top.
MOST_OF_A_MESSAGE = 400
_UNREAD = "What could not be read"
_NOT_WAITED_FOR = frozenset({str(State.SUSPENDED), str(State.DELETING)})


class Missing(Struct, frozen=True):
    """One thing that is not there yet, and why."""

    sign: Sign
    name: str
    where: str
    why: str
    since: int = 0


class Tile(Struct, frozen=True):
    """A number, and of what."""

    sign: Sign
    number: int
    word: str


class Head(Struct, frozen=True):
    """The top of the page."""

    sign: Sign
    title: str
    """The answer in one to five words."""
    sentence: str
    subject: str = ""
    """Repository and short commit, for the window's title; empty where no commit is asked about."""
    repository: str = ""
    commit: str = ""
    url: str = ""
    """Of the commit, where it has a page."""
    later: str = ""
    """The later commit that is live in its place."""
    took: str = ""
    missing_title: str = ""
    missing: tuple[Missing, ...] = ()
    left: int = 0
    """What is missing and not named."""
    tiles: tuple[Tile, ...] = ()
    notes: tuple[str, ...] = ()


def head(report: Report, columns: Sequence[Column], now: int) -> Head:
    """What the page is about."""
    tiles = tuple(_tiles(columns))
    unread = [Missing(SIGNS["unreadable"], column.name, "", _unread(column)) for column in columns if column.error]
    if report.answer is not None:
        return _answered(report.answer, tiles, unread, now)
    title, key = _seen(columns)
    return Head(SIGNS[key], title, what_is_seen(report), missing_title=_UNREAD, missing=tuple(unread), tiles=tiles)


def _unread(column: Column) -> str:
    return f"{column.error} {column.hint}".strip()


def _tiles(columns: Sequence[Column]) -> Iterator[Tile]:
    """How many of all objects stand how, each counted once for each cluster."""
    found = Counter(cell.key for column in columns for cell in column.cells.values())
    for key, sign in SIGNS.items():
        if found[key]:
            yield Tile(sign, found[key], sign.word)
    unread = sum(bool(column.error) for column in columns)
    if unread:
        yield Tile(SIGNS["unreadable"], unread, "cluster not read" if unread == 1 else "clusters not read")


# ── without an answer ───────────────────────────────────────────────────────────────────────────────────────────────


def _seen(columns: Sequence[Column]) -> tuple[str, str]:
    """The title and the sign of what is seen: whatever is worst."""
    unread = sum(bool(column.error) for column in columns)
    found = Counter(cell.key for column in columns for cell in column.cells.values())
    if found["failed"]:
        return f"{found['failed']} failing", "failed"
    if unread:
        return f"{counted(unread, 'cluster')} could not be read", "unreadable"
    if not found:
        return "Nothing is seen", "other"
    worst = signs.worst(found)
    if worst != "live":
        return f"{found[worst]} {SIGNS[worst].word}", worst
    return "All live", "live"


# ── with an answer ──────────────────────────────────────────────────────────────────────────────────────────────────


def _answered(answer: Answer, tiles: tuple[Tile, ...], unread: list[Missing], now: int) -> Head:
    title, key = _title(answer, bool(unread))
    missing = [*unread, *_missing(answer)]
    applied = answer.applied if answer.verdict is Verdict.LIVE else ""
    commit = answer.commit
    return Head(
        SIGNS[key],
        title,
        _sentence(answer, len(unread)),
        f"{answer.repository.path} {signs.digits(commit)}",
        str(answer.repository),
        commit,
        signs.link(render.commit_url(answer.repository, commit)),
        applied if applied and applied != commit else "",
        render.age(answer.ended - answer.began) if answer.began and answer.ended else "",
        _called(missing),
        tuple(missing[:MOST_MISSING]),
        max(0, len(missing) - MOST_MISSING),
        tiles,
        answer.notes,
    )


def _called(missing: Sequence[Missing]) -> str:
    keys = {one.sign.key for one in missing}
    if keys <= {"unreadable"}:
        return _UNREAD
    return "Not waited for" if keys <= _NOT_WAITED_FOR else "What is missing, and why"


def _title(answer: Answer, unread: bool) -> tuple[str, str]:
    """What is known for certain is said first: a failure is one, whatever could not be read."""
    if answer.verdict is Verdict.FAILED:
        return "Failed", "failed"
    if answer.verdict is Verdict.DIVERGED:
        return "Diverged", "diverged"
    if unread:
        return "Not known: a cluster could not be read", "unreadable"
    if answer.verdict is Verdict.LIVE:
        return "Live", "live"
    return ("Timed out", "waiting") if answer.timed_out else ("Waiting", "waiting")


def _sentence(answer: Answer, unread: int) -> str:
    waited = [standing for standing in answer.standings if standing.state not in _NOT_WAITED_FOR]
    by = Counter(standing.state for standing in waited)
    clusters = counted(len({standing.cluster for standing in waited}), "cluster")
    tally = f"{by[Verdict.LIVE]} of {counted(len(waited), 'object')} on {clusters} live"
    said = {
        Verdict.LIVE: "The commit, or a later one, is applied and healthy wherever it is meant to be",
        Verdict.FAILED: f"The commit failed in {counted(by[Verdict.FAILED], 'place')}",
        Verdict.WAITING: "The commit is still on its way",
        Verdict.DIVERGED: "What is applied does not contain the commit, and its source will not bring it",
    }[answer.verdict]
    if answer.verdict is Verdict.LIVE and not waited:
        said = "Nothing is meant to take the commit"
    if answer.verdict is Verdict.LIVE and unread:
        said = "The commit is live on the clusters that could be read"
    if answer.timed_out:
        said = f"{said}, and the time to wait for it is up"
    rest = f"; {counted(unread, 'cluster')} could not be read" if unread else ""
    return f"{said}: {tally}{rest}."


def _missing(answer: Answer) -> list[Missing]:
    """What is not live, worst first; the same on several clusters is one thing."""
    alike: dict[tuple[int, ObjectRef, str, str], list[Standing]] = {}
    for standing in answer.standings:
        key = _key(standing)
        if key != "live":
            alike.setdefault((signs.rank(key), standing.about, key, _why(standing)), []).append(standing)
    found = sorted(alike.items(), key=lambda pair: pair[0])
    return [
        Missing(
            SIGNS[key],
            named(about),
            places(standing.cluster for standing in standings),
            why,
            min((standing.since for standing in standings if standing.since), default=0),
        )
        for (_, about, key, why), standings in found
    ]


def _key(standing: Standing) -> str:
    found = signs.key(standing.state)
    return "doomed" if standing.doomed and found == "waiting" else found


def _why(standing: Standing) -> str:
    parts = [
        f"It will fail: {standing.doomed}." if standing.doomed else "",
        render.cut(signs.line(standing.message), MOST_OF_A_MESSAGE) or render.words(standing.reason),
    ]
    waits = standing.waits_for
    if waits is not None and f"{waits.namespace}/{waits.name}" not in parts[1]:
        parts.append(f"It waits for {waits.namespace}/{waits.name}.")
    return " ".join(filter(None, parts))


def named(about: ObjectRef) -> str:
    """The object as messages call it: ``apps/web``, other kinds than Kustomization spelt out."""
    plain = f"{about.namespace}/{about.name}" if about.namespace else about.name
    return plain if about.kind == "Kustomization" else f"{about.kind} {plain}"


def places(clusters: Iterable[str]) -> str:
    """A few clusters by name, the others counted."""
    names = list(dict.fromkeys(clusters))
    more = f" and {len(names) - MOST_CLUSTERS} more" if len(names) > MOST_CLUSTERS else ""
    return ", ".join(names[:MOST_CLUSTERS]) + more
