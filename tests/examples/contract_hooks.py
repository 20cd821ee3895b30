"""Signs what schemathesis generates, as the platform, a shop's client and a service would.

Loaded by its command through ``SCHEMATHESIS_HOOKS``. One request in four is left as generated.
"""

from __future__ import annotations

import itertools
import os

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from examples.front_door.callers import SHOP, Secrets, client_token, signature

SECRETS = Secrets(
    *(os.environ.get(f"DOOR_{name}", "") for name in ("WEBHOOK", "CLIENT", "BILLING"))
)


class Signing(AuthBase):
    """Signs the bytes that are sent."""

    def __init__(self) -> None:
        self._number = itertools.count()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request, with what its route asks for."""
        path = request.path_url.partition("?")[0]
        if next(self._number) % 4 == 3:
            return request
        if path.startswith("/webhooks"):
            body = request.body or b""
            content = body.encode() if isinstance(body, str) else body
            assert isinstance(content, bytes)
            request.headers["X-Shopify-Hmac-Sha256"] = signature(SECRETS.webhook, content)
            request.headers["X-Shopify-Shop-Domain"] = SHOP
        elif path.startswith("/v1"):
            request.headers["Authorization"] = f"Bearer {client_token(SECRETS.client)}"
            request.headers.update({"X-Shop-Platform": "shopify", "X-Shop-Domain": SHOP})
        elif path.startswith("/internal"):
            request.headers["Authorization"] = f"Bearer {SECRETS.billing}"
        return request


schemathesis.auth.set_from_requests(Signing())  # type: ignore[attr-defined]
