"""How soon a change is told by ``landed watch``, and what it costs to listen.

The fleet is well; Flux reconciles one Kustomization after the other, and each time the result of one is another than
before. Measured is the time from that line of the watch being sent to the Git host having the request that tells of it.
And a flood of 10,000 lines in which nothing happens but at its end: what it costs to take it in, compared with
``kubectl get -w -o name``.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections import defaultdict, deque
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from msgspec import Struct

from benchmarks.fleet import Shape
from benchmarks.live import LiveServer, PunctualGitHub
from benchmarks.measure import Claim, CommandError
from benchmarks.no_change import Site, landed, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZES = (100, 1000)
#: Of the smoke test, which counts only.
FEW = 10
CHANGES = 200
#: Milliseconds, of 95 in 100 changes.
TARGET = 10.0
#: Lines of the flood, in a fleet of so many Kustomizations; CPU as a multiple of kubectl's, and peak MiB.
EVENTS, FLOODED, CPU_TARGET, PEAK_TARGET = 10_000, 1000, 0.1, 30 + 1.2
ROUNDS = 3
#: Seconds until a process has listed and follows, or a change has been told.
PATIENCE = 60.0
_HEALTHY = Shape(healthy=True)


class Burden(Struct, frozen=True):
    """What it cost a process to take in the flood."""

    cpu: float
    """Seconds, user and system."""
    peak: float
    """MiB, from its start on."""


def latency(count: int) -> list[Claim]:
    """Tell of ``CHANGES`` changes in a fleet of ``count``."""
    with _live(count) as here, _following(here):
        _told(here, 1)  # imports the Git host's library, and connects
        times = sorted(1000 * (after - before) for before, after in _told(here, CHANGES))
    points = quantiles(times, n=100) if len(times) > 1 else [float("nan")] * 99
    print(
        f"  event → request: p50 {points[49]:.1f}, p95 {points[94]:.1f}, p99 {points[98]:.1f}, most {times[-1]:.1f} ms"
    )
    return [Claim("changes not told", CHANGES - len(times), 0), Claim("event → request, p95", points[94], TARGET, "ms")]


def exact(count: int) -> list[Claim]:
    """What can be counted."""
    with _live(count) as here:
        here.cluster.seen()
        here.git_host.seen()
        with _following(here):
            begun = here.cluster.seen().requests
            told = _told(here, count)
            taken = [request for request in here.git_host.seen().requests if request.startswith("POST")]
            later = here.cluster.seen().requests
        lists = [request for request in begun if "watch=" not in request]
        return [
            Claim("requests for lists, more than kinds", len(lists) - 2, 0),
            Claim("watches, more than kinds", len(begun) - len(lists) - 2, 0),
            Claim("requests to the cluster from then on", len(later), 0),
            Claim("changes not told", count - len(told), 0),
            Claim("requests to the Git host, more than two a change", len(taken) - 2 * count, 0),
        ]


def flood(number: int) -> list[Claim]:
    """Flood ours and kubectl in turn, ``number`` times."""
    costs: dict[str, list[Burden]] = defaultdict(list)
    with _live(FLOODED) as here:
        for _ in range(number):
            costs["landed watch"].append(_ours(here))
            costs["kubectl get -w"].append(_theirs(here))
    for name, each in costs.items():
        cpu, peak = 1e6 * median(c.cpu for c in each) / EVENTS, median(c.peak for c in each)
        print(f"  {name:<16} CPU {cpu:7.1f} µs an event   peak {peak:7.1f} MiB")
    ours, theirs = costs.values()
    ratio = median(a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True))
    return [
        Claim("CPU an event, × kubectl get -w", ratio, CPU_TARGET),
        Claim("peak memory", median(c.peak for c in ours), PEAK_TARGET, "MiB"),
    ]


def _live(count: int) -> AbstractContextManager[Site]:
    return site(count, _HEALTHY, LiveServer, PunctualGitHub)


# ── what follows ────────────────────────────────────────────────────────────────────────────────────────────────────


def _ours(here: Site) -> Burden:
    with _following(here) as process:
        _told(here, 1)  # imports the Git host's library, which is no part of listening
        here.git_host.order("taken")
        return _burden(here, process, lambda: bool(here.git_host.order("taken")))


def _theirs(here: Site) -> Burden:
    with tempfile.NamedTemporaryFile() as output:
        every = ["get", "kustomizations", "-A", "-w", "-o", "name"]
        with _process([*here.kubectl, *every], here, Path(output.name)) as process:
            seen = Path(output.name)
            return _burden(here, process, lambda: seen.read_bytes().count(b"\n") >= FLOODED + EVENTS)


def _burden(here: Site, process: subprocess.Popen[bytes], done: Callable[[], bool]) -> Burden:
    """What the flood costs ``process``, to its last line and whatever comes of it."""
    before = _cpu(process.pid)
    here.cluster.order(f"flood {EVENTS}")
    _until(done, process, "the end of the flood")
    time.sleep(1.0)
    return Burden(_cpu(process.pid) - before, _peak(process.pid))


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used: https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html ."""
    return time.clock_gettime(~pid << 3 | 2)


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@contextmanager
def _following(here: Site) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.NamedTemporaryFile() as errors:
        with _process([*landed(), "watch", *here.options], here, Path(errors.name)) as process:
            yield process
        if process.returncode:
            message = f"landed watch exited with {process.returncode}:\n{Path(errors.name).read_text()[-2000:]}"
            raise CommandError(message)


@contextmanager
def _process(command: Sequence[str], here: Site, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that follows the cluster by now, and is told to stop at the end."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command, env=here.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        _until(lambda: bool(here.cluster.order("followed")), process, "its watch")
        time.sleep(0.5)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        _gone(here)


def _gone(here: Site) -> None:
    """Wait until the server knows that nobody listens any more."""
    end = time.monotonic() + PATIENCE
    while here.cluster.order("followed") and time.monotonic() < end:
        time.sleep(0.05)


def _told(here: Site, number: int) -> list[tuple[float, float]]:
    """Have ``number`` objects turn; gives when each was said, and when it was told. What is not told is left out."""
    here.git_host.order("taken")
    said: list[tuple[str, float]] = here.cluster.order(f"changes {number}")
    taken: list[tuple[str, float]] = []
    pairs: list[tuple[float, float]] = []
    end = time.monotonic() + 5.0
    while len(pairs) < number and time.monotonic() < end:
        time.sleep(0.1)
        taken += here.git_host.order("taken")
        pairs = list(_paired(said, taken))
    return pairs


def _paired(said: Sequence[tuple[str, float]], taken: Sequence[tuple[str, float]]) -> Iterator[tuple[float, float]]:
    """To each change the first request about its object that came after it and belongs to no earlier change."""
    came: dict[str, deque[float]] = defaultdict(deque)
    for about, at in taken:
        came[about].append(at)
    for about, at in said:
        while came[about] and came[about][0] < at:
            came[about].popleft()
        if came[about]:
            yield at, came[about].popleft()


def _until(done: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        if process.poll() is not None or time.monotonic() > end:
            message = f"{what} did not come from process {process.args!r}"
            raise CommandError(message)
        time.sleep(0.02)
