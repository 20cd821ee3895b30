"""Reads what a plan needs from the server."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from glam_worker.declare.handler import Handler
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.settings import Settings
from glam_worker.topology import specs
from glam_worker.topology.choosing import check_holds, chosen_stream, does_not_exist
from glam_worker.topology.observed import Durable, Observed, OldLetters, Owner, Parked
from glam_worker.topology.orphans import owner_of
from glam_worker.topology.records import (
    DurableRecord,
    LettersRecord,
    State,
    StreamRecord,
    floor_of,
    letters_key,
    stream_key,
)
from glam_worker.topology.specs import filters_of


class Looks(Protocol):
    """Reads streams and consumers."""

    async def stream(self, name: str) -> dict[str, Any] | None: ...
    async def streams_holding(self, subject: str) -> list[str]: ...
    async def consumers(self, stream: str) -> list[dict[str, Any]]: ...
    async def subjects(self, stream: str, matching: str) -> dict[str, int]: ...
    async def stored_at(self, stream: str, matching: str, sequence: int = 1) -> datetime | None: ...
    def now(self) -> datetime: ...


async def observe(
    looks: Looks, state: State, service: str, handlers: Sequence[Handler], settings: Settings
) -> Observed:
    """What the server has of these handlers, and of their service.

    Raises TopologyError for a subject that no stream can hold.
    """
    return await _Observing(looks, state, settings).run(service, handlers)


class _Observing:
    def __init__(self, looks: Looks, state: State, settings: Settings) -> None:
        self._looks = looks
        self._state = state
        self._settings = settings
        self._seen = Observed()

    async def run(self, service: str, handlers: Sequence[Handler]) -> Observed:
        seen = self._seen
        services = {service, *(handler.service for handler in handlers)}
        await self._records(services)
        await self._places(handlers)
        others = {record.stream for record in seen.records.values()}
        names = {*specs.own_streams(self._settings), *seen.places.values(), *others}
        await asyncio.gather(*map(self._stream, names))
        self._check(handlers)
        await asyncio.gather(*map(self._consumers, names & seen.streams.keys()))
        await asyncio.gather(*map(self._parked, services))
        await self._orphans(services)
        await self._letters()
        seen.now = self._looks.now()
        return seen

    # --- records ---

    async def _records(self, services: Iterable[str]) -> None:
        for service in services:
            keys = await self._state.keys(f"handler.{service}")
            for key, kept in (await self._state.read(keys)).items():
                record = DurableRecord.from_bytes(kept.value)
                if record is not None:
                    self._seen.records[service, key.split(".")[2]] = record
        names = specs.own_streams(self._settings)
        known = await self._state.read(map(stream_key, names))
        recorded = (StreamRecord.from_bytes(kept.value) for kept in known.values())
        streams = {record.name for record in recorded if record is not None}
        of_durables = {record.stream for record in self._seen.records.values()}
        self._seen.had = frozenset(streams | of_durables)

    # --- streams and durables ---

    async def _places(self, handlers: Sequence[Handler]) -> None:
        holding = await asyncio.gather(*map(self._holding, handlers))
        for handler, names in zip(handlers, holding, strict=True):
            owner = (handler.service, handler.name)
            record = self._seen.records.get(owner)
            self._seen.places[owner] = chosen_stream(handler, names, self._settings, record)

    async def _holding(self, handler: Handler) -> list[str]:
        if handler.options.stream:
            return [handler.options.stream]
        return await self._looks.streams_holding(handler.subject)

    async def _stream(self, name: str) -> None:
        info = await self._looks.stream(name)
        if info is not None:
            self._seen.streams[name] = info

    def _check(self, handlers: Sequence[Handler]) -> None:
        for handler in handlers:
            name = self._seen.places[handler.service, handler.name]
            if name in self._seen.streams:
                check_holds(handler, name, self._seen.stream_config(name).get("subjects") or [])
            elif name != self._settings.events_stream and name not in self._seen.had:
                raise does_not_exist(name)

    async def _consumers(self, stream: str) -> None:
        for info in await self._looks.consumers(stream):
            self._seen.consumers[stream, info["name"]] = info

    # --- what is left ---

    async def _parked(self, service: str) -> None:
        retry = self._settings.retry_stream
        if retry not in self._seen.streams:
            return
        counts: Counter[str] = Counter()
        found = await self._looks.subjects(retry, f"retry.*.{service}.>")
        for subject, count in found.items():
            counts[subject.split(".")[3]] += count
        for handler, count in counts.items():
            oldest = await self._oldest_parked(service, handler)
            self._seen.parked[service, handler] = Parked(count, oldest)

    async def _oldest_parked(self, service: str, handler: str) -> float | None:
        retry, due = self._settings.retry_stream, specs.due_subject(service, handler)
        filters = (specs.wait_subject(service, handler, ">"), due)
        moments = await asyncio.gather(
            *(self._looks.stored_at(retry, matching) for matching in filters)
        )
        ages = [self._age(moment) for moment in moments if moment is not None]
        return max(ages, default=None)

    async def _orphans(self, services: Iterable[str]) -> None:
        served = set(services)
        left: dict[Owner, list[Durable]] = defaultdict(list)
        for durable, info in self._seen.consumers.items():
            owner = owner_of(info)
            place = self._seen.places.get(owner) if owner else None
            if owner and owner[0] in served and durable[0] != place and _backlog(info):
                left[owner].append(durable)
        for durable in (one for several in left.values() for one in several):
            await self._oldest_unsettled(durable)

    async def _oldest_unsettled(self, durable: Durable) -> None:
        info = self._seen.consumers[durable]
        first = floor_of(info) + 1
        found = await asyncio.gather(
            *(self._looks.stored_at(durable[0], one, first) for one in filters_of(info["config"]))
        )
        ages = [self._age(moment) for moment in found if moment is not None]
        if ages:
            self._seen.ages[durable] = max(ages)

    def _age(self, moment: datetime) -> float:
        return max(0.0, (self._looks.now() - moment).total_seconds())

    # --- dead letters ---

    async def _letters(self) -> None:
        """Those that older services put into the stream of events."""
        everything = specs.DLQ_SUBJECTS[0]
        self._seen.letters_held_by = await self._looks.streams_holding(everything)
        name = self._settings.events_stream
        info = self._seen.streams.get(name)
        if info is None:
            return
        held = everything in (info["config"].get("subjects") or [])
        kept = (await self._state.read([letters_key(name)])).get(letters_key(name))
        record = LettersRecord.from_bytes(kept.value) if kept else None
        done = record is not None and record.done and record.created == nanoseconds(info["created"])
        count = sum((await self._looks.subjects(name, everything)).values())
        if held or (count and not done):
            self._seen.old_letters = OldLetters(name, count, held)


def _backlog(info: dict[str, Any]) -> int:
    return int(info.get("num_pending", 0)) + int(info.get("num_ack_pending", 0))
