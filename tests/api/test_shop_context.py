"""Do headers, token and body speak of the same shop?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from glam_shared.api import (
    ClientAuthContext,
    InternalAuthContext,
    PlatformContext,
    PlatformContextDep,
    validate_service_context,
    validate_shop_context,
)
from glam_shared.errors import DomainError, GlamBaseError
from glam_shared.logging import create_logger

Lines = Callable[[], list[dict[str, Any]]]

HEADER = PlatformContext("shopify", "shop-1.example")
TOKEN = ClientAuthContext("shop-1.example", "read:items write:items", "t")


@pytest.mark.parametrize(
    ("platform", "domain", "expected"),
    [
        ("shopify", "shop-1.example", ["shopify", "shop-1.example", True]),
        ("WooCommerce", "SHOP.Example", ["woocommerce", "shop.example", False]),
        (" custom ", "xn--bcher-kva.example", ["custom", "xn--bcher-kva.example", False]),
        ("magento", "a" * 63 + ".example", ["magento", "a" * 63 + ".example", False]),
    ],
)
async def test_the_shop_of_the_headers(
    app: FastAPI, client: httpx.AsyncClient, platform: str, domain: str, expected: list[Any]
) -> None:
    """Platform and domain are taken in lower case."""

    @app.get("/")
    async def root(shop: PlatformContextDep) -> list[Any]:
        return [shop.platform, shop.domain, shop.is_shopify]

    answer = await client.get("/", headers={"X-Shop-Platform": platform, "X-Shop-Domain": domain})

    assert expected == answer.json()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([("X-Shop-Domain", "shop.example")], "INVALID_PLATFORM"),
        ([("X-Shop-Platform", "ebay"), ("X-Shop-Domain", "shop.example")], "INVALID_PLATFORM"),
        (
            [("X-Shop-Platform", "shopify")] * 2 + [("X-Shop-Domain", "s.example")],
            "INVALID_PLATFORM",
        ),
        ([("X-Shop-Platform", "shopify")], "INVALID_DOMAIN"),
        *(
            ([("X-Shop-Platform", "shopify"), ("X-Shop-Domain", domain)], "INVALID_DOMAIN")
            for domain in (
                "",
                "-a.example",
                "a-.example",
                "a..example",
                ".example",
                "example.",
                "a_b.example",
                "http://a.example",
                "a.example:443",
                "a.example/x",
                "a b",
                "a" * 64 + ".example",
                ".".join(["a" * 60] * 5),
                "shop.example, evil.example",
            )
        ),
    ],
)
async def test_a_shop_that_cannot_be_is_400(
    app: FastAPI, client: httpx.AsyncClient, headers: list[tuple[str, str]], code: str
) -> None:
    """Missing, unknown, repeated or no host name: 400 with one of two codes."""

    @app.get("/")
    async def root(shop: PlatformContextDep) -> str:
        return shop.domain

    answer = await client.get("/", headers=headers)

    assert (400, code) == (answer.status_code, answer.json()["error"]["code"])


async def test_a_domain_of_other_letters_is_400(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Letters that only look like ASCII are no host name."""

    @app.get("/")
    async def root(shop: PlatformContextDep) -> str:
        return shop.domain

    headers = [(b"X-Shop-Platform", b"shopify"), (b"X-Shop-Domain", b"sh\xc3\xb6p.example")]

    assert 400 == (await client.get("/", headers=headers)).status_code


FITTING = {
    "body_platform": "Shopify",
    "body_domain": "SHOP-1.example",
    "expected_platform": "SHOPIFY",
    "expected_scope": "Read:Items",
    "webhook_payload": {"myshopify_domain": "Shop-1.EXAMPLE", "domain": "www.else.example"},
}


@pytest.mark.parametrize(
    "given",
    [
        {},
        FITTING,
        {"webhook_payload": {"domain": "shop-1.example"}},
        {"webhook_payload": {"id": 7}},
    ],
)
def test_what_agrees_passes(given: dict[str, Any]) -> None:
    """Case is ignored, what is not given is not compared."""
    validate_shop_context(TOKEN, HEADER, create_logger("shop-service"), **given)


MISMATCHES: list[tuple[int, str, dict[str, Any]]] = [
    (400, "INVALID_PLATFORM", {"expected_platform": "magento"}),
    (401, "DOMAIN_MISMATCH", {"client_auth": ClientAuthContext("other.example", "", "t")}),
    (403, "INVALID_SCOPE", {"expected_scope": "read"}),
    (400, "BODY_DOMAIN_MISMATCH", {"body_domain": "other.example"}),
    (400, "PLATFORM_MISMATCH", {"body_platform": "magento"}),
    (400, "WEBHOOK_DOMAIN_MISMATCH", {"webhook_payload": {"myshopify_domain": "other.example"}}),
]


@pytest.mark.parametrize("first", range(len(MISMATCHES)))
def test_mismatches_are_found_in_order(first: int, lines: Lines) -> None:
    """With all mismatches from one on, that one is answered; what was found is in the log."""
    given: dict[str, Any] = {"client_auth": TOKEN}
    for _, _, wrong in MISMATCHES[first:]:
        given.update(wrong)
    status, code, _ = MISMATCHES[first]

    with pytest.raises(GlamBaseError) as found:
        validate_shop_context(platform_ctx=HEADER, logger=create_logger("shop-service"), **given)

    assert (status, code) == (found.value.status, found.value.code)
    assert [code] == [line["code"] for line in lines()]


@pytest.mark.parametrize(
    "payload",
    [
        {"myshopify_domain": ""},
        {"myshopify_domain": 7, "domain": "shop-1.example"},
        {"myshopify_domain": ["shop-1.example"]},
        {"domain": {"x": 1}},
        {"myshopify_domain": "shop-1.example.evil.example"},
    ],
)
def test_a_domain_of_another_type_is_a_mismatch(payload: dict[str, Any]) -> None:
    """Whatever stands in a webhook's domain, it is compared and never trusted."""
    with pytest.raises(DomainError) as found:
        validate_shop_context(TOKEN, HEADER, create_logger("shop-service"), webhook_payload=payload)

    assert "WEBHOOK_DOMAIN_MISMATCH" == found.value.code


def test_an_empty_body_domain_is_a_mismatch() -> None:
    """A domain that is given and empty is compared like any other."""
    with pytest.raises(DomainError) as found:
        validate_shop_context(TOKEN, HEADER, create_logger("shop-service"), body_domain="")

    assert "BODY_DOMAIN_MISMATCH" == found.value.code


def test_services_that_are_allowed(lines: Lines) -> None:
    """None allows every service, a list those in it, an empty list none."""
    orders, logger = InternalAuthContext("orders", "t"), create_logger("shop-service")

    validate_service_context(orders, logger)
    validate_service_context(orders, logger, ["billing", "orders"], "refund")
    for allowed in (["billing"], []):
        with pytest.raises(GlamBaseError) as found:
            validate_service_context(orders, logger, allowed, "refund")
        assert (403, "SERVICE_NOT_ALLOWED") == (found.value.status, found.value.code)
        assert "billing" not in str(found.value.to_dict())

    assert [["billing"], []] == [line["allowed_services"] for line in lines()]
