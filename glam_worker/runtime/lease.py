"""Our right to what we hold, kept alive with in-progress acks.

Every delivery is renewed from its arrival on, buffered or running, a third of ``ack_wait`` after
the last sign of life. The keeper does it from a thread (see ``keeper``); the worker's clock does it
over the handlers' connection for what the keeper could not, half of ``ack_wait`` after it.
"""

from __future__ import annotations

from glam_worker.runtime.pipeline import Pipeline
from glam_worker.runtime.protocols import Delivery, Way, WayFacts


def renewal_period(ack_wait: float) -> float:
    """Seconds after which a held delivery is renewed."""
    return ack_wait / 3


def due(pipeline: Pipeline, now: float, after: float) -> list[Delivery]:
    """What ``pipeline`` holds and whose last sign of life is ``after`` seconds old, or older.

    A lease that has lapsed is not renewed: the event may be another worker's by now. Callable from
    any thread: copying the dictionary is one step of the interpreter.
    """
    oldest, lapsed = now - after, now - pipeline.ack_wait
    return [one for one in list(pipeline.held) if lapsed < one.renewed <= oldest]


class Lease:
    """Renews what one pipeline holds and the keeper did not; ``tick`` is called by the clock."""

    def __init__(self, pipeline: Pipeline, facts: dict[Way, WayFacts]) -> None:
        self._pipeline = pipeline
        self._facts = facts
        self._outlasted: set[Delivery] = set()

    def tick(self, now: float) -> None:
        """Renew what is halfway to its end, and tell of runs that go on past it."""
        self._tell_outlasted(now)
        late = due(self._pipeline, now, self._pipeline.ack_wait / 2)
        for delivery in late:
            delivery.renew(now)
        if late:
            self.count(late)

    def _tell_outlasted(self, now: float) -> None:
        """Each once. What did not start is told of when it is dropped."""
        lapsed = now - self._pipeline.ack_wait
        late = {one for one in self._pipeline.held if one.renewed <= lapsed}
        if late:
            late -= self._pipeline.waiting
            for delivery in late - self._outlasted:
                self._facts[delivery.way].outlasted(delivery)
        self._outlasted = late

    def count(self, renewed: list[Delivery]) -> None:
        """Tell of renewals; on the loop."""
        for way, facts in self._facts.items():
            if count := sum(one.way == way for one in renewed):
                facts.renewed(count)
