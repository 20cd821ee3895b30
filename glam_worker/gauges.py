"""What a worker holds at this moment, for the metrics; read from the endpoint's threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glam_worker.worker import Worker


class Gauges:
    """Yields (family, labels, value) of a worker's present state."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self) -> Iterator[tuple[str, tuple[str, ...], Any]]:
        """One sample after the other."""
        worker = self._worker
        service = (worker.service,)
        yield "event_loop_lag_seconds", service, max(worker.ticker.lag, worker.ticker.standing())
        yield "connection_up", service, float(worker.client.is_connected())
        yield "reconnects", service, worker.client.reconnects
        if worker.levels is not None and worker.forecasts is not None:
            levels = list(worker.levels.samples())
            yield from levels
            if levels:
                yield from worker.forecasts.samples()
        for work in worker.works:
            yield from self._of_handler((work.handler.service, work.handler.name), work)

    def _of_handler(
        self, labels: tuple[str, str], work: Any
    ) -> Iterator[tuple[str, tuple[str, ...], Any]]:
        pipeline = work.pipeline
        yield "slots", (*labels, "busy"), pipeline.busy
        yield "slots", (*labels, "free"), pipeline.concurrency - pipeline.busy
        pulling = {one.way: one.live and one.reason is None for one in work.sources}
        for way in ("main", "lane"):
            credit = pipeline.credits.of(way)
            yield "credits_outstanding", (*labels, way), credit.requested
            yield "in_flight_bytes", (*labels, way), credit.bytes
            yield "pull_loop_alive", (*labels, way), float(pulling.get(way, False))
