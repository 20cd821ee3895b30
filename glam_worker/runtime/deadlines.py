"""When runs have to end: one timer for all runs of a handler.

They share one timeout, so the run that began first is the first to expire, and a run that ends
in time costs two dictionary operations.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


class Deadlines:
    """Calls ``expired(item)`` once for each watched item that is not released in time."""

    def __init__(self, timeout: float, expired: Callable[[Any], None]) -> None:
        self._timeout = timeout
        self._expired = expired
        self._ends: dict[Any, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, item: Any, ends: float) -> None:
        """Watch ``item`` until ``ends``, by the monotonic clock."""
        self._ends[item] = ends
        if self._timer is None:
            self._arm(ends)

    def release(self, item: Any) -> None:
        """The item ended."""
        self._ends.pop(item, None)

    def _arm(self, ends: float) -> None:
        delay = max(0.0, ends - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = time.monotonic()
        for item, ends in list(self._ends.items()):
            if ends > now:
                self._arm(ends)
                return
            del self._ends[item]
            self._expired(item)
