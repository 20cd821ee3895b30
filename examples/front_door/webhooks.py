"""Webhooks of the platform: each becomes an event, and is answered when the broker has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel

from examples.front_door.errors import errors
from examples.front_door.store import AcceptedWebhook, Shop, Store, StoreDep
from glam_shared import DomainError, NotFoundError
from glam_shared.api import (
    ApiResponse,
    PublisherDep,
    WebhookHeaders,
    parse_webhook_body,
    success_response,
    verify_webhook_signature,
    webhook_headers,
)
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import WebhookReceivedPayload


class Accepted(BaseModel):
    """The event that came of it; the same again when the webhook is sent again."""

    event_id: str


Headers = Annotated[
    WebhookHeaders, Depends(webhook_headers("X-Shopify-Topic", "X-Shopify-Webhook-Id"))
]
ShopDomain = Annotated[str, Header(alias="X-Shopify-Shop-Domain", max_length=253)]


def create_router(secrets: list[str]) -> APIRouter:
    """The route of the webhooks that are signed with one of these secrets."""
    router = APIRouter(prefix="/webhooks", tags=["webhooks"])
    verified = verify_webhook_signature(secrets)

    # The signature covers the body and no header: the body is verified before anything is
    # believed, and the header names one of our own shops or nothing.
    @router.post("/shopify", responses=errors(400, 401, 404, 413, 422, 503))
    async def receive(
        *,
        body: bytes = Depends(verified),
        headers: Headers,
        domain: ShopDomain,
        store: StoreDep,
        publisher: PublisherDep,
    ) -> ApiResponse[Accepted]:
        """Take a webhook: 200 when its event is stored, 503 with Retry-After when it is not."""
        data = parse_webhook_body(body)
        webhook = AcceptedWebhook(
            webhook_id=headers.webhook_id or "",
            topic=headers.topic,
            event_id=headers.event_id,
            received_at=datetime.now(UTC),
        )
        shop = _shop(store, domain, data)
        event = Subjects.WEBHOOK_RECEIVED, _payload(shop, webhook, data)
        await publisher.publish_event(*event, event_id=webhook.event_id)
        store.accepted(shop, webhook)
        return success_response(Accepted(event_id=webhook.event_id))

    return router


def _payload(shop: Shop, webhook: AcceptedWebhook, body: dict[str, Any]) -> WebhookReceivedPayload:
    return WebhookReceivedPayload(
        platform=shop.platform,
        webhook_id=webhook.webhook_id,
        topic=webhook.topic,
        received_at=webhook.received_at,
        body=body,
    )


def _shop(store: Store, domain: str, body: dict[str, Any]) -> Shop:
    shop = store.shop(domain)
    if shop is None:
        raise NotFoundError("The shop is not registered", resource="shop")
    if str(body.get("myshopify_domain", shop.domain)).lower() != shop.domain:
        raise DomainError("The webhook is of another shop", code="WEBHOOK_DOMAIN_MISMATCH")
    return shop
