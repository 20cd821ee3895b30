"""The pytest plugin: fixtures that run handlers against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from glam_worker.testing.factory import WorkerFactory
    from glam_worker.testing.server import TenantServer

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # without the extra: only whoever asks for a fixture is told
    async_fixture = pytest.fixture  # type: ignore[assignment]


@pytest.fixture(scope="session")
def nats_server() -> Iterator[TenantServer]:
    """A real nats-server, one for each pytest process; started when the first test asks."""
    from glam_worker.testing.server import TenantServer  # noqa: PLC0415 - not for every pytest

    server = TenantServer()
    yield server
    server.stop()


@pytest.fixture
def nats_url(nats_server: TenantServer) -> str:
    """The address of an account that nothing was ever stored in, with user and password."""
    return nats_server.fresh_url()


@async_fixture
async def worker(nats_url: str) -> AsyncIterator[WorkerFactory]:
    """Runs handlers in the test's event loop; see ``glam_worker.testing.WorkerFactory``."""
    from glam_worker.testing.factory import WorkerFactory  # noqa: PLC0415

    factory = WorkerFactory(nats_url)
    yield factory
    await factory.close()
