"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.cli.command import HANDLERS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project with the service ``shop``."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "handlers.py").write_text(HANDLERS)
    return tmp_path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real server for the commands of one test run."""
    with EmbeddedServer(tmp_path_factory.mktemp("server")) as started:
        yield started
