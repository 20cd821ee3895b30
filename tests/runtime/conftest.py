"""Servers of a test's own, for what the shared one cannot do: restart, or another limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from glam_worker.dev.server import EmbeddedServer

StartsServer: TypeAlias = Callable[..., EmbeddedServer]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[StartsServer]:
    """Starts a server with the given options of its configuration; stopped after the test."""
    started: list[EmbeddedServer] = []

    def start(**config: Any) -> EmbeddedServer:
        server = EmbeddedServer(tmp_path / f"nats{len(started)}", config=config)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()
