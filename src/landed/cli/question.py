"""Which commit of which repository ``landed wait`` asks about."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from landed.cli.options import Options
from landed.config import pipeline
from landed.errors import ConfigurationError
from landed.model import Repository
from landed.verdict import Question

if TYPE_CHECKING:
    from landed.checkout import Checkout

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def question(o: Options, locate: Callable[[str], Repository | None], *, now: float) -> tuple[Question, Checkout | None]:
    """What is asked, and a checkout of that repository where there is one. Raises ConfigurationError."""
    here = _checkout(o.repository_path)
    repository = _repository(o, locate, here)
    if here is not None and not o.repository_path and repository not in map(locate, here.urls()):
        here = None  # the folder we are in is a checkout of something else
    return (
        Question(
            repository,
            _commit(o, here),
            int(now),
            o.failure_grace,
            o.fail_early,
            o.allow_empty,
            bool(o.kustomization),
            locate,
        ),
        here,
    )


def _checkout(path: str) -> Checkout | None:
    """The one at ``path``; where none is named the one we are in, if we are in any."""
    if not path and not os.path.exists(".git"):  # noqa: PTH110 — pathlib would be loaded for this alone
        return None
    from landed.checkout import Checkout

    try:
        return Checkout(path or ".")
    except ConfigurationError:
        if path:
            raise
        return None


def _repository(o: Options, locate: Callable[[str], Repository | None], here: Checkout | None) -> Repository:
    if len(o.repository) > 1:
        raise ConfigurationError(
            f"A commit is of one repository, and there are {len(o.repository)} --repository.", "Give one."
        )
    given = o.repository[0] if o.repository else pipeline.repository(os.environ)
    urls = (given, f"https://{given}") if given else (here.urls() if here is not None else ())
    found = next((found for url in urls if (found := locate(url))), None)
    if found is None and given:
        raise ConfigurationError(f"--repository {given!r} is not the URL of a Git repository.")
    if found is None:
        raise ConfigurationError(
            "Nobody says which repository the commit is of.",
            "Give --repository URL, or run it in a checkout; in CI it is the job's own.",
        )
    return found


def _commit(o: Options, here: Checkout | None) -> str:
    given = o.commit.strip() or pipeline.commit(os.environ)
    if _FULL.fullmatch(given.lower()):
        return given.lower()
    if here is not None:
        return here.resolve(given or "HEAD")
    if not given:
        raise ConfigurationError("Nobody says which commit to wait for.", "Give --commit HASH; in CI it is the job's.")
    raise ConfigurationError(
        f"--commit {given!r} is not the full hash of a commit.",
        "Give all 40 digits, or a checkout with --repository-path to look it up in.",
    )
