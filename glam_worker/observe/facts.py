"""Who is told the facts: counters and log, for every handler and way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.retry import ACK, Settlement
from glam_worker.observe.epoch import EpochClock
from glam_worker.observe.log import WayLog
from glam_worker.observe.records import WayRecord
from glam_worker.runtime.protocols import Delivery, Facts, Took, Way, WayFacts

_log = logging.getLogger("glam_worker.observe")

Listener: TypeAlias = Callable[[Handler, Way], WayFacts]
"""Makes an observer of one handler's way."""


class Observers(Facts):
    """Makes the observer of each way, and keeps its record for the metrics.

    What ``listeners`` make is told every fact after counters and log. One that raises misses that
    fact, which is logged; the event does not notice.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.clock = EpochClock()
        self.records: dict[tuple[str, str, Way], WayRecord] = {}
        self.listeners: list[Listener] = []

    def way(self, handler: Handler, way: Way) -> WayFacts:
        """The observer of one handler's way."""
        key = (handler.service, handler.name, way)
        record = self.records.setdefault(key, WayRecord(self.clock))
        log = WayLog(handler, way)
        heard = (_Harmless(listener(handler, way)) for listener in self.listeners)
        return _Observed(record, log, tuple(heard))


class _Observed(WayFacts):
    """Counts every fact; tells the usual course of an event only to those who want it."""

    __slots__ = ("_listeners", "_others", "_record", "_tells_all")

    def __init__(self, record: WayRecord, log: WayLog, listeners: tuple[WayFacts, ...]) -> None:
        self._record = record
        self._listeners = listeners
        self._others = (log, *listeners)
        self._tells_all = bool(listeners) or log.says_all

    def received(self, delivery: Delivery) -> None:
        self._record.received(delivery)
        for listener in self._listeners:
            listener.received(delivery)

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        self._record.settled(delivery, run, settlement, took)
        if settlement is not ACK or self._tells_all:
            for other in self._others:
                other.settled(delivery, run, settlement, took)

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        self._record.refused(delivery, settlement, error)
        for other in self._others:
            other.refused(delivery, settlement, error)

    def renewed(self, count: int) -> None:
        self._record.renewed(count)
        for listener in self._listeners:
            listener.renewed(count)

    def expired(self, delivery: Delivery) -> None:
        for other in self._others:
            other.expired(delivery)

    def lapsed(self, delivery: Delivery) -> None:
        self._record.lapsed(delivery)
        for other in self._others:
            other.lapsed(delivery)

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        for other in self._others:
            other.alone(delivery, unfinished)

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        for other in self._others:
            other.ledger_away(delivery, error)


class _Harmless(WayFacts):
    """A listener whose errors stay with it."""

    __slots__ = ("_listener",)

    def __init__(self, listener: WayFacts) -> None:
        self._listener = listener

    def received(self, delivery: Delivery) -> None:
        self._tell(self._listener.received, delivery)

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        self._tell(self._listener.settled, delivery, run, settlement, took)

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        self._tell(self._listener.refused, delivery, settlement, error)

    def renewed(self, count: int) -> None:
        self._tell(self._listener.renewed, count)

    def expired(self, delivery: Delivery) -> None:
        self._tell(self._listener.expired, delivery)

    def lapsed(self, delivery: Delivery) -> None:
        self._tell(self._listener.lapsed, delivery)

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        self._tell(self._listener.alone, delivery, unfinished)

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        self._tell(self._listener.ledger_away, delivery, error)

    @staticmethod
    def _tell(listener: Callable[..., None], *fact: object) -> None:
        try:
            listener(*fact)
        except Exception:  # noqa: BLE001 - foreign code; the event must not notice
            _log.exception("a listener raised; it missed one fact")
