"""The least that the client can do: an inbox whose callback acks, with pull requests by hand.

Nothing is parsed and no handler runs: a bound for what the others can reach, not a consumer.
"""

from __future__ import annotations

import asyncio
import json

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.events import subjects
from benchmarks.job import STREAM, Job
from benchmarks.probe import Probe

EXPIRES = 30.0


class Inbox:
    """Keeps up to *capacity* messages of a durable asked for."""

    def __init__(self, connection: Client, probe: Probe, durable: str, capacity: int) -> None:
        self._connection = connection
        self._probe = probe
        self._requests = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{durable}"
        self._batch = capacity
        self._outstanding = 0
        self._name = connection.new_inbox()

    async def open(self) -> None:
        """Subscribe and ask for the first messages."""
        await self._connection.subscribe(
            self._name, cb=self._arrived, pending_bytes_limit=1 << 30, pending_msgs_limit=1 << 20
        )
        await self._ask()

    async def _arrived(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK."):
            self._outstanding -= 1
            self._probe.started()
            await self._connection.publish(message.reply, b"+ACK")
            self._probe.ended()
        elif message.headers:
            self._outstanding -= int(message.headers.get("Nats-Pending-Messages", "0"))
        if self._outstanding * 2 <= self._batch:
            await self._ask()

    async def _ask(self) -> None:
        count = self._batch - self._outstanding
        self._outstanding = self._batch
        request = {"batch": count, "expires": int(EXPIRES * 1e9)}
        await self._connection.publish(self._requests, json.dumps(request).encode(), self._name)


async def work(job: Job, probe: Probe) -> None:
    """Ask for the next messages when half of them have come."""
    connection = await nats.connect(job.server)
    for number, subject in enumerate(subjects(job)):
        config = ConsumerConfig(
            durable_name=f"bare_inbox_{number}",
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            max_ack_pending=-1,
        )
        await connection.jetstream().add_consumer(STREAM, config)
        await Inbox(connection, probe, f"bare_inbox_{number}", job.concurrency).open()
    await asyncio.Event().wait()
