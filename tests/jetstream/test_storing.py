"""How long a retry or a letter waits for its stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.dev.server import EmbeddedServer
from glam_worker.jetstream import storing
from glam_worker.jetstream.storing import Storing
from glam_worker.runtime.protocols import Refused
from tests.faults.proxy import Proxy


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    """A network before a server of the test's own."""
    server = EmbeddedServer(tmp_path / "nats")
    await asyncio.to_thread(server.start)
    async with Proxy(server.port) as between:
        yield between
    await asyncio.to_thread(server.stop)


async def refused(store: Storing, number: int) -> float:
    """Seconds until it is refused."""
    began = time.monotonic()
    with pytest.raises(Refused):
        await store.store("dlq.x.y", b"{}", {}, f"letter {number}")
    return time.monotonic() - began


async def test_a_stream_that_was_away_and_is_slow_since_is_given_time_again(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure the next ones wait for half a second only, which is too short for this
    stream; but they do not keep the trouble alive, and one of them waits for longer."""
    monkeypatch.setattr(storing, "_BUDGET", 2.0)
    monkeypatch.setattr(storing, "_TROUBLE", 1.5)
    async with JetStreamClient() as client:
        await client.connect(proxy.url)
        await client.api("STREAM.CREATE.DLQ", {"name": "DLQ", "subjects": ["dlq.>"]})
        store = Storing(client, "dead letter")
        proxy.down.loses = lambda data: b'{"stream":"DLQ"' in data
        assert await refused(store, 0) > 1.9
        proxy.down.loses = lambda _data: False
        proxy.down.slows = lambda data: 0.8 * (b'{"stream":"DLQ"' in data)
        assert await refused(store, 1) < 1.5
        async with asyncio.timeout(10):
            while True:
                try:
                    await store.store("dlq.x.y", b"{}", {}, "letter 2")
                    break
                except Refused:
                    continue
        state = (await client.api("STREAM.INFO.DLQ"))["state"]
    assert state["messages"] == 3
