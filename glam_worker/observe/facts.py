"""Who is told the facts: counters and log, for every handler and way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.retry import Settlement
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
        log = WayLog(handler, way)
        heard = tuple(_Harmless(listener(handler, way)) for listener in self.listeners)
        kind = _ToldAll if heard or log.says_all else _Observed
        observed = kind(self.clock, log, *heard)
        return self.records.setdefault((handler.service, handler.name, way), observed)


class _Observed(WayRecord):
    """Counts every fact, and tells the others what is not the usual course of an event."""

    __slots__ = ("_others",)

    def __init__(self, clock: EpochClock, *others: WayFacts) -> None:
        super().__init__(clock)
        self._others = others

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        super().settled(delivery, run, settlement, took)
        for other in self._others:
            other.settled(delivery, run, settlement, took)

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        super().refused(delivery, settlement, error)
        for other in self._others:
            other.refused(delivery, settlement, error)

    def renewed(self, count: int) -> None:
        super().renewed(count)
        for other in self._others:
            other.renewed(count)

    def expired(self, delivery: Delivery) -> None:
        for other in self._others:
            other.expired(delivery)

    def lapsed(self, delivery: Delivery) -> None:
        super().lapsed(delivery)
        for other in self._others:
            other.lapsed(delivery)

    def outlasted(self, delivery: Delivery) -> None:
        super().outlasted(delivery)
        for other in self._others:
            other.outlasted(delivery)

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        for other in self._others:
            other.alone(delivery, unfinished)

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        for other in self._others:
            other.ledger_away(delivery, error)

    def claims_away(self, delivery: Delivery, error: Exception) -> None:
        for other in self._others:
            other.claims_away(delivery, error)


class _ToldAll(_Observed):
    """Tells the others the usual course, too: there are listeners, or the log says everything."""

    __slots__ = ()

    def received(self, delivery: Delivery) -> None:
        super().received(delivery)
        for other in self._others:
            other.received(delivery)

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        super().acked(delivery, run, started, ended)
        for other in self._others:
            other.acked(delivery, run, started, ended)


class _Harmless(WayFacts):
    """A listener whose errors stay with it."""

    __slots__ = ("_listener",)

    def __init__(self, listener: WayFacts) -> None:
        self._listener = listener

    def received(self, delivery: Delivery) -> None:
        self._tell(self._listener.received, delivery)

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        self._tell(self._listener.acked, delivery, run, started, ended)

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

    def outlasted(self, delivery: Delivery) -> None:
        self._tell(self._listener.outlasted, delivery)

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        self._tell(self._listener.alone, delivery, unfinished)

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        self._tell(self._listener.ledger_away, delivery, error)

    def claims_away(self, delivery: Delivery, error: Exception) -> None:
        self._tell(self._listener.claims_away, delivery, error)

    @staticmethod
    def _tell(listener: Callable[..., None], *fact: object) -> None:
        try:
            listener(*fact)
        except Exception:  # noqa: BLE001 - foreign code; the event must not notice
            _log.exception("a listener raised; it missed one fact")
