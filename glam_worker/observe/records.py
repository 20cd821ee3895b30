"""What is counted of one handler's way: plain slots, read when Prometheus asks."""

from __future__ import annotations

import time
from collections import Counter

from glam_worker.declare.context import EventContext
from glam_worker.declare.retry import Ack, DeadLetter, HandBack, Park, Settlement
from glam_worker.observe.epoch import EpochClock
from glam_worker.observe.histogram import AGES, DURATIONS, Histogram
from glam_worker.runtime.protocols import Delivery, Took, WayFacts

_MOST_ERROR_TYPES = 50
_COUNTED_TOGETHER = 256


class WayRecord(WayFacts):
    """Counts the facts of one handler on one way; ages by the server's clock."""

    __slots__ = (
        "ack_count",
        "age",
        "clock",
        "dead_letters",
        "drops",
        "duration",
        "failures",
        "lapses",
        "queue",
        "received_count",
        "redelivered",
        "refusals",
        "renewals",
        "settlements",
    )

    def __init__(self, clock: EpochClock) -> None:
        self.ack_count = 0
        self.age = Histogram(AGES)
        self.clock = clock
        self.dead_letters: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.duration = Histogram(DURATIONS)
        self.failures: Counter[str] = Counter()
        self.lapses = 0
        self.queue = Histogram(DURATIONS)
        self.received_count = 0
        self.redelivered = 0
        self.refusals = 0
        self.renewals = 0
        self.settlements: Counter[str] = Counter()

    def received(self, delivery: Delivery) -> None:
        self.received_count += 1
        if self.received_count % _COUNTED_TOGETHER == 0:
            self.duration.count()
            self.queue.count()
            self.age.count()
        if not delivery.first:
            self.redelivered += 1

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        self.ack_count += 1
        self._timed(delivery, started, ended)

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        self._unusual(settlement)
        if took is not None:
            self._timed(delivery, *took)
        else:
            self.age.add(time.monotonic() + self.clock.ahead - delivery.stored_at)

    def _timed(self, delivery: Delivery, started: float, ended: float) -> None:
        self.duration.add(ended - started)
        self.queue.add(started - delivery.received)
        self.age.add(ended + self.clock.ahead - delivery.stored_at)

    def _unusual(self, settlement: Settlement) -> None:
        match settlement:
            case Park(cause=cause):
                self.settlements["parked"] += 1
                self._failed(cause)
            case DeadLetter(reason, cause=cause):
                self.settlements["dead_letter"] += 1
                self.dead_letters[reason] += 1
                self._failed(cause)
            case HandBack():
                self.settlements["handed_back"] += 1
            case Ack(duplicate=True):
                self.settlements["duplicate"] += 1
            case Ack():
                self.ack_count += 1

    def _failed(self, cause: BaseException | None) -> None:
        if cause is None:
            return
        name = type(cause).__name__
        known = name in self.failures or len(self.failures) < _MOST_ERROR_TYPES
        self.failures[name if known else "other"] += 1

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        self.refusals += 1

    def renewed(self, count: int) -> None:
        self.renewals += count

    def lapsed(self, delivery: Delivery) -> None:
        self.lapses += 1

    def outlasted(self, delivery: Delivery) -> None:
        self.lapses += 1

    def dropped(self, state: str, count: int) -> None:
        self.drops[state] += count
