"""How much of each handler is parked, and how many letters it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.operate.letter_filter import LetterFilter
from glam_worker.operate.letters import LetterStore, heads, letter_stores

MOST_COUNTED = 20_000
"""Letters whose headers are read to tell whose they are; of more, only their number is known."""

Owner = tuple[str, str]
"""Service and handler."""


async def parked(client: JetStreamClient, retry_stream: str) -> Counter[Owner]:
    """Retries that wait for their time, by handler; none without a retry stream."""
    counts: Counter[Owner] = Counter()
    try:
        subjects = await JetStreamAdmin(client).subjects(retry_stream, "retry.wait.>")
    except NotFound:
        return counts
    for subject, count in subjects.items():
        tokens = subject.split(".")
        if len(tokens) > 3:
            counts[tokens[2], tokens[3]] += count
    return counts


class LetterCounts:
    """Counts letters by handler, and again only when their streams have changed."""

    def __init__(self, client: JetStreamClient) -> None:
        self._client = client
        self._seen: object = None
        self.stores: tuple[LetterStore, ...] = ()
        self.total = 0
        self.by_handler: Counter[Owner] | None = Counter()
        """None: there are too many to look at each."""

    async def look(self) -> None:
        """Bring the counts up to date. Raises BrokerError."""
        self.stores = await letter_stores(self._client)
        subjects = [await self._subjects(store) for store in self.stores]
        now = (self.stores, subjects)
        if now == self._seen:
            return
        self.total = sum(sum(one.values()) for one in subjects)
        self.by_handler = None
        if self.total <= MOST_COUNTED:
            self.by_handler = await self._counted(self.stores)
        self._seen = now

    async def _subjects(self, store: LetterStore) -> dict[str, int]:
        return await JetStreamAdmin(self._client).subjects(store.stream, "dlq.>")

    async def _counted(self, stores: Sequence[LetterStore]) -> Counter[Owner]:
        counts: Counter[Owner] = Counter()
        async with aclosing(heads(self._client, LetterFilter(), stores)) as found:
            async for head in found:
                counts[head.service, head.handler] += 1
        return counts
