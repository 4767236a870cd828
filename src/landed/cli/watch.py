"""``landed watch``: stays, and tells every change within milliseconds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from landed.cli import options as opt
from landed.cli.options import Options
from landed.errors import DONE, ConfigurationError, LandedError

if TYPE_CHECKING:
    from landed.kube.lease import Lease
    from landed.model import Report
    from landed.reports.console import Console
    from landed.run import Line
    from landed.serving import Health, Metrics

#: Seconds after which it looks again although nothing has changed: graces end, and what failed is tried again.
TICK = 5.0


@click.command("watch", short_help="Stay, and tell every change within milliseconds.")
@opt.options(
    opt.STAYING,
    opt.CLUSTER,
    opt.SELECTION,
    opt.GIT,
    opt.CHANNELS,
    opt.LEDGER,
    opt.TELLING[:1],
    opt.TALKING,
)
def command(**values: Any) -> int:
    """Read the clusters once, then follow what changes and tell each destination what is new, until it is stopped.

    One line of log for each delivered update. SIGHUP reads the kubeconfig and all manifests again; SIGTERM and SIGINT
    end it: what is under way is brought to its end, and the ledger is saved.
    """
    from landed.cli import Terminated
    from landed.cli.compose import secrets
    from landed.cli.present import console_for
    from landed.cli.staying import stay

    o = Options(**values)
    if o.from_file:
        raise ConfigurationError("A file does not change by itself: there is nothing to watch.", "Use landed report.")
    stay()
    console = console_for(o, secrets(o))
    try:
        with _Stay(o, console) as process:
            process.forever()
    except (KeyboardInterrupt, Terminated):
        console.note("Stopped. What was delivered is in the ledger.")
    return DONE


class _Stay:
    """One process that stays: its signals, what it shows of itself, and whether it is its turn."""

    def __init__(self, o: Options, console: Console) -> None:
        from landed.reports.watching import Watching
        from landed.waker import Waker

        self._o = o
        self._console = console
        self._waker = Waker()
        self._log = Watching(console)
        self._again = False
        self._next: tuple[ExitStack, Line] | None = None
        self._began = 0.0
        self._shown: tuple[Health, Metrics] | None = None
        self._lease: Lease | None = None
        self._follows: str | None = None
        """Who leads, as it was told last."""
        self._stack = ExitStack()

    def __enter__(self) -> _Stay:
        before = signal.signal(signal.SIGHUP, self._reload)
        self._stack.callback(signal.signal, signal.SIGHUP, before)
        try:
            if self._o.leader_elect:
                self._lease = self._stack.enter_context(_lease(self._o, self._console, self._waker.wake))
            if self._o.listen:
                leads = self._lease_held if self._lease is not None else lambda: True
                self._shown = self._stack.enter_context(_served(self._o, self._console, leads))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def forever(self) -> None:
        """Go on until a signal ends it. Raises LandedError for what keeps the first look from being made."""
        current = self._made()
        try:
            while True:
                if not self._lead():
                    continue
                self._run(current[1])
                if self._next is not None:
                    current[0].close()
                    current, self._next = self._next, None
        finally:
            for stack, _ in filter(None, (current, self._next)):
                stack.close()

    def _made(self) -> tuple[ExitStack, Line]:
        """What the options and the manifests say now, and what ends it. Raises LandedError."""
        from landed.cli.compose import line

        stack = ExitStack()
        try:
            whole = stack.enter_context(line(self._o, self._console, waker=self._waker))
        except BaseException:
            stack.close()
            raise
        parts = whole.parts
        if not parts.outlets:
            self._console.warn("There is nobody to tell: no Git host's token and no channel is given.")
        if self._lease is not None:
            parts = structs.replace(parts, may=self._lease_held)
        if self._shown is not None:
            parts = structs.replace(parts, outlets=self._shown[1].timed(parts.outlets, worked=self._shown[0].worked))
        return stack, structs.replace(whole, parts=parts)

    def _renewed(self) -> bool:
        """Whether there is something else to go on with. Where that proves wrong, what there was stays."""
        self._again = False
        try:
            self._next = self._made()
        except LandedError as error:
            self._log.reloaded(error.message, error.hint)
            return False
        self._log.reloaded()
        return True

    def _run(self, whole: Line) -> None:
        from landed.run import run

        self._began = time.time()
        run(structs.replace(whole, pause=self._pause), self._stop)

    def _pause(self, seconds: float) -> None:
        self._waker.pause(seconds)
        self._began = time.time()

    def _stop(self, report: Report) -> float | None:
        """The stop rule: goes on until it is to be read anew, or somebody else leads."""
        self._console.progress("")  # what was done until now is over
        self._log.tell(report)
        if any(not delivery.error for delivery in report.deliveries):
            self._waker.excuse()
        if self._shown is not None:
            health, metrics = self._shown
            health.looked()
            metrics.observe(report, began=self._began, ended=time.time())
        if (self._again and self._renewed()) or not self._lease_held():
            return None
        return TICK

    def _lead(self) -> bool:
        """Wait until it is our turn."""
        if self._lease is None or self._lease.held:
            return True
        self._follows = None
        leads = self._lease.acquire(self._stand_by)
        self._log.leads(self._lease.identity, ours=leads)
        return leads

    def _stand_by(self, seconds: float) -> bool:
        """After a try that was in vain."""
        holder = self._lease.holder if self._lease is not None else ""
        if holder != self._follows:
            self._follows = holder
            self._log.leads(holder, ours=False)
        if self._shown is not None:
            self._shown[0].stood_by()
        self._waker.pause(seconds)
        return False

    def _lease_held(self) -> bool:
        return self._lease is None or self._lease.held

    def _reload(self, *_: object) -> None:
        self._again = True
        self._waker.wake()


@contextmanager
def _served(o: Options, console: Console, leads: Callable[[], bool]) -> Iterator[tuple[Health, Metrics]]:
    """What is shown of the process at ``--listen``. Raises ConfigurationError."""
    from landed.serving import Health, Metrics, Server

    health, metrics = Health(max(TICK, o.max_wait, 4 * o.request_timeout)), Metrics(leader=leads)
    server = Server(o.listen, trouble=health.trouble, unready=health.unready, metrics=metrics.page)
    server.start()
    console.note(f"Serving /healthz, /readyz and /metrics on {server.address}.")
    try:
        yield health, metrics
    finally:
        server.stop()


@contextmanager
def _lease(o: Options, console: Console, on_lost: Callable[[], None]) -> Iterator[Lease]:
    """The Lease that makes one of several replicas the leader, on the first cluster. Raises ConfigurationError."""
    import socket

    from landed.cli.contexts import places
    from landed.kube.lease import TIMEOUT, Lease, identity, parse

    place = places(o, os.environ)[0]
    client = place.known.client(place.context, os.environ, timeout=TIMEOUT, warn=console.warn)
    host = identity(socket.gethostname())
    lease = Lease(client, *parse(o.leader_elect), host, tell=console.warn, on_lost=on_lost)
    try:
        yield lease
    finally:
        lease.release()
