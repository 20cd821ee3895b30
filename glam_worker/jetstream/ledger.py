"""The ledger, in a key-value bucket: what became of deliveries that were not the first."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import NotFound
from glam_worker.jetstream.kv import Bucket
from glam_worker.runtime.failures import Failure
from glam_worker.runtime.ledger import NOTHING, Owed, Record, Start
from glam_worker.topology.specs import wait_subject

_BUDGET = 2.0
"""Seconds that a write is tried for; a suspect waits longer than that, and tries again."""


class JetStreamLedger:
    """A ``Ledger``: the key is ``<service>.<handler>.<carrier>``."""

    def __init__(
        self, client: JetStreamClient, bucket: str, service: str, handler: str, retry_stream: str
    ) -> None:
        self._client = client
        self._bucket = Bucket(client, bucket, budget=_BUDGET, must_exist=True)
        self._service = service
        self._handler = handler
        self._retry_stream = retry_stream

    async def look(self, carrier: str) -> tuple[Record, bool]:
        """The record, and whether the carrier's own parked copy still waits for its time."""
        record, parked = await asyncio.gather(self.read(carrier), self._parked(carrier))
        return record, parked

    async def read(self, carrier: str) -> Record:
        """The record; an empty one where there is none, or none that can be read."""
        entry = await self._bucket.get(self._key(carrier))
        return NOTHING if entry is None else _parsed(entry.value, entry.revision)

    async def write(self, carrier: str, record: Record) -> Record | None:
        """Write over ``record.revision``: the record as it is now; None if another came between."""
        key, revision = self._key(carrier), record.revision
        if record == NOTHING:
            gone = not revision or await self._bucket.give_up(key, revision)
            return NOTHING if gone else None
        value = _written(record)
        if revision:
            new = await self._bucket.replace(key, value, revision)
        else:
            new = await self._bucket.create(key, value)
        return None if new is None else _parsed(value, new)

    async def _parked(self, carrier: str) -> bool:
        subject = wait_subject(self._service, self._handler, carrier)
        request = {"last_by_subj": subject}
        try:
            await self._client.api(f"STREAM.MSG.GET.{self._retry_stream}", request)
        except NotFound:
            return False
        return True

    def _key(self, carrier: str) -> str:
        return f"{self._service}.{self._handler}.{carrier}"


def _written(record: Record) -> bytes:
    found: dict[str, Any] = {"starts": [list(start) for start in record.starts]}
    if record.attempts is not None:
        found["attempts"] = record.attempts
    if record.due is not None:
        found["due"] = record.due.isoformat()
    if record.owed is not None:
        found["owed"] = _owed_as_json(record.owed)
    return json.dumps(found).encode()


def _owed_as_json(owed: Owed) -> dict[str, Any]:
    found: dict[str, Any] = {"reason": owed.reason, "attempts": owed.attempts}
    if owed.failure is not None:
        failure = owed.failure
        found["failure"] = [failure.error, failure.message, failure.trace]
    return found


def _parsed(value: bytes, revision: int) -> Record:
    """What was written; of a value that is none of ours, nothing but its revision."""
    try:
        found = json.loads(value)
        due, owed = found.get("due"), found.get("owed")
        return Record(
            starts=tuple(Start(str(run), bool(alone)) for run, alone in found.get("starts", ())),
            attempts=found.get("attempts"),
            due=datetime.fromisoformat(due) if due else None,
            owed=_owed(owed) if owed else None,
            revision=revision,
        )
    except (ValueError, TypeError, AttributeError, KeyError):
        return Record(revision=revision)


def _owed(found: dict[str, Any]) -> Owed:
    failure = found.get("failure")
    return Owed(found["reason"], int(found["attempts"]), Failure(*failure) if failure else None)
