"""Writes dead letters as workers do, without a worker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from glam_shared.messaging import EventEnvelope, JetStreamClient
from glam_shared.messaging.client import Message
from glam_shared.messaging.dead_letter import DeadLetter, fingerprint, letter_subject

SUBJECT = "evt.order.placed.v1"
NOW = datetime.now(UTC)


def letter(
    number: int = 1,
    *,
    handler: str = "ship",
    service: str = "shop",
    error: str = "ValueError",
    message: str = "no address",
    subject: str = SUBJECT,
    **more: Any,
) -> DeadLetter:
    """What a worker writes about event ``number``."""
    reason = more.pop("reason", "rejected")
    known: dict[str, Any] = {
        "stream": "GLAM_EVENTS",
        "stream_created": 1,
        "sequence": number,
        "stored_at": NOW - timedelta(minutes=1),
        "attempts": 1,
        "traceback": f"Traceback (most recent call last):\n  in {handler}\n{error}: {message}\n",
        "event_id": f"e{number}",
        "correlation_id": f"corr_{number}",
        "failed_at": NOW,
        "fingerprint": fingerprint(service, handler, reason, error, message),
    }
    return DeadLetter(
        subject=subject,
        service=service,
        handler=handler,
        reason=reason,
        error=error,
        message=message,
        **(known | more),
    )


def event(number: int, subject: str = SUBJECT) -> bytes:
    """The bytes of an event."""
    envelope = EventEnvelope.create(
        subject, {"id": number}, source_service="test", event_id=f"e{number}"
    )
    return envelope.to_bytes()


@dataclass
class Letters:
    """A stream of letters."""

    client: JetStreamClient
    stream: str = "GLAM_DLQ"
    subjects: list[str] = field(default_factory=lambda: ["dlq.>"])

    async def created(self, **config: Any) -> Letters:
        """Create the stream."""
        given = {"name": self.stream, "subjects": self.subjects} | config
        await self.client.api(f"STREAM.CREATE.{self.stream}", given)
        return self

    async def write(self, record: DeadLetter, body: bytes | None = None) -> str:
        """Store one letter; its id."""
        written = event(record.sequence or 0, record.subject) if body is None else body
        ack = await self.client.publish_acked(
            letter_subject(record.subject), written, record.to_headers(), msg_id=uuid.uuid4().hex
        )
        return f"{ack.stream}:{ack.seq}"

    async def write_many(self, records: Iterable[DeadLetter]) -> None:
        """Store many letters, in order."""
        messages = (
            Message(
                letter_subject(record.subject),
                event(record.sequence or 0, record.subject),
                {**record.to_headers(), "Nats-Msg-Id": uuid.uuid4().hex},
            )
            for record in records
        )
        await self.client.publish_all(messages, lambda _ack: None)

    async def write_alike(self, records: Sequence[DeadLetter], count: int) -> None:
        """Store very many letters like these in turn, each with an event and words of its own."""
        forms = [(letter_subject(record.subject), record.to_headers()) for record in records]
        messages = (
            Message(
                forms[number % len(forms)][0],
                b'{"number":%d}' % number,
                {
                    **forms[number % len(forms)][1],
                    "Glam-Event-Id": f"e{number}",
                    "Glam-Error-Message": f"no {number}",
                    "Nats-Msg-Id": f"letter{number}",
                },
            )
            for number in range(count)
        )
        await self.client.publish_all(messages, lambda _ack: None)

    async def write_raw(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> str:
        """Store a message that no worker wrote; its id."""
        ack = await self.client.publish_acked(subject, body, headers, msg_id=uuid.uuid4().hex)
        return f"{ack.stream}:{ack.seq}"

    async def count(self) -> int:
        """How many messages the stream has."""
        info = await self.client.api(f"STREAM.INFO.{self.stream}")
        return int(info["state"]["messages"])


def failure_of_a_service(number: int) -> bytes:
    """The letter that an older service writes about an error of its own: no header, all in the
    body."""
    subject = "dlq.order.placed.v1"
    data = {
        "error_code": "UPSTREAM",
        "error_message": f"bank said {number}",
        "failed_operation": "charge",
        "retry_count": 2,
    }
    return json.dumps(
        {
            "event_id": f"old{number}",
            "event_type": subject,
            "correlation_id": "corr_old",
            "source_service": "billing",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": data,
        }
    ).encode()
