"""What all requests of a console share."""

from __future__ import annotations

from dataclasses import dataclass, field

from glam_shared.messaging import JetStreamClient
from glam_worker.console.access import Access
from glam_worker.console.jobs import Jobs
from glam_worker.console.watch import Watch


@dataclass(slots=True)
class Session:
    """One console over one connection."""

    client: JetStreamClient
    access: Access
    watch: Watch
    retry_stream: str
    service: str | None
    """Only this service is shown; None: all."""
    jobs: Jobs = field(default_factory=Jobs)
