"""What a shop's own client asks for, with the shop's token."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from examples.front_door.errors import errors
from examples.front_door.store import StoreDep
from glam_shared.api import (
    ApiResponse,
    ClientAuthDep,
    LoggerDep,
    PaginationDep,
    PlatformContextDep,
    PublisherDep,
    paginated_response,
    success_response,
    validate_shop_context,
)
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import MerchantCreatedPayload

router = APIRouter(prefix="/v1", tags=["merchants"])

_EXAMPLE: JsonDict = {
    "platform_shop_id": "gid://shopify/Shop/1",
    "shop_name": "Fine Shop",
    "email": "owner@fine-shop.example",
    "country": "NL",
    "currency": "EUR",
    "timezone": "Europe/Amsterdam",
}

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Registration(BaseModel):
    """What a shop says of itself."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    platform_shop_id: Text
    shop_name: Text
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: Text


class Registered(BaseModel):
    """The shop, and the event that says it is there."""

    merchant_id: UUID
    domain: str
    event_id: str


class Webhook(BaseModel):
    """A webhook that was accepted."""

    model_config = ConfigDict(from_attributes=True)

    webhook_id: str
    topic: str
    event_id: str
    received_at: datetime


@router.put("/shop", responses=errors(400, 401, 403, 413, 422, 503))
async def register(
    registration: Registration,
    client: ClientAuthDep,
    context: PlatformContextDep,
    logger: LoggerDep,
    store: StoreDep,
    publisher: PublisherDep,
) -> ApiResponse[Registered]:
    """Register the shop of the token. Sent again it changes nothing, and has the same answer."""
    validate_shop_context(
        client, context, logger, expected_platform="shopify", expected_scope="write_shop"
    )
    shop = store.register(context.domain, registration.platform_shop_id)
    if not shop.announced:
        payload = MerchantCreatedPayload(
            platform=shop.platform,
            shop_name=registration.shop_name,
            email=registration.email,
            country=registration.country,
            currency=registration.currency,
            timezone=registration.timezone,
            platform_version="2026-10",
            scopes=client.scope,
            status="active",
        )
        await publisher.publish_event(Subjects.MERCHANT_CREATED, payload, event_id=shop.event_id)
        store.announced(shop)
    return success_response(
        Registered(merchant_id=shop.merchant_id, domain=shop.domain, event_id=shop.event_id)
    )


@router.get("/webhooks", responses=errors(400, 401, 403, 422))
async def list_webhooks(
    client: ClientAuthDep,
    context: PlatformContextDep,
    logger: LoggerDep,
    page: PaginationDep,
    store: StoreDep,
    topic: Annotated[str | None, Query(max_length=256)] = None,
) -> ApiResponse[list[Webhook]]:
    """The webhooks that were accepted for the shop of the token, the newest first."""
    validate_shop_context(client, context, logger, expected_scope="read_webhooks")
    found, total = store.webhooks(context.domain, topic, page.limit, page.offset)
    webhooks = [Webhook.model_validate(webhook) for webhook in found]
    return paginated_response(webhooks, page.page, page.limit, total, "/v1/webhooks", topic=topic)
