"""Everything that can go wrong and reach a user.

LandedError
├── ConfigurationError   exit 2   an option, a file or the ledger is not usable
├── ClusterError         exit 5   a cluster could not be read
└── DeliveryError        exit 6   a destination did not acknowledge an update

An error carries one sentence that says what failed and where, and ``hint``: what to do about it.
Neither may hold a secret. A transport's own exceptions never cross an edge.
"""

from __future__ import annotations

#: The exit codes, as documented in the README. All others are reserved.
DONE = 0
COMMIT_FAILED = 1
CONFIGURATION = 2
TIMED_OUT = 3
DIVERGED = 4
CLUSTER_UNREADABLE = 5
UNDELIVERED = 6
INTERRUPTED = 130
TERMINATED = 143


class LandedError(Exception):
    """Base of all errors that are told to the user as one message."""

    exit_code = CONFIGURATION

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(LandedError):
    """An option, a file or the ledger cannot be used as it is."""

    exit_code = CONFIGURATION


class ClusterError(LandedError):
    """A cluster could not be read. Says nothing about any commit."""

    exit_code = CLUSTER_UNREADABLE


class DeliveryError(LandedError):
    """A destination did not acknowledge an update. Says nothing about any commit.

    ``passing`` is true where a later try may succeed without anybody's doing (a timeout, a 5xx, a rate limit);
    ``uncertain`` where the request may have been carried out although no answer came back; ``read_only`` where the
    token is good and may not write there, as on a pull request from a fork; ``gone`` where the message that was to be
    edited is not there any more.
    """

    exit_code = UNDELIVERED

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        passing: bool = False,
        uncertain: bool = False,
        read_only: bool = False,
        gone: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.passing = passing
        self.uncertain = uncertain
        self.read_only = read_only
        self.gone = gone
