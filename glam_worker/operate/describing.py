"""Letters as ``--json`` shows them. Pure."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glam_shared.messaging.dead_letter import DeadLetter
    from glam_worker.jetstream.stored_letters import StoredLetter
    from glam_worker.operate.letter_groups import LetterGroup
    from glam_worker.operate.letter_head import LetterHead
    from glam_worker.operate.letters import LetterStore


def moment(seconds: float) -> str:
    """Seconds since the epoch as ``2026-11-01T12:00:00Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def described_store(store: LetterStore) -> dict[str, Any]:
    """A stream that holds letters."""
    return {"stream": store.stream, "max_age_seconds": store.max_age or None}


def described_group(group: LetterGroup) -> dict[str, Any]:
    """A group, with the id of an example."""
    return {
        "group": group.group,
        "service": group.service,
        "handler": group.handler,
        "reason": group.reason or None,
        "error": group.example.error,
        "error_message": group.example.message,
        "subject": group.example.subject,
        "count": group.count,
        "bytes": group.size,
        "replayed": group.replayed,
        "first_seen": moment(group.first_seen),
        "last_seen": moment(group.last_seen),
        "example": group.example.id,
    }


def described_head(head: LetterHead) -> dict[str, Any]:
    """A letter in a list."""
    return {
        "id": head.id,
        "group": head.group,
        "service": head.service,
        "handler": head.handler,
        "reason": head.reason or None,
        "error": head.error,
        "error_message": head.message,
        "subject": head.subject,
        "event_id": head.event_id,
        "attempts": head.attempts,
        "replayed": head.replayed,
        "failed_at": moment(head.failed_at),
        "bytes": head.size,
    }


def described_letter(letter: StoredLetter, record: DeadLetter, group: str) -> dict[str, Any]:
    """A whole letter. ``payload`` is what the body says as JSON, if it is JSON."""
    return {
        "id": letter.id,
        "group": group,
        "letter_subject": letter.subject,
        **_origin(record),
        **_failure(record),
        "past": [json.loads(one.model_dump_json()) for one in record.replays],
        "headers": dict(record.headers),
        "body_base64": base64.b64encode(letter.body).decode(),
        "payload": read_json(letter.body),
        "body_kept_elsewhere": _elsewhere(record),
    }


def _origin(record: DeadLetter) -> dict[str, Any]:
    return {
        "subject": record.subject,
        "stream": record.stream or None,
        "sequence": record.sequence,
        "event_id": record.event_id or None,
        "correlation_id": record.correlation_id or None,
    }


def _failure(record: DeadLetter) -> dict[str, Any]:
    return {
        "service": record.service,
        "handler": record.handler,
        "reason": record.reason,
        "attempts": record.attempts,
        "failed_at": moment(record.failed_at.timestamp()) if record.failed_at else None,
        "error": record.error,
        "error_message": record.message,
        "traceback": record.traceback,
    }


def _elsewhere(record: DeadLetter) -> dict[str, Any] | None:
    if record.reference is None:
        return None
    kept = record.reference.kept_until
    return {
        "stream": record.stream,
        "sequence": record.sequence,
        "sha256": record.reference.sha256,
        "kept_until": None if kept is None else moment(kept.timestamp()),
    }


def read_json(body: bytes) -> Any:
    """What a body says, None if it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
