"""Makes suspects: hands events out as a worker would that then dies, and writes the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import nats

from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.jetstream.ledger import JetStreamLedger
from glam_worker.runtime.ledger import Change, Record, amend
from glam_worker.testing import Bench
from glam_worker.topology.specs import LEDGER


async def hand_out(bench: Bench, count: int, handler: str = "place", *, lane: bool = False) -> None:
    """Take ``count`` events of a handler and give them back: the next delivery is the second."""
    stream = "GLAM_RETRY" if lane else "GLAM_EVENTS"
    durable = f"{bench.service}-{handler}" + ("-lane" if lane else "")
    client = await nats.connect(bench.worker.settings.nats_servers[0])
    try:
        inbox = client.new_inbox()
        taken = await client.subscribe(inbox)
        request = f'{{"batch": {count}, "expires": 5000000000}}'.encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        await client.publish(subject, request, reply=inbox)
        messages = [await taken.next_msg(timeout=5) for _ in range(count)]
        for message in messages:
            await client.publish(message.reply, b"-NAK")
        await client.flush()
    finally:
        await client.close()


async def carrier(bench: Bench, sequence: int, stream: str = "GLAM_EVENTS") -> str:
    """The name of a stored message."""
    info = await bench.client.api(f"STREAM.INFO.{stream}")
    return f"{stream}.{nanoseconds(info['created'])}.{sequence}"


def ledger_of(bench: Bench, handler: str = "place") -> JetStreamLedger:
    """The ledger of a handler, over the test's connection."""
    return JetStreamLedger(bench.client, LEDGER, bench.service, handler, "GLAM_RETRY")


async def write(bench: Bench, sequence: int, change: Change, handler: str = "place") -> None:
    """Change what the ledger says of an event."""
    await amend(ledger_of(bench, handler), await carrier(bench, sequence), None, change)


async def record(bench: Bench, sequence: int, handler: str = "place") -> Record:
    """What the ledger says of an event."""
    return await ledger_of(bench, handler).read(await carrier(bench, sequence))


async def records(bench: Bench, sequences: Sequence[int], handler: str = "place") -> list[Record]:
    """What the ledger says of several events."""
    return list(await asyncio.gather(*(record(bench, one, handler) for one in sequences)))
