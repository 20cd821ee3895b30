"""Moves dead letters out of a stream of events into a stream of their own.

Nothing is removed: the letters stay in the old stream, for as long as that keeps them. What was
copied is recorded before and after each batch, so that it can be interrupted at any point: what it
had not recorded is found again by its message id.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.acked_publisher import Message
from glam_shared.messaging.broker_errors import ApiError, NotFound
from glam_shared.messaging.headers import NATS_MSG_ID
from glam_shared.messaging.wire import read_headers
from glam_shared.wording import counted
from glam_worker.errors import TopologyError
from glam_worker.jetstream.admin import JetStreamAdmin
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.jetstream.state import JetStreamState
from glam_worker.topology.records import LettersRecord, letters_key
from glam_worker.topology.specs import DLQ_SUBJECTS, PLACEHOLDER, StreamSpec

BATCH = 256
"""Letters that are published before it is recorded that they were."""
_BATCH_BYTES = 8 << 20
_TELLING = 2.0
"""Seconds between two signs of progress."""
_READERS = 16
"""Requests under way at a time: each waits for the server, not for the others."""
_WINDOW = 512
"""Sequences that are looked at together, where letters are dense; more where they are not."""
_EVERYTHING = DLQ_SUBJECTS[0]


@dataclass(frozen=True, slots=True)
class _Letter:
    sequence: int
    message: Message


class LetterMove:
    """One move, from the beginning or from where an earlier one was interrupted."""

    def __init__(self, client: JetStreamClient, state: JetStreamState) -> None:
        self._client = client
        self._admin = JetStreamAdmin(client)
        self._state = state

    async def run(self, source: str, target: StreamSpec, said: Callable[[str], None]) -> int:
        """Move; the number of letters copied. Raises TopologyError and BrokerError."""
        record = await self._record(source)
        await self._switch(source, target)
        copied, told = 0, time.monotonic()
        async for batch in self._batches(record):
            record = await self._copy(batch, record, target.name)
            copied += len(batch)
            if time.monotonic() - told > _TELLING:
                said(f"{counted(copied, 'letter')} copied")
                told = time.monotonic()
        await self._keep(replace(record, done=True))
        return copied

    async def _record(self, source: str) -> LettersRecord:
        info = await self._info(source)
        fresh = LettersRecord(source, nanoseconds(info["created"]))
        kept = (await self._state.read([letters_key(source)])).get(letters_key(source))
        known = LettersRecord.from_bytes(kept.value) if kept else None
        return known if known and known.created == fresh.created else fresh

    async def _keep(self, record: LettersRecord) -> None:
        await self._state.write(letters_key(record.stream), record.to_bytes())

    async def _info(self, stream: str) -> dict[str, Any]:
        info = await self._admin.stream(stream)
        if info is None:
            raise TopologyError(f"stream {stream} is gone")
        return info

    # --- who takes new letters ---

    async def _switch(self, source: str, target: StreamSpec) -> None:
        """The new stream is made before the old one lets go, in case it cannot be made."""
        config = (await self._info(source))["config"]
        held = _EVERYTHING in config["subjects"]
        if held and config["subjects"] == [_EVERYTHING]:
            raise TopologyError(f"stream {source} holds nothing but {_EVERYTHING}; keep it")
        if await self._admin.stream(target.name) is None:
            subjects = [PLACEHOLDER] if held else target.config["subjects"]
            await self._admin.create_stream({**target.config, "subjects": subjects})
        if held:
            left = [subject for subject in config["subjects"] if subject != _EVERYTHING]
            await self._admin.update_stream({**config, "subjects": left})
        try:
            await self._take_in(target)
        except ApiError:
            if held:
                await self._admin.update_stream(config)
            raise

    async def _take_in(self, target: StreamSpec) -> None:
        config = (await self._info(target.name))["config"]
        wanted = target.config["subjects"]
        others = [one for one in config["subjects"] if one not in (PLACEHOLDER, *wanted)]
        if config["subjects"] != [*others, *wanted]:
            await self._admin.update_stream({**config, "subjects": [*others, *wanted]})

    # --- copying ---

    async def _batches(self, record: LettersRecord) -> AsyncIterator[list[_Letter]]:
        batch: list[_Letter] = []
        size = 0
        async for letter in self._letters(record):
            batch.append(letter)
            size += letter.message.size
            if len(batch) == BATCH or size > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def _letters(self, record: LettersRecord) -> AsyncIterator[_Letter]:
        async for found in self._messages(record.stream, record.copied + 1):
            yield _letter(record, found)

    async def _messages(self, stream: str, first: int) -> AsyncIterator[dict[str, Any]]:
        """Every letter in order; what comes while it reads is not among them."""
        last = int((await self._info(stream))["state"]["last_seq"])
        width = _WINDOW
        while first <= last:
            part = -(-width // _READERS)
            starts = range(first, first + width, part)
            parts = await asyncio.gather(*(self._part(stream, one, one + part) for one in starts))
            found = [message for several in parts for message in several]
            for message in found:
                yield message
            first = starts[-1] + part
            width = width * 2 if len(found) < BATCH else _WINDOW

    async def _part(self, stream: str, first: int, end: int) -> list[dict[str, Any]]:
        """The letters of some sequences; the server answers with the next one there is."""
        found = []
        while first < end:
            request = {"seq": first, "next_by_subj": _EVERYTHING}
            try:
                answer = await self._client.api(f"STREAM.MSG.GET.{stream}", request)
            except NotFound:
                break
            first = int(answer["message"]["seq"]) + 1
            if first <= end:
                found.append(answer["message"])
        return found

    async def _copy(
        self, batch: list[_Letter], record: LettersRecord, target: str
    ) -> LettersRecord:
        known = await self._known(record, target)
        if not known:
            last = int((await self._info(target))["state"]["last_seq"])
            record = replace(record, behind=last + 1)
            await self._keep(record)
        missing = [one.message for one in batch if one.message.msg_id not in known]
        await self._client.publish_all(missing, lambda _: None)
        record = replace(record, copied=batch[-1].sequence, behind=0)
        await self._keep(record)
        return record

    async def _known(self, record: LettersRecord, target: str) -> set[str]:
        """The ids of what an interrupted batch has copied; its end was not recorded."""
        if not record.behind:
            return set()
        headers = [
            read_headers(base64.b64decode(found.get("hdrs") or ""))
            async for found in self._messages(target, record.behind)
        ]
        return {one[NATS_MSG_ID] for one in headers if NATS_MSG_ID in one}


def _letter(record: LettersRecord, found: dict[str, Any]) -> _Letter:
    sequence = int(found["seq"])
    text = "\0".join((record.stream, str(record.created), str(sequence)))
    msg_id = hashlib.sha256(text.encode()).hexdigest()[:32]
    body = base64.b64decode(found.get("data") or "")
    message = Message(str(found["subject"]), body, {NATS_MSG_ID: msg_id})
    message.block = _block(base64.b64decode(found.get("hdrs") or ""), message.block)
    message.size = len(body) + len(message.block)
    return _Letter(sequence, message)


def _block(stored: bytes, own: bytes) -> bytes:
    """The publisher's headers as they are stored (ADR-4), with our message id among them."""
    lines = [line for line in stored.split(b"\r\n")[1:] if line]
    kept = [line for line in lines if not line.lower().startswith(b"nats-")]
    first, _, rest = own.partition(b"\r\n")
    return b"\r\n".join([first, *kept, rest])
