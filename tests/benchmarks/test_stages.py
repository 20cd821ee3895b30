"""The table of `python -m benchmarks.stages`."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from benchmarks import stages


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_a_stage_is_counted_alone() -> None:
    """A stage costs some thousand instructions: more than nothing, less than a whole event."""
    assert 1_000 < stages.instructions("settle") < 20_000


@pytest.mark.parametrize("name", stages.NAMES)
def test_a_stage_can_be_repeated(name: str) -> None:
    """What is counted is the same work each time."""

    async def twice() -> None:
        stage = getattr(stages.Stages(), name)
        stage()
        stage()

    asyncio.run(twice())
