"""Runs in which events come at a steady pace: how soon does each one's handler start?"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from benchmarks.job import STREAM, Job
from benchmarks.rig import BenchError, Rig, rig

WARM_UP = 20


async def delays(contender: str, job: Job, interval: float) -> dict[int, float]:
    """Microseconds from just before its publication to its handler's start, by event number."""
    warming = replace(job, events=WARM_UP, record_starts=True)
    async with rig(contender, warming, stored=0) as bench:
        await bench.pulling(1)
        await _publish(bench, range(WARM_UP), 0.001)
        await bench.handled()
        published = await _publish(bench, range(WARM_UP, WARM_UP + job.events), interval)
        await _stored(bench, WARM_UP + job.events)
        (result,) = await bench.results()
    if result["started"] != WARM_UP + job.events:
        raise BenchError(f"{result['started']} runs of {WARM_UP + job.events} events")
    started = dict(result["starts"])
    return {number: (started[number] - sent) / 1e3 for number, sent in published.items()}


async def _stored(bench: Rig, events: int) -> None:
    while (await bench.jetstream.stream_info(STREAM)).state.messages < events:
        await asyncio.sleep(0.02)


async def _publish(bench: Rig, numbers: range, interval: float) -> dict[int, int]:
    """One event each interval, late ones at once; when each was published."""
    published = {}
    begin = time.monotonic()
    for position, number in enumerate(numbers, 1):
        await asyncio.sleep(max(begin + position * interval - time.monotonic(), 0))
        published[number] = time.monotonic_ns()
        await bench.publisher.send(number)
    return published
