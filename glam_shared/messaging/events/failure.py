"""What a service itself writes into a letter of its own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from glam_shared.json_safe import json_safe, json_text
from glam_shared.messaging.events.platform import BaseEventPayload, EventPlatform

__all__ = ["ErrorPayload"]

_Text = Annotated[str, BeforeValidator(json_text)]


class ErrorPayload(BaseEventPayload):
    """Why `failed_operation` failed.

    Text and `original_data` are made fit for JSON, because the event they are about may be corrupt.
    """

    # The base requires a platform; a corrupt event has none.
    platform: EventPlatform | None = None  # type: ignore[assignment]
    error_code: _Text
    error_message: _Text
    failed_operation: _Text
    retry_count: int = 0
    max_retries: int = 3
    original_data: Annotated[dict[str, Any] | None, BeforeValidator(json_safe)] = None
