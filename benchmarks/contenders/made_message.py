"""The message of an event as the worker's publisher makes it, for those who publish by hand."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.events import payload
from glam_shared.messaging import EventEnvelope, Subjects


class Made(NamedTuple):
    """The arguments of the client's `publish`, in their order."""

    subject: str
    body: bytes
    timeout: None
    stream: None
    headers: dict[str, str]


def made(number: int) -> Made:
    """The same envelope, with the same `Nats-Msg-Id`."""
    envelope = EventEnvelope.create(
        Subjects.MERCHANT_CREATED, payload(number), source_service="bench"
    )
    headers = {"Nats-Msg-Id": str(envelope.event_id)}
    return Made(Subjects.MERCHANT_CREATED, envelope.to_bytes(), None, None, headers)
