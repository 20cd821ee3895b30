"""How long runs take, as workers' ``/metrics`` tell it: the server does not know."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from glam_worker.errors import NotThereError
from glam_worker.operate.worker_metrics import Measured, Owner, measured

_log = logging.getLogger("glam_worker.console")


class Quantiles(NamedTuple):
    """Seconds; None where nothing ran."""

    p50: float | None = None
    p99: float | None = None


class Latencies:
    """Asks workers, and tells how long runs took since the look before."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._before: dict[str, dict[Owner, Measured]] = {}
        self._silent: set[str] = set()

    async def look(self) -> dict[Owner, Quantiles]:
        """By handler; a worker that does not answer is passed over, and that is said once."""
        ran: dict[Owner, dict[float, float]] = {}
        for url, told in zip(self._urls, await self._told(), strict=True):
            for owner, now in told.items():
                before = self._before.get(url, {}).get(owner)
                if before is not None:
                    _add(ran.setdefault(owner, {}), before, now)
            self._before[url] = told
        return {
            owner: Quantiles(quantile(buckets, 0.5), quantile(buckets, 0.99))
            for owner, buckets in ran.items()
        }

    async def _told(self) -> list[dict[Owner, Measured]]:
        return await asyncio.gather(*map(self._of, self._urls))

    async def _of(self, url: str) -> dict[Owner, Measured]:
        try:
            told = await measured([url])
        except NotThereError as error:
            if url not in self._silent:
                _log.warning("%s", error)
            self._silent.add(url)
            return {}
        self._silent.discard(url)
        return told


def _add(ran: dict[float, float], before: Measured, now: Measured) -> None:
    """Count what was run between two looks; all of it where the worker has started anew."""
    anew = now.runs < before.runs
    for bound, count in now.buckets.items():
        ran[bound] = ran.get(bound, 0.0) + count - (0.0 if anew else before.buckets.get(bound, 0.0))


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The value below which a share of the runs lies, between two bounds along a straight line.

    ``buckets`` are cumulative. As Prometheus' ``histogram_quantile`` does it; None without runs.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    wanted = share * total
    for low, high in pairwise([0.0, *bounds]):
        if buckets[high] >= wanted:
            if math.isinf(high):
                return low
            below = buckets.get(low, 0.0)
            return low + (high - low) * (wanted - below) / (buckets[high] - below)
    return bounds[-1]
