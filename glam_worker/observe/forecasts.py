"""Forecasts of handlers, from levels of the server and this worker's own records."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from glam_worker.observe.demand import Demand, Forecast, Look
from glam_worker.observe.facts import Observers
from glam_worker.runtime.protocols import Way

Levels: TypeAlias = Mapping[tuple[str, tuple[str, ...]], float]
"""Values by family and labels."""

_WAYS: tuple[Way, ...] = ("main", "lane")


class Forecasts:
    """Time to drain and desired replicas of each handler.

    ``slots``: the slots of this process, by service and handler; ``drain_target``: seconds in
    which a backlog should be worked off.
    """

    def __init__(
        self, observers: Observers, slots: Mapping[tuple[str, str], int], drain_target: float
    ) -> None:
        self._observers = observers
        self._slots = slots
        self._drain_target = drain_target
        self._forecasts: dict[tuple[str, str], Forecast] = {}
        self._demands: dict[tuple[str, str], Demand] = {}

    def looked(self, samples: Iterable[tuple[str, tuple[str, ...], float]]) -> None:
        """The levels of one look; without any, this worker is no longer the one that looks."""
        levels = {(family, labels): value for family, labels, value in samples}
        if not levels:
            self._forecasts, self._demands = {}, {}
            return
        for handler, slots in self._slots.items():
            forecast = self._forecasts.setdefault(handler, Forecast(slots, self._drain_target))
            demand = forecast.add(self._look(handler, levels))
            if demand is not None:
                self._demands[handler] = demand

    def _look(self, handler: tuple[str, str], levels: Levels) -> Look:
        ways = [(*handler, way) for way in _WAYS]
        records = [self._observers.records[way] for way in ways if way in self._observers.records]
        at_work = [way for way in ways if not levels.get(("consumer_paused", way))]
        return Look(
            at=time.monotonic(),
            pending=_total(levels, "consumer_pending", at_work),
            delivered=_total(levels, "consumer_delivered", ways),
            unsettled=_total(levels, "consumer_ack_pending", ways),
            received=sum(record.received_count for record in records),
            redelivered=sum(record.redelivered for record in records),
            runs=sum(sum(record.duration.counts) for record in records),
            seconds=sum(record.duration.total for record in records),
        )

    def samples(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """(family, labels, value) of each handler; callable from any thread."""
        for handler, demand in self._demands.copy().items():
            yield "time_to_drain_seconds", handler, demand.time_to_drain
            yield "desired_replicas", handler, float(demand.desired_replicas)


def _total(levels: Levels, family: str, ways: Iterable[tuple[str, str, str]]) -> float:
    return sum(levels.get((family, way), 0.0) for way in ways)
