"""Reading letters: our own, those of services, and those of older services without a header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glam_shared.messaging import headers as names
from glam_shared.messaging.envelope import EventEnvelope
from glam_shared.messaging.events.catalogue import payload_for
from glam_shared.messaging.events.failure import ErrorPayload
from glam_shared.messaging.foreign_subjects import read_subject
from glam_shared.messaging.headers import read_count, read_moment
from glam_shared.messaging.letter_parts import REASONS, BodyReference, letter_subject
from glam_shared.messaging.past_failures import read_past

__all__ = ["told_by"]


def told_by(subject: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The fields of a DeadLetter that the letter on *subject* tells.

    A letter without `Glam-Handler` may hold what a service wrote about an error of its own; what
    its headers do not say is then taken from there, or from the event's envelope.
    """
    told = _told_by_headers(headers)
    if names.GLAM_HANDLER not in headers:
        told = {**_told_by_body(subject, body), **told}
    return {"subject": _origin_of(subject, ""), **told}


def _told_by_headers(said: Mapping[str, str]) -> dict[str, Any]:
    reason = said.get(names.GLAM_REASON)
    told = {
        "reason": reason if reason in REASONS else None,
        "service": said.get(names.GLAM_SERVICE),
        "handler": said.get(names.GLAM_HANDLER),
        "subject": read_subject(said.get(names.GLAM_SUBJECT, "")) or None,
        "stream": said.get(names.GLAM_STREAM),
        "stream_created": read_count(said.get(names.GLAM_STREAM_CREATED)),
        "sequence": read_count(said.get(names.GLAM_SEQUENCE)),
        "stored_at": read_moment(said.get(names.GLAM_STORED_AT)),
        "attempts": read_count(said.get(names.GLAM_ATTEMPTS)),
        "error": said.get(names.GLAM_ERROR),
        "message": said.get(names.GLAM_ERROR_MESSAGE),
        "traceback": said.get(names.GLAM_TRACEBACK),
        "fingerprint": said.get(names.GLAM_FINGERPRINT),
        "event_id": said.get(names.GLAM_EVENT_ID),
        "correlation_id": said.get(names.GLAM_CORRELATION_ID),
        "failed_at": read_moment(said.get(names.GLAM_FAILED_AT)),
        "replays": read_past(said.get(names.GLAM_REPLAYS)),
        "reference": _reference(said),
    }
    return {name: value for name, value in told.items() if value not in {None, ()}}


def _reference(said: Mapping[str, str]) -> BodyReference | None:
    digest = said.get(names.GLAM_BODY_SHA256)
    if not digest:
        return None
    return BodyReference(digest, read_moment(said.get(names.GLAM_BODY_KEPT_UNTIL)))


def _told_by_body(subject: str, body: bytes) -> dict[str, Any]:
    try:
        envelope = EventEnvelope.from_bytes(body)
    except ValueError:
        return {}
    told = {
        "subject": _origin_of(subject, envelope.event_type),
        "event_id": envelope.event_id,
        "correlation_id": envelope.correlation_id,
    }
    failure = _failure(envelope.data)
    if failure is None:
        return told
    return {**told, **_told_by_failure(failure, envelope)}


def _failure(data: dict[str, Any]) -> ErrorPayload | None:
    try:
        return ErrorPayload.model_validate(data)
    except ValueError:
        return None


def _told_by_failure(failure: ErrorPayload, envelope: EventEnvelope) -> dict[str, Any]:
    return {
        "holds": "error",
        "service": envelope.source_service,
        "attempts": max(0, failure.retry_count),
        "error": failure.error_code,
        "message": failure.error_message,
        "failed_at": envelope.timestamp,
    }


def _origin_of(subject: str, event_type: str) -> str:
    """The subject an event had before it became a letter, as far as it can be told."""
    if event_type and not event_type.startswith("dlq.") and letter_subject(event_type) == subject:
        return event_type
    rest = subject.removeprefix("dlq.")
    return f"cmd.{rest}" if payload_for(f"cmd.{rest}") else f"evt.{rest}"
