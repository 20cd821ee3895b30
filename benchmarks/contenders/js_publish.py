"""The client's own publish, one event after the other."""

from __future__ import annotations

import nats

from benchmarks.contenders.made_message import made
from benchmarks.job import Job
from benchmarks.probe import Probe


async def work(job: Job, probe: Probe) -> None:
    """Make an event, publish it, await its PubAck."""
    connection = await nats.connect(job.server)
    jetstream = connection.jetstream()
    for number in range(job.events):
        probe.started()
        await jetstream.publish(*made(number))
        probe.ended()
