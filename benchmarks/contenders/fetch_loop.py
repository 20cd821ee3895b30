"""The loop that the client's own documentation shows: fetch, handle one after the other, ack."""

from __future__ import annotations

import asyncio

import nats
from nats.js import JetStreamContext

from benchmarks.contenders.one_message import handled
from benchmarks.events import subjects
from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe


async def work(job: Job, probe: Probe) -> None:
    """One loop for each handler, on one connection."""
    connection = await nats.connect(job.server)
    jetstream = connection.jetstream()
    loops = [
        await jetstream.pull_subscribe(subject, durable=f"fetch_loop_{number}", stream=STREAM)
        for number, subject in enumerate(subjects(job))
    ]
    await asyncio.gather(*(_loop(loop, job, probe) for loop in loops))


async def _loop(subscription: JetStreamContext.PullSubscription, job: Job, probe: Probe) -> None:
    """Batches of as many as the others run at once; no handler runs beside another."""
    while True:
        try:
            messages = await subscription.fetch(job.concurrency, timeout=5)
        except TimeoutError:
            continue
        for message in messages:
            await handled(message, job, probe)
