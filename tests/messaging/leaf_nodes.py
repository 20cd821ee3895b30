"""A hub and a leaf node, each with JetStream in a domain of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.dev.server import EmbeddedServer
from tests.faults.ports import free_port
from tests.messaging.waiting import WITHIN


@dataclass(frozen=True)
class Servers:
    """Both of them; a client of the leaf asks for the hub's streams by the domain ``hub``."""

    hub: EmbeddedServer
    leaf: EmbeddedServer


@contextlib.contextmanager
def hub_and_leaf(folder: Path) -> Iterator[Servers]:
    """Start both; the link between them comes up a little later (see ``linked``)."""
    port = free_port()
    listen = {"leafnodes": {"listen": f"127.0.0.1:{port}"}, "jetstream": {"domain": "hub"}}
    remote: dict[str, Any] = {
        "leafnodes": {"remotes": [{"url": f"nats://127.0.0.1:{port}"}], "reconnect": 1},
        "jetstream": {"domain": "leaf"},
    }
    with (
        EmbeddedServer(folder / "hub", config=listen) as hub,
        EmbeddedServer(folder / "leaf", config=remote) as leaf,
    ):
        yield Servers(hub, leaf)


async def linked(client: JetStreamClient) -> None:
    """Return once the client's domain answers."""
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await client.api("INFO", timeout=0.5)
            except BrokerError:
                await asyncio.sleep(0.02)
            else:
                return
