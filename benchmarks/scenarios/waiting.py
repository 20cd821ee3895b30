"""How well handlers that wait share one process."""

from __future__ import annotations

from benchmarks.job import Job
from benchmarks.rig import rig, running
from benchmarks.scenario import Measured, Metric, Scenario

EVENTS = 20_000
CONCURRENCY = 1_000
WORK = 0.05


async def run(contender: str, scale: float) -> Measured:
    """The least that is possible is 20 rows of 1,000 handlers, one second in all."""
    events = max(int(EVENTS * scale), CONCURRENCY)
    async with rig(events) as bench:
        job = Job(bench.server, events, concurrency=CONCURRENCY, work=WORK)
        async with running(contender, job) as contending:
            result = await contending.result(bench)
    return {
        "seconds": result["seconds"],
        "cpu_us_per_event": result["cpu_us_per_event"],
        "peak_mib": result["peak_rss"] / 2**20,
        "repeated": result["runs"] - events,
    }


SCENARIO = Scenario(
    name="waiting",
    title="20,000 waiting events, a handler that awaits 50 ms, 1,000 at the same time",
    metrics=(
        Metric("seconds", "seconds", digits=2),
        Metric("cpu_us_per_event", "CPU us/event", digits=1),
        Metric("peak_mib", "peak RSS MiB", digits=1),
        Metric("repeated", "run again", compared=False),
    ),
    contenders=("faststream", "glam_worker"),
    run=run,
)
