"""A process that wants a Lease: ``python contender.py KUBECONFIG NAMESPACE/NAME LOG``. It writes down when it works.

Each line of the log is ``NAME TERM TIME``, in the machine's clock: all processes have the same one.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from landed import kube
from landed.kube import lease


def main(kubeconfig: str, name: str, log: str) -> None:
    """Work whenever the Lease is ours, until standard input is closed."""
    lease.DURATION, lease.DEADLINE, lease.RETRY = 2, 1.2, 0.1
    stop = threading.Event()

    def until_told() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=until_told, daemon=True).start()
    client = kube.connect(kubeconfig, "", {}, timeout=lease.TIMEOUT)
    own = lease.Lease(client, *lease.parse(name), lease.identity("contender"))
    with Path(log).open("a", buffering=1) as file:
        while own.acquire(stop.wait):
            while own.held and not stop.is_set():
                at = lease.clock()
                if own.held:
                    file.write(f"{own.identity} {own.term} {at:.6f}\n")
                stop.wait(0.005)
            if stop.is_set():
                break
    own.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
