"""Who is told the facts: counters and log, for every handler and way."""

from __future__ import annotations

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.retry import Settlement
from glam_worker.observe.log import WayLog
from glam_worker.observe.records import WayRecord
from glam_worker.runtime.protocols import Delivery, Facts, Took, Way, WayFacts


class Observers(Facts):
    """Makes the observer of each way, and keeps its record for the metrics.

    ``listeners`` are told every fact after counters and log; a listener that raises is dropped
    for that fact only.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.records: dict[tuple[str, Way], WayRecord] = {}
        self.listeners: list[WayFacts] = []

    def way(self, handler: Handler, way: Way) -> WayFacts:
        """The observer of one handler's way."""
        record = self.records.setdefault((handler.name, way), WayRecord())
        return _Several((record, WayLog(self.service, handler, way), *self.listeners))


class _Several(WayFacts):
    __slots__ = ("_observers",)

    def __init__(self, observers: tuple[WayFacts, ...]) -> None:
        self._observers = observers

    def received(self, delivery: Delivery) -> None:
        for observer in self._observers:
            observer.received(delivery)

    def settled(
        self, delivery: Delivery, run: EventContext | None, settlement: Settlement, took: Took | None
    ) -> None:
        for observer in self._observers:
            observer.settled(delivery, run, settlement, took)

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        for observer in self._observers:
            observer.refused(delivery, settlement, error)

    def renewed(self, count: int) -> None:
        for observer in self._observers:
            observer.renewed(count)

    def lapsed(self, delivery: Delivery) -> None:
        for observer in self._observers:
            observer.lapsed(delivery)
