"""How long runs take, as workers' ``/metrics`` tell it: the server does not know."""

from __future__ import annotations

import asyncio
import logging
import math
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

_log = logging.getLogger("glam_worker.console")
_FAMILY = "glam_worker_handler_duration_seconds"
_PATIENCE = 2.0
"""Seconds a worker has for its answer."""

Buckets: TypeAlias = Counter[float]
"""Runs by upper bound in seconds, cumulative."""
Owner: TypeAlias = tuple[str, str]


class Quantiles(NamedTuple):
    """Seconds; None where nothing ran."""

    p50: float | None
    p99: float | None


class Latencies:
    """Scrapes workers, and tells what they ran since the look before."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._before: dict[str, dict[Owner, Buckets]] = {}
        self._silent: set[str] = set()

    async def look(self) -> dict[Owner, Quantiles]:
        """By handler; a worker that does not answer is passed over, and that is said once."""
        ran: dict[Owner, Buckets] = {}
        for url, told in await asyncio.gather(*map(self._scraped, self._urls)):
            for owner, buckets in told.items():
                ran.setdefault(owner, Counter()).update(self._since(url, owner, buckets))
            self._before[url] = told
        return {
            owner: Quantiles(quantile(ran[owner], 0.5), quantile(ran[owner], 0.99)) for owner in ran
        }

    async def _scraped(self, url: str) -> tuple[str, dict[Owner, Buckets]]:
        try:
            text = await asyncio.to_thread(_fetched, url)
            told = read_buckets(text)
        except (OSError, ValueError) as error:
            if url not in self._silent:
                _log.warning("no metrics from %s: %s", url, error)
            self._silent.add(url)
            return url, {}
        self._silent.discard(url)
        return url, told

    def _since(self, url: str, owner: Owner, buckets: Buckets) -> Buckets:
        """What was added; all of it after a restart of the worker, whose counts begin anew."""
        before = self._before.get(url, {}).get(owner)
        if before is None or any(buckets[bound] < before[bound] for bound in before):
            return buckets if before is not None else Counter()
        return Counter({bound: count - before[bound] for bound, count in buckets.items()})


def _fetched(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("write http:// or https://")
    with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 - checked above
        text: str = answer.read().decode()
        return text


def read_buckets(text: str) -> dict[Owner, Buckets]:
    """The buckets of each handler, both ways together. ValueError for what are no metrics."""
    found: dict[Owner, Buckets] = {}
    for family in text_string_to_metric_families(text):
        if family.name != _FAMILY:
            continue
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                owner = (sample.labels["service"], sample.labels["handler"])
                bound = float(sample.labels["le"])
                found.setdefault(owner, Counter())[bound] += int(sample.value)
    return found


def quantile(buckets: Buckets, share: float) -> float | None:
    """The value below which a share of the runs lies, between two bounds along a straight line.

    As Prometheus' ``histogram_quantile`` does it; None without runs.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if not total:
        return None
    wanted = share * total
    for low, high in pairwise(_from_zero(bounds)):
        if buckets[high] >= wanted:
            inside = buckets[high] - buckets[low]
            if math.isinf(high):
                return low
            return low + (high - low) * (wanted - buckets[low]) / inside if inside else high
    return bounds[-1]


def _from_zero(bounds: Iterable[float]) -> list[float]:
    return [0.0, *bounds]
