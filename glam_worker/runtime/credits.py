"""How many more messages a handler may ask for.

One credit is one message between *requested* and *settled*. The two ways of a handler share its
credits: each always has one of its own, and when both have a backlog each stays within half.
"""

from __future__ import annotations

from glam_shared.errors import ConfigurationError
from glam_shared.wording import counted
from glam_worker.runtime.protocols import Way


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
    """The credits of one handler: ``concurrency`` plus a small prefetch."""

    def __init__(self, concurrency: int, budget: Budget | None, byte_limit: int) -> None:
        self._concurrency = concurrency
        self._prefetch = max(2, concurrency // 4)
        self.capacity = concurrency + self._prefetch
        self.main = WayCredits()
        self.lane = WayCredits()
        self._budget = budget
        self._byte_limit = byte_limit

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
        return granted

    def _least(self, mine: WayCredits, target: int) -> int:
        """What a request must be worth: it costs the server and us as much as ten messages."""
        if mine.requested:
            return max(1, (target + 1) // 2)
        if self.main.held + self.lane.held >= self._concurrency:
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
        mine.requested -= mine.requested if count is None else min(count, mine.requested)
        if self._budget is not None:
            self._repay(mine, self._budget)

    def _target(self, way: Way) -> int:
        mine, other = (self.main, self.lane) if way == "main" else (self.lane, self.main)
        half = max(1, self.capacity // 2)
        if not mine.backlog:
            idle = 1 if way == "lane" or self._budget else half
            return min(mine.held + idle, self.capacity - max(1, other.used))
        if other.backlog:
            return min(half, self.capacity - other.used)
        return self.capacity - max(1, other.used)

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
