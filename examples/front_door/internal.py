"""What other services of the platform report, with a key of their own."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from examples.front_door.errors import errors
from examples.front_door.store import StoreDep
from examples.front_door.webhooks import Accepted
from glam_shared import NotFoundError
from glam_shared.api import (
    ApiResponse,
    InternalAuthDep,
    LoggerDep,
    PublisherDep,
    success_response,
    validate_service_context,
)
from glam_shared.messaging import Subjects
from glam_shared.messaging.events import CreditBalanceLowPayload

router = APIRouter(prefix="/internal", tags=["internal"])

_EXAMPLE: JsonDict = {
    "report_id": "6f1c2a34-9f3e-4e5b-8d0e-3f7a1b2c4d5e",
    "domain": "fine-shop.myshopify.com",
    "balance": "2.50",
    "threshold": 10,
    "email": "owner@fine-shop.example",
}

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]


class LowBalance(BaseModel):
    """A shop's credits run out."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    report_id: UUID
    """Becomes the event's id: a report that is sent again is the same report."""
    domain: Annotated[str, Field(max_length=253)]
    balance: Amount
    threshold: Amount
    email: Annotated[str | None, Field(max_length=254)] = None


@router.post("/low-balances", status_code=202, responses=errors(401, 403, 404, 413, 422, 503))
async def report(
    low: LowBalance,
    caller: InternalAuthDep,
    logger: LoggerDep,
    store: StoreDep,
    publisher: PublisherDep,
) -> ApiResponse[Accepted]:
    """Take the report of a low balance; its merchant is mailed a warning."""
    validate_service_context(caller, logger, ["billing-service"], "report a low balance")
    shop = store.shop(low.domain)
    if shop is None:
        raise NotFoundError("The shop is not registered", resource="shop")
    payload = CreditBalanceLowPayload(
        platform=shop.platform, balance=low.balance, threshold=low.threshold, email=low.email
    )
    event_id = await publisher.publish_event(
        Subjects.CREDIT_BALANCE_LOW, payload, event_id=str(low.report_id)
    )
    return success_response(Accepted(event_id=event_id))
