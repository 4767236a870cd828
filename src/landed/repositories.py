"""Which repository a URL means, as the Git hosts that are served know it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from landed.model import GitHost, Repository
from landed.revision import repository


class Repositories:
    """Finds repositories by URL."""

    def __init__(self, hosts: Sequence[GitHost] = ()) -> None:
        self._hosts = hosts

    def __call__(self, url: str) -> Repository | None:
        """The repository behind ``url``, or None if it is not the URL of one."""
        return repository(url)


def parts(host: GitHost, repository: Repository) -> tuple[str, ...]:
    """What the API of ``host`` calls the repository; () if it is none there."""
    raise NotImplementedError
