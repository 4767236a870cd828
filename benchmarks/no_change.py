"""What a run costs that finds nothing new: the run that happens a hundred times a day.

The ledger is filled by a first run, Flux then looks at every object once more with the same result, and from there
on ``landed report`` is compared with the cheapest thing that could replace it, ``kubectl get -o json``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import trustme
from msgspec import Struct

from benchmarks.fleet import HOST, MIXED, PER_REPOSITORY, Shape
from benchmarks.measure import Claim, ratio, rounds, run, table
from benchmarks.servers import ApiServer, GitHubServer
from benchmarks.wire import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Handlers = Callable[..., Handler]

#: Kustomizations → CPU as a multiple of kubectl's, peak MiB, rounds.
TARGETS = {10: (0.75, 30, 15), 100: (0.45, 31, 15), 1000: (0.11, 36, 9), 10000: (0.035, 45, 5)}
UNWANTED = ("github", "gitlab", "requests", "rich", "jinja2")
PAGE = 500
_LISTS = (
    "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    "/apis/source.toolkit.fluxcd.io/v1/gitrepositories",
)


class Site(Struct, frozen=True):
    """A fleet being served, and everything needed to look at it."""

    folder: Path
    cluster: Server
    git_host: Server

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's but the search path: neither proxies nor a CI's variables."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANDED_GITHUB_TOKEN": "benchmark"}

    @property
    def report(self) -> list[str]:
        """The arguments of the run that is measured."""
        return ["report", *self.options, f"--slack-webhook=http://127.0.0.1:{self.git_host.port}/slack"]

    @property
    def options(self) -> list[str]:
        """Where the cluster, the ledger and the Git host are."""
        address = f"http://127.0.0.1:{self.git_host.port}"
        return [
            f"--kubeconfig={self.folder / 'kubeconfig'}",
            f"--ledger={self.folder / 'ledger.json'}",
            f"--git-host={HOST}=github={address}/api/v3",
        ]

    @property
    def kubectl(self) -> list[str]:
        """kubectl on the same cluster, its discovery cached."""
        cache = f"--cache-dir={self.folder / 'kube-cache'}"
        return [os.environ.get("KUBECTL", "kubectl"), f"--kubeconfig={self.folder / 'kubeconfig'}", cache]

    @property
    def ledger(self) -> tuple[int, int, bytes]:
        """Which file the ledger is, when it was written, and what it says."""
        path = self.folder / "ledger.json"
        status = path.stat()
        return status.st_ino, status.st_mtime_ns, path.read_bytes()


def landed(*interpreter: str) -> list[str]:
    """The command as the image starts it; ``interpreter``: more options of Python's."""
    return [sys.executable, "-I", *interpreter, "-m", "landed"]


@contextmanager
def site(
    count: int, shape: Shape = MIXED, cluster_server: Handlers = ApiServer, host_server: Handlers = GitHubServer
) -> Iterator[Site]:
    """Serve a fleet of ``count`` Kustomizations, and prime the ledger on it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="landed-benchmark-")))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        cluster = stack.enter_context(serving(cluster_server, count, shape, certificate=folder / "server.pem"))
        git_host = stack.enter_context(serving(host_server))
        (folder / "kubeconfig").write_text(_kubeconfig(folder, cluster.port))
        made = Site(folder, cluster, git_host)
        run([*landed(), *made.report], made.environment)
        primed = len(git_host.seen().requests)
        print(f"  primed: {primed} requests to the Git host, ledger of {len(made.ledger[2])} bytes")
        cluster.order("reconcile")
        yield made


def measure(count: int, number: int) -> list[Claim]:
    """Compare ``number`` rounds on a fleet of ``count`` Kustomizations."""
    cpu, peak, _ = TARGETS[count]
    with site(count) as here:
        claims = exact(here, count)
        costs = rounds(_commands(here), number, here.environment)
        print(table(costs))
    if "curl --compressed" in costs:
        print(f"  CPU as a multiple of curl's: {ratio(costs, 'landed report', 'curl --compressed'):.2f}")
    return [
        *claims,
        Claim("CPU, × kubectl get", ratio(costs, "landed report", "kubectl get"), cpu),
        Claim("peak memory", median(cost.peak for cost in costs["landed report"]), peak, "MiB"),
    ]


def exact(here: Site, count: int) -> list[Claim]:
    """What can be counted: it has no noise, and no excuse."""
    before = here.ledger
    here.cluster.seen()
    here.git_host.seen()
    run([*landed(), *here.report], here.environment)
    cluster, git_host = here.cluster.seen(), here.git_host.seen()
    pages = ceil(count / PAGE) + ceil(ceil(count / PER_REPOSITORY) / PAGE)
    lists = [request for request in cluster.requests if any(f"{path}?" in request for path in _LISTS)]
    others = [request for request in cluster.requests if request not in lists]
    imported = _imports(here)
    for request in others:
        print(f"  also asked: {request}")
    return [
        Claim("requests for the two lists, more than pages", len(lists) - pages, 0),
        Claim("connections to the cluster", cluster.connections, 1),
        Claim("requests to the Git host and the channel", len(git_host.requests), 0),
        Claim("ledger written", before != here.ledger, 0),
        Claim("modules loaded", len(imported), 220),
        Claim(f"of them {', '.join(UNWANTED)}", len(imported & set(UNWANTED)), 0),
    ]


def _imports(here: Site) -> set[str]:
    done = subprocess.run(
        [*landed("-X", "importtime"), *here.report],
        env=here.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


def _commands(here: Site) -> dict[str, list[str]]:
    commands = {"landed report": [*landed(), *here.report]}
    commands["kubectl get"] = [*here.kubectl, "get", "kustomizations,gitrepositories", "-A", "-o", "json"]
    if shutil.which("curl"):
        urls = [f"https://127.0.0.1:{here.cluster.port}{path}" for path in _LISTS]
        trust = ["--cacert", str(here.folder / "ca.pem")]
        commands["curl --compressed"] = ["curl", "-sf", "--compressed", *trust, *urls]
    return commands


def _kubeconfig(folder: Path, port: int) -> str:
    return f"""apiVersion: v1
kind: Config
current-context: production
contexts: [{{name: production, context: {{cluster: production, user: reader}}}}]
clusters:
- name: production
  cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{folder / "ca.pem"}"}}
users: [{{name: reader, user: {{token: benchmark}}}}]
"""
