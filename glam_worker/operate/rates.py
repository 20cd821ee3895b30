"""How fast handlers work, from what two looks at the server differ in. Pure.

The server counts deliveries, not settlements: a delivery that is neither in flight nor new must
have been settled. Redeliveries make the rate too high by as many.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from glam_worker.operate.status import HandlerStatus, Status

WINDOW = 10.0
"""Seconds over which rates are taken, where there are looks so old."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What a handler does in a second; None where two looks do not tell."""

    settled: float | None = None
    arriving: float | None = None
    """Events that came for it, retries that became due and replays included."""
    time_to_drain: float | None = None
    """Seconds in which what waits is worked off at this rate; infinite when nothing is worked, None
    while the handler is paused."""


def rates_between(before: HandlerStatus, now: HandlerStatus, seconds: float) -> Rates:
    """The rates over some seconds."""
    delivered = now.delivered - before.delivered
    same = {one.info.get("created") for one in before.durables} == {
        one.info.get("created") for one in now.durables
    }
    if seconds <= 0 or delivered < 0 or not same:
        return Rates()
    settled = max(0, delivered - (now.in_flight - before.in_flight))
    waiting = now.pending + now.pending_lane
    arrived = max(0, delivered + waiting - before.pending - before.pending_lane)
    rate = settled / seconds
    drain = waiting / rate if rate else (math.inf if waiting else 0.0)
    return Rates(rate, arrived / seconds, None if now.paused else drain)


class Looks:
    """The looks of the last ``WINDOW`` seconds."""

    def __init__(self) -> None:
        self._looks: deque[Status] = deque()

    def add(self, seen: Status) -> None:
        """A new look; forgets what is older than the window, but for the first at its edge."""
        self._looks.append(seen)
        while len(self._looks) > 2 and self._age(self._looks[1]) >= WINDOW:
            self._looks.popleft()

    def rates(self, now: HandlerStatus) -> Rates:
        """The rates of a handler of the last look."""
        first = self._looks[0]
        for before in first.handlers:
            if (before.service, before.handler) == (now.service, now.handler):
                return rates_between(before, now, self._age(first))
        return Rates()

    def _age(self, seen: Status) -> float:
        return (self._looks[-1].at - seen.at).total_seconds()
