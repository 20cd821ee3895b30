"""`EventPublisher.publish_many` of all events."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.events import payload
from benchmarks.job import SERVICE, Job
from benchmarks.probe import Probe
from glam_shared.messaging import EventPublisher, JetStreamClient, Subjects
from glam_shared.messaging.events import MerchantCreatedPayload


async def work(job: Job, probe: Probe) -> None:
    """What is not seen of single events is noted at the end: all of them have their PubAck then."""
    client = JetStreamClient()
    await client.connect(job.server)
    publisher = EventPublisher(client, SERVICE)
    await publisher.publish_many(_items(job, probe), in_flight=512)
    for _ in range(job.events):
        probe.ended()


def _items(job: Job, probe: Probe) -> Iterator[tuple[str, MerchantCreatedPayload]]:
    for number in range(job.events):
        probe.started()
        yield Subjects.MERCHANT_CREATED, payload(number)
