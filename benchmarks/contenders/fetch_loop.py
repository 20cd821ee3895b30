"""The loop that the client's own documentation shows: fetch, handle one after the other, ack."""

from __future__ import annotations

import nats

from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventEnvelope, Subjects
from glam_shared.messaging.events import MerchantCreatedPayload

Envelope = EventEnvelope[MerchantCreatedPayload]


async def consume(job: Job, probe: Probe) -> None:
    """Batches of as many as the others run at once; no handler runs beside another."""
    connection = await nats.connect(job.server)
    jetstream = connection.jetstream()
    subscription = await jetstream.pull_subscribe(
        Subjects.MERCHANT_CREATED, durable="fetch_loop", stream=STREAM
    )
    while True:
        try:
            messages = await subscription.fetch(job.concurrency, timeout=5)
        except TimeoutError:
            continue
        for message in messages:
            envelope = Envelope.model_validate_json(message.data)
            await probe.handle(envelope.data)
            await message.ack()
