"""How well handlers that wait share one process."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SECONDS = 0.005
EVENTS = {1: 500, 16: 10_000, 256: 40_000, 1000: 40_000}

SCENARIO = Scenario(
    name="awaits",
    title="A handler that awaits 5 ms, so many at the same time",
    cases=tuple(
        Case(f"{concurrency} at once", Job(events, concurrency=concurrency, awaits=SECONDS))
        for concurrency, events in EVENTS.items()
    ),
    contenders=("hand_tuned", "faststream:1", "faststream", "taskiq", "glam_worker"),
    run=drained,
    baseline="hand_tuned",
)
