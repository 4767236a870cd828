"""The stop rule of ``landed wait``: goes on until the commit is live everywhere, has failed, or its time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import structs

from landed.closing import gated
from landed.errors import ConfigurationError
from landed.model import Answer, Cluster, Delivery, Explanation, Look, ObjectRef, Report, Verdict
from landed.relatives import Relatives
from landed.verdict import SETTLES, UNKNOWN, Decision, Memory, Question, decide, remember, waited_for

#: Seconds after which it is judged again although nothing has changed: graces end, and time passes.
TICK = 2.0

#: Rounds of asking who is related to whom in one look: each answer may raise one more question.
ROUNDS = 8

Doomed = Callable[[Sequence[Look]], Mapping[tuple[str, ObjectRef], str]]


class Screen(Protocol):
    """What people see meanwhile."""

    def tell(self, answer: Answer, left: float) -> None:
        """The answer so far, and the seconds that are left."""

    def next_in(self) -> float:
        """Seconds until it should be told again at the latest."""


class Nudge(Protocol):
    """What asks Flux to look now."""

    def __call__(self, clusters: Sequence[Cluster], answer: Answer) -> None:
        """Ask for what ``answer`` still waits for, each object once."""


class Gate:
    """Takes every report of the run, and ends it when there is an answer."""

    def __init__(
        self,
        question: Question,
        relatives: Relatives,
        screen: Screen,
        now: Callable[[], float],
        *,
        timeout: float,
        doomed: Doomed | None = None,
        nudge: Nudge | None = None,
    ) -> None:
        """``timeout`` in seconds from ``question.began``; ``now`` gives seconds since the Unix epoch."""
        self._question = question
        self._relatives = relatives
        self._screen = screen
        self._now = now
        self._end = question.began + timeout
        self._doomed = doomed
        self._nudge = nudge
        self._memory = Memory()
        self._read: set[str] = set()
        self._clusters: Sequence[Cluster] = ()
        self._looks: Sequence[Look] = ()
        self._seen_at = 0.0
        self._delivered: list[Delivery] = []
        self._report = Report()
        self._live: float | None = None
        """Since when everything is seen to be live; at the first look, which no watch has a part in, since ever."""
        self.answer: Answer | None = None
        """The latest one; none before the first look."""

    def see(self, looks: Sequence[Look]) -> None:
        """Find the answer in a look, before anything is delivered: that may take its time.

        Raises ConfigurationError where nothing is meant.
        """
        self._seen_at = self._now()
        clusters = [look.read for look in looks if look.read is not None]
        unread = [look.cluster for look in looks if look.error]
        self._memory = remember(self._memory, clusters, self._question.locate, now=int(self._seen_at))
        decision = self._decided(looks, clusters, unread, final=self._left() <= 0)
        self._refuse_nothing(clusters, decision)
        self._clusters = clusters
        self._read |= {cluster.name for cluster in clusters}
        self._live = self._live_since(decision.answer)
        self.answer = decision.answer
        self._looks = looks
        if not self._over(decision.answer):
            self._screen.tell(decision.answer, self._left())

    def spare(self) -> None:
        """There is no cluster to look at: nobody has to bring the commit anywhere."""
        now = int(self._now())
        question = self._question
        self.answer = Answer(
            question.repository, question.commit, Verdict.LIVE, (), began=question.began, ended=max(now, question.began)
        )

    def __call__(self, report: Report) -> float | None:
        """Seconds until the next look, or None at the end."""
        self._report = report
        self._delivered += [delivery for delivery in report.deliveries if not delivery.error]
        answer = self.answer
        if answer is None or self._over(answer):
            return None
        if self._nudge is not None:
            self._nudge(self._clusters, answer)
        left = self._end - self._now()
        settles = self._settles() if answer.verdict is Verdict.LIVE else TICK
        return max(0.0, min(left, TICK, settles, self._screen.next_in()))

    def _left(self) -> float:
        """Seconds, as of the last look."""
        return self._end - self._seen_at

    def _over(self, answer: Answer) -> bool:
        if answer.verdict is Verdict.LIVE:
            return self._settles() <= 0 or self._left() <= 0
        return answer.verdict is not Verdict.WAITING or self._left() <= 0 or self._given_up(answer)

    def _live_since(self, answer: Answer) -> float | None:
        if answer.verdict is not Verdict.LIVE:
            return None
        if self.answer is None:
            return float("-inf")
        return self._seen_at if self._live is None else self._live

    def _settles(self) -> float:
        """Seconds until what is seen to be live is believed, as of the last look."""
        return SETTLES - (self._seen_at - self._live) if self._live is not None else SETTLES

    def concluded(self, explained: Callable[[Sequence[Look]], tuple[Explanation, ...]], *, strict: bool) -> Report:
        """The report of the whole run, however far it came."""
        outstanding = [delivery for delivery in self._report.deliveries if delivery.error]
        looks = self._report.looks or tuple(self._looks)
        report = structs.replace(
            self._report, looks=looks, deliveries=(*self._delivered, *outstanding), answer=self.answer
        )
        if self.answer is None:
            return report
        if not self._over(self.answer):  # cut short
            report = structs.replace(report, answer=structs.replace(self.answer, ended=int(self._now())))
        wanted = self.answer.verdict is not Verdict.LIVE
        report = structs.replace(report, explanations=explained(report.looks) if wanted else ())
        return gated(report, report.answer or self.answer, strict=strict)

    def _decided(
        self, looks: Sequence[Look], clusters: Sequence[Cluster], unread: Sequence[str], *, final: bool
    ) -> Decision:
        """Decide, ask who is related to whom where it matters, and decide again."""
        self._relatives.forget()
        doomed = self._doomed(looks) if self._doomed is not None else {}
        for _ in range(ROUNDS):
            decision = decide(
                self._question,
                clusters,
                self._relatives.known,
                self._memory,
                now=int(self._now()),
                unread=unread,
                doomed=doomed,
                final=final,
            )
            if not decision.unasked:
                break
            self._relatives.learn(decision.unasked)
        unsure = any(one.reason == UNKNOWN for one in decision.answer.standings)
        notes = tuple(dict.fromkeys(self._relatives.notes.values())) if unsure else ()
        return structs.replace(decision, answer=structs.replace(decision.answer, notes=notes))

    def _given_up(self, answer: Answer) -> bool:
        """All that can be read is live, and the rest was never to be read: it will hardly come."""
        if not answer.unread or set(answer.unread) & self._read:
            return False
        waiting = any(waited_for(one) and one.state != Verdict.LIVE for one in answer.standings)
        return not waiting and self._seen_at - self._question.began >= self._question.grace

    def _refuse_nothing(self, clusters: Iterable[Cluster], decision: Decision) -> None:
        """At the first sight of a cluster: is there anything to wait for? Raises ConfigurationError."""
        fresh = {cluster.name: cluster for cluster in clusters if cluster.name not in self._read}
        empty = [name for name in decision.unmeant if name in fresh]
        if empty and not self._question.allow_empty:
            raise _nothing(self._question, fresh[empty[0]])
        for name in fresh:
            here = [one for one in decision.answer.standings if one.cluster == name]
            if here and not any(map(waited_for, here)):
                states = " and ".join(sorted({one.state for one in here}))
                raise ConfigurationError(
                    f"{name}: all {len(here)} Kustomizations that are meant are {states}: nobody applies the commit.",
                    "Resume them with `flux resume kustomization`, or leave this cluster out.",
                )


def _nothing(question: Question, cluster: Cluster) -> ConfigurationError:
    there = sorted({str(found) for s in cluster.sources.values() if (found := question.locate(s.url or s.origin_url))})
    others = f" There is: {', '.join(there[:5])}." if there else ""
    options = "--repository, --namespace, --kustomization, --path and --label-selector"
    return ConfigurationError(
        f"{cluster.name}: no Kustomization that is meant comes from {question.repository}.",
        f"Look at {options}, or give --allow-empty.{others}",
    )
