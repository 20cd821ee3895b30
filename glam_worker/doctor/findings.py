"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial


class Severity(StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    """Can lose events, or stops work."""
    WARNING = "warning"
    """Costs something, or will, or hides a fault."""
    INFO = "info"
    """Good to know; nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and what to do about it."""

    severity: Severity
    thing: str
    """What it is about, such as ``stream GLAM_DLQ``."""
    found: str
    """What was found of it."""
    reason: str
    """What it leads to."""
    remedy: str
    check: str = ""
    """The name of the check; its heading on the page of remedies."""


error = partial(Finding, Severity.ERROR)
warning = partial(Finding, Severity.WARNING)
info = partial(Finding, Severity.INFO)
