"""An application with our middleware, and ways to ask it and to read its log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from glam_shared.api import HttpSettings, setup_middleware

CLIENT_SECRET = "client-secret-client-secret-client-secret"
ORDERS_KEY = "orders-key-orders-key-orders-key-orders-key"
BILLING_KEY = "billing-key-billing-key-billing-key-billing"


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLIENT_JWT_SECRET",
        "CLIENT_JWT_AUDIENCE",
        "CLIENT_JWT_ISSUER",
        "CLIENT_JWT_LEEWAY",
        "INTERNAL_JWT_SECRET",
        "GLAM_TRUSTED_PROXIES",
        "GLAM_HTTP_DEBUG",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings() -> HttpSettings:
    """Secrets of both kinds."""
    return HttpSettings(
        client_jwt_secret=CLIENT_SECRET,
        internal_jwt_secret=f"orders:{ORDERS_KEY},billing:{BILLING_KEY}",
    )


@pytest.fixture
def app() -> FastAPI:
    """An application with the middleware and no routes."""
    application = FastAPI()
    setup_middleware(application, service_name="shop-service")
    return application


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens clients that speak to an application in this process."""
    async with AsyncExitStack() as clients:

        def open_client(application: FastAPI, peer: str = "127.0.0.1") -> httpx.AsyncClient:
            transport = httpx.ASGITransport(application, client=(peer, 5000))
            client = httpx.AsyncClient(transport=transport, base_url="http://shop.test")
            clients.push_async_callback(client.aclose)
            return client

        yield open_client


@pytest.fixture
def client(app: FastAPI, connect: Connect) -> httpx.AsyncClient:
    """A client of `app`."""
    return connect(app)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The log lines written since the last call; each must be one JSON object."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
