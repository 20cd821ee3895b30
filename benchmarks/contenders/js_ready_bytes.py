"""A bound for publishing: messages that were made before, pipelined by the client."""

from __future__ import annotations

from benchmarks.contenders.js_pipelined import pipeline
from benchmarks.contenders.made_message import made
from benchmarks.job import Job
from benchmarks.probe import Probe


async def work(job: Job, probe: Probe) -> None:
    """Make all of them before the first is sent."""
    await pipeline([made(number) for number in range(job.events)], job, probe)
