"""What it costs to tell a Git host: M commit statuses to a server that takes 100 ms for each request.

Nothing can be faster than one request for each status, eight at a time; and this is how near ``landed`` comes to it.
PyGithub, as its manual shows it, sends the same statuses in the same run.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from hashlib import sha1
from math import ceil
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Claim
from benchmarks.wire import Answer, Request, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from landed.delivery import Parts
    from landed.model import Update

SIZES = (1, 10, 100, 1000)
#: Of the smoke test, which counts only.
FEW = (1, 10)
#: How many statuses PyGithub is given; at its pace more would take too long.
PEER = 100
#: Seconds that the Git host takes for a request, and requests that are made at once.
TAKES, AT_ONCE = 0.1, 8
#: Of the floor, and of PyGithub's time.
TARGET, PEER_TARGET = 1.25, 0.02
ROUNDS = 3
_REPOSITORY = "acme/fleet"


class SlowGitHub:
    """Takes its time, then agrees with everything. Every connection has a thread that only sleeps."""

    def order(self, command: str) -> None:
        """There is nothing to order."""

    def __call__(self, request: Request) -> Answer:
        time.sleep(TAKES)
        url = f"http://{request.headers['host']}{request.target}"
        if request.method == "POST":
            return Answer(json.dumps({"url": url, **json.loads(request.body)}).encode(), "201 Created")
        return Answer(json.dumps({"url": url, "sha": request.target.rpartition("/")[2]}).encode())


class Silence:
    """What a run has to say is not said here."""

    def warn(self, text: str) -> None:
        """Not now."""

    def progress(self, text: str) -> None:
        """Not now."""


def floor(count: int) -> float:
    """Seconds that nobody can do without: one request for each status, eight at a time."""
    return TAKES * ceil(count / AT_ONCE)


def measure(count: int, number: int) -> list[Claim]:
    """Deliver ``count`` statuses ``number`` times; PyGithub does the same once, if there are as many as it is given."""
    with serving(SlowGitHub) as server:
        took = [_timed(server, count) for _ in range(number)]
        ours = median(seconds for seconds, _ in took)
        plain = count * TAKES / AT_ONCE
        print(f"  {count} statuses: {ours:.3f} s ({', '.join(f'{seconds:.3f}' for seconds, _ in took)})")
        print(f"  {count} × 0.1 s / 8 = {plain:.4f} s: {ours / plain:.3f} ×; in whole requests {floor(count):.1f} s")
        claims = [*_counted(count, took), Claim("time, × floor", ours / floor(count), TARGET)]
        if count >= PEER:
            claims.append(Claim(f"time, × ({count} × 0.1 s / 8)", ours / plain, TARGET))
        if count == PEER:
            claims += _peer(server, count, ours)
    return claims


def exact(count: int) -> list[Claim]:
    """What can be counted."""
    with serving(SlowGitHub) as server:
        return _counted(count, [_timed(server, count)])


def _counted(count: int, took: Sequence[tuple[float, list[int]]]) -> list[Claim]:
    worst = [max(counted[place] for _, counted in took) for place in range(4)]
    fewest = min(counted[0] for _, counted in took)
    return [
        Claim("requests, more than statuses", worst[0] - count, 0),
        Claim("statuses, more than requests", count - fewest, 0),
        Claim("connections", worst[1], AT_ONCE),
        Claim("statuses not acknowledged", worst[2], 0),
        Claim("acknowledgements not in the ledger", worst[3], 0),
    ]


def _timed(server: Server, count: int) -> tuple[float, list[int]]:
    """Seconds; and requests, connections, failures, and what the ledger does not know."""
    from landed.delivery import deliver

    updates = _updates(count)
    with _parts(server) as parts, parts.ledger.open() as told:
        server.seen()
        began = time.monotonic()
        deliveries = deliver(parts, updates, told)
        seconds = time.monotonic() - began
        seen = server.seen()
        kept = sum(len(line) for line in parts.ledger.peek().destinations.get("github.com", {}).values())
    for failed in {delivery.error for delivery in deliveries if delivery.error}:
        print(f"  failed: {failed}")
    return seconds, [len(seen.requests), seen.connections, sum(bool(d.error) for d in deliveries), count - kept]


@contextmanager
def _parts(server: Server) -> Iterator[Parts]:
    """What a run delivers with: a Git host that is connected already and has no limit on writes, and a real ledger."""
    from landed.delivery import Parts
    from landed.ledger import ledger
    from landed.model import GitHost, Secret
    from landed.providers.outlet import GitOutlet, Turns

    host = GitHost("github", "github.com", f"http://127.0.0.1:{server.port}", Secret("benchmark"), writes=())
    outlet = GitOutlet(host, "github", Turns())
    outlet.provider()  # imports PyGithub, which the other side has done too
    silence = Silence()
    with tempfile.TemporaryDirectory(prefix="landed-benchmark-") as folder:
        path = str(Path(folder) / "ledger.json")
        kept = ledger(path, lock_timeout=1.0, warn=silence.warn, progress=silence.progress)
        yield Parts(kept, {outlet.destination.name: outlet}, silence, time.time)


def _updates(count: int) -> list[Update]:
    """A status for each of so many Kustomizations, ten to a commit."""
    from landed.model import CommitStatus, Mark, Repository, State, Update

    repository = Repository("github.com", _REPOSITORY)
    made = []
    for number in range(count):
        commit, context = _commit(number), _context(number)
        status = CommitStatus(repository, commit, context, State.SUCCESS, "Applied main@6dcd4ce2 in 1.3s")
        made.append(Update("github.com", (Mark(f"{_REPOSITORY} {context}", commit, "success"),), status))
    return made


def _commit(number: int) -> str:
    return sha1(b"%d" % (number // 10), usedforsecurity=False).hexdigest()


def _context(number: int) -> str:
    return f"flux/production/apps/app-{number}"


def _peer(server: Server, count: int, ours: float) -> list[Claim]:
    """PyGithub with its defaults: it reads repository and commit first, and waits between requests."""
    from github import Auth, Github

    client = Github(auth=Auth.Token("benchmark"), base_url=f"http://127.0.0.1:{server.port}")
    server.seen()
    began = time.monotonic()
    for number in range(count):
        client.get_repo(_REPOSITORY).get_commit(_commit(number)).create_status(
            "success", description="Applied main@6dcd4ce2 in 1.3s", context=_context(number)
        )
    theirs = time.monotonic() - began
    print(f"  PyGithub: {theirs:.1f} s, {len(server.seen().requests)} requests")
    return [Claim("time, × PyGithub", ours / theirs, PEER_TARGET)]
