"""Asks the server, and keeps what it would not, or could not, answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError, NotFound, PermissionDenied

_AT_ONCE = 16


class Asking:
    """Requests to JetStream; one that fails is noted, and answered with None.

    Raises BrokerError only when the connection is lost.
    """

    def __init__(self, client: JetStreamClient) -> None:
        self.client = client
        self.denied: list[str] = []
        """What this user may not do."""
        self.unanswered: list[str] = []
        """What the server did not answer, and why."""
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, operation: str, body: dict[str, Any] | None = None) -> Any:
        """The answer; None for what is not there, denied or unanswered."""
        async with self._at_once:
            try:
                return await self.client.api(operation, body)
            except NotFound:
                return None
            except PermissionDenied as error:
                _note(self.denied, error.operation)
            except BrokerError as error:
                if not self.client.is_connected():
                    raise
                _note(self.unanswered, str(error))
        return None

    async def pages(self, operation: str, key: str) -> AsyncIterator[Any]:
        """What a paged list has, from its first page to its last."""
        offset, total = 0, 1
        while offset < total:
            answer = await self.ask(operation, {"offset": offset}) or {}
            found = answer.get(key) or []
            missing = answer.get("missing") or []
            for name in missing:
                _note(self.unanswered, f"{operation}: {name} does not answer: it has no leader")
            for one in found:
                yield one
            if not found:
                return
            offset, total = offset + len(found) + len(missing), int(answer.get("total") or 0)

    async def message(self, stream: str, which: dict[str, Any]) -> dict[str, Any] | None:
        """A message as it is stored; None where there is none."""
        answer = await self.ask(f"STREAM.MSG.GET.{stream}", which)
        return None if answer is None else dict(answer["message"])

    async def subjects(self, stream: str, wanted: str) -> dict[str, int]:
        """The subjects of a stream below a filter, and how many messages each has."""
        offset, total = 0, 1
        found: dict[str, int] = {}
        while offset < total:
            request = {"subjects_filter": wanted, "offset": offset}
            answer = await self.ask(f"STREAM.INFO.{stream}", request) or {}
            page = (answer.get("state") or {}).get("subjects") or {}
            found |= page
            if not page:
                break
            offset, total = offset + len(page), int(answer.get("total") or 0)
        return found

    def age(self, message: dict[str, Any]) -> float:
        """Seconds since a message was stored, by the server's clock."""
        stored = datetime.fromisoformat(message["time"])
        return max(0.0, (self.client.server_time() - stored).total_seconds())


def _note(noted: list[str], text: str) -> None:
    if text not in noted:
        noted.append(text)
