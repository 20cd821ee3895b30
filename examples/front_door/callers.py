"""Those who ask the front door: the shop platform, a merchant's client, another service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

SHOP = "fine-shop.myshopify.com"
_SCOPES = "write_shop read_webhooks"


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Secrets:
    """What the front door shares with those who ask it; new ones where none is given."""

    webhook: str = field(default_factory=_secret)
    client: str = field(default_factory=_secret)
    billing: str = field(default_factory=_secret)


def signature(secret: str, body: bytes) -> str:
    """As the platform signs: base64 of the HMAC-SHA256 of the raw body."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def client_token(secret: str, shop: str = SHOP, scope: str = _SCOPES) -> str:
    """A token of the shop's client, good for five minutes."""
    claims = {"sub": shop, "scope": scope, "exp": int(time.time()) + 300}
    return jwt.encode(claims, secret, algorithm="HS256")


class Callers:
    """Builds requests; whoever sends them sees the answers."""

    def __init__(self, url: str, shared: Secrets) -> None:
        self._url = url
        self._shared = shared

    def registration(self, correlation_id: str, secret: str | None = None) -> httpx.Request:
        """The shop's client registers the shop; another *secret* makes a token that is none."""
        shop = {
            "platform_shop_id": "gid://shopify/Shop/1",
            "shop_name": "Fine Shop",
            "email": "owner@fine-shop.example",
            "country": "NL",
            "currency": "EUR",
            "timezone": "Europe/Amsterdam",
        }
        headers = self._client_headers(secret) | {"X-Correlation-ID": correlation_id}
        return httpx.Request("PUT", f"{self._url}/v1/shop", json=shop, headers=headers)

    def webhooks(self, limit: int = 20) -> httpx.Request:
        """The shop's client asks which webhooks were accepted."""
        query = {"limit": limit}
        return httpx.Request(
            "GET", f"{self._url}/v1/webhooks", params=query, headers=self._client_headers()
        )

    def webhook(self, webhook_id: str, secret: str | None = None) -> httpx.Request:
        """The platform tells of an order; another *secret* makes a signature that is none."""
        body = json.dumps({"id": 1001, "total_price": "19.90", "currency": "EUR"}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Webhook-Id": webhook_id,
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-Hmac-Sha256": signature(secret or self._shared.webhook, body),
        }
        return httpx.Request("POST", f"{self._url}/webhooks/shopify", content=body, headers=headers)

    def low_balance(self, email: str) -> httpx.Request:
        """Another service of the platform reports a low balance."""
        report: dict[str, Any] = {
            "report_id": str(uuid.uuid4()),
            "domain": SHOP,
            "balance": "2.50",
            "threshold": 10,
            "email": email,
        }
        headers = {"Authorization": f"Bearer {self._shared.billing}"}
        return httpx.Request(
            "POST", f"{self._url}/internal/low-balances", json=report, headers=headers
        )

    def _client_headers(self, secret: str | None = None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {client_token(secret or self._shared.client)}",
            "X-Shop-Platform": "shopify",
            "X-Shop-Domain": SHOP,
        }
