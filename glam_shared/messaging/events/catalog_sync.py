"""Payloads of the catalog synchronisation."""

from __future__ import annotations

from uuid import UUID

from glam_shared.messaging.events.platform import BaseEventPayload

__all__ = ["CatalogSyncCompletedPayload", "CatalogSyncFailedPayload", "CatalogSyncStartedPayload"]


class CatalogSyncStartedPayload(BaseEventPayload):
    """A synchronisation of `total_items` products began."""

    sync_id: UUID
    total_items: int
    status: str


class CatalogSyncCompletedPayload(BaseEventPayload):
    """A synchronisation ended well."""

    sync_id: UUID
    total_items: int
    status: str
    first_sync: bool = False
    has_changes: bool = False
    email: str | None = None


class CatalogSyncFailedPayload(BaseEventPayload):
    """A synchronisation ended after `items_processed` products."""

    sync_id: UUID
    error_code: str
    error_message: str
    items_processed: int
