"""Streams and durables that stand on the server before the worker starts."""

from __future__ import annotations

from typing import Any

from glam_shared.logging import create_logger
from glam_shared.messaging import JetStreamClient


async def prepare(url: str, *calls: tuple[str, dict[str, Any]]) -> None:
    """Let others have made streams and durables before the worker starts."""
    client = JetStreamClient(create_logger("test"))
    await client.connect(url)
    for operation, body in calls:
        await client.api(operation, body)
    await client.close()


def stream(name: str, *subjects: str, **config: Any) -> tuple[str, dict[str, Any]]:
    """A call that creates a stream."""
    return f"STREAM.CREATE.{name}", {"name": name, "subjects": list(subjects)} | config


def consumer(name: str, **config: Any) -> tuple[str, dict[str, Any]]:
    """A call that creates a durable on the events stream."""
    durable = {"durable_name": name, "ack_policy": "explicit"} | config
    body = {"stream_name": "GLAM_EVENTS", "config": durable, "action": "create"}
    return f"CONSUMER.CREATE.GLAM_EVENTS.{name}", body
