"""How a Git host's API is asked: in turn, with patience, and never twice for what may have been done.

Every host has its own words for a refusal, its own limits and its own client; this is what they have in common. A
provider brings a ``Dialect`` (what answers mean) and an ``Exchange`` (one request, one answer, by whatever library).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from landed.errors import DeliveryError
from landed.http import LATER, Patience, TokenBucket, Trouble, excerpt, host_of, retry_after, spoken, status_text
from landed.model import GitHost, Repository, Secret

#: Redirects that are followed, on the very same host.
HOPS = 3


class Task(Struct, frozen=True):
    """What a Git host is asked to do, and how an error speaks of it."""

    verb: str
    without: str
    """What is not done if this fails: ``commit statuses of acme/fleet cannot be read``."""
    repository: Repository | None
    who: str
    """``GitHub (ghes.example.com)``."""
    secrets: tuple[Secret, ...] = ()
    """What must not be quoted from an answer."""


class Answer(Struct, frozen=True):
    """What the API said, unjudged."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str

    @property
    def value(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


#: Stands for an answer that was lost, where reading back shows that the request was carried out.
ARRIVED = Answer(201, {}, "{}")


class Meaning(Struct, frozen=True):
    """What a refusal means."""

    what: str
    """``it does not accept the token``."""
    hint: str = ""
    """What to do about it."""
    passing: bool = False
    """A later run may succeed without anybody's doing. Answers from 500 on, and 408, 409, are so in any case."""
    read_only: bool = False
    """The token is good and may not write there."""
    closes: str = ""
    """What need not be asked again in this run: ``repository`` (writes to it), ``host`` (anything), or nothing."""
    again: bool = False
    """Worth another try after a moment, beside the answers that are so at every host (429, 502, 503, 504)."""


class Dialect(Struct, frozen=True):
    """How one kind of Git host says no."""

    explain: Callable[[Task, Answer], Meaning]
    said: Callable[[Answer], str]
    """The host's own words on what is wrong; empty where there are none."""
    limited: Callable[[Answer, float], float | None]
    """At this time (epoch seconds): seconds to wait if the answer is a rate limit's, else None."""
    wrong_address: str
    """What to do where the answer is not one of this kind of host."""
    api: str
    """``GitHub's API``."""


#: One request: verb, path or URL, JSON body → the answer, or why there is none.
Exchange = Callable[[str, str, "Mapping[str, Any] | None"], "Answer | Trouble"]


class Refusal(Struct, frozen=True):
    """A failed try, and what may be done about it."""

    failure: DeliveryError
    again: bool = False
    asked: float | None = None
    """Seconds to wait first, where the host says so."""
    closes: str = ""


class Asker:
    """Asks one API with one credential. Safe to use from several threads."""

    def __init__(
        self,
        host: GitHost,
        dialect: Dialect,
        exchange: Exchange,
        *,
        turns: TokenBucket | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take ``turns`` for writes from a bucket that everybody who uses this credential shares; it also tells all of
        them when the host asks for quiet.
        """
        self._host = host
        self._dialect = dialect
        self._exchange = exchange
        self._turns = turns or TokenBucket.without_limit()
        self._sleep = sleep
        self._lock = Lock()
        self._closed: dict[str, DeliveryError] = {}

    def ask(
        self,
        task: Task,
        url: str,
        body: Mapping[str, Any] | None = None,
        arrived: Callable[[], Answer | None] | None = None,
    ) -> Answer:
        """Make one request, again as far as the rules allow, and return its answer, whose status is 2xx.

        Where no answer came to a POST, ``arrived`` is asked before it is made again, and what it gives is the answer;
        without ``arrived`` such a POST is not made again. Raises DeliveryError.
        """
        self._admit(task)
        patience = Patience(self._host.max_wait, self._sleep)
        hops = 0
        while True:
            self._take_turn(task)
            answer = self._exchange(task.verb, url, body)
            if isinstance(answer, Answer) and 200 <= answer.status < 300:
                return answer
            moved = self._moved(answer)
            if moved and hops < HOPS:
                url, hops = moved, hops + 1
                continue
            refusal = self._judge(task, answer)
            unsure = refusal.failure.uncertain
            if (unsure and arrived is None) or not (refusal.again and patience.wait(refusal.asked)):
                raise refusal.failure
            if unsure and arrived is not None:
                found = self._found(arrived, refusal)
                if found is not None:
                    return found

    def nonsense(self, task: Task, answer: Answer) -> DeliveryError:
        """The error that a 2xx is whose content is not this API's."""
        said = f"the answer ({status_text(answer.status)}) is not one of {self._dialect.api}"
        return DeliveryError(f"{task.who}: {task.without}: {said}.", self._dialect.wrong_address)

    def once(self, task: Task, url: str, body: Mapping[str, Any] | None = None) -> Answer | DeliveryError:
        """Make one request, just once, and return its answer whatever the status; or why there is none."""
        answer = self._exchange(task.verb, url, body)
        return answer if isinstance(answer, Answer) else _unanswered(task, answer)

    def refusal(self, task: Task, answer: Answer) -> DeliveryError:
        """The error that ``answer``, which is no 2xx, is."""
        return self._refuse(task, answer).failure

    def _admit(self, task: Task) -> None:
        """Do not ask again for what was refused once and for all, nor before the time the host has named."""
        writes = str(task.repository) if task.verb != "GET" else ""
        with self._lock:
            closed = self._closed.get("") or self._closed.get(writes or "-")
        wait = self._turns.held()
        if closed is not None:
            raise _repeated(closed, task)
        if wait <= 0:
            return
        if wait > self._host.max_wait:
            raise self._used_up(task, wait)
        self._sleep(wait)

    def _judge(self, task: Task, answer: Answer | Trouble) -> Refusal:
        """What it means that ``task`` got this answer, which is no 2xx, or none."""
        if not isinstance(answer, Answer):
            return Refusal(_unanswered(task, answer), again=answer.passing)
        refusal = self._refuse(task, answer)
        if task.verb == "POST" and answer.status in (502, 504):  # a gateway speaks: behind it, it may have been done
            refusal.failure.uncertain = True
        if refusal.closes:
            with self._lock:
                self._closed["" if refusal.closes == "host" else str(task.repository)] = refusal.failure
        return refusal

    def _refuse(self, task: Task, answer: Answer) -> Refusal:
        asked = self._dialect.limited(answer, time.time())
        if asked is not None:
            self._turns.hold(asked)
            return Refusal(self._used_up(task, asked), again=True, asked=asked)
        meaning = self._meaning(task, answer)
        said = excerpt(self._dialect.said(answer).encode(), tuple(secret.reveal() for secret in task.secrets))
        later = retry_after(answer.headers.get("retry-after", ""), time.time())
        wish = f", and asks to wait {spoken(later)}" if later else ""
        failure = DeliveryError(
            f"{task.who}: {task.without}: {meaning.what}{f' ({said})' if said else ''}{wish}.",
            meaning.hint,
            passing=meaning.passing or answer.status >= 500 or answer.status in (408, 409),
            read_only=meaning.read_only,
        )
        return Refusal(failure, again=answer.status in LATER or meaning.again, asked=later, closes=meaning.closes)

    def _meaning(self, task: Task, answer: Answer) -> Meaning:
        if 300 <= answer.status < 400:
            host = host_of(answer.headers.get("location", ""))
            what = f"it redirects to {host or 'another place'}, which is not followed"
            return Meaning(what, self._dialect.wrong_address)
        return self._dialect.explain(task, answer)

    def _used_up(self, task: Task, seconds: float) -> DeliveryError:
        until = time.strftime("%H:%M:%S", time.gmtime(time.time() + seconds))
        used_up = f"its rate limit is used up until {until} UTC, {spoken(seconds)} from now"
        return DeliveryError(
            f"{task.who}: {task.without}: {used_up}.", "The update is sent by a later run.", passing=True
        )

    def _take_turn(self, task: Task) -> None:
        if task.verb == "GET":
            return
        wait = self._turns.take(self._host.max_wait)
        if wait and self._turns.held():
            raise self._used_up(task, wait)
        if wait:
            allowed = " and ".join(f"{count} in {spoken(seconds)}" for count, seconds in self._host.writes)
            raise DeliveryError(
                f"{task.who}: enough has been written for now; the next turn is in {spoken(wait)}.",
                f"The update is sent by a later run. The limit on writes is {allowed}.",
                passing=True,
            )

    def _found(self, arrived: Callable[[], Answer | None], refusal: Refusal) -> Answer | None:
        try:
            return arrived()
        except DeliveryError as error:
            doubt = f"{refusal.failure.message} It could not be read back whether it arrived."
            failure = DeliveryError(doubt, error.hint or refusal.failure.hint, passing=True, uncertain=True)
        raise failure

    def _moved(self, answer: Answer | Trouble) -> str:
        """Where a renamed repository is now: followed on the very same host only, as the token goes with it."""
        if isinstance(answer, Trouble) or answer.status not in (301, 302, 307, 308):
            return ""
        try:
            here, there = urlsplit(self._host.api_url), urlsplit(answer.headers.get("location", ""))
        except ValueError:
            return ""
        if there.path and (there.scheme, there.netloc) in ((here.scheme, here.netloc), ("", "")):
            return f"{here.scheme}://{here.netloc}{there.path}" + (f"?{there.query}" if there.query else "")
        return ""


def _unanswered(task: Task, trouble: Trouble) -> DeliveryError:
    return DeliveryError(
        f"{task.who}: {task.without}: {trouble.what}.",
        trouble.hint,
        passing=trouble.passing,
        uncertain=task.verb == "POST" and trouble.perhaps_sent,
    )


def _repeated(error: DeliveryError, task: Task) -> DeliveryError:
    """``error``, said again of another task."""
    head, _, why = error.message.removeprefix(f"{task.who}: ").partition(": ")
    return DeliveryError(
        f"{task.who}: {task.without}: {why or head}", error.hint, passing=error.passing, read_only=error.read_only
    )
