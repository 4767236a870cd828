"""``python -m benchmarks no-change|deliver|startup|wait|watch``: measure, compare with targets, exit 1 for a miss."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks import deliver, no_change, startup, wait, watch

if TYPE_CHECKING:
    from benchmarks.measure import Claim


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=("no-change", "deliver", "startup", "wait", "watch"))
    parser.add_argument("--smoke", action="store_true", help="only what can be counted, on small fleets")
    parser.add_argument("--sizes", type=int, nargs="+", choices=sorted({*no_change.TARGETS, *deliver.SIZES}))
    parser.add_argument("--kubectl-size", type=int, default=wait.SIZE, help="of `wait`: how many kubectl is given")
    parser.add_argument("--rounds", type=int, default=0, help="more rounds, less noise")
    options = parser.parse_args()
    if options.what == "no-change" and not {*(options.sizes or ())} <= {*no_change.TARGETS}:
        parser.error(f"no-change has targets for {', '.join(map(str, no_change.TARGETS))} only")
    if options.what == "startup":
        return _judge("start-up", startup.measure(options.rounds or 21))
    if options.what == "deliver":
        return _deliver(options)
    if options.what == "wait":
        return _wait(options)
    if options.what == "watch":
        return _watch(options)
    if options.smoke:
        return max(_smoke(size) for size in options.sizes or (10, 100))
    return max(_judge(f"N = {size}", _measure(size, options.rounds)) for size in options.sizes or no_change.TARGETS)


def _deliver(options: argparse.Namespace) -> int:
    if options.smoke:
        return max(_judge(f"M = {size}", deliver.exact(size)) for size in options.sizes or deliver.FEW)
    rounds = options.rounds or deliver.ROUNDS
    return max(_judge(f"M = {size}", deliver.measure(size, rounds)) for size in options.sizes or deliver.SIZES)


def _wait(options: argparse.Namespace) -> int:
    if options.smoke:
        return _judge(f"N = {wait.FEW}", wait.exact(wait.FEW))
    size = options.kubectl_size
    counted = _judge(f"N = {wait.SIZE}", wait.exact(wait.SIZE)) if size != wait.SIZE else 0
    return max(counted, _judge(f"N = {size}", wait.measure(size, options.rounds or wait.ROUNDS)))


def _watch(options: argparse.Namespace) -> int:
    if options.smoke:
        return _judge(f"N = {watch.FEW}", watch.exact(watch.FEW))
    latencies = [_judge(f"N = {size}", watch.latency(size)) for size in options.sizes or watch.SIZES]
    return max(*latencies, _judge("10,000 events", watch.flood(options.rounds or watch.ROUNDS)))


def _measure(size: int, rounds: int) -> list[Claim]:
    print(f"N = {size}")
    return no_change.measure(size, rounds or no_change.TARGETS[size][2])


def _smoke(size: int) -> int:
    with no_change.site(size) as here:
        return _judge(f"N = {size}", no_change.exact(here, size))


def _judge(title: str, claims: list[Claim]) -> int:
    print(title, *claims, sep="\n", flush=True)
    return 0 if all(claim.holds for claim in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
