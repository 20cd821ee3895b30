"""Whether slow events delay the fast ones."""

from __future__ import annotations

import statistics

from benchmarks.job import Job
from benchmarks.paced import delays
from benchmarks.scenario import Case, Measured, Metric, Scenario

EVENTS = 4_000
INTERVAL = 1 / 400
EVERY = 20
CONCURRENCY = 64


async def run(contender: str, job: Job) -> Measured:
    """400 events a second: with 5 % of them slow, 20 of 64 slots are taken by those."""
    found = await delays(contender, job, INTERVAL)
    fast = [delay / 1e3 for number, delay in found.items() if number % EVERY]
    cuts = statistics.quantiles(fast, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98]}


SCENARIO = Scenario(
    name="slow",
    title="400 events a second, concurrency 64; of the fast ones: published until handler started",
    cases=(
        Case("none slow", Job(EVENTS, concurrency=CONCURRENCY)),
        Case("5 % take 1 s", Job(EVENTS, concurrency=CONCURRENCY, slow_every=EVERY)),
    ),
    contenders=("hand_tuned", "faststream:1", "faststream", "taskiq", "glam_worker"),
    run=run,
    metrics=(
        Metric("p99_ms", "p99 ms", digits=2, across=True),
        Metric("p50_ms", "p50 ms", digits=2, across=True),
    ),
    baseline="hand_tuned",
)
