"""The front door in a process of its own, beside a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from examples.front_door.callers import Callers, Secrets
from examples.front_door.demo.front_door_process import FrontDoorProcess
from glam_shared.messaging import JetStreamClient


@dataclass
class DoorProcess:
    """A front door that runs."""

    url: str
    log: Path
    callers: Callers
    secrets: Secrets
    client: JetStreamClient


@asynccontextmanager
async def door_process(servers: str, folder: Path) -> AsyncIterator[DoorProcess]:
    """The front door on uvicorn, ready, with the events' stream made and a shop registered."""
    shared, log = Secrets(), folder / "front-door.log"
    async with JetStreamClient() as client:
        await client.connect(servers)
        await client.ensure_stream("GLAM_EVENTS", ["evt.>", "cmd.>"])
        async with FrontDoorProcess(servers, folder / "door.db", log, shared) as process:
            callers = Callers(process.url, shared)
            yield DoorProcess(process.url, log, callers, shared, client)


async def sent(request: httpx.Request) -> httpx.Response:
    """The answer to a request, over a real connection."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.send(request)
