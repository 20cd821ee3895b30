"""`EventPublisher.publish_event`, one event after the other."""

from __future__ import annotations

from benchmarks.events import payload
from benchmarks.job import SERVICE, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventPublisher, JetStreamClient, Subjects


async def work(job: Job, probe: Probe) -> None:
    """The publisher makes the envelope, and awaits the PubAck."""
    client = JetStreamClient()
    await client.connect(job.server)
    publisher = EventPublisher(client, SERVICE)
    for number in range(job.events):
        probe.started()
        await publisher.publish_event(Subjects.MERCHANT_CREATED, payload(number))
        probe.ended()
