"""What many handlers in one process cost when all have work."""

from __future__ import annotations

import time

from benchmarks.figures import MIB
from benchmarks.job import Job
from benchmarks.rig import rig
from benchmarks.scenario import Measured, Scenario, handlers


async def run(contender: str, job: Job) -> Measured:
    """From the first event's publication, when all durables are pulled from, to the last end.

    Events that waited before would be fetched, and paid for, before the first handler starts.
    """
    async with rig(contender, job, stored=0) as bench:
        await bench.pulling(job.handlers)
        (child,) = bench.children
        before = await child.now()
        begin = time.monotonic_ns()
        await bench.publisher.load(job.events)
        await bench.handled()
        after = await child.now()
        (result,) = await bench.results()
    return {
        "events_per_second": job.events / (result["marks"][-1][0] - begin) * 1e9,
        "cpu_us_per_event": (after["cpu"] - before["cpu"]) / job.events / 1e3,
        "peak_mib": result["peak"] / MIB,
        "repeated": result["ended"] - job.events,
    }


SCENARIO = Scenario(
    name="handlers_loaded",
    title="Handlers that do nothing, each with a durable and its share of 20,000 events",
    cases=handlers(Job(20_000, concurrency=16)),
    contenders=("bare_inbox", "fetch_loop", "hand_tuned", "faststream:1", "glam_worker"),
    run=run,
)
