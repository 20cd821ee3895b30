"""What many handlers in one process cost when all have work."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="handlers_loaded",
    title="Handlers that do nothing, each with a durable and its share of 20,000 events",
    cases=tuple(
        Case(f"{count} handler{'s' * (count > 1)}", Job(20_000, concurrency=16, handlers=count))
        for count in (1, 10, 100, 500)
    ),
    contenders=("bare_inbox", "fetch_loop", "hand_tuned", "faststream:1", "glam_worker"),
    run=drained,
)
