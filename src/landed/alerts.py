"""Which Alert wants which event, https://fluxcd.io/flux/components/notification/alerts/ . No I/O."""

from __future__ import annotations
