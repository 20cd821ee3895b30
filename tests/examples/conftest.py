"""The front door in this process, and those who ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from examples.front_door.app import create_app
from examples.front_door.callers import Callers, Secrets
from examples.front_door.demo.trace import StoredEvent, stored_events
from examples.front_door.settings import FrontDoorSettings
from glam_shared.api import BrokerSettings, HttpSettings
from glam_shared.messaging import JetStreamClient

URL = "http://door.test"


@dataclass
class Door:
    """A front door, its callers, and a look at what it publishes."""

    app: FastAPI
    callers: Callers
    secrets: Secrets
    http: httpx.AsyncClient
    client: JetStreamClient

    async def ask(self, request: httpx.Request) -> httpx.Response:
        """The answer."""
        return await self.http.send(request)

    async def registered(self) -> None:
        """The callers' shop is registered from here on."""
        answer = await self.ask(self.callers.registration("corr_registration"))
        assert 200 == answer.status_code, answer.text

    async def events(self, subject: str = "") -> list[StoredEvent]:
        """What it published, to this subject or at all."""
        found = await stored_events(self.client)
        return [event for event in found if subject in {"", event.envelope.event_type}]


def door_app(servers: str, folder: Path, shared: Secrets) -> FastAPI:
    """The service with secrets and a database of its own."""
    return create_app(
        FrontDoorSettings(shopify_webhook_secret=shared.webhook, database=folder / "door.db"),
        HttpSettings(
            client_jwt_secret=shared.client,
            internal_jwt_secret=f"billing-service:{shared.billing},orders:{'o' * 32}",
        ),
        BrokerSettings(nats_servers=servers),
    )


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[JetStreamClient]:
    """A client of the test's own account, with the events' stream there."""
    async with JetStreamClient() as client:
        await client.connect(nats_url)
        await client.ensure_stream("GLAM_EVENTS", ["evt.>", "cmd.>"])
        yield client


@pytest.fixture
async def door(client: JetStreamClient, nats_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """The front door, connected to the broker."""
    shared = Secrets()
    app = door_app(nats_url, tmp_path, shared)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http,
    ):
        yield Door(app, Callers(URL, shared), shared, http, client)
