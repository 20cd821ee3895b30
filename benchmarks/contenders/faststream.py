"""FastStream with pull subscriptions; its log of each message is off.

https://faststream.ag2.ai/latest/nats/jetstream/pull/ recommends the batch,
https://faststream.ag2.ai/latest/getting-started/subscription/concurrency/ the workers.
"""

from __future__ import annotations

import asyncio

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub

from benchmarks.events import subjects
from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.events import MerchantCreatedPayload


async def work(job: Job, probe: Probe) -> None:
    """With one worker, all messages of a batch run at once, and the next batch waits for them."""
    broker = NatsBroker(job.server, logger=None)

    async def handle(event: EventEnvelope[MerchantCreatedPayload]) -> None:
        await probe.handle(event.data)

    def handle_sync(event: EventEnvelope[MerchantCreatedPayload]) -> None:
        probe.handle_sync(event.data)

    for number, subject in enumerate(subjects(job)):
        subscriber = broker.subscriber(
            subject,
            stream=JStream(STREAM, declare=False),
            durable=f"faststream_{number}",
            pull_sub=PullSub(batch_size=job.batch),
            max_workers=int(job.variant or job.concurrency),
            ack_policy=AckPolicy.NACK_ON_ERROR,
        )
        subscriber(handle_sync if job.sync else handle)
    async with broker:
        await broker.start()
        await asyncio.Event().wait()
