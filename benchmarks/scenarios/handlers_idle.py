"""What many handlers in one process cost when none has work."""

from __future__ import annotations

import asyncio

from benchmarks.figures import MIB
from benchmarks.job import Job
from benchmarks.rig import rig
from benchmarks.scenario import Measured, Metric, Scenario, handlers

SETTLE_DOWN = 2.0
REST = 15.0


async def run(contender: str, job: Job) -> Measured:
    """From the start of the process until the server knows a pull request of each durable."""
    async with rig(contender, job, stored=0) as bench:
        started = await bench.pulling(job.handlers)
        (child,) = bench.children
        await asyncio.sleep(SETTLE_DOWN)
        before = await child.now()
        await asyncio.sleep(REST)
        after = await child.now()
        await bench.results()
    return {
        "start_seconds": started,
        "cpu_percent": (after["cpu"] - before["cpu"]) / REST / 1e7,
        "resident_mib": after["rss"] / MIB,
    }


SCENARIO = Scenario(
    name="handlers_idle",
    title="Handlers without work: start-up, processor time at rest (15 s), memory",
    cases=handlers(Job(1, concurrency=16)),
    contenders=("bare_inbox", "fetch_loop", "hand_tuned", "faststream:1", "glam_worker"),
    run=run,
    metrics=(
        Metric("start_seconds", "start-up s", digits=2),
        Metric("cpu_percent", "CPU % of a core", digits=2),
        Metric("resident_mib", "resident MiB", digits=1),
    ),
    rounds=1,
)
