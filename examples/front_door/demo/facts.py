"""What others tell: the broker's stream, and the logs of the two services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from examples.demo_process import DemoFailed
from examples.front_door.app import SERVICE
from examples.front_door.demo.trace import Step, StoredEvent, lines, stored_events, trace
from glam_shared.messaging import JetStreamClient

_WITHIN = 15.0
_LOOK_EVERY = 0.05


class Facts:
    """Asked by the story; nothing here is remembered."""

    def __init__(self, client: JetStreamClient, front_door: Path, worker: Path) -> None:
        self._client = client
        self._front_door = front_door
        self._worker = worker

    async def stored(self, event_id: str) -> list[StoredEvent]:
        """The event with this id, as often as the broker has it."""
        found = await stored_events(self._client)
        return [one for one in found if one.envelope.event_id == event_id]

    async def published(self) -> int:
        """Events that the front door published; handlers publish others meanwhile."""
        found = await stored_events(self._client)
        return sum(one.envelope.source_service == SERVICE for one in found)

    async def trace(self, correlation_id: str) -> list[Step]:
        """What happened under this id."""
        return await trace(self._client, correlation_id, self._front_door, self._worker)

    def refusals(self) -> list[str]:
        """Why the front door refused requests."""
        told = lines(self._front_door)
        return [line["reason"] for line in told if line["message"].endswith("not authenticated")]

    async def said(self, message: str, **fields: str) -> None:
        """Wait until the worker has logged a line with this message and these fields."""

        async def found() -> bool:
            wanted = {"message": message, **fields}
            return any(wanted == _part(line, wanted) for line in lines(self._worker))

        await self.until(found, f"the worker did not log {message!r} of {fields}")

    async def until(self, fact: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Look until it is so; raises DemoFailed when it does not come."""
        deadline = time.monotonic() + _WITHIN
        while not await fact():
            if time.monotonic() > deadline:
                raise DemoFailed(f"{otherwise} within {_WITHIN:g} s")
            await asyncio.sleep(_LOOK_EVERY)


def _part(line: dict[str, object], names: Iterable[str]) -> dict[str, object]:
    return {name: line.get(name) for name in names}
