"""Which commit contains which, asked of a Git host: a gate depends on the answer, so it is never guessed.

A host's module says where to ask and what the answers mean. What they have in common is here: the patience, the words
of the errors, and that only an answer which makes sense as a whole counts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from msgspec import MsgspecError, Struct, structs

from landed.decoding import decode
from landed.errors import DeliveryError
from landed.http import TokenBucket, excerpt
from landed.model import GitHost, Relation, Repository
from landed.providers.asking import Answer, Asker, Task

T = TypeVar("T")

#: Seconds after which a request is not tried again, and how long is waited before the second and the third try.
PATIENCE = 10.0
PAUSES = (1.0, 3.0)
#: Refusals that say something about the commits: the host's module makes sense of them.
TELLING = frozenset({400, 404, 422})

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
#: https://git-scm.com/docs/git-check-ref-format
_REF = re.compile(r"refs/(?:heads|tags)/[^\x00-\x20\x7f~^:?*\[\\]+")
_NO_REF = re.compile(r"\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")


class Line(Struct, frozen=True):
    """What one host is asked with."""

    asker: Asker
    task: Callable[[str, str, Repository], Task]
    relate: Callable[[Inquiry, Repository, str, str], Relation]
    """How one commit relates to another one, which is a hash or a ref and not the same hash."""
    turns: TokenBucket
    """Those of the asker: they tell when the host wants quiet."""
    may_read: str
    """What a token takes to be told, as a hint has it."""
    may_write: str = ""
    """What the asker's dialect says instead, as it is made for writes."""
    sleep: Callable[[float], object] = time.sleep


def patient(host: GitHost) -> GitHost:
    """``host``, waiting for no rate limit longer than for anything else."""
    return structs.replace(host, max_wait=min(host.max_wait, PATIENCE))


class Ancestry:
    """Asks one host how commits relate. Safe to use from several threads."""

    def __init__(self, open_: Callable[[], Line]) -> None:
        """Connect with ``open_``, when first asked."""
        self._open = open_

    @cached_property
    def _line(self) -> Line:
        return self._open()

    def relation(self, repository: Repository, commit: str, other: str) -> Relation:
        """How ``other``, a full hash or ``refs/heads/NAME`` or ``refs/tags/NAME``, relates to ``commit``, a full hash.

        Never UNKNOWN: raises DeliveryError, also where the host does not know one of them.
        """
        commit, other = commit.lower(), other if is_ref(other) else other.lower()
        without = f"which commits of {repository.path} contain which cannot be read"
        inquiry = Inquiry(self._line, self._line.task("GET", without, repository))
        if not is_hash(commit):
            raise inquiry.failure(f"{shown(commit)} is not a full hash")
        if not (is_hash(other) or is_ref(other)):
            raise inquiry.failure(f"{shown(other)} is neither a full hash nor a ref like refs/heads/main")
        return Relation.SAME if commit == other else self._line.relate(inquiry, repository, commit, other)


