"""The client's own publish without awaiting each PubAck before the next event."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import nats
from nats.js.api import PubAck

from benchmarks.contenders.made_message import Made, made
from benchmarks.job import Job
from benchmarks.probe import Probe

IN_FLIGHT = 512


async def work(job: Job, probe: Probe) -> None:
    """Make each event when its turn comes."""
    await pipeline((made(number) for number in range(job.events)), job, probe)


async def pipeline(messages: Iterable[Made], job: Job, probe: Probe) -> None:
    """At most 512 are unanswered; every PubAck is looked at."""
    connection = await nats.connect(job.server)
    jetstream = connection.jetstream(publish_async_max_pending=IN_FLIGHT)
    unanswered: deque[asyncio.Future[PubAck]] = deque()
    for message in messages:
        probe.started()
        future = await jetstream.publish_async(
            message.subject, message.body, wait_stall=30.0, headers=message.headers
        )
        unanswered.append(future)
        while unanswered and unanswered[0].done():
            unanswered.popleft().result()
            probe.ended()
    for future in unanswered:
        await future
        probe.ended()
