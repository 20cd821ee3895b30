"""How much waits at the server: asked now and then, for the metrics."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.jetstream.parked import ParkedEvents, subjects_of
from glam_worker.jetstream.turn import BEAT, Turn
from glam_worker.runtime.protocols import Way
from glam_worker.topology.specs import DLQ_SUBJECTS, STATE

_log = logging.getLogger("glam_worker.levels")

PERIOD = 10.0
"""Seconds between two looks."""
PARKED_PERIOD = 30.0
"""Seconds between two counts of parked events: the server lists their subjects for it."""

Sample: TypeAlias = tuple[str, tuple[str, ...], float]
"""Family, label values, value."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A durable whose level is asked for."""

    service: str
    handler: str
    way: Way
    stream: str
    durable: str


class Levels:
    """Levels of each durable, of parked events, and of the dead letters.

    Of the workers that watch the same durables one asks; the others have no samples. ``looked``
    is called after each look with all samples, and with none when the turn is lost.
    """

    def __init__(
        self,
        client: JetStreamClient,
        service: str,
        watched: Sequence[Watched],
        streams: tuple[str, str],
        looked: Callable[[Sequence[Sample]], None],
    ) -> None:
        self._client = client
        self._service = service
        self._watched = watched
        retry_stream, self._dlq_stream = streams
        self._looked = looked
        self._turn = Turn(client, STATE, turn_key(service, watched))
        services = sorted({one.service for one in watched})
        self._parked = {one: ParkedEvents(client, retry_stream, one) for one in services}
        self._samples: dict[tuple[str, tuple[str, ...]], float] = {}
        self._last = self._counted = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def samples(self) -> Iterator[Sample]:
        """What the last look found, while it is this worker's turn; callable from any thread."""
        if self._turn.mine:
            for (family, labels), value in self._samples.copy().items():
                yield family, labels, value

    # --- life ---

    def start(self) -> None:
        """Look now and then, from now on."""
        self._task = asyncio.create_task(self._run(), name="levels")

    async def stop(self) -> None:
        """Look no more, and let another worker do it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._turn.give_up()

    async def _run(self) -> None:
        looking: asyncio.Task[None] | None = None
        try:
            while True:
                if not await self._turn.take():
                    self._forget()
                elif (looking is None or looking.done()) and self._is_time():
                    looking = asyncio.create_task(self._look(), name="look at levels")
                await asyncio.sleep(BEAT)
        finally:
            if looking is not None:
                looking.cancel()

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= PERIOD

    def _forget(self) -> None:
        if self._samples:
            self._samples = {}
            self._last = self._counted = float("-inf")
            self._looked(())

    # --- a look ---

    async def _look(self) -> None:
        """A part that fails keeps its old values."""
        self._last = time.monotonic()
        looks = [*map(self._consumer, self._watched), self._letters()]
        if self._last - self._counted > PARKED_PERIOD:
            self._counted = self._last
            looks += map(self._parked_of, self._parked)
        for failed in await asyncio.gather(*looks, return_exceptions=True):
            if failed is not None and not isinstance(failed, BrokerError):
                _log.error("a level cannot be read", exc_info=failed)
        self._looked(list(self.samples()))

    def _set(self, family: str, labels: tuple[str, ...], value: float) -> None:
        self._samples[family, labels] = float(value)

    async def _consumer(self, watched: Watched) -> None:
        info = await self._client.api(f"CONSUMER.INFO.{watched.stream}.{watched.durable}")
        labels = (watched.service, watched.handler, watched.way)
        for family, value in consumer_levels(info).items():
            self._set(family, labels, value)

    async def _parked_of(self, service: str) -> None:
        parked, overdue = await self._parked[service].look()
        for handler in {one.handler for one in self._watched if one.service == service}:
            self._set("parked", (service, handler), parked[handler])
            self._set("parked_overdue", (service, handler), overdue[handler])

    async def _letters(self) -> None:
        depth = await self._depth()
        self._set("dlq_depth", (self._service,), depth)
        self._set("dlq_oldest_seconds", (self._service,), await self._oldest() if depth else 0.0)

    async def _depth(self) -> int:
        info = await self._client.api(f"STREAM.INFO.{self._dlq_stream}")
        if info["config"].get("subjects") == list(DLQ_SUBJECTS):
            return int(info["state"]["messages"])
        counts = subjects_of(self._client, self._dlq_stream, DLQ_SUBJECTS[0])
        return sum([count async for _, count in counts])

    async def _oldest(self) -> float:
        request = {"seq": 1, "next_by_subj": DLQ_SUBJECTS[0]}
        message = await self._client.api(f"STREAM.MSG.GET.{self._dlq_stream}", request)
        return max(0.0, self._age(message["message"]))

    def _age(self, message: dict[str, Any]) -> float:
        stored = datetime.fromisoformat(message["time"])
        return (self._client.server_time() - stored).total_seconds()


def turn_key(service: str, watched: Sequence[Watched]) -> str:
    """The key of those who watch the same durables: deployments of one service may differ."""
    names = sorted(f"{one.stream} {one.durable}" for one in watched)
    return f"levels.{service}.{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}"


def consumer_levels(info: dict[str, Any]) -> dict[str, float]:
    """The levels that a consumer's information tells; no limit is infinity.

    ``consumer_delivered`` is for the forecasts; as a metric it would not add up over processes.
    """
    limit = int(info.get("config", {}).get("max_ack_pending") or -1)
    return {
        "consumer_pending": info.get("num_pending", 0),
        "consumer_ack_pending": info.get("num_ack_pending", 0),
        "consumer_ack_pending_limit": limit if limit > 0 else float("inf"),
        "consumer_redelivered": info.get("num_redelivered", 0),
        "consumer_delivered": info.get("delivered", {}).get("consumer_seq", 0),
        "consumer_paused": bool(info.get("paused")),
    }
