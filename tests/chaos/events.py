"""The events of a chaos run, what each must come to, and which of them the stream has."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from tests.faults.jobs import SUBJECT, THREADED, Job

MARK = "X-Chaos"
"""A header of the publisher's own, which a letter must still have."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An event before it is published. ``comes_to`` is ``ok`` or the reason of its letter."""

    number: int
    subject: str
    body: bytes
    event_id: str
    comes_to: str


def planned(number: int, dice: random.Random) -> Planned:
    """The next event."""
    kinds: list[tuple[dict[str, object], str]] = [
        ({"do": "sleep", "seconds": dice.uniform(0.0, 0.1)}, "ok"),
        ({"do": "sleep", "seconds": dice.uniform(0.2, 2.0)}, "ok"),
        ({"do": "block", "seconds": dice.uniform(0.01, 0.2)}, "ok"),
        ({"do": "fail", "times": dice.randint(1, 2)}, "ok"),
        ({"do": "snooze", "seconds": dice.uniform(0.5, 2.0)}, "ok"),
        ({"do": "fail"}, "exhausted"),
        ({"do": "reject"}, "rejected"),
        ({}, "invalid"),
    ]
    kind, comes_to = dice.choices(kinds, weights=[60, 12, 4, 10, 4, 4, 4, 2])[0]
    subject = THREADED if dice.random() < 0.15 else SUBJECT
    job = Job.model_validate({"id": number, **kind})
    envelope = EventEnvelope.create(subject, job, source_service="chaos")
    body = envelope.to_bytes()
    if comes_to == "invalid":
        body = body.replace(b'"data"', b'"date"')
    return Planned(number, subject, body, envelope.event_id, comes_to)


@dataclass(slots=True)
class Publisher:
    """Publishes at a steady rate, and knows of each event whether the stream has it."""

    client: JetStreamClient
    dice: random.Random
    rate: float
    acknowledged: dict[int, Planned] = field(default_factory=dict)
    unknown: dict[int, Planned] = field(default_factory=dict)
    """The PubAck never came: it may be stored or not."""
    _count: int = 0
    _publishing: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Publish until cancelled; nothing waits for a PubAck, so that outages pile up."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            while self._count < (loop.time() - start) * self.rate:
                self.publish()
            await asyncio.sleep(0.05)

    def publish(self) -> None:
        """Publish one more."""
        self._count += 1
        task = asyncio.create_task(self._publish(planned(self._count, self.dice)))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def finish(self) -> None:
        """Return once it is known of each what became of it."""
        while self._publishing:
            await asyncio.wait(self._publishing)

    async def _publish(self, event: Planned) -> None:
        headers = {MARK: str(event.number)}
        try:
            await self.client.publish_acked(
                event.subject, event.body, headers, msg_id=event.event_id, budget=60.0
            )
        except BrokerError:
            self.unknown[event.number] = event
        else:
            self.acknowledged[event.number] = event
