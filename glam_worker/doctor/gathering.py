"""Looks at the server and takes the snapshot. Changes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.wire import read_headers
from glam_worker.doctor.asking import Asking
from glam_worker.doctor.monitoring import read_monitor
from glam_worker.doctor.snapshot import (
    Durable,
    Letters,
    Monitor,
    Names,
    Overdue,
    Parked,
    Snapshot,
    Stream,
)
from glam_worker.doctor.trying import tried
from glam_worker.settings import Settings
from glam_worker.topology import specs
from glam_worker.topology.records import DurableRecord, handler_key
from glam_worker.topology.specs import DLQ_SUBJECTS, STATE

_LOOKED_AT = 1000
"""Parked retries that are looked at, the oldest: one request each."""
_LATE = 60.0
"""Seconds: the server fires within 0.25 s, within seconds where a hundred thousand are due."""
_SHOWN = 10
_TIMES = 3
"""Looks at a lane that seems to lack retries."""
_FAR = 1 << 60
_ADVISORY = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
_BUCKETS = ("KV_", "OBJ_")


async def gather(
    client: JetStreamClient, settings: Settings, service: str | None, monitors: Sequence[str] = ()
) -> Snapshot:
    """All that the checks look at. Raises BrokerError when the server does not answer."""
    return await _Gathering(client, settings, service).snapshot(monitors)


class _Gathering:
    def __init__(self, client: JetStreamClient, settings: Settings, service: str | None) -> None:
        self._client = client
        self._settings = settings
        self._service = service
        self._server = Asking(client)

    async def snapshot(self, monitors: Sequence[str]) -> Snapshot:
        settings, client = self._settings, self._client
        names = Names(settings.events_stream, settings.retry_stream, settings.dlq_stream)
        account = await self._server.ask("INFO") or {}
        streams = await self._streams()
        first = Snapshot(
            names=names,
            service=self._service,
            concurrency=settings.concurrency,
            version=client.server_version,
            max_payload=client.max_payload,
            account=account,
            streams=streams,
            durables=await self._durables(streams),
            monitors=await self._monitors(monitors),
        )
        return await self._closer(first)

    async def _closer(self, seen: Snapshot) -> Snapshot:
        """What to look at depends on what there is."""
        parked, letters, given_up, records = await asyncio.gather(
            self._parked(seen), self._letters(seen), self._given_up(seen), self._records(seen)
        )
        tries = await tried(self._client, seen)
        return replace(
            seen,
            parked=parked,
            letters=letters,
            given_up=given_up,
            tries=tries,
            records=records,
            unseen=tuple(self._server.denied),
            unanswered=tuple(self._server.unanswered),
            clock_offset=self._client.clock_offset,  # now that answers told the server's time
        )

    # --- streams and durables ---

    async def _streams(self) -> tuple[Stream, ...]:
        """All of the account; where they may not be listed, those that may be asked for."""
        listed = [Stream(one) async for one in self._server.pages("STREAM.LIST", "streams")]
        if listed:
            return tuple(listed)
        names = [str(name) async for name in self._server.pages("STREAM.NAMES", "streams")]
        answers = await asyncio.gather(*(self._server.ask(f"STREAM.INFO.{name}") for name in names))
        return tuple(Stream(answer) for answer in answers if answer is not None)

    async def _durables(self, streams: Sequence[Stream]) -> tuple[Durable, ...]:
        watched = [stream for stream in streams if not stream.name.startswith(_BUCKETS)]
        lists = await asyncio.gather(*(self._durables_of(stream) for stream in watched))
        return tuple(durable for found in lists for durable in found)

    async def _durables_of(self, stream: Stream) -> list[Durable]:
        pages = self._server.pages(f"CONSUMER.LIST.{stream.name}", "consumers")
        found = [Durable(one) async for one in pages]
        wanted = [d for d in found if d.owner is None or self._service in (None, d.owner[0])]
        return [Durable(d.answer, await self._oldest(stream, d)) for d in wanted]

    async def _oldest(self, stream: Stream, durable: Durable) -> float | None:
        if durable.owner is None or not durable.backlog or not stream.max_age:
            return None
        floor = int((durable.answer.get("ack_floor") or {}).get("stream_seq") or 0)
        which = {"seq": floor + 1, "next_by_subj": durable.filters[0]}
        message = await self._server.message(stream.name, which)
        return None if message is None else self._server.age(message)

    # --- retries ---

    async def _parked(self, seen: Snapshot) -> Parked:
        stream = seen.retry_stream
        if stream is None:
            return Parked()
        overdue: list[Overdue] = []
        looked_at, first = 0, 1
        subject = f"retry.wait.{self._service or '*'}.>"
        while looked_at < _LOOKED_AT:
            message = await self._server.message(
                stream.name, {"seq": first, "next_by_subj": subject}
            )
            if message is None:
                break
            looked_at, first = looked_at + 1, int(message["seq"]) + 1
            late = self._late(message)
            if late > _LATE:
                overdue.append(Overdue(str(message["subject"]), late))
        due = await self._due(stream.name)
        passed_by = {
            lane.name: await self._passed_by(lane)
            for lane in seen.durables
            if lane.stream == stream.name and _due_for(lane, due) > lane.backlog
        }
        return Parked(looked_at, looked_at < _LOOKED_AT, tuple(overdue), due, passed_by)

    async def _passed_by(self, lane: Durable) -> int:
        """Due retries that the lane has not: in a work queue, all that it does not count.

        The numbers come one after the other, while events come and go.
        """
        least = _FAR
        for _ in range(_TIMES):
            before = _due_for(lane, await self._due(lane.stream))
            answer = await self._server.ask(f"CONSUMER.INFO.{lane.stream}.{lane.name}")
            after = _due_for(lane, await self._due(lane.stream))
            backlog = Durable(answer).backlog if answer is not None else before
            least = min(least, before - backlog, after - backlog)
            if least <= 0:
                return 0
        return least

    def _late(self, message: dict[str, Any]) -> float:
        """Seconds since it was due; below 0 when it is not."""
        headers = read_headers(base64.b64decode(message.get("hdrs") or ""))
        schedule = headers.get("Nats-Schedule", "")
        try:
            due = datetime.fromisoformat(schedule.removeprefix("@at ").strip())
            return (self._client.server_time() - due).total_seconds()
        except (ValueError, TypeError):
            return -1.0

    async def _due(self, stream: str) -> dict[tuple[str, str], int]:
        subjects = await self._server.subjects(stream, "retry.due.>")
        parts = {tuple(subject.split(".")): int(count) for subject, count in subjects.items()}
        return {(part[2], part[3]): count for part, count in parts.items() if len(part) == 4}

    # --- letters ---

    async def _letters(self, seen: Snapshot) -> Letters:
        stream = seen.letters_stream
        if stream is None:
            return Letters()
        subjects = await self._server.subjects(stream.name, DLQ_SUBJECTS[0])
        oldest = await self._server.message(
            stream.name, {"seq": 1, "next_by_subj": DLQ_SUBJECTS[0]}
        )
        return Letters(sum(subjects.values()), self._server.age(oldest) if oldest else 0.0)

    # --- what a max_deliver gave up ---

    async def _given_up(self, seen: Snapshot) -> dict[tuple[str, str], tuple[int, ...]]:
        """Sequences, where something tells them: a stream of advisories, or a work queue."""
        concerned = [durable for durable in seen.durables if durable.given_up]
        known = await asyncio.gather(*(self._sequences(durable, seen) for durable in concerned))
        return {
            (durable.stream, durable.name): sequences
            for durable, sequences in zip(concerned, known, strict=True)
            if sequences
        }

    async def _sequences(self, durable: Durable, seen: Snapshot) -> tuple[int, ...]:
        stream = seen.stream(durable.stream)
        if stream is not None and stream.config.get("retention") == "workqueue":
            if durable.count("num_ack_pending"):
                return ()
            return await self._left_behind(durable)
        subject = f"{_ADVISORY}.{durable.stream}.{durable.name}"
        holding = next((one for one in seen.streams if one.holds(subject)), None)
        return () if holding is None else await self._advised(holding.name, subject, durable)

    async def _left_behind(self, durable: Durable) -> tuple[int, ...]:
        """What a work queue still has of what was given out, and nobody holds."""
        found: list[int] = []
        last = int((durable.answer.get("delivered") or {}).get("stream_seq") or 0)
        first = 1
        while len(found) < _SHOWN:
            which = {"seq": first, "next_by_subj": durable.filters[0]}
            message = await self._server.message(durable.stream, which)
            if message is None or int(message["seq"]) > last:
                break
            found.append(int(message["seq"]))
            first = found[-1] + 1
        return tuple(found)

    async def _advised(self, stream: str, subject: str, durable: Durable) -> tuple[int, ...]:
        found: list[int] = []
        first = 1
        while len(found) < _SHOWN:
            message = await self._server.message(stream, {"seq": first, "next_by_subj": subject})
            if message is None:
                break
            first = int(message["seq"]) + 1
            sequence = int(json.loads(base64.b64decode(message["data"]))["stream_seq"])
            if await self._server.message(durable.stream, {"seq": sequence}) is not None:
                found.append(sequence)
        return tuple(dict.fromkeys(found))

    # --- what was created ---

    async def _records(self, seen: Snapshot) -> tuple[DurableRecord, ...]:
        bucket = seen.stream(f"KV_{STATE}")
        if bucket is None:
            return ()
        wanted = f"$KV.{STATE}.{handler_key(self._service or '*', '*')}"
        subjects = await self._server.subjects(bucket.name, wanted)
        found = await asyncio.gather(*(self._record(bucket.name, one) for one in subjects))
        return tuple(record for record in found if record is not None)

    async def _record(self, bucket: str, subject: str) -> DurableRecord | None:
        message = await self._server.message(bucket, {"last_by_subj": subject})
        return DurableRecord.from_bytes(base64.b64decode((message or {}).get("data") or ""))

    async def _monitors(self, urls: Sequence[str]) -> tuple[Monitor, ...]:
        ca = self._settings.nats_tls_ca
        reads = (asyncio.to_thread(read_monitor, url, ca) for url in urls)
        return tuple(await asyncio.gather(*reads))


def _due_for(lane: Durable, due: Mapping[tuple[str, str], int]) -> int:
    """Events that are due and that a lane should have."""
    return sum(count for owner, count in due.items() if specs.due_subject(*owner) in lane.filters)
