"""A rig for each test; every test here is a row of faults, and long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.rig import Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Nothing is started yet."""
    async with Rig(tmp_path) as rig:
        yield rig
