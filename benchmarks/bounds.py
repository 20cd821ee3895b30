"""What `make bench-guard` holds the worker to: coarse bounds that a busy machine still meets."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scenario import Measured

WORKER = "glam_worker"


@dataclass(frozen=True, slots=True)
class Bound:
    """The worker's median of a metric, in itself or as a ratio to another contender's."""

    scenario: str
    metric: str
    least: float = float("-inf")
    most: float = float("inf")
    beside: str | None = None

    def broken(self, values: dict[str, Measured]) -> str | None:
        """What is wrong, or None; also None where the worker or the other was not measured."""
        if WORKER not in values or (self.beside and self.beside not in values):
            return None
        found = values[WORKER][self.metric]
        unit = ""
        if self.beside:
            found /= values[self.beside][self.metric]
            unit = f" times that of {self.beside}"
        if self.least <= found <= self.most:
            return None
        wanted = f"at least {self.least:g}" if found < self.least else f"at most {self.most:g}"
        return f"{self.scenario}: {self.metric} is {found:.2f}{unit}; wanted: {wanted}"


BOUNDS = (
    Bound("noop", "events_per_second", beside="faststream", least=2.0),
    Bound("noop", "events_per_second", beside="fetch_loop", least=1.0),
    Bound("noop", "repeated", most=0),
    Bound("latency", "p50_us", beside="bare_inbox", most=2.0),
    Bound("waiting", "seconds", most=2.5),
    Bound("waiting", "repeated", most=0),
)
