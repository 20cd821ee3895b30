"""A letter that a service writes about an error of its own. Nothing in it can fail."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from glam_shared.json_safe import json_text
from glam_shared.messaging.dead_letter import DeadLetter, Reason, fingerprint, letter_subject
from glam_shared.messaging.envelope import EventEnvelope
from glam_shared.messaging.events import ErrorPayload

_REASON: Reason = "rejected"
_NOT_IN_A_TOKEN = re.compile(r"[\s*>\x00-\x1f\x7f]")
_SUBJECT_BYTES = 1024
_ID_CHARACTERS = 128
_SHORT_TEXT = 1024
_HEADERS_ROOM = 12 * 1024
"""Bytes kept for the letter's own headers: message, traceback and names at their longest."""


def error_letter(
    original_subject: object,
    payload: ErrorPayload | Mapping[str, Any],
    correlation_id: object,
    error: BaseException | str,
    service: str,
    room: int,
) -> tuple[str, dict[str, str], bytes, str]:
    """Subject, headers, body and event id of a letter of at most *room* bytes."""
    subject = _fit_subject(original_subject)
    event_id = str(uuid4())
    envelope = _Envelope(letter_subject(subject), service, _fit_id(correlation_id), event_id)
    body = envelope.around(payload, error, room - _HEADERS_ROOM)
    letter = _letter(subject, envelope, error)
    headers, body = letter.fit(body, room)
    return envelope.event_type, headers, body, event_id


class _Envelope:
    """The identity of the letter's body."""

    def __init__(
        self, event_type: str, service: str, correlation_id: str | None, event_id: str
    ) -> None:
        self.event_type = event_type
        self.service = service
        self.correlation_id = correlation_id
        self.event_id = event_id

    def around(
        self, payload: ErrorPayload | Mapping[str, Any], error: BaseException | str, room: int
    ) -> bytes:
        """The body: with as much of *payload* as can be written in *room* bytes."""
        for smaller in (_whole, _without_data, _least):
            try:
                body = self._bytes(smaller(payload, error))
            except Exception:  # noqa: BLE001, S112 - the event was corrupt: tell less of it
                continue
            if len(body) <= room:
                return body
        return self._bytes(_least({}, error))

    def _bytes(self, payload: ErrorPayload) -> bytes:
        return EventEnvelope.create(
            self.event_type,
            payload,
            source_service=self.service,
            correlation_id=self.correlation_id,
            event_id=self.event_id,
        ).to_bytes()


def _whole(payload: ErrorPayload | Mapping[str, Any], _error: BaseException | str) -> ErrorPayload:
    """Validated again: a payload may have been changed, or built without validation."""
    return ErrorPayload.model_validate(_fields(payload))


def _without_data(
    payload: ErrorPayload | Mapping[str, Any], _error: BaseException | str
) -> ErrorPayload:
    fields = _fields(payload) | {"original_data": None}
    short = {
        key: value[:_SHORT_TEXT] if isinstance(value, str) else value
        for key, value in fields.items()
    }
    return ErrorPayload.model_validate(short)


def _least(payload: ErrorPayload | Mapping[str, Any], error: BaseException | str) -> ErrorPayload:
    said = payload if isinstance(payload, Mapping) else getattr(payload, "__dict__", {})
    return ErrorPayload(
        error_code=json_text(said.get("error_code") or "UNKNOWN")[:_SHORT_TEXT],
        error_message=json_text(said.get("error_message") or error)[:_SHORT_TEXT],
        failed_operation=json_text(said.get("failed_operation") or "unknown")[:_SHORT_TEXT],
    )


def _fields(payload: ErrorPayload | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(payload, Mapping):
        return dict(payload)
    return dict(payload.__dict__)


def _letter(subject: str, envelope: _Envelope, error: BaseException | str) -> DeadLetter:
    raised = isinstance(error, BaseException)
    kind = type(error).__name__ if raised else ""
    message = json_text(error)
    return DeadLetter(
        subject=subject,
        reason=_REASON,
        service=envelope.service,
        attempts=1,
        error=kind,
        message=message,
        traceback=_traceback(error),
        fingerprint=fingerprint(envelope.service, "", _REASON, kind, message),
        event_id=envelope.event_id,
        correlation_id=envelope.correlation_id or "",
        failed_at=datetime.now(UTC),
    )


def _traceback(error: BaseException | str) -> str:
    if isinstance(error, str):
        return ""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - an exception whose own text raises
        return ""


def _fit_subject(subject: object) -> str:
    """A subject that can be published to: tokens that no subject may have become `_`."""
    text = json_text(subject).encode()[:_SUBJECT_BYTES].decode("utf-8", "ignore")
    return ".".join(_NOT_IN_A_TOKEN.sub("_", token) or "_" for token in text.split("."))


def _fit_id(correlation_id: object) -> str | None:
    """None makes the envelope take the context's, or a new one."""
    if correlation_id is None:
        return None
    return json_text(correlation_id)[:_ID_CHARACTERS] or None