class Inquiry:
    """One question, which may take several requests."""

    def __init__(self, line: Line, task: Task) -> None:
        self._line = line
        self.task = task

    def ask(self, url: str) -> Answer:
        """The answer: a 2xx, or one of ``TELLING``. What may pass is tried three times. Raises DeliveryError."""
        begun = time.monotonic()
        for pause in self._pauses():
            found = self._once(url)
            if isinstance(found, Answer):
                return found
            wait = max(pause, self._line.turns.held())
            if not found.passing or wait > PATIENCE - (time.monotonic() - begun):
                raise self._worded(found)
            self._line.sleep(wait)
        raise AssertionError  # the last pause is longer than anybody waits

    def read(self, url: str, kind: type[T]) -> T:
        """The answer as a ``kind``. Raises DeliveryError, also for one of ``TELLING``."""
        return self.decoded(self.ask(url), kind)

    def decoded(self, answer: Answer, kind: type[T]) -> T:
        """``answer``, which is to be a 200, as a ``kind``. Raises DeliveryError."""
        if not 200 <= answer.status < 300:
            raise self.refused(answer)
        if answer.status == 200:
            with suppress(MsgspecError, RecursionError):
                return decode(answer.text, kind)
        raise self.nonsense(answer)

    def refused(self, answer: Answer) -> DeliveryError:
        """The error that a refusal is."""
        return self._worded(self._line.asker.refusal(self.task, answer))

    def nonsense(self, answer: Answer) -> DeliveryError:
        """The error that an answer is which contradicts itself, or is not this API's."""
        return self._line.asker.nonsense(self.task, answer)

    def unknown(self, *names: str) -> DeliveryError:
        """The error that it is not to know these: of several, at least one."""
        listed = " or ".join(map(shown, names))
        hint = (
            "Was it pushed there? It may have been removed, by a force-push or with its branch, or the Flux source's"
            " URL names another repository."
        )
        return self.failure(f"it does not know {listed}", hint)

    def failure(self, what: str, hint: str = "", *, passing: bool = False) -> DeliveryError:
        """An error in the words of all."""
        return DeliveryError(f"{self.task.who}: {self.task.without}: {what}.", hint, passing=passing)

    def by_merge_base(self, answer: Answer, base: str, commit: str, tip: str) -> Relation:
        """What ``base``, a merge base of ``commit`` and ``tip``, says of them. Raises DeliveryError for no hash.

        Where one contains the other, it is the only merge base: https://git-scm.com/docs/git-merge-base
        """
        base, tip = base.lower(), tip.lower()
        if not (is_hash(base) and is_hash(tip)) or (commit == tip != base):
            raise self.nonsense(answer)
        if commit == tip:
            return Relation.SAME
        return {commit: Relation.AFTER, tip: Relation.BEFORE}.get(base, Relation.APART)

    @staticmethod
    def _pauses() -> Iterator[float]:
        yield from PAUSES
        yield float("inf")

    def _once(self, url: str) -> Answer | DeliveryError:
        line = self._line
        held = line.turns.held()
        try:
            if held > PATIENCE:  # refused without a request
                return line.asker.ask(self.task, url)
            line.sleep(held) if held else None
            answer = line.asker.once(self.task, url)
            if isinstance(answer, DeliveryError) or 200 <= answer.status < 300:
                return answer
            if 300 <= answer.status < 400:  # a repository that was renamed
                return line.asker.ask(self.task, url)
            refusal = line.asker.refusal(self.task, answer)
        except DeliveryError as error:
            return error
        except RecursionError:
            return self.failure("the answer cannot be read")
        return answer if answer.status in TELLING else refusal

    def _worded(self, error: DeliveryError) -> DeliveryError:
        """``error``, made for writes, with a hint for who reads."""
        line = self._line
        hint = error.hint.replace(line.may_write, line.may_read) if line.may_write else error.hint
        if hint.startswith("The update is sent"):
            hint = "Ask again later, or give a checkout with --repository-path."
        return DeliveryError(error.message, hint, passing=error.passing, read_only=error.read_only)


def is_hash(text: str) -> bool:
    """Whether ``text`` is a whole hash in lower case: SHA-1 or SHA-256."""
    return bool(_HASH.fullmatch(text))


def is_ref(text: str) -> bool:
    """Whether ``text`` is the full name of a branch or a tag, as Git allows it."""
    return bool(_REF.fullmatch(text)) and not _NO_REF.search(text)


def named(ref: str) -> tuple[bool, str]:
    """Whether ``ref`` is a tag, and its name."""
    return ref.startswith("refs/tags/"), ref.removeprefix("refs/tags/").removeprefix("refs/heads/")


def shown(name: str) -> str:
    """A commit or a ref as an error has it."""
    return f"the commit {name[:12]}" if is_hash(name) else excerpt(name.encode(errors="replace"), ())
