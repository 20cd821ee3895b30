"""What the parent's endpoint says for all children; asked from the endpoint's threads."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from glam_worker.observe.endpoint import Probes
from glam_worker.observe.families import PREFIX
from glam_worker.observe.merging import Merged
from glam_worker.supervisor.place import Place, State

METRICS_WITHIN = 2.0
"""Seconds a child may take to give its metrics; then its last counts stand for it."""

STANDS_AFTER = 10.0
"""Seconds without a turn of the parent's event loop after which the parent is unhealthy."""


class Answers:
    """Metrics of all children, dead ones included; ready while one child is."""

    def __init__(self, service: str, places: Sequence[Place]) -> None:
        self.stopping = False
        self._places = places
        self._past = ""
        self._turned = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._own = CollectorRegistry(auto_describe=False)
        self._own.register(_States(service, places))
        ProcessCollector(registry=self._own)

    def probes(self) -> Probes:
        """For the endpoint."""
        return Probes(self.metrics, self.unhealthy, self.not_ready, self.missing)

    def turn(self) -> None:
        """The event loop runs."""
        self._turned = time.monotonic()

    def keep(self, exposition: str) -> None:
        """Count on what a child counted that is gone."""
        merged = Merged()
        merged.add_past(self._past)
        merged.add_past(exposition)
        self._past = merged.text().decode()

    # --- from any thread ---

    def metrics(self) -> bytes:
        """All expositions in one."""
        asking = asyncio.run_coroutine_threadsafe(self._expositions(), self._loop)
        try:
            past, present = asking.result(2 * METRICS_WITHIN)
        except TimeoutError:
            past, present = self._remembered()
        merged = Merged()
        merged.add_past(past)
        for exposition, answered in present:
            (merged.add if answered else merged.add_past)(exposition)
        merged.add(generate_latest(self._own).decode())
        return merged.text()

    def unhealthy(self) -> list[str]:
        """Why the parent should be replaced. A child is no reason: it is replaced from here."""
        standing = time.monotonic() - self._turned
        return [f"the parent stands for {standing:.0f} s"] if standing > STANDS_AFTER else []

    def not_ready(self) -> list[str]:
        """Why no child is ready; empty while one is."""
        if self.stopping:
            return ["the worker stops"]
        each = [place.reasons() for place in self._places]
        return [reason for reasons in each for reason in reasons] if all(each) else []

    def missing(self) -> list[str]:
        """Which children are not ready, and why."""
        return [reason for place in self._places for reason in place.reasons()]

    async def _expositions(self) -> tuple[str, list[tuple[str, bool]]]:
        """What is past; what each living child says or last said, and whether it says so now."""
        children = (place.child for place in self._places)
        working = [child for child in children if child and child.started]
        await asyncio.gather(*(child.ask("metrics", METRICS_WITHIN) for child in working))
        return self._remembered()

    def _remembered(self) -> tuple[str, list[tuple[str, bool]]]:
        living = [child for child in (place.child for place in self._places) if child]
        return self._past, [(child.exposition, child.answer is not None) for child in living]


class _States(Collector):
    def __init__(self, service: str, places: Sequence[Place]) -> None:
        self._service = service
        self._places = places

    def collect(self) -> Iterator[Metric]:
        """Every state, with how many processes are in it."""
        gauge = GaugeMetricFamily(f"{PREFIX}processes", "", labels=("service", "state"))
        found = Counter(place.state for place in self._places)
        for state in get_args(State):
            gauge.add_metric((self._service, state), found[state])
        yield gauge
