"""What the tests of the console share: letters, a lane, and the console itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from glam_shared.messaging import JetStreamClient
from glam_worker.console.access import Access
from glam_worker.console.app import console_app
from glam_worker.console.latencies import Latencies
from glam_worker.console.session import Session
from glam_worker.console.watch import Watch
from glam_worker.operate.status import Statuses
from tests.operate.conftest import client, letters

__all__ = ["client", "letters"]

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def session_of(client: JetStreamClient, token: str | None, host: str = "127.0.0.1") -> Session:
    """A console's session."""
    watch = Watch(Statuses(client, "GLAM_RETRY"), Latencies([]))
    return Session(client, Access(token, host), watch, "GLAM_RETRY", None)


async def browsing(session: Session) -> AsyncIterator[httpx.AsyncClient]:
    """Asks a console that looked at the server once."""
    await session.watch.look()
    transport = httpx.ASGITransport(console_app(session))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9465") as web:
        yield web
    await session.jobs.stop()


@pytest.fixture
async def web(client: JetStreamClient) -> AsyncIterator[httpx.AsyncClient]:
    """A console that knows the token."""
    async for web in browsing(session_of(client, TOKEN)):
        yield web


@pytest.fixture
async def looking(client: JetStreamClient) -> AsyncIterator[httpx.AsyncClient]:
    """A console without a token."""
    async for web in browsing(session_of(client, None)):
        yield web
