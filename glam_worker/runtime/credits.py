"""How many more messages a handler may ask for.

One credit is one message between *requested* and *settled*. The two ways of a handler share its
credits: each always has one of its own, and when both have a backlog each stays within half.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from glam_shared.errors import ConfigurationError
from glam_shared.wording import counted
from glam_worker.runtime.protocols import Way

_AHEAD = 0.01
"""Seconds of work that may be in hand: several times what the server needs to send the next."""
_MOST_AHEAD = 4
"""Times the concurrency, at most: the handler may become slow at any time."""


class Budget:
    """The credits of the whole process; every way's own credit is outside of it."""

    def __init__(self, limit: int, ways: int) -> None:
        self.free = max(0, limit - ways)


def budget_of(limit: int | None, handlers: int) -> Budget | None:
    """The budget of a process with ``handlers`` handlers; None without a limit.

    Raises ConfigurationError for a limit that has not one credit for each way.
    """
    ways = 2 * handlers
    if limit is None:
        return None
    if limit < ways:
        raise ConfigurationError(
            f"GLAM_MAX_IN_FLIGHT is {limit}; {counted(handlers, 'handler')} can "
            f"only work with {ways} or more: one message for each of two ways"
        )
    return Budget(limit, ways)


class WayCredits:
    """What one way holds of its handler's credits."""

    __slots__ = ("backlog", "borrowed", "bytes", "held", "requested")

    def __init__(self) -> None:
        self.requested = 0
        """Asked of the server and not yet arrived."""
        self.held = 0
        """Arrived and not yet settled."""
        self.bytes = 0
        """Bytes of what is held."""
        self.borrowed = 0
        """Of the two, how many come out of the process's budget."""
        self.backlog = False
        """Whether the server said that more is waiting."""

    @property
    def used(self) -> int:
        """Credits in use."""
        return self.requested + self.held


class Credits:
    """The credits of one handler: ``concurrency`` plus a small prefetch.

    The prefetch is a quarter of the concurrency. Where more than that is worked in 10 ms, the
    handler would wait for the server; it is then what is worked in 10 ms, four times the
    concurrency at most. Not so under a budget, which other handlers share.
    """

    def __init__(
        self,
        concurrency: int,
        budget: Budget | None,
        byte_limit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._concurrency = concurrency
        self._prefetch = self._small = max(2, concurrency // 4)
        self._asked = 0
        """Of the server in all, without what it will not send."""
        self._worked = 0
        """Of these, how many were done with at the last look."""
        self._looked = clock()
        """When that was."""
        self.main = WayCredits()
        self.lane = WayCredits()
        self._budget = budget
        self._byte_limit = byte_limit

    @property
    def capacity(self) -> int:
        """Messages that may be in hand or on their way."""
        return self._concurrency + self._prefetch

    def of(self, way: Way) -> WayCredits:
        """The credits of one way."""
        return self.main if way == "main" else self.lane

    def take(self, way: Way) -> int:
        """Credits for a request that is worth sending now, else 0. Taken ones are requested."""
        mine = self.of(way)
        if mine.bytes and self.main.bytes + self.lane.bytes >= self._byte_limit:
            return 0
        target = self._target(way)
        wanted = target - mine.used
        if wanted < self._least(mine, target):
            return 0
        granted = self._granted(mine, wanted)
        mine.requested += granted
        self._asked += granted
        if self._budget is None and (elapsed := self._clock() - self._looked) >= _AHEAD:
            self._look_ahead(elapsed)
        return granted

    def _look_ahead(self, elapsed: float) -> None:
        """Fit the prefetch to the rate at which messages were worked since the last look."""
        worked = self._asked - self.main.used - self.lane.used
        ahead = int((worked - self._worked) / elapsed * _AHEAD)
        self._prefetch = max(self._small, min(ahead, _MOST_AHEAD * self._concurrency))
        self._worked = worked
        self._looked += elapsed

    def _least(self, mine: WayCredits, target: int) -> int:
        """What a request must be worth: it costs the server and us as much as ten messages."""
        if mine.requested:
            return max(1, (target + 1) // 2)
        if mine.held and self.main.held + self.lane.held >= self._concurrency:
            return max(1, self._prefetch // 2)
        return 1

    def arrived(self, way: Way, size: int) -> None:
        """A requested message came."""
        mine = self.main if way == "main" else self.lane
        if mine.requested:
            mine.requested -= 1
        mine.held += 1
        mine.bytes += size

    def settled(self, way: Way, size: int) -> None:
        """A held message was settled, handed back or dropped."""
        mine = self.main if way == "main" else self.lane
        mine.held -= 1
        mine.bytes -= size
        if self._budget is not None:
            self._repay(mine, self._budget)

    def returned(self, way: Way, count: int | None = None) -> None:
        """The server will not send ``count`` of what was requested (None: any of it)."""
        mine = self.of(way)
        unsent = mine.requested if count is None else min(count, mine.requested)
        mine.requested -= unsent
        self._asked -= unsent
        if self._budget is not None:
            self._repay(mine, self._budget)

    def _target(self, way: Way) -> int:
        """What the way may use now: one at least, also where the other has more than is left."""
        mine, other = (self.main, self.lane) if way == "main" else (self.lane, self.main)
        half = max(1, self.capacity // 2)
        left = max(1, self.capacity - max(1, other.used))
        if not mine.backlog:
            idle = 1 if way == "lane" or self._budget else half
            return min(mine.held + idle, left)
        return min(half, left) if other.backlog else left

    def _granted(self, mine: WayCredits, wanted: int) -> int:
        """All that is wanted; where there is a budget, one of its own and what it has free."""
        if self._budget is None:
            return wanted
        own = 1 if mine.used == 0 else 0
        borrowed = min(wanted - own, self._budget.free)
        self._budget.free -= borrowed
        mine.borrowed += borrowed
        return own + borrowed

    @staticmethod
    def _repay(mine: WayCredits, budget: Budget) -> None:
        due = mine.borrowed - max(0, mine.used - 1)
        if due > 0:
            mine.borrowed -= due
            budget.free += due
