"""How much memory this process holds."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """Bytes resident now; where there is no /proc, the peak."""
    return _from_status("VmRSS") or peak_bytes()


def peak_bytes() -> int:
    """The most bytes that were ever resident.

    Not from getrusage where /proc has it: there, a child starts with its parent's peak.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _from_status("VmHWM") or (peak if sys.platform == "darwin" else peak * 1024)


def _from_status(field: str) -> int:
    if not _STATUS.exists():
        return 0
    lines = (line.split() for line in _STATUS.read_text().splitlines())
    return next(int(parts[1]) * 1024 for parts in lines if parts[0] == f"{field}:")
