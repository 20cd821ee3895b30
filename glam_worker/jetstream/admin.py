"""Streams and consumers of the server, as its own JSON says them.

Not through nats-py's configuration classes: they leave out what they do not know, and its
``add_consumer`` rewrites the durable of whoever runs next.
"""

from __future__ import annotations

from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ApiError, NotFound

_IN_USE = {10058, 10148, 10013}
"""Stream or consumer exists with another configuration."""


class JetStreamAdmin:
    """Reads and creates streams and consumers; never changes one by creating it."""

    def __init__(self, client: JetStreamClient) -> None:
        self._client = client

    async def stream(self, name: str) -> dict[str, Any] | None:
        """The server's answer about a stream; None where there is none."""
        try:
            return await self._client.api(f"STREAM.INFO.{name}")
        except NotFound:
            return None

    async def streams_holding(self, subject: str) -> list[str]:
        """Names of the streams whose subjects overlap with ``subject``."""
        answer = await self._client.api("STREAM.NAMES", {"subject": subject})
        return list(answer.get("streams") or [])

    async def create_stream(self, config: dict[str, Any]) -> bool:
        """Create a stream; False if another one of that name stood there first."""
        return await self._created(f"STREAM.CREATE.{config['name']}", config)

    async def consumer(self, stream: str, name: str) -> dict[str, Any] | None:
        """The server's answer about a consumer; None where there is none."""
        try:
            return await self._client.api(f"CONSUMER.INFO.{stream}.{name}")
        except NotFound:
            return None

    async def create_consumer(self, stream: str, config: dict[str, Any]) -> bool:
        """Create a durable; False if another one of that name stood there first."""
        name = config["durable_name"]
        body = {"stream_name": stream, "config": config, "action": "create"}
        return await self._created(f"CONSUMER.CREATE.{stream}.{name}", body)

    async def _created(self, operation: str, body: dict[str, Any]) -> bool:
        try:
            await self._client.api(operation, body)
        except ApiError as error:
            if error.err_code in _IN_USE:
                return False
            raise
        return True
