"""Our right to what we hold, kept alive with in-progress acks.

Every delivery is renewed from its arrival on, buffered or running, a third of ``ack_wait`` after
the last sign of life at the latest.
"""

from __future__ import annotations

from glam_worker.runtime.pipeline import Pipeline
from glam_worker.runtime.protocols import WayFacts


def renewal_period(ack_wait: float) -> float:
    """Seconds after which a held delivery is renewed."""
    return ack_wait / 3


class Lease:
    """Renews what one pipeline holds; ``tick`` is called often, by the worker's clock.

    A lease that has lapsed is not renewed: the event may be another worker's by now.
    """

    def __init__(self, pipeline: Pipeline, facts: WayFacts) -> None:
        self._pipeline = pipeline
        self._facts = facts

    def tick(self, now: float) -> None:
        """Renew every delivery whose last sign of life is a third of ``ack_wait`` old."""
        oldest = now - renewal_period(self._pipeline.ack_wait) * 0.75
        lapsed = now - self._pipeline.ack_wait
        renewed = 0
        for delivery in list(self._pipeline.held):
            if lapsed < delivery.renewed <= oldest:
                delivery.renew(now)
                renewed += 1
        if renewed:
            self._facts.renewed(renewed)
