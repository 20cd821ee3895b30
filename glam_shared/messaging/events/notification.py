"""Payloads of e-mail notifications."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from glam_shared.messaging.events.platform import BaseEventPayload

__all__ = ["EmailFailedPayload", "EmailRequestedPayload", "EmailSentPayload"]


class EmailRequestedPayload(BaseEventPayload):
    """An e-mail is to be sent from a template."""

    notification_id: UUID
    template_type: str
    recipient_email: str
    template_variables: dict[str, Any]


class EmailSentPayload(BaseEventPayload):
    """A provider took the e-mail."""

    notification_id: UUID
    template_type: str
    recipient_email: str
    provider: str
    provider_message_id: str


class EmailFailedPayload(BaseEventPayload):
    """An e-mail could not be sent."""

    notification_id: UUID
    template_type: str
    recipient_email: str
    error_code: str
    error_message: str
    retry_count: int = 0
