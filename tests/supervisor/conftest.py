"""A broker and a service for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.supervisor.running import Service


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A nats-server of its own."""
    with EmbeddedServer(tmp_path / "store") as server:
        yield server


@pytest.fixture
def service(broker: EmbeddedServer, tmp_path: Path) -> Iterator[Service]:
    """A service whose runs end with the test."""
    home = tmp_path / "service"
    home.mkdir()
    service = Service(home, broker.url)
    yield service
    for run in service.runs:
        run.end()
