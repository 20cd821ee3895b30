"""What a replayed letter failed of before: the value of the header `Glam-Replays`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from glam_shared.messaging.timestamps import UtcDatetime

__all__ = ["PastFailure", "read_past", "write_past"]

_MOST = 10


class PastFailure(BaseModel):
    """One stay in the dead-letter stream that a replay ended."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    failed_at: UtcDatetime | None = None
    reason: str = Field(default="", max_length=64)
    attempts: int = Field(default=0, ge=0)
    error: str = Field(default="", max_length=256)
    letter: str = Field(default="", max_length=320)
    """The letter that was replayed, such as `GLAM_DLQ:17`."""
    edited_at: UtcDatetime | None = None
    """When its payload was edited for the replay; None: it was replayed as it was."""
    edited_from: str = Field(default="", max_length=64)
    """SHA-256 of the body before that, in hex."""


_LIST = TypeAdapter(tuple[PastFailure, ...])


def write_past(failures: Sequence[PastFailure]) -> str:
    """*failures*, oldest first, as one line of JSON; of more than ten the last ten."""
    last = tuple(failures[-_MOST:])
    return _LIST.dump_json(last, exclude_defaults=True, ensure_ascii=True).decode()


def read_past(value: str | None) -> tuple[PastFailure, ...]:
    """The failures a header tells of; none when it is missing or not ours."""
    try:
        return _LIST.validate_json(value) if value else ()
    except ValidationError:
        return ()
