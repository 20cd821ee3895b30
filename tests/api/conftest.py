"""An application with our middleware, and ways to ask it and to read its log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
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


@pytest.fixture
def serving() -> Any:
    """`async with serving(app) as port`: a real uvicorn in this process."""
    return _serving


@pytest.fixture
def raw_request() -> Any:
    """`await raw_request(port, *pieces)`: bytes to a server, piece by piece."""
    return _raw_request


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[int]:
    """Serve *app* on a free port of the loopback; the port is yielded once it answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=10)


async def _raw_request(port: int, *pieces: bytes) -> tuple[bytes, int]:
    """Send *pieces* one by one; (the answer's bytes, how many pieces the server let us send)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    answer = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            sent += 1
            with contextlib.suppress(TimeoutError):
                answer += await asyncio.wait_for(reader.read(65536), 0.02)
            if answer:
                break
        async with asyncio.timeout(5):
            answer += await reader.read(65536) if not answer else b""
    finally:
        writer.close()
    return answer, sent
