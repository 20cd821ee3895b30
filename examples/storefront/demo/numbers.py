"""What the worker's /metrics say, handler by handler."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass
class HandlerNumbers:
    """The numbers of one handler, or of several together."""

    first: int = 0
    """Events that were delivered and settled for the first time, however they were settled."""
    handled: int = 0
    parked: int = 0
    failed: int = 0
    letters: Counter[str] = field(default_factory=Counter)
    """Dead letters by reason."""
    durations: Counter[float] = field(default_factory=Counter)
    """Runs by the upper bound of their bucket, in seconds; cumulative."""

    @property
    def ended(self) -> int:
        """Events that are handled or dead letters."""
        return self.handled + self.letters.total()

    @property
    def retried(self) -> int:
        """Runs that failed and were parked: a failure that is no dead letter."""
        return self.failed - self.letters.total()

    @property
    def snoozed(self) -> int:
        """Runs that were parked without having failed."""
        return self.parked - self.retried

    def percentile(self, share: float) -> float | None:
        """Seconds that this share of the runs did not exceed; None without runs.

        Linear inside of a bucket, as Prometheus' histogram_quantile() is.
        """
        rank = share * self.durations[float("inf")]
        low, below = 0.0, 0
        for bound, count in sorted(self.durations.items()):
            if count >= rank and count > below:
                high = low if bound == float("inf") else bound
                return low + (high - low) * (rank - below) / (count - below)
            low, below = bound, count
        return None

    def add(self, other: HandlerNumbers) -> None:
        """Count the other's events, too."""
        self.first += other.first
        self.handled += other.handled
        self.parked += other.parked
        self.failed += other.failed
        self.letters += other.letters
        self.durations += other.durations


Numbers = dict[str, HandlerNumbers]


def together(numbers: Iterable[HandlerNumbers]) -> HandlerNumbers:
    """The sum."""
    total = HandlerNumbers()
    for part in numbers:
        total.add(part)
    return total


def read_numbers(exposition: str) -> Numbers:
    """The numbers by handler, in the order of the worker's declarations."""
    numbers: Numbers = {}
    for sample in _samples(exposition):
        if "handler" in sample.labels and math.isfinite(sample.value):
            _count(numbers.setdefault(sample.labels["handler"], HandlerNumbers()), sample)
    return numbers


def _samples(exposition: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(exposition):
        yield from family.samples


def _count(handler: HandlerNumbers, sample: Sample) -> None:
    value = int(sample.value)
    match sample.name.removeprefix("glam_worker_"), sample.labels:
        case "messages_settled_total", {"outcome": outcome, "way": way}:
            handler.first += value if way == "main" else 0
            handler.handled += value if outcome == "ack" else 0
            handler.parked += value if outcome == "parked" else 0
        case "failures_total", _:
            handler.failed += value
        case "dead_letters_total", {"reason": reason}:
            handler.letters[reason] += value
        case "handler_duration_seconds_bucket", {"le": bound}:
            handler.durations[float(bound)] += value
