"""What the tests of the embedded server share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

WITHIN = 20.0


def until(condition: Callable[[], bool], what: str, within: float = WITHIN) -> None:
    """Poll until the condition holds; fails with ``what`` when it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet counts as ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
