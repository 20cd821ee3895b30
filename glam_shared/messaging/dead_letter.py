"""A letter: an event that will not be handled, kept with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Self

from glam_shared.messaging import headers as names
from glam_shared.messaging.foreign_subjects import subject_text
from glam_shared.messaging.headers import encoded_size, moment_text, one_line, user_headers
from glam_shared.messaging.letter_parts import (
    REASONS,
    BodyReference,
    Reason,
    fingerprint,
    letter_subject,
)
from glam_shared.messaging.letter_reading import told_by
from glam_shared.messaging.past_failures import PastFailure, write_past

__all__ = ["REASONS", "BodyReference", "DeadLetter", "Reason", "fingerprint", "letter_subject"]

FORMAT = "1"
_MESSAGE_BYTES = 1024
_TRACEBACK_BYTES = 8192
_NAME_BYTES = 256
_SUBJECT_BYTES = 3 * 4096  # the server's limit of a control line, each byte percent-encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What a letter says. The origin's stream, `created` and sequence name its first carrier."""

    subject: str
    """The origin's subject, not that of the letter."""
    reason: Reason | None = None
    """None for a letter of an older service, which did not say."""
    service: str = ""
    handler: str = ""
    stream: str = ""
    stream_created: int | None = None
    """The origin's stream's `created`, in nanoseconds."""
    sequence: int | None = None
    stored_at: datetime | None = None
    attempts: int = 0
    """Runs, the last try included."""
    error: str = ""
    """The type of the error."""
    message: str = ""
    traceback: str = ""
    fingerprint: str = ""
    event_id: str = ""
    correlation_id: str = ""
    failed_at: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """The user's own."""
    replays: tuple[PastFailure, ...] = ()
    reference: BodyReference | None = None
    holds: Literal["event", "error"] = "event"
    """Whether the body is the event's, or what a service wrote about an error of its own."""

    @classmethod
    def from_message(cls, subject: str, headers: Mapping[str, str] | None, body: bytes) -> Self:
        """What the letter on *subject* says; what cannot be read is left at its default.

        Also reads letters of older services, which have no header, and those whose body is an
        envelope of ErrorPayload. Never fails.
        """
        return cls(headers=user_headers(headers), **told_by(subject, headers or {}, body))

    def past(self) -> tuple[PastFailure, ...]:
        """What a replay of this letter carries in `Glam-Replays`."""
        now = PastFailure(
            failed_at=self.failed_at,
            reason=(self.reason or "")[:64],
            attempts=self.attempts,
            error=one_line(self.error, _NAME_BYTES),
        )
        return (*self.replays, now)

    def to_headers(self) -> dict[str, str]:
        """Every header of the letter; what is unknown is left out."""
        return {**user_headers(self.headers), **self._least(), **self._diagnostics()}

    def fit(
        self, body: bytes, max_payload: int, *, kept_until: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body of at most *max_payload* bytes together.

        The traceback shrinks first, then the message, then the user's headers go, the largest
        first. A body that does not fit even so stays in the origin's stream, until *kept_until*:
        the letter's body is empty and its headers name the place and the hash.
        """
        headers = _shrink(self.to_headers(), max_payload - len(body), self._least())
        if encoded_size(headers) + len(body) <= max_payload:
            return headers, body
        reference = BodyReference(hashlib.sha256(body).hexdigest(), kept_until)
        outside = replace(self, reference=reference)
        return _shrink(outside.to_headers(), max_payload, outside._least()), b""

    def _diagnostics(self) -> dict[str, str]:
        return _without_empty(
            {
                names.GLAM_ERROR_MESSAGE: one_line(self.message, _MESSAGE_BYTES),
                names.GLAM_TRACEBACK: one_line(self.traceback, _TRACEBACK_BYTES, keep="end"),
            }
        )

    def _least(self) -> dict[str, str]:
        """What a letter never goes without."""
        return _without_empty({**self._failure(), **self._origin(), **self._kept_elsewhere()})

    def _failure(self) -> dict[str, str]:
        return {
            names.GLAM_FORMAT: FORMAT,
            names.GLAM_REASON: self.reason or "",
            names.GLAM_SERVICE: one_line(self.service, _NAME_BYTES),
            names.GLAM_HANDLER: one_line(self.handler, _NAME_BYTES),
            names.GLAM_ATTEMPTS: str(self.attempts),
            names.GLAM_ERROR: one_line(self.error, _NAME_BYTES),
            names.GLAM_FINGERPRINT: one_line(self.fingerprint, _NAME_BYTES),
            names.GLAM_EVENT_ID: one_line(self.event_id, _NAME_BYTES),
            names.GLAM_CORRELATION_ID: one_line(self.correlation_id, _NAME_BYTES),
            names.GLAM_FAILED_AT: _moment(self.failed_at),
            names.GLAM_REPLAYS: write_past(self.replays) if self.replays else "",
        }

    def _origin(self) -> dict[str, str]:
        return {
            names.GLAM_SUBJECT: one_line(subject_text(self.subject), _SUBJECT_BYTES),
            names.GLAM_STREAM: one_line(self.stream, _NAME_BYTES),
            names.GLAM_STREAM_CREATED: _number(self.stream_created),
            names.GLAM_SEQUENCE: _number(self.sequence),
            names.GLAM_STORED_AT: _moment(self.stored_at),
        }

    def _kept_elsewhere(self) -> dict[str, str]:
        if self.reference is None:
            return {}
        return {
            names.GLAM_BODY_SHA256: self.reference.sha256,
            names.GLAM_BODY_KEPT_UNTIL: _moment(self.reference.kept_until),
        }


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment_text(moment)


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _without_empty(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if value}


def _shrink(headers: dict[str, str], room: int, least: Mapping[str, str]) -> dict[str, str]:
    """*headers* in *room* bytes, or *least* alone if that is not enough."""
    for name, keep in ((names.GLAM_TRACEBACK, "end"), (names.GLAM_ERROR_MESSAGE, "start")):
        excess = encoded_size(headers) - room
        if excess <= 0:
            return headers
        _shorten(headers, name, excess, keep)  # type: ignore[arg-type]
    spare = sorted(headers.keys() - least.keys(), key=lambda name: (len(headers[name]), name))
    while spare and encoded_size(headers) > room:
        del headers[spare.pop()]
    return headers


def _shorten(
    headers: dict[str, str], name: str, excess: int, keep: Literal["start", "end"]
) -> None:
    value = headers.pop(name, "")
    shorter = one_line(value, max(0, len(value.encode()) - excess), keep=keep)
    if shorter:
        headers[name] = shorter
