"""How much waits at the server: asked now and then, for the metrics."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.runtime.protocols import Way

PERIOD = 10.0
"""Seconds between two looks."""
_PARKED_PERIOD = 30.0
"""Seconds between two counts of parked events: the server lists their subjects for it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A durable whose level is asked for."""

    service: str
    handler: str
    way: Way
    stream: str
    durable: str


class Levels:
    """Pending, unsettled and redelivered messages of each durable; parked events; letters."""

    def __init__(
        self,
        client: JetStreamClient,
        service: str,
        watched: Sequence[Watched],
        retry_stream: str,
        dlq_stream: str,
    ) -> None:
        self._client = client
        self._service = service
        self._watched = watched
        self._retry_stream = retry_stream
        self._dlq_stream = dlq_stream
        self._samples: dict[tuple[str, tuple[str, ...]], float] = {}
        self._counted = float("-inf")

    def samples(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """(family, labels, value) as of the last look; callable from any thread."""
        for (family, labels), value in self._samples.copy().items():
            yield family, labels, value

    async def run(self) -> None:
        """Look again and again until cancelled; a look that fails keeps the old values."""
        while True:
            if self._client.is_connected():
                await self._look()
            await asyncio.sleep(PERIOD)

    async def _look(self) -> None:
        looks = [*map(self._consumer, self._watched), self._letters()]
        if time.monotonic() - self._counted > _PARKED_PERIOD:
            self._counted = time.monotonic()
            looks.append(self._parked())
        for failed in await asyncio.gather(*looks, return_exceptions=True):
            if failed is not None and not isinstance(failed, BrokerError):
                raise failed

    def _set(self, family: str, labels: tuple[str, ...], value: float) -> None:
        self._samples[family, labels] = float(value)

    async def _consumer(self, watched: Watched) -> None:
        info = await self._client.api(f"CONSUMER.INFO.{watched.stream}.{watched.durable}")
        labels = (watched.service, watched.handler, watched.way)
        self._set("consumer_pending", labels, info.get("num_pending", 0))
        self._set("consumer_ack_pending", labels, info.get("num_ack_pending", 0))
        self._set("consumer_redelivered", labels, info.get("num_redelivered", 0))

    async def _parked(self) -> None:
        for service in {watched.service for watched in self._watched}:
            parked = await self._parked_of(service)
            for handler in {one.handler for one in self._watched if one.service == service}:
                self._set("parked", (service, handler), parked[handler])

    async def _parked_of(self, service: str) -> Counter[str]:
        parked: Counter[str] = Counter()
        offset, total = 0, 1
        while offset < total:
            request = {"subjects_filter": f"retry.wait.{service}.>", "offset": offset}
            info = await self._client.api(f"STREAM.INFO.{self._retry_stream}", request)
            subjects = info["state"].get("subjects") or {}
            parked.update(subject.split(".")[3] for subject in subjects)
            offset, total = offset + len(subjects), info.get("total", 0)
            if not subjects:
                break
        return parked

    async def _letters(self) -> None:
        request = {"subjects_filter": "dlq.>"}
        info = await self._client.api(f"STREAM.INFO.{self._dlq_stream}", request)
        depth = sum((info["state"].get("subjects") or {}).values())
        self._set("dlq_depth", (self._service,), depth)
        self._set("dlq_oldest_seconds", (self._service,), await self._oldest() if depth else 0.0)

    async def _oldest(self) -> float:
        request = {"seq": 1, "next_by_subj": "dlq.>"}
        message = await self._client.api(f"STREAM.MSG.GET.{self._dlq_stream}", request)
        return max(0.0, self._age(message["message"]))

    def _age(self, message: dict[str, Any]) -> float:
        stored = datetime.fromisoformat(message["time"])
        return (self._client.server_time() - stored).total_seconds()
