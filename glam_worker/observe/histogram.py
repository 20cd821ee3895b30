"""A histogram that costs one append an observation; what was appended is counted in batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from threading import Lock

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0)
"""Seconds: fourteen bounds and infinity."""

AGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)


class Histogram:
    """Counts by upper bound, and their sum.

    Whoever adds calls ``count`` once in a while; whoever reads sees all that was added.
    """

    __slots__ = ("_counting", "_counts", "_recent", "_total", "add", "bounds")

    add: Callable[[float], None]
    """One observation; what is less than nothing, as two clocks may say, counts as nothing."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counting = Lock()
        self._counts = [0] * (len(bounds) + 1)
        self._recent: list[float] = []
        self._total = 0.0
        self.add = self._recent.append

    def count(self) -> None:
        """Put what was added into its buckets; from any thread, while another one adds."""
        with self._counting:
            recent = sorted(self._recent)
            del self._recent[: len(recent)]
            below = 0
            for place, bound in enumerate((*self.bounds, float("inf"))):
                up_to = bisect_right(recent, bound)
                self._counts[place] += up_to - below
                below = up_to
            self._total += sum(recent[bisect_right(recent, 0.0) :])

    @property
    def counts(self) -> list[int]:
        """Observations between each bound and the one before it."""
        self.count()
        return self._counts

    @property
    def total(self) -> float:
        """The sum of all observations."""
        self.count()
        return self._total

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by bound, as Prometheus wants them."""
        bounds = [*map(str, self.bounds), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))
