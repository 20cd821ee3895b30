"""The OpenAPI document says what `setup_middleware` and our dependencies do."""

# No `annotations` of the future here: FastAPI could not find what is made in a function.
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header
from pydantic import BaseModel

from glam_shared.api import (
    ApiResponse,
    PlatformContextDep,
    WebhookHeadersDep,
    setup_middleware,
    success_response,
    verify_webhook_signature,
    webhook_headers,
)

ERROR = {"$ref": "#/components/schemas/ErrorResponse"}


class Item(BaseModel):
    name: str


def parameters(operation: dict[str, Any]) -> dict[str, bool]:
    """Whether each parameter is required, by its name."""
    return {one["name"]: one["required"] for one in operation.get("parameters", ())}


def schema(answer: dict[str, Any]) -> Any:
    return answer["content"]["application/json"]["schema"]


@pytest.mark.parametrize("before", [True, False])
def test_every_operation_tells_of_its_errors(before: bool) -> None:
    """422 and whatever else goes wrong is an ErrorResponse, for routes made later, too."""
    app = FastAPI()
    if before:
        setup_middleware(app, service_name="shop-service")

    @app.post("/items")
    async def make(item: Item) -> ApiResponse[Item]:
        return success_response(item)

    if not before:
        setup_middleware(app, service_name="shop-service")
    document = app.openapi()

    answers = document["paths"]["/items"]["post"]["responses"]
    assert [ERROR, ERROR] == [schema(answers["422"]), schema(answers["default"])]
    assert {"$ref": "#/components/schemas/ApiResponse_Item_"} == schema(answers["200"])
    schemas = document["components"]["schemas"]
    assert {"error", "meta"} == set(schemas["ErrorResponse"]["required"])
    assert not {"HTTPValidationError", "ValidationError"} & schemas.keys()
    assert document is app.openapi()


def test_what_a_route_says_of_its_errors_stays() -> None:
    """Answers that the service documents itself are not touched, FastAPI's schema included."""
    app = FastAPI()
    setup_middleware(app, service_name="shop-service")
    own = {"description": "Mine", "content": {"application/json": {"schema": {"type": "string"}}}}

    @app.post("/items", responses={422: own, "default": own})
    async def make(item: Item) -> None: ...

    answers = app.openapi()["paths"]["/items"]["post"]["responses"]

    assert [{"type": "string"}] * 2 == [schema(answers[status]) for status in ("422", "default")]


def test_headers_that_a_dependency_reads_are_parameters() -> None:
    """Of routes, of included routers, and of dependencies of dependencies; each once."""
    app, router = FastAPI(), APIRouter()
    setup_middleware(app, service_name="shop-service")

    async def nested(shop: PlatformContextDep) -> str:
        return shop.domain

    @router.get("/shop")
    async def show(
        domain: Annotated[str, Depends(nested)],
        again: PlatformContextDep,
        own: Annotated[str, Header(alias="x-shop-platform")],
    ) -> None: ...

    @app.get("/hooks")
    async def hooks(headers: WebhookHeadersDep) -> None: ...

    app.include_router(router, prefix="/v1")
    paths = app.openapi()["paths"]

    shop = paths["/v1/shop"]["get"]
    assert {"x-shop-platform": True, "X-Shop-Domain": True} == parameters(shop)
    assert 2 == len(shop["parameters"])
    hooks_read = parameters(paths["/hooks"]["get"])
    assert {"X-Webhook-Topic": True, "X-Webhook-Id": False} == hooks_read


def test_a_verified_body_is_in_the_document() -> None:
    """The signature's header and the body that it covers, under the names that were given."""
    app = FastAPI()
    setup_middleware(app, service_name="shop-service")
    verified = verify_webhook_signature("secret", header="X-Signature")
    named = webhook_headers("X-Topic", "X-Id")

    @app.post("/hooks")
    async def hooks(
        body: Annotated[bytes, Depends(verified)], headers: Annotated[Any, Depends(named)]
    ) -> None: ...

    operation = app.openapi()["paths"]["/hooks"]["post"]

    assert {"X-Signature", "X-Topic", "X-Id"} == parameters(operation).keys()
    assert operation["requestBody"]["required"]
    assert {"type": "object"} == schema(operation["requestBody"])


def test_an_application_without_routes_or_document_is_left_in_peace() -> None:
    """Nothing to describe is described."""
    app = FastAPI()
    setup_middleware(app, service_name="shop-service")

    assert {} == app.openapi()["paths"]
