"""Payloads of webhooks."""

from __future__ import annotations

from typing import Any

from glam_shared.messaging.events.platform import BaseEventPayload
from glam_shared.messaging.timestamps import UtcDatetime

__all__ = ["WebhookFailedPayload", "WebhookProcessedPayload", "WebhookReceivedPayload"]


class WebhookReceivedPayload(BaseEventPayload):
    """A shop platform called."""

    webhook_id: str
    topic: str
    received_at: UtcDatetime
    body: dict[str, Any]


class WebhookProcessedPayload(BaseEventPayload):
    """A webhook was worked in `duration_ms` milliseconds."""

    webhook_id: str
    topic: str
    duration_ms: float


class WebhookFailedPayload(BaseEventPayload):
    """A webhook could not be worked."""

    webhook_id: str
    topic: str
    error_code: str
    error_message: str
    retry_count: int
