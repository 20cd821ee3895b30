"""Random faults under load."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.story import chaos


@pytest.mark.chaos
@pytest.mark.timeout(400)
async def test_a_minute_of_random_faults_loses_nothing(tmp_path: Path) -> None:
    """Each event is handled or in the dead letters; each extra run has a fault that explains it."""
    report = await chaos(tmp_path, 1.0, random.SystemRandom().randrange(1_000_000))
    print("\n".join(report.lines()))

    assert report.published > 500
    assert report.problems == [], "\n".join(report.lines())
