"""A loop tuned by hand: while one batch is handled, all of it at once, another is fetched."""

from __future__ import annotations

import asyncio

import nats
from nats.aio.client import Client

from benchmarks.contenders.one_message import handled
from benchmarks.events import subjects
from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe

LOOPS = 2


async def work(job: Job, probe: Probe) -> None:
    """Two loops for each handler, each with half of the concurrency."""
    connection = await nats.connect(job.server)
    await asyncio.gather(
        *(
            _loop(connection, (subject, f"hand_tuned_{number}"), job, probe)
            for number, subject in enumerate(subjects(job))
            for _ in range(min(LOOPS, job.concurrency))
        )
    )


async def _loop(connection: Client, source: tuple[str, str], job: Job, probe: Probe) -> None:
    subject, durable = source
    subscription = await connection.jetstream().pull_subscribe(
        subject, durable=durable, stream=STREAM
    )
    batch = max(job.concurrency // LOOPS, 1)
    while True:
        try:
            messages = await subscription.fetch(batch, timeout=5)
        except TimeoutError:
            continue
        await asyncio.gather(*(handled(message, job, probe) for message in messages))
