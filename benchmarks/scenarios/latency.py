"""How soon a handler starts when little happens."""

from __future__ import annotations

import statistics

from benchmarks.job import Job
from benchmarks.paced import delays
from benchmarks.scenario import Case, Measured, Metric, Scenario

INTERVAL = 0.05


async def run(contender: str, job: Job) -> Measured:
    """One event each 50 ms; from just before its publication to the start of its handler."""
    found = list((await delays(contender, job, INTERVAL)).values())
    cuts = statistics.quantiles(found, n=100)
    return {"p50_us": cuts[49], "p99_us": cuts[98], "worst_us": max(found)}


SCENARIO = Scenario(
    name="latency",
    title="A quiet stream: one event each 50 ms, published until handler started",
    cases=(Case("quiet", Job(events=200)),),
    contenders=("bare_inbox", "fetch_loop", "hand_tuned", "faststream:1", "taskiq", "glam_worker"),
    run=run,
    metrics=(
        Metric("p50_us", "p50 us"),
        Metric("p99_us", "p99 us"),
        Metric("worst_us", "worst us", compared=False),
    ),
    baseline="bare_inbox",
)
