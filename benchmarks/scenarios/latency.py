"""How soon a handler starts when little happens."""

from __future__ import annotations

import asyncio
import statistics
import time

from benchmarks.job import Job
from benchmarks.rig import BenchError, Rig, Run, rig, running
from benchmarks.scenario import Measured, Metric, Scenario

WARM_UP = 20
EVENTS = 200
INTERVAL = 0.05


async def run(contender: str, scale: float) -> Measured:
    """One event each 50 ms; from just before its publication to the start of its handler."""
    events = max(int(EVENTS * scale), 40)
    async with rig(WARM_UP) as bench:
        job = Job(bench.server, WARM_UP + events, milestone=WARM_UP, record_starts=True)
        async with running(contender, job) as contending:
            published = await _publish_slowly(bench, contending, events)
            result = await contending.result(bench)
    starts = result["starts"][WARM_UP:]
    if result["runs"] != WARM_UP + events:
        raise BenchError(f"{result['runs']} runs of {WARM_UP + events} events cannot be paired")
    delays = [(start - sent) / 1e3 for sent, start in zip(published, starts, strict=True)]
    cuts = statistics.quantiles(delays, n=100)
    return {"p50_us": cuts[49], "p99_us": cuts[98], "worst_us": max(delays)}


async def _publish_slowly(bench: Rig, contending: Run, events: int) -> list[int]:
    await contending.fact()  # the warm-up is handled
    published = []
    for _ in range(events):
        await asyncio.sleep(INTERVAL)
        published.append(time.monotonic_ns())
        await bench.publisher.send()
    return published


SCENARIO = Scenario(
    name="latency",
    title="A quiet stream: one event each 50 ms, published until handler started",
    metrics=(
        Metric("p50_us", "p50 us"),
        Metric("p99_us", "p99 us"),
        Metric("worst_us", "worst us", compared=False),
    ),
    contenders=("bare_inbox", "fetch_loop", "faststream", "glam_worker"),
    run=run,
)
