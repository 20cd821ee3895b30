"""The last hour of every handler, in samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from glam_worker.console.latencies import Quantiles
from glam_worker.operate.rates import Looks
from glam_worker.operate.status import Status
from glam_worker.operate.worker_metrics import Owner

PERIOD = 5.0
"""Seconds between two samples."""
KEPT = int(3600 / PERIOD)


@dataclass(frozen=True, slots=True)
class Sample:
    """How it was with one handler at one moment."""

    at: float
    """Seconds since the epoch, by the server's clock."""
    rate: float | None
    """Settlements a second, over ten seconds; None for the first."""
    lag: int
    """Events that wait: new ones, retries that are due, and replays."""
    p50: float | None
    p99: float | None
    """Seconds that runs took since the sample before; None where no worker told of any."""


class Samples:
    """Keeps an hour of samples of each handler; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: dict[Owner, deque[Sample]] = {}
        self._looks = Looks()

    def add(self, seen: Status, took: Mapping[Owner, Quantiles]) -> None:
        """Take one look at the server in."""
        self._looks.add(seen)
        for one in seen.handlers:
            owner = (one.service, one.handler)
            quantiles = took.get(owner, Quantiles())
            sample = Sample(
                at=seen.at.timestamp(),
                rate=self._looks.rates(one).settled,
                lag=one.pending + one.pending_lane,
                p50=quantiles.p50,
                p99=quantiles.p99,
            )
            self._kept.setdefault(owner, deque(maxlen=KEPT)).append(sample)

    def of(self, service: str, handler: str) -> list[dict[str, Any]]:
        """The samples of one handler, oldest first, for JSON."""
        return [asdict(sample) for sample in self._kept.get((service, handler), ())]

    def last(self, service: str, handler: str) -> Sample | None:
        """The newest sample."""
        kept = self._kept.get((service, handler))
        return kept[-1] if kept else None
