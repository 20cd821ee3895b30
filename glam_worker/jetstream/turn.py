"""Which of a service's workers does what one of them is enough for: whoever holds a key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
import uuid
from datetime import datetime, timedelta

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.jetstream.kv import Bucket, Entry

LIFE = 6.0
"""Seconds that a claim lasts: so long can a dead worker be missed."""
BEAT = 2.0
"""Seconds between two signs of life of the holder."""
WITHOUT = 30.0
"""Seconds between two tries where the bucket cannot be used."""
_ASKING = 3.0
"""Seconds the server may take: half of a life, so that a slow answer costs nobody the key."""


class Turn:
    """A claim on one key of a key-value bucket, by compare-and-set (ADR-8).

    Its value says until when it is held, in server time. Where the bucket cannot be used (it is
    gone, or this user may not write to it), every worker has its turn: the work done twice is
    better than not at all.
    """

    def __init__(self, client: JetStreamClient, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = Bucket(client, bucket)
        self._key = key
        self._me = uuid.uuid4().hex
        self._revision: int | None = None
        self._ends = 0.0
        self._next = 0.0

    @property
    def mine(self) -> bool:
        """Whether it is ours at this moment; callable from any thread."""
        return time.monotonic() < self._ends

    async def take(self) -> bool:
        """Claim it, or stay its holder; call every ``BEAT`` seconds. Whether it is ours."""
        began = time.monotonic()
        if began >= self._next:
            self._ends = await self._claim(began)
        return self.mine

    async def _claim(self, began: float) -> float:
        """Until when it is ours, by the monotonic clock."""
        try:
            async with asyncio.timeout(_ASKING):
                return began + LIFE if await self._taken() else 0.0
        except (BrokerError, TimeoutError):
            if not self._client.is_connected():
                return 0.0
            self._next = began + WITHOUT
            return self._next + LIFE

    async def _taken(self) -> bool:
        value, now = self._value(), self._client.server_time()
        if self._revision is not None:
            self._revision = await self._bucket.replace(self._key, value, self._revision)
        if self._revision is None:
            self._revision = await self._claimed(value, now)
        return self._revision is not None

    async def _claimed(self, value: bytes, now: datetime) -> int | None:
        entry = await self._bucket.get(self._key)
        if entry is None:
            return await self._bucket.create(self._key, value)
        holder, until = _read(entry)
        left = (until - now).total_seconds() if until else 0.0
        if 0.0 < left <= 2 * LIFE and holder != self._me:
            self._next = time.monotonic() + left + random.random()  # noqa: S311 - not all at once
            return None
        return await self._bucket.replace(self._key, value, entry.revision)

    def _value(self) -> bytes:
        until = self._client.server_time() + timedelta(seconds=LIFE)
        return json.dumps({"worker": self._me, "until": until.isoformat()}).encode()

    async def give_up(self) -> None:
        """Let another worker have it at once."""
        revision, self._revision, self._ends = self._revision, None, 0.0
        if revision is None or not self._client.is_connected():
            return
        with contextlib.suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._bucket.give_up(self._key, revision)


def _read(entry: Entry) -> tuple[str, datetime | None]:
    """Holder and end of a claim; nobody's where somebody else wrote something else."""
    try:
        found = json.loads(entry.value)
        until = datetime.fromisoformat(found["until"])
        return str(found["worker"]), until if until.tzinfo else None
    except (ValueError, KeyError, TypeError):
        return "", None
