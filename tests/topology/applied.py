"""Plans and applies as the commands do, over a connection of the test's own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from glam_shared.logging import create_logger
from glam_shared.messaging import JetStreamClient
from glam_worker.cli.applying import performer
from glam_worker.cli.checking import Checked
from glam_worker.cli.planning import planned
from glam_worker.declare.registry import Registry
from glam_worker.settings import Settings
from glam_worker.testing.factory import BenchSettings
from glam_worker.topology.plan import Plan
from glam_worker.topology.planning import Choices

SERVICE = "shop"
UNDECIDED = Choices()


def settings() -> Settings:
    """Those of the tests' workers."""
    return BenchSettings(service=SERVICE, dlq_max_bytes=1 << 22)


@contextlib.asynccontextmanager
async def connection(url: str) -> AsyncIterator[JetStreamClient]:
    """A client for the length of a block."""
    async with JetStreamClient(create_logger("test")) as client:
        await client.connect(url)
        yield client


async def plan(client: JetStreamClient, registry: Registry, choices: Choices = UNDECIDED) -> Plan:
    """What `glam-worker plan` says of these handlers."""
    found = Checked(registry.served_by(SERVICE), SERVICE, ())
    return await planned(client, found, settings(), choices)


async def apply(client: JetStreamClient, registry: Registry, choices: Choices = UNDECIDED) -> Plan:
    """Plan and do it; the plan that was done."""
    made = await plan(client, registry, choices)
    performing = performer(client)
    for change in made.changes:
        await performing.perform(change.step)
    return made
