"""A worker elsewhere, as far as the server can tell."""

from __future__ import annotations

from nats.aio.msg import Msg

from glam_worker.testing import Bench


async def pulled(bench: Bench, consumer: str) -> Msg:
    """An event in its hands; ``consumer`` is ``STREAM.DURABLE``."""
    client = bench.client.client
    subscription = await client.subscribe(client.new_inbox())
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{consumer}"
    await client.publish(subject, b'{"batch": 1}', reply=subscription.subject)
    return await subscription.next_msg(timeout=5)
