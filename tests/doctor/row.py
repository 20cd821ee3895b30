"""One line of the tables of checks."""

from __future__ import annotations

from dataclasses import dataclass

from glam_worker.doctor.findings import Severity
from glam_worker.doctor.snapshot import Snapshot

E, W, N = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True)
class Row:
    """One snapshot, and what one check says of it."""

    check: str
    seen: Snapshot
    severity: Severity | None
    said: str = ""
