"""A real nats-server for each test that asks for one, and clients that are closed afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.connect_options import Timings
from glam_worker.dev.server import EmbeddedServer
from tests.messaging.waiting import Connect

QUICK = Timings(ping_interval=0.4, hung_teardown=0.5, watch_period=0.1, close=1.0)
"""The production's proportions, ten times as fast."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Start a server with the given options of nats-server's configuration file."""
    started: list[EmbeddedServer] = []

    def start(**config: Any) -> EmbeddedServer:
        server = EmbeddedServer(tmp_path / f"nats-{len(started)}", config=config)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect with quick timings; closed when the test is over."""
    async with AsyncExitStack() as clients:

        async def connected(servers: str | list[str], **options: Any) -> JetStreamClient:
            client = JetStreamClient(timings=options.pop("timings", QUICK))
            await clients.enter_async_context(client)
            await client.connect(servers, **{"timeout": 5.0, **options})
            return client

        yield connected


@pytest.fixture
async def client(server: EmbeddedServer, connect: Connect) -> JetStreamClient:
    """Connected, with the stream EVENTS for `evt.>`, `cmd.>` and `dlq.>`."""
    client = await connect(server.url)
    await client.ensure_stream("EVENTS", ["evt.>", "cmd.>", "dlq.>"])
    return client
