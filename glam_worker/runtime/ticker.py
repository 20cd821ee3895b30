"""The worker's clock: renews leases, notices silence, and measures how late the loop runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Ticker:
    """Calls ``tick(now)`` every ``period`` seconds for as long as the loop turns.

    ``last`` and ``lag`` are read by other threads: they tell whether the loop stands.
    """

    def __init__(self, period: float, tick: Callable[[float], None]) -> None:
        self.period = period
        self.last = time.monotonic()
        """When it last ticked, by the monotonic clock."""
        self.lag = 0.0
        """Seconds the last tick came late."""
        self._tick = tick
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Tick from now on."""
        self.last = time.monotonic()
        self._arm()

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()

    def standing(self) -> float:
        """Seconds for which the loop has not turned, as seen from any thread."""
        return max(0.0, time.monotonic() - self.last - self.period)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.period, self._fire)

    def _fire(self) -> None:
        now = time.monotonic()
        self.lag = max(0.0, now - self.last - self.period)
        self.last = now
        self._arm()
        self._tick(now)
