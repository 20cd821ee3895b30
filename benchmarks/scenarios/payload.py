"""How the cost grows with what is in an event."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import CONSUMERS, Case, Scenario

SCENARIO = Scenario(
    name="payload",
    title="A handler that does nothing; data of several sizes",
    cases=(
        Case("240 B", Job(events=30_000, size=240)),
        Case("2 KB", Job(events=30_000, size=2_000)),
        Case("50 KB", Job(events=4_000, size=50_000)),
        Case("900 KB", Job(events=400, size=900_000, concurrency=16)),
    ),
    contenders=CONSUMERS,
    run=drained,
)
