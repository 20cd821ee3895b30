"""Payloads of analytics."""

from __future__ import annotations

from typing import Any

from glam_shared.messaging.events.platform import BaseEventPayload
from glam_shared.messaging.timestamps import UtcDatetime

__all__ = ["AnalyticsAggregatedPayload", "AnalyticsTrackedPayload"]


class AnalyticsTrackedPayload(BaseEventPayload):
    """Somebody did something worth counting."""

    name: str
    occurred_at: UtcDatetime
    session_id: str | None = None
    properties: dict[str, Any]


class AnalyticsAggregatedPayload(BaseEventPayload):
    """The counts of a period."""

    period_start: UtcDatetime
    period_end: UtcDatetime
    metrics: dict[str, Any]
