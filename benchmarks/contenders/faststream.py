"""FastStream with a pull subscription; its log of each message is off."""

from __future__ import annotations

import asyncio

from faststream.nats import JStream, NatsBroker, PullSub

from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventEnvelope, Subjects
from glam_shared.messaging.events import MerchantCreatedPayload

CONCURRENT_BATCH = 100


async def consume(job: Job, probe: Probe) -> None:
    """A batch of 100 runs at once; beyond that, as many workers as the job asks for."""
    broker = NatsBroker(job.server, logger=None)
    subscriber = broker.subscriber(
        str(Subjects.MERCHANT_CREATED),
        stream=JStream(STREAM, declare=False),
        durable="faststream",
        pull_sub=PullSub(batch_size=CONCURRENT_BATCH),
        max_workers=job.concurrency if job.concurrency > CONCURRENT_BATCH else 1,
    )

    @subscriber
    async def handle(event: EventEnvelope[MerchantCreatedPayload]) -> None:
        await probe.handle(event.data)

    async with broker:
        await broker.start()
        await asyncio.Event().wait()
