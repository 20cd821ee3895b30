"""Streams and consumers of the server, as its own JSON says them.

Not through nats-py's configuration classes: they leave out what they do not know, and its
``add_consumer`` rewrites the durable of whoever runs next.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ApiError, NotFound

_IN_USE = {10058, 10148, 10013}
"""Stream or consumer exists with another configuration."""


class JetStreamAdmin:
    """Reads, creates and changes streams and consumers; never changes one by creating it."""

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
        return await self._created(f"STREAM.CREATE.{config['name']}", config) is not None

    async def consumer(self, stream: str, name: str) -> dict[str, Any] | None:
        """The server's answer about a consumer; None where there is none."""
        try:
            return await self._client.api(f"CONSUMER.INFO.{stream}.{name}")
        except NotFound:
            return None

    async def create_consumer(self, stream: str, config: dict[str, Any]) -> dict[str, Any] | None:
        """The server's answer about a new durable; None if another one stood there first."""
        name = config["durable_name"]
        body = {"stream_name": stream, "config": config, "action": "create"}
        return await self._created(f"CONSUMER.CREATE.{stream}.{name}", body)

    # --- changing, for `apply` ---

    async def update_stream(self, config: dict[str, Any]) -> None:
        """Give a stream this configuration, whole."""
        await self._client.api(f"STREAM.UPDATE.{config['name']}", config)

    async def update_consumer(self, stream: str, config: dict[str, Any]) -> None:
        """Give a durable this configuration, whole."""
        name = config["durable_name"]
        body = {"stream_name": stream, "config": config, "action": "update"}
        await self._client.api(f"CONSUMER.CREATE.{stream}.{name}", body)

    async def delete_consumer(self, stream: str, name: str) -> None:
        """Delete a durable; without effect where there is none."""
        with contextlib.suppress(NotFound):
            await self._client.api(f"CONSUMER.DELETE.{stream}.{name}")

    # --- looking at all of it ---

    async def streams(self) -> list[dict[str, Any]]:
        """The server's answers about all streams of the account."""
        return await self._all("STREAM.LIST", "streams")

    async def consumers(self, stream: str) -> list[dict[str, Any]]:
        """The server's answers about all consumers of a stream."""
        return await self._all(f"CONSUMER.LIST.{stream}", "consumers")

    async def _all(self, operation: str, what: str) -> list[dict[str, Any]]:
        """Every page of a list; the server gives at most 256 items at a time."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self._client.api(operation, {"offset": len(found)})
            page = answer.get(what) or []
            found += page
            if not page or len(found) >= int(answer.get("total", 0)):
                return found

    async def subjects(self, stream: str, matching: str) -> dict[str, int]:
        """How many messages a stream has of each subject that a filter matches."""
        found: dict[str, int] = {}
        while True:
            request = {"subjects_filter": matching, "offset": len(found)}
            answer = await self._client.api(f"STREAM.INFO.{stream}", request)
            page = answer["state"].get("subjects") or {}
            found |= page
            if not page or len(found) >= int(answer.get("total", 0)):
                return found

    async def stored_at(self, stream: str, matching: str, sequence: int = 1) -> datetime | None:
        """When the first message of a filter, from a sequence on, was stored; None without one."""
        request = {"seq": sequence, "next_by_subj": matching}
        try:
            answer = await self._client.api(f"STREAM.MSG.GET.{stream}", request)
        except NotFound:
            return None
        return datetime.fromisoformat(answer["message"]["time"])

    def now(self) -> datetime:
        """The server's time."""
        return self._client.server_time()

    async def _created(self, operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._client.api(operation, body)
        except ApiError as error:
            if error.err_code in _IN_USE:
                return None
            raise
