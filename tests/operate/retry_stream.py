"""The retry stream as workers create it, and what replays put there."""

from __future__ import annotations

from glam_shared.messaging import JetStreamClient
from glam_worker import Settings
from glam_worker.jetstream.stored_letters import StoredLetter, StoredLetters
from glam_worker.operate.lanes import create_lane
from glam_worker.topology.specs import retry_stream


async def with_lane(client: JetStreamClient, *handlers: str) -> None:
    """Create the retry stream, and lanes for handlers of the service ``shop``."""
    spec = retry_stream(Settings(_env_file=None), 1, "file")
    await client.api(f"STREAM.CREATE.{spec.name}", spec.config)
    for handler in handlers:
        await create_lane(client, spec.name, "shop", handler)


async def replayed(client: JetStreamClient, handler: str = "ship") -> list[StoredLetter]:
    """What lies on a handler's lane."""
    walk = StoredLetters(client, "GLAM_RETRY").all(f"retry.due.shop.{handler}")
    return [message async for message in walk]
