"""The run of most scenarios: all events wait in the stream, and are handled."""

from __future__ import annotations

from benchmarks.figures import rates
from benchmarks.job import Job
from benchmarks.rig import Fact, rig
from benchmarks.scenario import Measured


async def facts(contender: str, job: Job) -> list[Fact]:
    """What each process noted."""
    async with rig(contender, job, stored=job.events) as bench:
        await bench.handled()
        return await bench.results()


async def drained(contender: str, job: Job) -> Measured:
    """From the first start to the last end; server and loading do not count."""
    results = await facts(contender, job)
    ended = sum(fact["ended"] for fact in results)
    return {**rates(results), "repeated": ended - job.events}
