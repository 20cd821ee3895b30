"""What the tests of operating share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from glam_shared.messaging import JetStreamClient
from tests.operate.letter_writing import Letters


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[JetStreamClient]:
    """A connection to an account that nothing was ever stored in."""
    client = JetStreamClient()
    await client.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
async def letters(client: JetStreamClient) -> Letters:
    """A dead-letter stream, and what writes letters into it."""
    return await Letters(client).created()
