"""A wait in a log: a line for each change, and a word now and then where nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, structs

from landed import render
from landed.model import Answer, ObjectRef, Standing, Verdict
from landed.reports.console import Console
from landed.reports.rows import plain, rank
from landed.reports.standings import called
from landed.reports.waiting.words import WAITED_FOR, counts, essence, lasting, missing, placed, title, why

#: Seconds without a word after which somebody may think that it hangs.
HEARTBEAT = 30.0
#: Changes that one look may print; what is more is counted. A log collector gets them all.
MOST_LINES = 10
#: Seconds between two lines that say another why of the same object, its state and reason being as they were.
RARELY = 15.0
#: Characters of a reason in a line, and of one among several.
LONGEST, SHORT = 200, 60
#: Reasons that a heartbeat tells apart, and objects it names for each.
MOST_REASONS, MOST_NAMES = 3, 3
#: Notes that a whole wait may print.
MOST_NOTES = 20


class Known(Struct, frozen=True):
    """What was said last of one object."""

    one: Standing
    reason: tuple[str, ...]
    why: str
    entered: float
    """When it came to this state, as far as was seen; so is ``said``, when it was last spoken of."""
    said: float


class Change(Struct, frozen=True):
    """One thing to say of one object."""

    one: Standing
    was: str
    """The state it leaves; empty where it was not there before, the same where only the reason is another one."""
    lasted: float = 0.0
    """How many seconds it has been in the state that it leaves."""
    gone: bool = False


class Log:
    """Compares each look with what was said."""

    def __init__(self, console: Console, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._known: dict[tuple[str, ObjectRef], Known] = {}
        self._unread: tuple[str, ...] = ()
        self._notes: set[str] = set()
        self._begun = False
        self._heard = console.said
        self._silent_since = clock()

    def start(self) -> None:
        """From here on progress is told by heartbeats."""
        self._console.patient(True)

    def stop(self) -> None:
        """The group ends before anything else is printed."""
        self._console.patient(False)
        self._console.endgroup()

    def next_in(self) -> float:
        """Until the next heartbeat, in seconds."""
        self._listen()
        return max(0.0, HEARTBEAT - (self._clock() - self._silent_since))

    def tell(self, answer: Answer, left: float) -> None:
        """Say what is new; if nothing was said for long, how it stands."""
        answer = self._console.hidden(answer)
        if not self._begun:
            self._begin(answer, left)
        changes = tuple(self._changes(answer))
        self._say_all(answer, changes)
        self._surroundings(answer)
        self._begun = True
        if self.next_in() <= 0 and answer.verdict is Verdict.WAITING and not answer.timed_out:
            self._beat(answer, left)
            self._silent_since = self._clock()

    def _listen(self) -> None:
        if self._console.said != self._heard:
            self._heard, self._silent_since = self._console.said, self._clock()

    # ── the first word, and the last one of a long silence ──────────────────────────────────────────────────────────

    def _begin(self, answer: Answer, left: float) -> None:
        said = title(answer, self._safe)
        self._console.group(said[:1].upper() + said[1:])
        clusters = len({one.cluster for one in answer.standings} | set(answer.unread))
        where = f" on {clusters} cluster{'' if clusters == 1 else 's'}"
        text = f"{said}: {counts(answer)}{where}; {lasting(left)} left (times are UTC)"
        fields = {"repository": str(answer.repository), **_numbers(answer), "clusters": clusters, "left_s": round(left)}
        self._console.tell(text, {"commit": answer.commit, **fields}, message=said)

    def _beat(self, answer: Answer, left: float) -> None:
        passed = self._clock() - answer.began if answer.began else 0
        lacking = missing(answer)
        total = sum(one.state in WAITED_FOR for one in answer.standings)
        parts = [f"still waiting after {lasting(passed)}: {len(lacking)} of {total} not live"]
        if lacking:
            parts[0] += f": {self._reasons(lacking)}"
        if answer.unread:
            parts.append(f"cannot be read: {_listed([plain(name) for name in answer.unread], MOST_NAMES)}")
        text = "; ".join([*parts, f"{lasting(left)} left"])
        fields = {**_numbers(answer), "passed_s": round(passed), "left_s": round(left)}
        self._console.tell(text, {"commit": answer.commit, **fields})

    def _reasons(self, lacking: Iterable[Standing]) -> str:
        """``apps/web on prod (health checks, 1m10s), apps/a on prod and 3 more (waits for infra/db)``."""
        alike: dict[tuple[str, str], list[Standing]] = {}
        for one in lacking:
            alike.setdefault((one.state, essence(why(one))), []).append(one)
        parts = []
        for group in list(alike.values())[:MOST_REASONS]:
            first = group[0]
            said = render.cut(self._safe(why(first)) or first.state, SHORT)
            since = f", {lasting(self._clock() - first.since)}" if first.since and len(group) == 1 else ""
            parts.append(f"{_listed([placed(one) for one in group], MOST_NAMES)} ({said}{since})")
        others = sum(len(group) for group in list(alike.values())[MOST_REASONS:])
        return ", ".join(parts) + (f" and {others} others" if others else "")

    # ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _changes(self, answer: Answer) -> Iterator[Change]:
        """What is to be said, and from then on known."""
        now = self._clock()
        there = set()
        for one in answer.standings:
            key = (one.cluster, one.about)
            there.add(key)
            known = self._known.get(key)
            if known is not None and known.one == one:
                continue  # nearly always
            commit = "" if one.state == Verdict.WAITING else one.commit
            reason = (commit, one.reason, one.doomed, str(one.waits_for or ""))
            new = Known(one, reason, essence(why(one)), now, now)
            if known is None:
                self._known[key] = structs.replace(new, entered=float(answer.began or now)) if not self._begun else new
                if self._begun or (one.state in WAITED_FOR and one.state != Verdict.LIVE):
                    yield Change(one, "")
            elif known.one.state != one.state:
                self._known[key] = new
                yield Change(one, known.one.state, now - known.entered)
            elif _other(known, new):
                self._known[key] = structs.replace(new, entered=known.entered)
                yield Change(one, one.state)
        unread = set(answer.unread)
        for key in [key for key in self._known if key not in there and key[0] not in unread]:
            gone = self._known.pop(key).one
            yield Change(gone, gone.state, gone=True)

    def _say_all(self, answer: Answer, changes: tuple[Change, ...]) -> None:
        ranked = sorted(changes, key=lambda change: (rank(change.one.state), change.one.cluster, change.one.about))
        most = len(ranked) if self._console.json else MOST_LINES
        shown = ranked if len(ranked) <= most + 1 else ranked[:most]  # a line that counts one is none saved
        for change in shown:
            self._console.tell(self._line(change), self._fields(change), message=self._message(change))
        rest = Counter(_course(change) for change in ranked[len(shown) :])
        if rest:
            listed = ", ".join(f"{number} {course}" for course, number in rest.most_common())
            self._console.tell(f"… and {rest.total()} more: {listed}", {"commit": answer.commit})

    def _line(self, change: Change) -> str:
        """``prod  apps/web  waiting → live  6dcd4ce2 (12s)``."""
        one = change.one
        took = f" ({lasting(change.lasted)})" if change.was not in ("", one.state) else ""
        said = self._safe(one.commit)[:8] if one.state == Verdict.LIVE else self._why(one)
        said = "" if change.gone else f"{said}{took}".strip()
        return "  ".join(filter(None, (plain(one.cluster), called(one.about), _course(change), said)))

    def _message(self, change: Change) -> str:
        said = self._why(change.one)
        return f"{_course(change)}: {said}" if said and not change.gone else _course(change)

    def _fields(self, change: Change) -> Mapping[str, object]:
        one = change.one
        return {
            "cluster": one.cluster,
            "kind": one.about.kind,
            "namespace": one.about.namespace,
            "name": one.about.name,
            "from": change.was,
            "to": "" if change.gone else one.state,
            "commit": one.commit,
            "reason": one.reason,
        }

    def _why(self, one: Standing) -> str:
        return render.cut(self._safe(why(one)), LONGEST)

    def _safe(self, text: str) -> str:
        """Before it is cut: half a secret is found by nobody."""
        return " ".join(self._console.safe(text).split())

    # ── what is not about one object ────────────────────────────────────────────────────────────────────────────────

    def _surroundings(self, answer: Answer) -> None:
        """Clusters that are lost and come back, and what could not be found out."""
        lost = [name for name in answer.unread if name not in self._unread]
        back = [name for name in self._unread if name not in answer.unread]
        self._unread = answer.unread
        for names, said in ((lost, "cannot be read"), (back, "can be read again")):
            for name in names[:MOST_LINES]:
                self._console.tell(f"{plain(name)}  {said}", {"cluster": name}, message=said)
            if len(names) > MOST_LINES:
                self._console.tell(f"… and {len(names) - MOST_LINES} more clusters {said}")
        for note in answer.notes:
            if essence(note) not in self._notes and len(self._notes) < MOST_NOTES:
                self._notes.add(essence(note))
                self._console.tell(render.cut(self._safe(note), 2 * LONGEST), {"commit": answer.commit})


def _other(known: Known, new: Known) -> bool:
    """Whether there is another reason to tell: what a message says may change at every look."""
    if known.reason != new.reason:
        return True
    return known.why != new.why and new.said - known.said >= RARELY


def _course(change: Change) -> str:
    if change.gone:
        return f"{change.was} → gone"
    return f"{change.was} → {change.one.state}" if change.was not in ("", change.one.state) else change.one.state


def _numbers(answer: Answer) -> dict[str, object]:
    states = Counter(one.state for one in answer.standings)
    return {
        "verdict": str(answer.verdict),
        "live": states[Verdict.LIVE],
        "not_live": sum(number for state, number in states.items() if state in WAITED_FOR) - states[Verdict.LIVE],
    }


def _listed(names: list[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
