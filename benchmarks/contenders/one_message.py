"""One message of a loop written by hand: read, handle, ack; a failed one comes again."""

from __future__ import annotations

import asyncio

from nats.aio.msg import Msg

from benchmarks.handlers import Failure
from benchmarks.job import Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.events import MerchantCreatedPayload

RETRY_AFTER = 0.1

Envelope = EventEnvelope[MerchantCreatedPayload]


async def handled(message: Msg, job: Job, probe: Probe) -> None:
    """A plain function runs in a thread of the loop's own pool."""
    envelope = Envelope.model_validate_json(message.data)
    try:
        if job.sync:
            await asyncio.to_thread(probe.handle_sync, envelope.data)
        else:
            await probe.handle(envelope.data)
    except Failure:
        await message.nak(delay=RETRY_AFTER)
    else:
        await message.ack()
