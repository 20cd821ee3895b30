"""The lanes that letters are replayed to: which are missing, and how to make one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.errors import TopologyError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.replay import Replays
from glam_worker.operate.handlers import known_handlers
from glam_worker.topology.specs import NS, lane_config

_ACK_WAIT = 30.0
"""Seconds, where no durable of the handler tells its own."""


async def without_lane(
    client: JetStreamClient, retry_stream: str, handlers: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Which of some handlers, each (service, name), have no lane."""
    asked = [one for one in sorted(set(handlers)) if all(one)]
    replays = Replays(client, retry_stream)
    found = await asyncio.gather(*(replays.has_lane(*one) for one in asked))
    return [one for one, there in zip(asked, found, strict=True) if not there]


async def create_lane(
    client: JetStreamClient, retry_stream: str, service: str, handler: str
) -> None:
    """Make the durable that a worker of the handler will pull; without effect if it is there.

    Raises TopologyError without a retry stream.
    """
    config = lane_config(service, handler, await _ack_wait(client, service, handler))
    try:
        await JetStreamAdmin(client).create_consumer(retry_stream, config)
    except NotFound:
        raise TopologyError(
            f"no lane can be made for handler {handler} of service {service}: there is no stream "
            f"{retry_stream}; start a worker, which creates it, or set GLAM_RETRY_STREAM"
        ) from None


async def _ack_wait(client: JetStreamClient, service: str, handler: str) -> float:
    for known in await known_handlers(client, service):
        if known.name == handler:
            for durable in known.of("main"):
                return float(durable.info["config"].get("ack_wait", 0)) / NS or _ACK_WAIT
    return _ACK_WAIT
