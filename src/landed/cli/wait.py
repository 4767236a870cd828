"""``landed wait``: the gate. It asks whether a commit, or a later one, is live and healthy everywhere."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from landed.cli import options as opt
from landed.cli.options import Options
from landed.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from landed.gate import Gate
    from landed.model import Look, ObjectRef
    from landed.reports.console import Console
    from landed.run import Line


@click.command("wait", short_help="Wait until a commit, or a later one, is live everywhere.")
@opt.options(
    opt.GATE,
    opt.CLUSTER,
    opt.SELECTION,
    opt.EXPLAIN,
    opt.GIT,
    opt.CHANNELS,
    opt.LEDGER,
    opt.TELLING[:1],
    opt.TELLING[2:],
    (opt.output("lines", "table", "json", "markdown", "junit", "html", default="lines"),),
    opt.WRITING,
    opt.TALKING,
)
def command(**values: Any) -> int:
    """Wait until every Kustomization that comes from the commit's repository has applied the commit, or one that
    contains it, and is healthy, on every cluster; or until it has failed, can no longer land, or time is up.

    Meanwhile it tells Git hosts and channels what is new, as `landed report` does.

    Exit codes: 0 live, 1 failed, 2 usage or configuration, 3 timed out, 4 diverged: the commit can no longer land, 5 a
    cluster could not be read, 6 live, but an update could not be delivered.
    """
    from landed.cli.compose import line, secrets
    from landed.cli.present import console_for, writable
    from landed.cli.staying import stay
    from landed.reports.waiting import Waiting
    from landed.run import run
    from landed.waker import Waker

    o = Options(**values)
    console = console_for(o, secrets(o))
    writable(o)
    if o.from_file:
        o = _for_a_file(o, console)
    stay()
    waker = Waker()
    with line(o, console, waker=waker) as whole:
        screen = Waiting(console, clock=time.time)
        whole, gate = _gate(o, whole, screen, console)
        cancelled = True
        try:
            if whole.readers:
                with screen:
                    run(whole, gate)
            else:  # a shard that has no cluster, and has said so
                gate.spare()
            cancelled = False
        finally:
            code = _conclude(o, whole, gate, console, hurry=cancelled)
    return code


def _conclude(o: Options, whole: Line, gate: Gate, console: Console, *, hurry: bool) -> int:
    """Say how it ended, however far it came. Gives the exit code."""
    from landed.cli.present import explained, present

    console.progress("")
    report = gate.concluded(lambda looks: explained(o, looks, whole.readers, hurry=hurry), strict=o.strict)
    if report.answer is None:
        return report.exit_code
    try:
        present(report, o, console, os.environ)
    except ConfigurationError as error:  # a report that could not be written: the answer counts for more
        console.error(error)
        return report.exit_code or error.exit_code
    return report.exit_code


def _for_a_file(o: Options, console: Console) -> Options:
    """What can be had of a file. Raises ConfigurationError."""
    if o.reconcile:
        raise ConfigurationError("--from-file and --reconcile contradict each other.", "Give one or the other.")
    if o.fail_early or o.explain != "none":
        console.warn("What stands below an object is in no file: --fail-early and --explain say what Flux itself says.")
    if o.from_file != "-":
        return o
    console.note("Standard input can be read only once: this is the answer for now, and nothing is waited for.")
    return structs.replace(o, timeout=0.0)


def _gate(o: Options, whole: Line, screen: Any, console: Console) -> tuple[Line, Gate]:
    """The run for the commit's own repository, and what ends it. Raises ConfigurationError."""
    from landed.cli.question import question
    from landed.gate import Gate
    from landed.relatives import Relatives

    asked, checkout = question(o, whole.locate, now=time.time())
    relatives = Relatives(asked.repository, asked.commit, whole.parts.outlets.values(), checkout, time.time)
    gate = Gate(
        asked,
        relatives,
        screen,
        time.time,
        timeout=o.timeout,
        doomed=_Dooms(whole, console.warn if o.fail_early else console.detail),
        nudge=_nudge(whole, console) if o.reconcile else None,
    )

    def seen(looks: Sequence[Look]) -> None:
        console.progress("")
        gate.see(looks)

    return structs.replace(whole, repositories=frozenset({asked.repository}), seen=seen), gate


def _nudge(whole: Line, console: Console) -> Any:
    from uuid import uuid4

    from landed.nudge import Reconcile

    requests = {reader.cluster: reader.request for reader in whole.readers if reader.request is not None}
    token = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {uuid4()}"
    return Reconcile(requests, token, console.warn, console.detail)


class _Dooms:
    """What will fail, looked for now and then: it takes requests, and nothing hangs on a few seconds."""

    #: Seconds between two searches, and after one that lacked a right.
    EVERY, WITHOUT_RIGHTS = 5.0, 60.0

    def __init__(self, whole: Line, lacking: Callable[[str], None]) -> None:
        """``lacking`` is told which right would tell more."""
        self._whole = whole
        self._lacking = lacking
        self._next = 0.0
        self._known: Mapping[tuple[str, ObjectRef], str] = {}

    def __call__(self, looks: Sequence[Look]) -> Mapping[tuple[str, ObjectRef], str]:
        """Sentences by cluster and object, of this search or of the last one."""
        from landed.explaining import doomed

        if time.monotonic() >= self._next:
            found, notes = doomed(looks, self._whole.readers, now=int(time.time()))
            self._known = {key: "; ".join(sentences) for key, sentences in found.items()}
            self._next = time.monotonic() + (self.WITHOUT_RIGHTS if notes else self.EVERY)
            for note in notes:
                self._lacking(note)
        return self._known
