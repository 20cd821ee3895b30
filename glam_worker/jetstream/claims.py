"""The claims of idempotent handlers, in a key-value bucket."""

from __future__ import annotations

import json
from datetime import datetime

from glam_shared.messaging import JetStreamClient
from glam_worker.jetstream.kv import Bucket
from glam_worker.runtime.claims import Claim

_BUDGET = 5.0
"""Seconds that a write is tried for: a run waits for it in its slot."""


class JetStreamClaims:
    """A ``ClaimStore``; its deadlines are server time."""

    def __init__(self, client: JetStreamClient, bucket: str) -> None:
        self._client = client
        self._bucket = Bucket(client, bucket, budget=_BUDGET)

    async def read(self, key: str) -> tuple[Claim, int] | None:
        """The claim and its revision."""
        entry = await self._bucket.get(key)
        return None if entry is None else (_parsed(entry.value, self.now()), entry.revision)

    async def create(self, key: str, claim: Claim) -> int | None:
        """The revision; None if there is a claim already."""
        return await self._bucket.create(key, _written(claim))

    async def replace(self, key: str, claim: Claim, revision: int) -> int | None:
        """The new revision; None if it is another by now."""
        return await self._bucket.replace(key, _written(claim), revision)

    async def give_up(self, key: str, revision: int) -> bool:
        """Forget the claim; False if it is another by now."""
        return await self._bucket.give_up(key, revision)

    def now(self) -> datetime:
        """The server's time."""
        return self._client.server_time()


def _written(claim: Claim) -> bytes:
    deadline = claim.deadline.isoformat() if claim.deadline else None
    return json.dumps({"carrier": claim.carrier, "deadline": deadline}).encode()


def _parsed(value: bytes, now: datetime) -> Claim:
    """What was written; a value that is none of ours is a claim whose time is over."""
    try:
        found = json.loads(value)
        deadline = found["deadline"]
        return Claim(str(found["carrier"]), datetime.fromisoformat(deadline) if deadline else None)
    except (ValueError, TypeError, KeyError):
        return Claim("", now)
