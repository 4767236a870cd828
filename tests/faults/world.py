"""The cluster that the tests of faults look at, and what has to be told about it."""

from __future__ import annotations

import objects as o
from objects import LATER, MAIN_A, MAIN_B, A, B

#: One commit that landed, and one that some have applied, one cannot apply and one has yet to apply.
WORLD = (
    o.git_repository(revision=MAIN_B, updated=LATER),
    o.kustomization("live", applied=MAIN_B, history=[o.snapshot(MAIN_B, at=LATER), o.snapshot(MAIN_A)]),
    o.kustomization("late", applied=MAIN_A),
    o.kustomization(
        "torn",
        attempted=MAIN_B,
        conditions=[
            o.progress("Running health checks", MAIN_B, retrying=True),
            o.condition("Ready", "False", "HealthCheckFailed", "health check failed after 2m0.004s", since=LATER),
        ],
    ),
)

FLEET = "example/fleet"
#: What the Git host must have in the end, whatever happened on the way.
STATUSES = {
    (FLEET, B): {
        "flux/production": "failure",
        "flux/production/apps/live": "success",
        "flux/production/apps/late": "pending",
        "flux/production/apps/torn": "failure",
    },
    (FLEET, A): {"flux/production/apps/late": "success"},
}
