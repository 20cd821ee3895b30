"""What was created, in a key-value bucket without time to live: a ``State`` of the topology."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.jetstream.kv import Bucket, Entry

_TRIES = 10
_AT_A_TIME = 64


class JetStreamState:
    """Records under their keys. Everything raises BrokerError where the server cannot be asked."""

    def __init__(self, client: JetStreamClient, bucket: str) -> None:
        self._name = bucket
        self._bucket = Bucket(client, bucket)

    async def read(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The values that there are; none where there is no bucket."""
        wanted = list(dict.fromkeys(keys))
        found: list[Entry | None] = []
        for first in range(0, len(wanted), _AT_A_TIME):
            some = wanted[first : first + _AT_A_TIME]
            found += await asyncio.gather(*map(self._bucket.get, some))
        return {key: entry for key, entry in zip(wanted, found, strict=True) if entry is not None}

    async def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix; none where there is no bucket."""
        return await self._bucket.keys(prefix)

    async def write(self, key: str, value: bytes) -> None:
        """Keep a value, whatever there was."""
        for _ in range(_TRIES):
            if await self._bucket.create(key, value) is not None:
                return
            present = await self._bucket.get(key)
            if present is not None and await self.replace(key, value, present.revision):
                return
        raise BrokerError(f"Key {key} of bucket {self._name} is written by others all the time.")

    async def replace(self, key: str, value: bytes, revision: int) -> bool:
        """Keep a value in the place of that ``revision``; False if it is another by now."""
        return await self._bucket.replace(key, value, revision) is not None
